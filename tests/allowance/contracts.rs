//! The instruments of the long test: forty futures on three cycles.

use std::fmt::Write;

/// Contracts trade so many days before they expire.
pub(crate) const LIFE: u32 = 100;

/// One future.
pub(crate) struct Future {
    pub(crate) code: &'static str,
    pub(crate) cycle: &'static str,
    pub(crate) start: &'static str,
    pub(crate) ticks: &'static str,
}

const MONTHLY: &str = "FGHJKMNQUVXZ";
const METALS: &str = "GJMQVZ";
const QUARTERS: &str = "HMUZ";

const CODES: [&str; 40] = [
    "A6", "AD", "B6", "BT", "CC", "CL", "CT", "D6", "DX", "E6", "ES", "ET", "GC", "GE", "GF", "GG", "HE",
    "HG", "HO", "HR", "J6", "KC", "KE", "LE", "LS", "M6", "N6", "NG", "NQ", "OJ", "PA", "PL", "QR", "RB",
    "RM", "S6", "SB", "SI", "YM", "ZB",
];

/// All of them. With these cycles and dates 28 days of 250 downloads are just enough, and 27 are not.
pub(crate) fn all() -> Vec<Future> {
    let of = |(at, code): (usize, &'static str)| {
        let cycle = if at < 2 {
            MONTHLY
        } else if at < 10 {
            METALS
        } else {
            QUARTERS
        };
        let start = match at {
            0..36 => "2010-01-02",
            36 => "2009-07-02",
            _ => "2009-01-02",
        };
        Future { code, cycle, start, ticks: "2016-01-02" }
    };
    CODES.into_iter().enumerate().map(of).collect()
}

/// As an instruments file.
pub(crate) fn file(futures: &[Future]) -> String {
    let mut entries = String::new();
    for (at, Future { code, cycle, start, ticks }) in futures.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(
            entries,
            "{comma}\n\"{code}\": {{\"code\": \"{code}\", \"cycle\": \"{cycle}\", \"periods\": \"1d,1h\", \
             \"start_date\": \"{start}\", \"tick_date\": \"{ticks}\", \"days_count\": {LIFE}}}"
        );
    }
    format!("{{\"future\": {{{entries}}}}}")
}
