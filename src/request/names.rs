//! Names that can only be those of contracts. One that the instruments file accounts for is left to it; one that the
//! archive has becomes an instrument by what stands there; any other is refused, with what to write. Taken as the
//! codes of stocks, such names would fill files of things that do not exist.

use crate::archive::{Archive, ArchiveError};
use crate::config::Config;
use crate::model::contract::MONTH_CODES;
use crate::model::{Class, Contract, Day, Instrument};
use crate::provider::Provider;

/// What is looked up in.
pub(super) struct Names<'a> {
    pub(super) config: &'a Config,
    pub(super) provider: &'a dyn Provider,
    /// Where the instruments are from, in words.
    pub(super) file: &'a str,
    pub(super) today: Day,
}

/// A name, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dated<'a> {
    /// `GOLD_20240200`.
    Stored(&'a str, Contract),
    /// `GCG24`.
    Code(&'a str, Contract),
}

impl<'a> Dated<'a> {
    fn parts(self) -> (&'a str, Contract) {
        match self {
            Dated::Stored(name, contract) | Dated::Code(name, contract) => (name, contract),
        }
    }

    fn is_of(self, instrument: &Instrument) -> bool {
        instrument.cycle.is_some()
            && match self {
                Dated::Stored(name, _) => instrument.name == name,
                Dated::Code(root, _) => instrument.code == root,
            }
    }
}

impl Names<'_> {
    /// Adds what is missing for these names to the instruments, or says what is to be written.
    pub(super) fn complete(
        &self,
        symbols: &[String],
        instruments: &mut Vec<Instrument>,
    ) -> Result<(), String> {
        for name in symbols {
            if instruments.iter().any(|instrument| instrument.name == *name) {
                continue;
            }
            let Some(dated) = self.dated(name, instruments)? else { continue };
            if instruments.iter().any(|instrument| dated.is_of(instrument)) {
                continue;
            }
            match self.archived(dated).map_err(|error| error.to_string())? {
                Some(instrument) => instruments.push(instrument),
                None => return Err(self.what_to_write(name, dated, instruments)),
            }
        }
        Ok(())
    }

    /// Takes a name apart that can only be that of a contract; refuses one that is nearly one.
    fn dated<'n>(&self, name: &'n str, instruments: &[Instrument]) -> Result<Option<Dated<'n>>, String> {
        if let Some((symbol, contract)) = Contract::of_stored_name(name) {
            return Ok(Some(Dated::Stored(symbol, contract)));
        }
        let digits = name.rsplit_once('_').map_or("", |(_, digits)| digits);
        if digits.len() == 8 && digits.ends_with("00") && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!(
                "{name}: {} is no month; contracts are called as GOLD_20240200 is, by year, month (01 to 12) and 00",
                &digits[4..6]
            ));
        }
        // Others have codes of their own that may look so.
        if !self.provider.serves_contracts() {
            return Ok(None);
        }
        if let Some((root, contract)) = Contract::of_code(name, self.today) {
            return Ok(Some(Dated::Code(root, contract)));
        }
        let upper = name.to_ascii_uppercase();
        let futures = || instruments.iter().filter(|instrument| instrument.cycle.is_some());
        if let Some((root, _)) = Contract::of_code(&upper, self.today)
            && futures().any(|future| future.code == root)
        {
            return Err(format!("{name}: codes are written in capitals; did you mean {upper}?"));
        }
        match futures().find(|future| upper.strip_prefix(&future.code).is_some_and(is_letter_and_year)) {
            Some(future) => Err(format!(
                "{name}: behind {} stands the letter of a month, one of {}, and the year, such as {}",
                future.code,
                MONTH_CODES.iter().collect::<String>(),
                Contract { year: self.today.date().year(), month: 12 }.code(&future.code)
            )),
            None => Ok(None),
        }
    }

    /// The contract's instrument as the archive has it. A name that was made its own code, for want of a better one,
    /// is none that the provider knows.
    fn archived(&self, dated: Dated<'_>) -> Result<Option<Instrument>, ArchiveError> {
        if !Archive::exists(&self.config.archive) {
            return Ok(None);
        }
        let archive = Archive::open_to_read(&self.config.archive, &self.config.state_directory)?;
        let ((name, contract), provider) = (dated.parts(), self.provider.archive_name());
        let mut found = None;
        let wanted = |key: &crate::model::SeriesKey| {
            key.provider == provider && key.class == Class::Future && key.contract == Some(contract)
        };
        archive.each_series(wanted, |record| {
            let (symbol, code) = (&record.key.symbol, &record.state.code);
            let is_it = match dated {
                Dated::Stored(..) => symbol == name && code != symbol,
                Dated::Code(..) => code == name,
            };
            if is_it {
                let mut instrument = Instrument::plain(symbol, code, Class::Future);
                instrument.cycle = Some(contract.month_code().to_string());
                found = Some(instrument);
            }
        })?;
        Ok(found)
    }

    fn what_to_write(&self, name: &str, dated: Dated<'_>, instruments: &[Instrument]) -> String {
        let (symbol, contract) = dated.parts();
        let futures = || instruments.iter().filter(|instrument| instrument.cycle.is_some());
        let near = |known: &&Instrument| strsim::damerau_levenshtein(&known.name, symbol) <= 2;
        let meant = match dated {
            Dated::Stored(..) => {
                futures().find(|future| future.code == symbol).or_else(|| futures().find(near))
            }
            Dated::Code(..) => None,
        };
        if let Some(meant) = meant {
            let stored = contract.stored_name(&meant.name);
            return format!(
                "{name}: {symbol} is not in the instruments file ({}); did you mean {stored}?",
                self.file
            );
        }
        let code = match dated {
            Dated::Stored(..) => format!("the symbol that {} has for it", self.provider.name()),
            Dated::Code(root, _) => root.to_owned(),
        };
        format!(
            "{name} is a contract of {symbol}, which is not in the instruments file ({}). Add {symbol} there: \
             {{\"future\": {{\"{symbol}\": {{\"code\": \"{code}\", \"cycle\": \"the letters of its months, such as HMUZ\"}}}}}}",
            self.file
        )
    }
}

/// Whether a text is one letter and a year of one or two digits.
fn is_letter_and_year(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|letter| letter.is_ascii_uppercase())
        && matches!(text.len(), 2 | 3)
        && letters.all(|digit| digit.is_ascii_digit())
}
