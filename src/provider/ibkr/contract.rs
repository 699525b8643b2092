//! Which of the broker's contracts an instrument is: what is looked for, and what of the found is taken.

use super::api::{Listing, Show, Wanted};
use super::{NAME, code_of};
use crate::model::{Class, Day};
use crate::provider::{Refusal, Request};

/// How many contracts that match are listed in a message.
const LISTED: usize = 5;
/// The broker lists an expired future for two years (its page on historical data). So long after the end of the
/// month a contract is named after, one that is not found is gone for good; before that it may be the broker's
/// servers, which say so of anything while they are down.
const EXPIRED_LISTED_DAYS: i32 = 731;

/// What the gateway is asked for.
pub(super) fn wanted(request: &Request) -> Result<Wanted, Refusal> {
    let instrument = &request.instrument;
    let broker = &instrument.broker;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let con_id = match broker.con_id {
        Some(id) => i32::try_from(id).map_err(|_| invalid(format!("conId {id} is no contract number")))?,
        None => 0,
    };
    let mut wanted = Wanted {
        con_id,
        exchange: text(&broker.exchange),
        currency: text(&broker.currency),
        local_symbol: text(&broker.local_symbol),
        trading_class: text(&broker.trading_class),
        ..Wanted::default()
    };
    match instrument.class {
        Class::Stock => {
            wanted.kind = "STK";
            wanted.symbol.clone_from(&instrument.code);
            default(&mut wanted.exchange, "SMART");
            if con_id == 0 {
                default(&mut wanted.currency, "USD");
            }
        }
        Class::Forex => {
            wanted.kind = "CASH";
            let (base, quote) = pair(&instrument.code);
            wanted.symbol = base;
            default(&mut wanted.currency, quote.as_deref().unwrap_or("USD"));
            default(&mut wanted.exchange, "IDEALPRO");
        }
        Class::Future => {
            wanted.kind = "FUT";
            wanted.symbol.clone_from(&instrument.code);
            wanted.multiplier = text(&broker.multiplier);
            wanted.expired_too = true;
            if let Some(contract) = request.contract {
                wanted.month = format!("{:04}{:02}", contract.year, contract.month);
                // That of one contract, and there are many here.
                wanted.local_symbol.clear();
            } else if con_id == 0 && wanted.local_symbol.is_empty() {
                return Err(invalid(format!(
                    "{} is a future without contracts: add `cycle` to future.{} in the instruments file (or `conId`, or `localSymbol`, of one contract)",
                    instrument.code, instrument.name
                )));
            }
        }
    }
    if con_id != 0 {
        // The number says everything else.
        wanted = Wanted {
            con_id,
            kind: wanted.kind,
            exchange: wanted.exchange,
            expired_too: wanted.expired_too,
            ..Wanted::default()
        };
    }
    Ok(wanted)
}

fn default(field: &mut String, value: &str) {
    if field.is_empty() {
        value.clone_into(field);
    }
}

/// `EUR` with the currency elsewhere, `EURUSD`, `EUR.USD` or `EURUSD=X`.
fn pair(code: &str) -> (String, Option<String>) {
    let letters: String = code.trim_end_matches("=X").chars().filter(char::is_ascii_alphanumeric).collect();
    match letters.split_at_checked(3) {
        Some((base, quote)) if quote.len() == 3 => (base.to_owned(), Some(quote.to_owned())),
        _ => (letters, None),
    }
}

/// The one that is meant.
pub(super) fn choose(request: &Request, found: Vec<Listing>, today: Day) -> Result<Listing, Refusal> {
    let instrument = &request.instrument;
    let place = format!("{}.{}", instrument.class, instrument.name);
    let mut found = found.into_iter();
    let (first, second) = (found.next(), found.next());
    match (first, second) {
        (None, _) => Err(gone(request, "the broker lists no such contract", today)),
        (Some(one), None) => {
            check(request, &one, &place)?;
            Ok(one)
        }
        (Some(first), Some(second)) => {
            let all: Vec<Listing> = [first, second].into_iter().chain(found).collect();
            let lines: Vec<String> = all.iter().take(LISTED).map(words).collect();
            let more = match all.len().saturating_sub(LISTED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let what = match request.contract {
                Some(_) => "`multiplier`, `tradingClass` or `currency`",
                None => "`conId` (or `exchange` and `currency`)",
            };
            Err(invalid(format!(
                "{} may be any of {} contracts: {}{more}; add {what} of the right one to {place} in the instruments file",
                instrument.code,
                all.len(),
                lines.join("; ")
            )))
        }
    }
}

/// A contract that is not found: unknown, or one that expired so long ago that no request can help.
pub(super) fn gone(request: &Request, said: &str, today: Day) -> Refusal {
    let last = request.contract.map(|contract| contract.last_day());
    match last.map(|last| today.number() - last.number()) {
        Some(days) if days > EXPIRED_LISTED_DAYS => Refusal::TooOld {
            // Everything up to the contract's end, and what is asked for behind it.
            reach_days: last.map(|last| today.number() - last.max(request.days.last).number()),
            said: format!("the contract expired {days} days ago and the broker lists it no more"),
        },
        last => {
            let instrument = &request.instrument;
            let place = format!("{}.{}", instrument.class, instrument.name);
            let (provider, code) = (NAME, code_of(request));
            let said = format!(
                "{said}; check `code`, `exchange`, `currency` and the like of {place} in the instruments file"
            );
            match last {
                Some(_) => Refusal::Unlisted { provider, code, said },
                None => Refusal::Unknown { provider, code, said },
            }
        }
    }
}

/// A contract found by its number must be what was asked for, and what the file says of it. The exchange goes
/// along with the number, so that the broker looks at that.
fn check(request: &Request, found: &Listing, place: &str) -> Result<(), Refusal> {
    let broker = &request.instrument.broker;
    let other = |what: &str, is: &str, said: &str, wherefrom: &str| {
        Err(invalid(format!(
            "its contract {} has {what} {:?}, and {wherefrom} {said:?}; where that is a different contract, give it another name",
            words(found),
            is
        )))
    };
    if let Some(contract) = request.contract {
        let month = format!("{:04}{:02}", contract.year, contract.month);
        if !found.month.is_empty() && found.month != month {
            return other("the month", &found.month, &month, "asked for was");
        }
        if !found.sec_type.is_empty() && found.sec_type != "FUT" {
            return other("the kind", &found.sec_type, "FUT", "asked for was");
        }
        if !found.symbol.is_empty() && found.symbol != request.instrument.code {
            return other("the symbol", &found.symbol, &request.instrument.code, "asked for was");
        }
    }
    let file = format!("{place} in the instruments file says");
    let plain =
        |text: &str| text.parse::<f64>().map_or_else(|_| text.to_owned(), |number| number.to_string());
    let fields = [
        ("the currency", &broker.currency, &found.currency),
        ("the multiplier", &broker.multiplier, &found.multiplier),
        ("the trading class", &broker.trading_class, &found.trading_class),
    ];
    for (what, said, is) in fields {
        if let Some(said) = said.as_ref().filter(|said| !is.is_empty() && plain(said) != plain(is)) {
            return other(what, is, said, &file);
        }
    }
    match &broker.local_symbol {
        Some(said) if request.contract.is_none() && *said != found.local_symbol => {
            other("the local symbol", &found.local_symbol, said, &file)
        }
        _ => Ok(()),
    }
}

fn words(of: &Listing) -> String {
    let parts = [&of.local_symbol, &of.primary_exchange, &of.exchange, &of.currency, &of.trading_class];
    let mut said: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    said.dedup();
    let multiplier = match of.multiplier.as_str() {
        "" | "1" => String::new(),
        multiplier => format!(" ×{multiplier}"),
    };
    format!("conId {} {}{multiplier} ({})", of.con_id, said.join(" "), of.long_name)
}

/// Which data of a contract: what the configuration says, where the contract has them.
pub(super) fn show(configured: Option<Show>, class: Class) -> Show {
    match (configured, class) {
        // Currencies are quoted, not traded at one place.
        (None | Some(Show::Trades | Show::AdjustedLast), Class::Forex) => Show::Midpoint,
        (Some(Show::AdjustedLast), Class::Future) | (None, _) => Show::Trades,
        (Some(show), _) => show,
    }
}

fn invalid(said: String) -> Refusal {
    Refusal::Invalid { provider: NAME, said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Contract, Days, Instrument, Period};

    fn request(code: &str, class: Class, contract: Option<Contract>) -> Request {
        let day = Day::new(20_000);
        let days = Days { first: day, last: day };
        let instrument = Instrument::plain("NAME", code, class);
        Request { instrument, contract, period: Period::D1, days, correlation: String::new() }
    }

    fn found(con_id: i32, exchange: &str) -> Listing {
        Listing {
            con_id,
            symbol: "X".into(),
            primary_exchange: exchange.into(),
            currency: "USD".into(),
            ..Listing::default()
        }
    }

    #[test]
    fn an_instrument_says_what_is_looked_for() {
        let stock = wanted(&request("AAPL", Class::Stock, None)).unwrap();
        assert_eq!((stock.kind, &*stock.exchange, &*stock.currency), ("STK", "SMART", "USD"));
        for (code, base, quote) in
            [("EUR", "EUR", "USD"), ("EUR.GBP", "EUR", "GBP"), ("EURJPY=X", "EUR", "JPY")]
        {
            let pair = wanted(&request(code, Class::Forex, None)).unwrap();
            assert_eq!((&*pair.symbol, &*pair.currency, &*pair.exchange), (base, quote, "IDEALPRO"));
        }
        let contract = Some(Contract { year: 2024, month: 6 });
        let mut future = request("ES", Class::Future, contract);
        future.instrument.broker.local_symbol = Some("ESZ9".into());
        let asked = wanted(&future).unwrap();
        assert_eq!((&*asked.month, asked.expired_too, &*asked.local_symbol), ("202406", true, ""));
        assert!(wanted(&request("ES", Class::Future, None)).unwrap_err().to_string().contains("`cycle`"));
        future.instrument.broker.con_id = Some(7);
        assert_eq!(wanted(&future).unwrap().symbol, "", "the number alone");
    }

    #[test]
    fn what_is_ambiguous_is_listed_with_what_to_add() {
        let asked = request("X", Class::Stock, None);
        let many = (1..=7).map(|id| found(id, "NYSE")).collect();
        let said = choose(&asked, many, Day::new(20_000)).unwrap_err().to_string();
        assert!(said.contains("7 contracts: conId 1 NYSE USD") && said.contains("2 more"), "{said}");
        assert!(said.contains("add `conId`") && said.contains("stock.NAME"), "{said}");
        let mut euros = asked.clone();
        euros.instrument.broker.currency = Some("EUR".into());
        let said = choose(&euros, vec![found(1, "NYSE")], Day::new(20_000)).unwrap_err().to_string();
        assert!(said.contains("has the currency \"USD\"") && said.contains("says \"EUR\""), "{said}");
        assert_eq!(choose(&asked, vec![found(1, "NYSE")], Day::new(20_000)).unwrap().con_id, 1);
    }

    #[test]
    fn a_contract_that_is_gone_for_good_is_out_of_reach_and_not_unknown() {
        let today: Day = "2024-06-01".parse().unwrap();
        let old = request("ES", Class::Future, Some(Contract { year: 2021, month: 3 }));
        assert!(matches!(choose(&old, Vec::new(), today), Err(Refusal::TooOld { .. })));
        let live = request("ES", Class::Future, Some(Contract { year: 2024, month: 9 }));
        assert!(matches!(choose(&live, Vec::new(), today), Err(Refusal::Unlisted { .. })));
        // Two years after it expired, and some days: it may be listed still.
        let late = request("ES", Class::Future, Some(Contract { year: 2022, month: 6 }));
        assert!(matches!(choose(&late, Vec::new(), today), Err(Refusal::Unlisted { .. })));
    }

    #[test]
    fn a_number_that_is_another_contract_is_refused() {
        let contract = Some(Contract { year: 2024, month: 6 });
        let mut asked = request("ES", Class::Future, contract);
        asked.instrument.broker.multiplier = Some("50".into());
        let right = Listing {
            symbol: "ES".into(),
            sec_type: "FUT".into(),
            month: "202406".into(),
            multiplier: "50.0".into(),
            ..found(7, "CME")
        };
        let chosen = |listing: Listing| choose(&asked, vec![listing], Day::new(20_000));
        assert_eq!(chosen(right.clone()).unwrap().con_id, 7);
        for (wrong, word) in [
            (Listing { month: "202409".into(), ..right.clone() }, "202409"),
            (Listing { sec_type: "STK".into(), ..right.clone() }, "STK"),
            (Listing { symbol: "NQ".into(), ..right.clone() }, "NQ"),
            (Listing { multiplier: "5".into(), ..right.clone() }, "multiplier"),
        ] {
            let said = chosen(wrong).unwrap_err().to_string();
            assert!(said.contains(word) && said.contains("another name"), "{said}");
        }
    }

    #[test]
    fn data_follow_the_class_where_it_has_no_others() {
        assert_eq!(show(None, Class::Stock), Show::Trades);
        assert_eq!(show(None, Class::Forex), Show::Midpoint);
        assert_eq!(show(Some(Show::AdjustedLast), Class::Future), Show::Trades);
        assert_eq!(show(Some(Show::Bid), Class::Forex), Show::Bid);
    }
}
