mod fetching;
mod reading;
mod refusals;
mod windows;

use super::*;
use crate::model::{Day, Days, Instrument};

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn request(code: &str, period: &str, first: &str, last: &str) -> Request {
    Request {
        instrument: Instrument::of_code(code),
        contract: None,
        period: period.parse().unwrap(),
        days: Days::new(day(first), day(last)).unwrap(),
        correlation: "c".to_owned(),
    }
}

fn raw(status: u16, date: Option<&str>, body: &str) -> RawAnswer {
    RawAnswer {
        url: String::new(),
        status,
        headers: date.map(|date| ("date".to_owned(), date.to_owned())).into_iter().collect(),
        received: 1_800_000_000,
        body: body.as_bytes().to_vec(),
        gzip: None,
    }
}
