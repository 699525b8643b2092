//! What the gateway's errors mean: by number, and by the words behind the prefix, which is in the
//! language of the gateway while the words of the data service are English in every one.

use super::NAME;
use super::api::Fault;
use super::session::WITHOUT_BROKER;
use crate::provider::Refusal;

/// What an error means for the request it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// There are no bars in the window; not an error.
    Empty,
    /// Too much was asked in too short a time: its window has to be waited for.
    Pacing,
    /// The gateway gave the request up: it is asked again.
    Again,
    /// Something of no consequence, by which it may have ended all the same: it is asked again.
    Notice,
    /// The broker does not know the contract.
    Unknown,
    /// The account may not have these data.
    NoPermission,
    /// The window is too wide for bars of this length.
    TooWide,
    /// Not now: another session of the same account, the broker's servers.
    Later,
    /// The connection to the gateway is at an end.
    Lost,
    /// The request makes no sense to the gateway.
    Invalid,
}

/// The meaning of an error: by its number where that says it; of the history service's by what it says.
pub(super) fn meaning(code: i32, text: &str) -> Meaning {
    match code {
        162 => history(text),
        200 => Meaning::Unknown,
        // Too much asked in real time; also where what is asked for may not be had.
        420 if begins(text, &["no market data permissions"]) => Meaning::NoPermission,
        // Too many messages a second, too many requests open.
        100 | 322 | 420 => Meaning::Pacing,
        _ if begins(text, &["historical data request pacing violation"]) => Meaning::Pacing,
        354 | 10089 | 10090 | 10091 | 10167 | 10168 | 10187 => Meaning::NoPermission,
        10197 => Meaning::Later,
        // A late answer to our own cancel; what the farms say of themselves.
        165 | 366 | 2100..=2199 => Meaning::Notice,
        502 | 504 | 507 | 1300 => Meaning::Lost,
        _ => Meaning::Invalid,
    }
}

/// What the history service means. What it does not say in words known here may be over in a while: only what
/// is known to stay is taken to stay.
fn history(text: &str) -> Meaning {
    let says = |words: &[&str]| begins(text, words);
    match () {
        () if says(&["historical data request pacing violation"]) => Meaning::Pacing,
        () if says(&["hmds query returned no data"]) => Meaning::Empty,
        () if says(&["no market data permissions", "no historical market data permissions"]) => {
            Meaning::NoPermission
        }
        () if has(text, "permission") && says(&["no historical data", "no market data", "no data"]) => {
            Meaning::NoPermission
        }
        () if says(&["no historical data"]) => Meaning::Empty,
        () if says(&["invalid step", "invalid duration", "time length exceed"]) => Meaning::TooWide,
        () if says(&["trading tws session is connected from a different ip"]) || has(text, "competing") => {
            Meaning::Later
        }
        () if says(&["no data of type", "invalid contract", "bar size"]) => Meaning::Invalid,
        () => Meaning::Again,
    }
}

/// Whether one of the parts of an error begins with one of these words. The prefix before the first colon is in
/// the language of the program, what follows a later one is of what it speaks: neither begins so.
fn begins(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    let parts = text.split(':').map(str::trim_start);
    parts.into_iter().any(|part| words.iter().any(|word| part.starts_with(word)))
}

fn has(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(word)
}

/// Whether the gateway gave a request up, or never answered it, as it does with those that are too much for it.
pub(super) fn is_given_up(fault: &Fault) -> bool {
    match fault {
        Fault::Silent(_) => true,
        Fault::Said { code: 162, text } => {
            begins(text, &["api historical data query cancelled", "query cancelled", "request timed out"])
        }
        _ => false,
    }
}

/// An error that ends a request, as a refusal. `code` is what was asked for.
pub(super) fn refusal(number: i32, text: &str, code: &str, clock: i64) -> Refusal {
    let text = if text.trim().is_empty() { "an error without words" } else { text.trim() };
    let said = format!("{text} (error {number})");
    match meaning(number, text) {
        Meaning::Empty => Refusal::EmptyWindow { clock, said },
        Meaning::Unknown => Refusal::Unknown { provider: NAME, code: code.to_owned(), said },
        Meaning::TooWide => Refusal::TooWide { said },
        Meaning::NoPermission => Refusal::Invalid {
            provider: NAME,
            said: format!(
                "{said}; the account needs the market data subscription of that exchange, with API use acknowledged"
            ),
        },
        Meaning::Invalid => Refusal::Invalid { provider: NAME, said },
        Meaning::Later => Refusal::Unavailable {
            provider: NAME,
            said: format!("{said}; another session of the same account holds the data: end it"),
        },
        Meaning::Pacing | Meaning::Again | Meaning::Notice | Meaning::Lost => {
            Refusal::Unavailable { provider: NAME, said }
        }
    }
}

/// A question without an answer, as a refusal.
pub(super) fn of(fault: Fault, code: &str, clock: i64) -> Refusal {
    match fault {
        Fault::Said { code: number, text } => refusal(number, &text, code, clock),
        Fault::Lost(said) => Refusal::Unavailable { provider: NAME, said },
        Fault::WithoutBroker => Refusal::Unavailable { provider: NAME, said: WITHOUT_BROKER.to_owned() },
        Fault::Dropped => Refusal::Unavailable {
            provider: NAME,
            said: "the gateway lost its connection to the broker again and again".to_owned(),
        },
        Fault::Silent(seconds) => Refusal::Unavailable {
            provider: NAME,
            said: format!(
                "the gateway is connected and gives no answer within {seconds} seconds; providers.ibkr.timeout sets how long is waited"
            ),
        },
        Fault::Unreadable(said) => Refusal::Unusable { provider: NAME, said },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_by_number_and_words_in_any_language() {
        let service = "Historical Market Data Service error message:";
        let spanish = "Mensaje de error del servicio de datos históricos:";
        for prefix in [service, spanish, ""] {
            for (words, wanted) in [
                ("HMDS query returned no data: EUR.USD@IDEALPRO Ask", Meaning::Empty),
                ("Historical data request pacing violation", Meaning::Pacing),
                ("API historical data query cancelled: 28", Meaning::Again),
                ("invalid step: 1", Meaning::TooWide),
                ("No market data permissions for NYSE STK", Meaning::NoPermission),
                ("Trading TWS session is connected from a different IP address", Meaning::Later),
                ("No data of type EODChart is available for the exchange", Meaning::Invalid),
                // The daily shutdown, and what else is over in a while.
                ("TWS exited during processing of HMDS query", Meaning::Again),
                ("HMDS server disconnect occurred.  Attempting reconnection...", Meaning::Again),
                ("Request Timed Out", Meaning::Again),
                ("something new", Meaning::Again),
                ("", Meaning::Again),
                // What it speaks of is no word of its own.
                ("HMDS query returned no data: PACING VIOLATION@NYSE Trades", Meaning::Empty),
            ] {
                assert_eq!(meaning(162, &format!("{prefix}{words}")), wanted, "{prefix}{words}");
            }
        }
        let real = "No market data during competing live session";
        assert_eq!(meaning(10197, real), Meaning::Later, "no subscription lacks");
        let real = "Invalid Real-time Query:No market data permissions for ISLAND STK";
        assert_eq!(meaning(420, real), Meaning::NoPermission);
        for (code, wanted) in [
            (200, Meaning::Unknown),
            (321, Meaning::Invalid),
            (354, Meaning::NoPermission),
            (420, Meaning::Pacing),
            (165, Meaning::Notice),
            (366, Meaning::Notice),
            (2106, Meaning::Notice),
            (504, Meaning::Lost),
            (77_777, Meaning::Invalid),
        ] {
            assert_eq!(meaning(code, "Palabras"), wanted, "{code}");
        }
    }

    #[test]
    fn what_is_too_much_for_the_gateway_is_told_from_what_is_not() {
        let said = |text: &str| Fault::Said { code: 162, text: text.to_owned() };
        assert!(is_given_up(&Fault::Silent(3)));
        assert!(is_given_up(&said("x:API historical data query cancelled: 28")));
        assert!(!is_given_up(&said("x:HMDS query returned no data: CANCELLED@NYSE")));
    }

    #[test]
    fn silence_is_never_no_data() {
        assert!(matches!(of(Fault::Silent(30), "X", 0), Refusal::Unavailable { .. }));
    }
}
