//! Messages of the text era: fields that each end with a NUL. Below version 201 the first field is the
//! message number.

use std::io;
use std::str::FromStr;

use super::message::{
    Answer, Asked, BINARY_NUMBERS, Contract, Details, History, SEPARATE_END, SentBar, incoming, outgoing,
};

/// The first version with an error's rejected order, and that with its time and without its version.
const REJECTED_ORDER: i32 = 166;
const ERROR_TIME: i32 = 194;

/// The fields of a message, read one by one.
struct Fields<'a>(std::str::Split<'a, char>);

impl<'a> Fields<'a> {
    fn text(&mut self) -> io::Result<&'a str> {
        self.0.next().ok_or_else(|| io::Error::other("a field is missing"))
    }

    /// A number or a flag; an empty field is 0.
    fn number<T: FromStr + Default>(&mut self) -> io::Result<T> {
        match self.text()? {
            "" => Ok(T::default()),
            text => text.parse().map_err(|_| io::Error::other(format!("{text:?} is no number"))),
        }
    }

    fn flag(&mut self) -> io::Result<bool> {
        Ok(self.number::<i32>()? != 0)
    }

    fn contract(&mut self) -> io::Result<Contract> {
        let mut contract = Contract {
            con_id: self.number()?,
            symbol: self.text()?.to_owned(),
            sec_type: self.text()?.to_owned(),
            month: self.text()?.to_owned(),
            ..Contract::default()
        };
        let _strike_and_right = (self.text()?, self.text()?);
        contract.multiplier = self.number()?;
        contract.exchange = self.text()?.to_owned();
        contract.primary = self.text()?.to_owned();
        contract.currency = self.text()?.to_owned();
        contract.local_symbol = self.text()?.to_owned();
        contract.trading_class = self.text()?.to_owned();
        contract.include_expired = self.flag()?;
        Ok(contract)
    }
}

pub(super) fn decode(version: i32, body: &[u8]) -> io::Result<Asked> {
    if version >= BINARY_NUMBERS {
        return Err(io::Error::other("versions 201 to 212 mix text and protobuf and are not played"));
    }
    let text = std::str::from_utf8(body).map_err(io::Error::other)?;
    let mut fields = Fields(text.strip_suffix('\0').unwrap_or(text).split('\0'));
    let number = fields.number()?;
    Ok(match number {
        incoming::START => {
            fields.text()?;
            Asked::Start { client: fields.number()? }
        }
        incoming::CONTRACT_DETAILS => {
            fields.text()?;
            Asked::Details { id: fields.number()?, contract: fields.contract()? }
        }
        incoming::HISTORY => Asked::History {
            id: fields.number()?,
            history: History {
                contract: fields.contract()?,
                end: fields.text()?.to_owned(),
                bar_size: fields.text()?.to_owned(),
                duration: fields.text()?.to_owned(),
                regular_hours: fields.flag()?,
                what_to_show: fields.text()?.to_owned(),
                format_date: fields.number()?,
                keep_up_to_date: fields.flag()?,
            },
        },
        incoming::HEAD => Asked::Head {
            id: fields.number()?,
            history: History {
                contract: fields.contract()?,
                regular_hours: fields.flag()?,
                what_to_show: fields.text()?.to_owned(),
                format_date: fields.number()?,
                ..History::default()
            },
        },
        incoming::CANCEL_HISTORY => {
            fields.text()?;
            Asked::CancelHistory { id: fields.number()? }
        }
        incoming::CANCEL_HEAD => Asked::CancelHead { id: fields.number()? },
        incoming::TIME => Asked::Time,
        incoming::POSITIONS => Asked::Positions,
        number => Asked::Other { number },
    })
}

/// A message under way.
struct Body(String);

impl Body {
    fn of(number: i32) -> Body {
        Body(String::new()).and(number)
    }

    fn and(mut self, field: impl ToString) -> Body {
        self.0.push_str(&field.to_string());
        self.0.push('\0');
        self
    }
}

pub(super) fn encode(version: i32, answer: &Answer) -> Option<Vec<u8>> {
    let body = match answer {
        Answer::Accounts(accounts) => Body::of(outgoing::ACCOUNTS).and(1).and(accounts),
        Answer::NextId(id) => Body::of(outgoing::NEXT_ID).and(1).and(id),
        Answer::Error { id, code, text, at } => {
            let body = Body::of(outgoing::ERROR);
            let body = if version < ERROR_TIME { body.and(2) } else { body };
            let body = body.and(id).and(code).and(text);
            let body = if version >= REJECTED_ORDER { body.and("") } else { body };
            if version >= ERROR_TIME { body.and(at * 1000) } else { body }
        }
        Answer::Details { id, details } => contract_details(*id, details),
        Answer::DetailsEnd { id } => Body::of(outgoing::CONTRACT_DETAILS_END).and(1).and(id),
        Answer::History { id, bars, start, end } => {
            let body = Body::of(outgoing::HISTORY).and(id);
            let body = if version < SEPARATE_END { body.and(start).and(end) } else { body };
            bars.iter().fold(body.and(bars.len()), bar)
        }
        Answer::HistoryEnd { .. } if version < SEPARATE_END => return None,
        Answer::HistoryEnd { id, start, end } => Body::of(outgoing::HISTORY_END).and(id).and(start).and(end),
        Answer::Head { id, stamp } => Body::of(outgoing::HEAD).and(id).and(stamp),
        Answer::Schedule { id, start, end, zone, sessions } => {
            let body = Body::of(outgoing::SCHEDULE).and(id).and(start).and(end).and(zone);
            sessions.iter().flatten().fold(body.and(sessions.len()), Body::and)
        }
        Answer::Time(seconds) => Body::of(outgoing::TIME).and(1).and(seconds),
        Answer::PositionsEnd => Body::of(outgoing::POSITIONS_END).and(1),
    };
    Some(body.0.into_bytes())
}

/// A price with at least four decimals.
fn price(price: f64) -> String {
    let shortest = price.to_string();
    let decimals = shortest.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if decimals >= 4 { shortest } else { format!("{price:.4}") }
}

fn bar(body: Body, sent: &SentBar) -> Body {
    let body = sent.prices.into_iter().map(price).fold(body.and(&sent.date), Body::and);
    body.and(&sent.volume).and(&sent.average).and(sent.count)
}

/// Contract details of versions 164 to 178.
fn contract_details(id: i32, details: &Details) -> Body {
    let contract = &details.contract;
    let multiplier = if contract.multiplier == 0.0 { String::new() } else { contract.multiplier.to_string() };
    let body = Body::of(outgoing::CONTRACT_DETAILS)
        .and(id)
        .and(&contract.symbol)
        .and(&contract.sec_type)
        .and(&contract.month)
        .and("0")
        .and("")
        .and(&contract.exchange)
        .and(&contract.currency)
        .and(&contract.local_symbol)
        .and(&details.market_name)
        .and(&contract.trading_class)
        .and(contract.con_id)
        .and(&details.min_tick)
        .and(multiplier)
        .and("LMT,MKT")
        .and(&details.valid_exchanges)
        .and(details.price_magnifier)
        .and(0)
        .and(&details.long_name)
        .and(&contract.primary)
        .and(&details.contract_month);
    let no_industry = ["", "", ""];
    let body = no_industry.into_iter().fold(body, Body::and);
    let body = body.and(&details.time_zone).and(&details.trading_hours).and(&details.liquid_hours);
    let no_rule_and_no_security_ids = ["", "0", "0"];
    let body = no_rule_and_no_security_ids.into_iter().fold(body, Body::and);
    let no_group_underlying_and_market_rules = ["1", "", "", ""];
    let body = no_group_underlying_and_market_rules.into_iter().fold(body, Body::and);
    body.and(&details.expiration).and(&details.stock_type).and(1).and(1).and(1)
}
