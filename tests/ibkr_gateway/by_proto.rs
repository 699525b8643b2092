//! Messages of the protobuf era: a binary message number, 200 more than that of the text era, and the
//! message.

use std::io;

use prost::Message;

use super::message::{Answer, Asked, Contract, Details, History, SentBar, incoming, outgoing};
use super::proto;

/// What is added to the number of a message that is protobuf.
const OFFSET: i32 = 200;

pub(super) fn decode(body: &[u8]) -> io::Result<Asked> {
    let (number, rest) = body.split_first_chunk::<4>().ok_or_else(|| io::Error::other("a short frame"))?;
    let number = i32::from_be_bytes(*number) - OFFSET;
    if number < 0 {
        return Err(io::Error::other(format!("message {} is text, protobuf is due", number + OFFSET)));
    }
    Ok(match number {
        incoming::START => {
            Asked::Start { client: read::<proto::StartApiRequest>(rest)?.client_id.unwrap_or_default() }
        }
        incoming::CONTRACT_DETAILS => {
            let asked = read::<proto::ContractDataRequest>(rest)?;
            Asked::Details { id: asked.request.unwrap_or(-1), contract: contract(asked.contract) }
        }
        incoming::HISTORY => {
            let asked = read::<proto::HistoricalDataRequest>(rest)?;
            let history = History {
                contract: contract(asked.contract),
                end: asked.end.unwrap_or_default(),
                bar_size: asked.bar_size.unwrap_or_default(),
                duration: asked.duration.unwrap_or_default(),
                regular_hours: asked.regular_hours.unwrap_or_default(),
                what_to_show: asked.what_to_show.unwrap_or_default(),
                format_date: asked.format_date.unwrap_or_default(),
                keep_up_to_date: asked.keep_up_to_date.unwrap_or_default(),
            };
            Asked::History { id: asked.request.unwrap_or(-1), history }
        }
        incoming::HEAD => {
            let asked = read::<proto::HeadTimestampRequest>(rest)?;
            let history = History {
                contract: contract(asked.contract),
                regular_hours: asked.regular_hours.unwrap_or_default(),
                what_to_show: asked.what_to_show.unwrap_or_default(),
                format_date: asked.format_date.unwrap_or_default(),
                ..History::default()
            };
            Asked::Head { id: asked.request.unwrap_or(-1), history }
        }
        incoming::CANCEL_HISTORY => Asked::CancelHistory { id: of(rest)? },
        incoming::CANCEL_HEAD => Asked::CancelHead { id: of(rest)? },
        incoming::TIME => Asked::Time,
        incoming::POSITIONS => Asked::Positions,
        number => Asked::Other { number },
    })
}

fn read<M: Message + Default>(bytes: &[u8]) -> io::Result<M> {
    M::decode(bytes).map_err(io::Error::other)
}

fn of(bytes: &[u8]) -> io::Result<i32> {
    Ok(read::<proto::Of>(bytes)?.request.unwrap_or(-1))
}

fn contract(sent: Option<proto::Contract>) -> Contract {
    let sent = sent.unwrap_or_default();
    Contract {
        con_id: sent.con_id.unwrap_or_default(),
        symbol: sent.symbol.unwrap_or_default(),
        sec_type: sent.sec_type.unwrap_or_default(),
        month: sent.month.unwrap_or_default(),
        multiplier: sent.multiplier.unwrap_or_default(),
        exchange: sent.exchange.unwrap_or_default(),
        primary: sent.primary.unwrap_or_default(),
        currency: sent.currency.unwrap_or_default(),
        local_symbol: sent.local_symbol.unwrap_or_default(),
        trading_class: sent.trading_class.unwrap_or_default(),
        include_expired: sent.include_expired.unwrap_or_default(),
    }
}

pub(super) fn encode(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Accounts(accounts) => {
            pack(outgoing::ACCOUNTS, &proto::ManagedAccounts { accounts: Some(accounts.clone()) })
        }
        Answer::NextId(id) => pack(outgoing::NEXT_ID, &proto::NextValidId { order_id: Some(*id) }),
        Answer::Error { id, code, text, at } => {
            let message = proto::ErrorMessage {
                id: Some(*id),
                time: Some(at * 1000),
                code: Some(*code),
                text: Some(text.clone()),
            };
            pack(outgoing::ERROR, &message)
        }
        Answer::Details { id, details } => pack(outgoing::CONTRACT_DETAILS, &contract_data(*id, details)),
        Answer::DetailsEnd { id } => pack(outgoing::CONTRACT_DETAILS_END, &proto::Of { request: Some(*id) }),
        Answer::History { id, bars, .. } => {
            let message = proto::HistoricalData { request: Some(*id), bars: bars.iter().map(bar).collect() };
            pack(outgoing::HISTORY, &message)
        }
        Answer::HistoryEnd { id, start, end } => {
            let message = proto::HistoricalDataEnd {
                request: Some(*id),
                start: Some(start.clone()),
                end: Some(end.clone()),
            };
            pack(outgoing::HISTORY_END, &message)
        }
        Answer::Head { id, stamp } => {
            let message = proto::HeadTimestamp { request: Some(*id), timestamp: Some(stamp.clone()) };
            pack(outgoing::HEAD, &message)
        }
        Answer::Schedule { id, start, end, zone, sessions } => {
            let session = |[start, end, date]: &[String; 3]| proto::HistoricalSession {
                start: Some(start.clone()),
                end: Some(end.clone()),
                date: Some(date.clone()),
            };
            let message = proto::HistoricalSchedule {
                request: Some(*id),
                start: Some(start.clone()),
                end: Some(end.clone()),
                time_zone: Some(zone.clone()),
                sessions: sessions.iter().map(session).collect(),
            };
            pack(outgoing::SCHEDULE, &message)
        }
        Answer::Time(seconds) => pack(outgoing::TIME, &proto::CurrentTime { seconds: Some(*seconds) }),
        Answer::PositionsEnd => pack(outgoing::POSITIONS_END, &proto::Nothing {}),
    }
}

fn pack(number: i32, message: &impl Message) -> Vec<u8> {
    let mut body = (number + OFFSET).to_be_bytes().to_vec();
    body.extend(message.encode_to_vec());
    body
}

fn bar(sent: &SentBar) -> proto::HistoricalDataBar {
    let [open, high, low, close] = sent.prices;
    proto::HistoricalDataBar {
        date: Some(sent.date.clone()),
        open: Some(open),
        high: Some(high),
        low: Some(low),
        close: Some(close),
        volume: Some(sent.volume.clone()),
        average: Some(sent.average.clone()),
        count: Some(sent.count),
    }
}

/// What is not said is not sent, as the gateway does.
fn said(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn contract_data(id: i32, details: &Details) -> proto::ContractData {
    let named = &details.contract;
    let contract = proto::Contract {
        con_id: Some(named.con_id),
        symbol: said(&named.symbol),
        sec_type: said(&named.sec_type),
        month: said(&named.month),
        multiplier: (named.multiplier != 0.0).then_some(named.multiplier),
        exchange: said(&named.exchange),
        primary: said(&named.primary),
        currency: said(&named.currency),
        local_symbol: said(&named.local_symbol),
        trading_class: said(&named.trading_class),
        include_expired: None,
        last_trade_date: said(&details.expiration),
    };
    let details = proto::ContractDetails {
        market_name: said(&details.market_name),
        min_tick: said(&details.min_tick),
        order_types: Some("LMT,MKT".to_owned()),
        valid_exchanges: said(&details.valid_exchanges),
        price_magnifier: Some(details.price_magnifier),
        long_name: said(&details.long_name),
        contract_month: said(&details.contract_month),
        time_zone: said(&details.time_zone),
        trading_hours: said(&details.trading_hours),
        liquid_hours: said(&details.liquid_hours),
        expiration: said(&details.expiration),
        stock_type: said(&details.stock_type),
        min_size: Some("1".to_owned()),
        size_increment: Some("1".to_owned()),
    };
    proto::ContractData { request: Some(id), contract: Some(contract), details: Some(details) }
}
