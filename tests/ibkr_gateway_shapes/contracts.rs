//! What a contract means, and since when it has data.

use prost::Message;

use crate::client::*;
use crate::ibkr_gateway::message::Contract;
use crate::ibkr_gateway::proto;
use crate::{at, evening};

/// All that a contract may mean, or the error.
fn details(client: &mut Client, contract: &Contract) -> Result<Vec<proto::ContractData>, (i32, String)> {
    client.say(9, &proto::ContractDataRequest { request: Some(3), contract: Some(named(contract)) });
    let mut found = Vec::new();
    loop {
        match client.hear().unwrap() {
            (10, body) => found.push(proto::ContractData::decode(&body[..]).unwrap()),
            (52, _) => return Ok(found),
            (4, body) => {
                let (id, code, text) = error_of(&body);
                assert_eq!(id, 3);
                return Err((code, text));
            }
            (number, _) => panic!("message {number}"),
        }
    }
}

#[test]
fn a_stock_is_one_contract_where_enough_is_said() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    let found = details(&mut client, &stock("AAPL")).unwrap();
    let [one] = &found[..] else { panic!("{found:?}") };
    let (contract, about) = (one.contract.clone().unwrap(), one.details.clone().unwrap());
    assert_eq!(contract.primary.as_deref(), Some("NASDAQ"));
    assert_eq!(about.time_zone.as_deref(), Some("US/Eastern"));
    assert!(about.trading_hours.unwrap().starts_with("20240604:0400-20240604:2000;20240605:0400-"));
    assert!(about.liquid_hours.unwrap().ends_with("20240608:CLOSED;20240609:CLOSED"));
    // Its number is as good as its name from then on.
    let by_number =
        Contract { con_id: contract.con_id.unwrap(), exchange: "SMART".into(), ..Contract::default() };
    let bars = client.bars(&asked(by_number, "1 day", "2 D")).unwrap();
    assert_eq!(bars.len(), 2);
}

#[test]
fn too_little_said_means_several() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    let vague = contract("STK", "S0001", "", "");
    let currencies: Vec<_> = details(&mut client, &vague)
        .unwrap()
        .into_iter()
        .map(|one| one.contract.unwrap().currency.unwrap())
        .collect();
    assert_eq!(currencies, ["USD", "GBP", "JPY", "AUD"]);
    let (code, text) = client.bars(&asked(vague, "1 day", "2 D")).unwrap_err();
    assert!(code == 200 && text.contains("ambiguous"), "{text}");
    let nothing = details(&mut client, &stock("NOSUCH1")).unwrap_err();
    assert_eq!(nothing.0, 200);
    let wrong = details(&mut client, &contract("STK", "AAPL", "NYSE", "USD")).unwrap_err();
    assert_eq!(wrong.0, 200);
}

#[test]
fn futures_are_known_for_two_years_after_their_end() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    let gold = |month: &str, expired: bool| Contract {
        month: month.into(),
        include_expired: expired,
        ..contract("FUT", "GC", "COMEX", "USD")
    };
    let found = details(&mut client, &gold("202408", false)).unwrap();
    let named = found[0].contract.clone().unwrap();
    assert_eq!((named.month.as_deref(), named.local_symbol.as_deref()), (Some("20240826"), Some("GCQ4")));
    assert_eq!((named.multiplier, found.len()), (Some(100.0), 1));
    assert!(details(&mut client, &gold("20240826", false)).is_ok());
    assert_eq!(details(&mut client, &gold("202402", false)).unwrap_err().0, 200);
    assert!(details(&mut client, &gold("202402", true)).is_ok());
    assert_eq!(details(&mut client, &gold("202202", true)).unwrap_err().0, 200);
    // Without a month it is all that trade: a year of them.
    let all = details(&mut client, &gold("", false)).unwrap();
    assert!((11..=13).contains(&all.len()), "{}", all.len());
    let last = ending(asked(gold("202402", true), "1 day", "2 D"), "20240401 00:00:00 UTC");
    assert_eq!(dates(&client.bars(&last).unwrap()), ["20240223", "20240226"]);
}

#[test]
fn data_begin_with_the_first_session() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    let mut head = |contract: &Contract, format: i32| {
        let request = proto::HeadTimestampRequest {
            request: Some(9),
            contract: Some(named(contract)),
            regular_hours: Some(true),
            what_to_show: Some("TRADES".into()),
            format_date: Some(format),
        };
        client.say(87, &request);
        match client.hear().unwrap() {
            (88, body) => Ok(proto::HeadTimestamp::decode(&body[..]).unwrap().timestamp.unwrap()),
            (_, body) => Err(error_of(&body).1),
        }
    };
    assert_eq!(head(&stock("AAPL"), 2).unwrap(), at("1981-01-02T14:30:00Z").to_string());
    assert_eq!(head(&stock("AAPL"), 1).unwrap(), "19810102-14:30:00");
    assert_eq!(head(&stock("NOSUCH1"), 1), Err(200));
    assert_eq!(head(&contract("CASH", "EUR", "IDEALPRO", "USD"), 2), Err(162));
    assert_eq!(gateway.counts().heads, 4);
}
