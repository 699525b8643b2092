//! What is asked and answered, whatever the wire looks like: protobuf from server version 201 on (here
//! from 213, where everything is), fields of text below.

use std::io::{self, Read};

use super::{by_proto, by_text, stamps};

/// The first version in which every message is protobuf.
pub(crate) const ALL_PROTOBUF: i32 = 213;
/// The first version whose frames begin with a binary message number.
pub(super) const BINARY_NUMBERS: i32 = 201;
/// The first version in which the end of the bars is a message of its own.
pub(super) const SEPARATE_END: i32 = 196;
/// The first version whose stamps carry the zone of the instrument.
pub(super) const INSTRUMENT_ZONE: i32 = 174;

/// Numbers of messages that come in.
pub(super) mod incoming {
    pub(crate) const CONTRACT_DETAILS: i32 = 9;
    pub(crate) const HISTORY: i32 = 20;
    pub(crate) const CANCEL_HISTORY: i32 = 25;
    pub(crate) const TIME: i32 = 49;
    pub(crate) const POSITIONS: i32 = 61;
    pub(crate) const START: i32 = 71;
    pub(crate) const HEAD: i32 = 87;
    pub(crate) const CANCEL_HEAD: i32 = 90;
}

/// Numbers of messages that go out.
pub(super) mod outgoing {
    pub(crate) const ERROR: i32 = 4;
    pub(crate) const NEXT_ID: i32 = 9;
    pub(crate) const CONTRACT_DETAILS: i32 = 10;
    pub(crate) const ACCOUNTS: i32 = 15;
    pub(crate) const HISTORY: i32 = 17;
    pub(crate) const TIME: i32 = 49;
    pub(crate) const CONTRACT_DETAILS_END: i32 = 52;
    pub(crate) const POSITIONS_END: i32 = 62;
    pub(crate) const HEAD: i32 = 88;
    pub(crate) const SCHEDULE: i32 = 106;
    pub(crate) const HISTORY_END: i32 = 108;
}

/// A contract as a client names it; what is empty or 0 is not said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Contract {
    pub(crate) con_id: i32,
    pub(crate) symbol: String,
    /// `STK`, `CASH`, `FUT`, `CONTFUT`, `IND`, `CRYPTO`.
    pub(crate) sec_type: String,
    /// `YYYYMM`, or the last trade date as `YYYYMMDD`.
    pub(crate) month: String,
    pub(crate) multiplier: f64,
    pub(crate) exchange: String,
    pub(crate) primary: String,
    pub(crate) currency: String,
    pub(crate) local_symbol: String,
    pub(crate) trading_class: String,
    pub(crate) include_expired: bool,
}

/// A request for bars, or for a schedule.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct History {
    pub(crate) contract: Contract,
    /// Empty: now.
    pub(crate) end: String,
    pub(crate) bar_size: String,
    pub(crate) duration: String,
    pub(crate) regular_hours: bool,
    pub(crate) what_to_show: String,
    /// 1 text, 2 seconds since the epoch.
    pub(crate) format_date: i32,
    pub(crate) keep_up_to_date: bool,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    Start {
        client: i32,
    },
    Details {
        id: i32,
        contract: Contract,
    },
    History {
        id: i32,
        history: History,
    },
    CancelHistory {
        id: i32,
    },
    Head {
        id: i32,
        history: History,
    },
    CancelHead {
        id: i32,
    },
    Time,
    Positions,
    /// Something this gateway knows nothing of, by its message number.
    Other {
        number: i32,
    },
}

/// What is said of a contract beside its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Details {
    pub(crate) contract: Contract,
    pub(crate) market_name: String,
    pub(crate) min_tick: String,
    pub(crate) valid_exchanges: String,
    pub(crate) price_magnifier: i32,
    pub(crate) long_name: String,
    /// `YYYYMM`.
    pub(crate) contract_month: String,
    pub(crate) time_zone: String,
    pub(crate) trading_hours: String,
    pub(crate) liquid_hours: String,
    /// `YYYYMMDD`.
    pub(crate) expiration: String,
    pub(crate) stock_type: String,
}

/// A bar as sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SentBar {
    pub(crate) date: String,
    pub(crate) prices: [f64; 4],
    /// A decimal number.
    pub(crate) volume: String,
    /// A decimal number.
    pub(crate) average: String,
    pub(crate) count: i32,
}

/// One session of a schedule: it opens, it closes, its trading date.
pub(crate) type SentSession = [String; 3];

/// What the gateway says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Accounts(String),
    NextId(i32),
    /// An error or a notice; its id is -1 where it is about no request.
    Error {
        id: i32,
        code: i32,
        text: String,
        at: i64,
    },
    Details {
        id: i32,
        details: Box<Details>,
    },
    DetailsEnd {
        id: i32,
    },
    History {
        id: i32,
        bars: Vec<SentBar>,
        start: String,
        end: String,
    },
    HistoryEnd {
        id: i32,
        start: String,
        end: String,
    },
    Head {
        id: i32,
        stamp: String,
    },
    Schedule {
        id: i32,
        start: String,
        end: String,
        zone: String,
        sessions: Vec<SentSession>,
    },
    Time(i64),
    PositionsEnd,
}

/// Reads one frame: four bytes of length, then the body. `None` where the stream is over.
pub(crate) fn read_frame(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > 1 << 24 {
        return Err(io::Error::other("nobody says so much at once"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some(body))
}

/// A body with its length in front.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

/// The body of the answer to a handshake.
pub(crate) fn hello_back(version: i32, now: i64, host_zone: &str) -> Vec<u8> {
    format!("{version}\0{} {host_zone}\0", stamps::host(now, host_zone)).into_bytes()
}

/// What the body of a frame asks.
pub(crate) fn decode(version: i32, body: &[u8]) -> io::Result<Asked> {
    if version >= ALL_PROTOBUF { by_proto::decode(body) } else { by_text::decode(version, body) }
}

/// An answer as a frame; `None` for what a version has no message for.
pub(crate) fn encode(version: i32, answer: &Answer) -> Option<Vec<u8>> {
    if version >= ALL_PROTOBUF {
        return Some(frame(&by_proto::encode(answer)));
    }
    by_text::encode(version, answer).map(|body| frame(&body))
}
