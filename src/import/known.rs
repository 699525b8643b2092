//! Which instrument a symbol of Barchart means.

use crate::model::{Class, Contract, Day, Instrument};

/// The instruments of a list, and what a person says beside it.
#[derive(Clone, Debug, Default)]
pub struct Known {
    instruments: Vec<Instrument>,
    /// Names and codes.
    named: Vec<(String, String)>,
    /// The class of symbols that are not in the list.
    class: Option<Class>,
}

/// What a symbol means.
#[derive(Clone, Debug)]
pub struct Meant {
    /// The instrument.
    pub instrument: Instrument,
    /// The dated contract.
    pub contract: Option<Contract>,
    /// What a person should know of how it was found.
    pub note: Option<String>,
}

/// A few contracts settle in the month after the one they are named after.
pub const LATE_DAYS: i32 = 31;

impl Known {
    /// A list, with the pairs of name and code that a person gave, which stand above it.
    pub fn new(list: Vec<Instrument>, named: &[(String, String)], class: Option<Class>) -> Known {
        Known { instruments: list, named: named.to_vec(), class }
    }

    /// The instrument of that name and class.
    pub fn named(&self, name: &str, class: Class) -> Option<&Instrument> {
        self.instruments.iter().find(|instrument| instrument.name == name && instrument.class == class)
    }

    /// What a symbol means; `last` is the date of the last row of its file, which is `nearby` where it is made of
    /// several contracts.
    pub fn meaning(&self, symbol: &str, last: Option<Day>, today: Day, nearby: bool) -> Meant {
        let class = self.class.or(nearby.then_some(Class::Future));
        let mut meant = self.by_code(symbol, last, today, class);
        let code = &meant.instrument.code;
        if let Some((name, _)) = self.named.iter().find(|(_, named)| is_code(named, code)) {
            meant.instrument.name.clone_from(name);
            meant.note = None;
        }
        meant
    }

    fn by_code(&self, symbol: &str, last: Option<Day>, today: Day, wanted: Option<Class>) -> Meant {
        let of_class = |class: Class| wanted.is_none_or(|wanted| wanted == class);
        let known = |code: &str, dated: bool| {
            let fits = |of: &&Instrument| is_code(&of.code, code) && of_class(of.class);
            let kind = |of: &&Instrument| if dated { of.class == Class::Future } else { of.cycle.is_none() };
            self.instruments.iter().find(|of| fits(of) && kind(of)).cloned()
        };
        if let Some(instrument) = known(symbol, false) {
            return Meant { instrument, contract: None, note: None };
        }
        let dated = Contract::of_code(symbol, last.unwrap_or(today)).filter(|_| of_class(Class::Future));
        let Some((root, contract)) = dated else { return unknown(symbol, wanted, None) };
        match known(root, true) {
            Some(instrument) => Meant { instrument, contract: Some(contract), note: None },
            None => unknown(root, wanted, Some(contract)),
        }
    }
}

/// What a symbol is taken as that is not in the list.
fn unknown(code: &str, wanted: Option<Class>, contract: Option<Contract>) -> Meant {
    let class = wanted.or(contract.map(|_| Class::Future)).unwrap_or_else(|| class_of(code));
    let kind = if contract.is_none() && class == Class::Future { "continuous future" } else { class.name() };
    let note = format!("{code} is not in the instruments file: it is taken as the {kind} {code}");
    Meant { instrument: Instrument::plain(code, code, class), contract, note: Some(note) }
}

/// Names of files are without the capitals and the `$` and `^` that a code has.
pub fn is_code(code: &str, symbol: &str) -> bool {
    let plain = |text: &str| text.trim_start_matches(['$', '^', '.']).to_ascii_uppercase();
    plain(code) == plain(symbol)
}

/// The class that a code of Barchart shows: `^EURUSD` is a currency pair, `ES*1` a continuous future.
fn class_of(code: &str) -> Class {
    let pair = code
        .strip_prefix('^')
        .is_some_and(|pair| pair.len() == 6 && pair.bytes().all(|b| b.is_ascii_alphabetic()));
    match () {
        () if pair => Class::Forex,
        () if code.contains('*') => Class::Future,
        () => Class::Stock,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn a_symbol_is_looked_up_by_its_code_and_else_taken_as_it_is() {
        let mut gold = Instrument::plain("GOLD", "GC", Class::Future);
        gold.cycle = Some("GJMQVZ".to_owned());
        let list = vec![
            gold,
            Instrument::plain("EURUSD", "^EURUSD", Class::Forex),
            Instrument::plain("SPX", "$SPX", Class::Stock),
        ];
        let known = Known::new(list.clone(), &[("AUD".to_owned(), "A6".to_owned())], None);
        let found = |known: &Known, symbol: &str| {
            let meant = known.meaning(symbol, Some(day("2024-01-31")), day("2026-11-25"), false);
            let contract = meant.contract.map(|contract| contract.stored_name(""));
            (meant.instrument.name, meant.instrument.class, contract, meant.note.is_some())
        };
        assert_eq!(
            found(&known, "GCG24"),
            ("GOLD".to_owned(), Class::Future, Some("_20240200".to_owned()), false)
        );
        assert_eq!(found(&known, "EURUSD"), ("EURUSD".to_owned(), Class::Forex, None, false));
        assert_eq!(found(&known, "spx"), ("SPX".to_owned(), Class::Stock, None, false));
        assert_eq!(
            found(&known, "NQH24"),
            ("NQ".to_owned(), Class::Future, Some("_20240300".to_owned()), true)
        );
        assert_eq!(found(&known, "AAPL"), ("AAPL".to_owned(), Class::Stock, None, true));
        let forex = Known::new(list, &[], Some(Class::Forex));
        assert_eq!(found(&forex, "GBPUSD").1, Class::Forex);
    }
}
