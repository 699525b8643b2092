//! What the gateway's errors mean: by number, and by the words behind the prefix, which is in the
//! language of the gateway while the words of the data service are English in every one.

use super::NAME;
use super::api::Fault;
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

/// The meaning of an error.
pub(super) fn meaning(code: i32, text: &str) -> Meaning {
    let text = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match code {
        _ if says(&["pacing violation"]) => Meaning::Pacing,
        162 if says(&["returned no data", "no historical data"]) && !says(&["permission"]) => Meaning::Empty,
        162 if says(&["cancelled", "canceled"]) => Meaning::Again,
        162 if says(&["invalid step", "invalid duration"]) => Meaning::TooWide,
        162 if says(&["different ip", "competing"]) => Meaning::Later,
        _ if says(&["permission", "not subscribed", "no market data"]) => Meaning::NoPermission,
        200 => Meaning::Unknown,
        // Too many messages a second, too many requests open, too much asked in real time.
        100 | 322 | 420 => Meaning::Pacing,
        354 | 10089 | 10090 | 10091 | 10167 | 10168 | 10187 => Meaning::NoPermission,
        10197 => Meaning::Later,
        // A late answer to our own cancel; what the farms say of themselves.
        165 | 366 | 2100..=2199 => Meaning::Notice,
        502 | 504 | 507 | 1300 => Meaning::Lost,
        _ => Meaning::Invalid,
    }
}

/// An error that ends a request, as a refusal. `code` is what was asked for.
pub(super) fn refusal(number: i32, text: &str, code: &str, clock: i64) -> Refusal {
    let said = format!("{} (error {number})", text.trim());
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
        Fault::Dropped => Refusal::Unavailable {
            provider: NAME,
            said: "the gateway lost its connection to the broker again and again".to_owned(),
        },
        Fault::Silent(seconds) => Refusal::Unavailable {
            provider: NAME,
            said: format!(
                "no answer within {seconds} seconds, asked again too; providers.ibkr.timeout sets how long is waited"
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
                ("something new", Meaning::Invalid),
            ] {
                assert_eq!(meaning(162, &format!("{prefix}{words}")), wanted, "{prefix}{words}");
            }
        }
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
    fn silence_is_never_no_data() {
        assert!(matches!(of(Fault::Silent(30), "X", 0), Refusal::Unavailable { .. }));
    }
}
