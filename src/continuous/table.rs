//! The table of rolls as tab-separated text, one line a contract held. It is no CSV, so that whoever reads all
//! CSVs of an archive gets bars alone.
//!
//! `Date` is the first session with the contract `To`; `Session` the one whose closes of both contracts are
//! compared, and `Gap` and `Ratio` what comes of them: `To Close − From Close`, exactly, and
//! `To Close ÷ From Close`. A field is empty where there is nothing to say.

use crate::model::Day;

/// The header.
const HEADER: [&str; 9] = ["Date", "From", "To", "Session", "From Close", "To Close", "Gap", "Ratio", "Why"];

/// One roll, or the first contract.
#[derive(Clone, Debug, PartialEq)]
pub struct Roll {
    /// The first session with the later contract.
    pub date: Day,
    /// The contract held before, by its stored name.
    pub from: Option<String>,
    /// The contract held from then on.
    pub to: String,
    /// The session whose closes are compared, and the closes.
    pub closes: Option<(Day, f64, f64)>,
    /// Why, in words.
    pub why: String,
}

impl Roll {
    /// How far the later contract closed above the earlier one, as a decimal.
    pub fn gap(&self) -> Option<String> {
        let (_, old, new) = self.closes?;
        super::adjust::gap(old, new).map(|gap| gap.normalize().to_string())
    }

    /// The later close as a multiple of the earlier one, where both are positive.
    pub fn ratio(&self) -> Option<f64> {
        let (_, old, new) = self.closes?;
        super::adjust::ratio(old, new)
    }
}

/// The table as it is stored.
pub(super) fn to_text(rolls: &[Roll]) -> Vec<u8> {
    let mut text = HEADER.join("\t") + "\n";
    for roll in rolls {
        let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        let session = roll.closes.map_or(String::new(), |(session, ..)| session.to_string());
        let fields = [
            roll.date.to_string(),
            roll.from.clone().unwrap_or_default(),
            roll.to.clone(),
            session,
            number(roll.closes.map(|(_, old, _)| old)),
            number(roll.closes.map(|(.., new)| new)),
            roll.gap().unwrap_or_default(),
            number(roll.ratio()),
            roll.why.clone(),
        ];
        text.push_str(&fields.join("\t"));
        text.push('\n');
    }
    text.into_bytes()
}

/// The date and the contract of each line of a stored table; what cannot be read is left out.
pub(super) fn dates(table: &[u8]) -> Vec<(Day, String)> {
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').quoting(false).from_reader(table);
    let read = |record: csv::StringRecord| Some((record.get(0)?.parse().ok()?, record.get(2)?.to_owned()));
    reader.records().filter_map(|record| read(record.ok()?)).collect()
}
