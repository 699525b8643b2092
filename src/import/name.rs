//! What the name of a file says: names of Barchart's exports, of bc-utils, and paths of older Vortex.

use std::path::Path;

use crate::model::{Class, Contract, Period};

/// What the name of an export says; each part may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportName {
    /// The symbol, in capitals.
    pub symbol: Option<String>,
    /// The bars.
    pub bars: Option<NamedBars>,
    /// Whether it speaks of a continuous series of a future's contracts.
    pub nearby: bool,
}

/// The bars that a name speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedBars {
    /// Of a session.
    Daily,
    /// Shorter; of so many minutes, where it says how many.
    Intraday(Option<u32>),
    /// Some that are not imported.
    Other(String),
}

impl NamedBars {
    /// As it is told: `60min`.
    pub fn words(&self) -> String {
        match self {
            NamedBars::Daily => "daily".to_owned(),
            NamedBars::Intraday(Some(minutes)) => format!("{minutes}min"),
            NamedBars::Intraday(None) => "intraday".to_owned(),
            NamedBars::Other(word) => word.clone(),
        }
    }
}

/// What stands behind the symbol in the names that the site gives. `price-history` is the page of daily rows.
const KINDS: [(&str, &str); 7] = [
    ("_daily", "daily"),
    ("_price-history", "daily"),
    ("_intraday", "intraday"),
    ("_weekly", "weekly"),
    ("_monthly", "monthly"),
    ("_quarterly", "quarterly"),
    ("_yearly", "yearly"),
];

/// Reads a file name such as `nqh26_intraday-60min_historical-data-03-05-2026 (1).csv`.
pub fn of_export(file_name: &str) -> ExportName {
    let lower = file_name.to_ascii_lowercase();
    let kind = KINDS.iter().filter_map(|(marker, kind)| Some((lower.find(marker)?, *kind))).min();
    let Some((at, kind)) = kind else { return ExportName::default() };
    let symbol = lower.get(..at).filter(|symbol| !symbol.is_empty()).map(str::to_ascii_uppercase);
    let bars = match kind {
        "daily" => NamedBars::Daily,
        "intraday" => NamedBars::Intraday(lower.get(at..).and_then(minutes)),
        other => NamedBars::Other(other.to_owned()),
    };
    ExportName {
        symbol,
        bars: Some(bars),
        nearby: lower.get(at..).is_some_and(|kind| kind.contains("nearby")),
    }
}

/// The number before the first `min`.
fn minutes(text: &str) -> Option<u32> {
    let before = text.split("min").next().filter(|before| before.len() < text.len())?;
    let digits = before.bytes().rev().take_while(u8::is_ascii_digit).count();
    before.get(before.len() - digits..)?.parse().ok()
}

/// The period of a bar of so many minutes.
pub fn period_of_minutes(minutes: u32) -> Option<Period> {
    Period::ALL.into_iter().find(|period| period.seconds() == Some(i64::from(minutes) * 60))
}

/// What a path of an older Vortex or the name of a file of bc-utils says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainName {
    /// Which program wrote it.
    pub writer: PlainWriter,
    /// The class.
    pub class: Class,
    /// The instrument's name.
    pub instrument: String,
    /// The dated contract.
    pub contract: Option<Contract>,
    /// The bar length.
    pub period: Period,
}

impl PlainName {
    /// A contract of bc-utils by its stored name, such as `AUD_20240300`.
    pub(super) fn of_bc_utils(stored: &str, period: Period) -> Option<PlainName> {
        let (instrument, contract) = Contract::of_stored_name(stored)?;
        Some(PlainName {
            writer: PlainWriter::BcUtils,
            class: Class::Future,
            instrument: instrument.to_owned(),
            contract: Some(contract),
            period,
        })
    }
}

/// A program whose files are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainWriter {
    /// Vortex before the archive had a folder for each provider.
    OlderVortex,
    /// bc-utils.
    BcUtils,
}

/// Reads a path such as `…/futures/1d/GOLD/GOLD_20240200.csv` or `…/Day_AUD_20240300.csv`.
pub fn of_plain(path: &Path) -> Option<PlainName> {
    let stem = path.file_stem()?.to_str()?;
    of_bc_utils(stem).or_else(|| of_older_vortex(path, stem))
}

fn of_bc_utils(stem: &str) -> Option<PlainName> {
    let (resolution, rest) = stem.split_once('_')?;
    let period = match resolution {
        "Day" => Period::D1,
        "Hour" => Period::H1,
        _ => return None,
    };
    PlainName::of_bc_utils(rest, period)
}

fn of_older_vortex(path: &Path, stem: &str) -> Option<PlainName> {
    let mut folders = path.parent()?.iter().rev().map(|name| name.to_str().unwrap_or_default());
    let nearest = folders.next()?;
    let dated = Contract::of_stored_name(stem).filter(|(instrument, _)| *instrument == nearest);
    let (period, class) = match dated {
        Some(_) => (folders.next()?, folders.next()?),
        None => (nearest, folders.next()?),
    };
    let class = Class::ALL.into_iter().find(|known| known.folder() == class)?;
    if dated.is_some() && class != Class::Future {
        return None;
    }
    Some(PlainName {
        writer: PlainWriter::OlderVortex,
        class,
        instrument: dated.map_or(stem, |(instrument, _)| instrument).to_owned(),
        contract: dated.map(|(_, contract)| contract),
        period: period.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("ymh26_daily_historical-data-03-05-2026.csv", "YMH26", "daily")]
    #[case("nqh26_intraday-60min_historical-data-03-05-2026 (1).csv", "NQH26", "60min")]
    #[case("$spx_daily_historical-data-01-12-2020.csv", "$SPX", "daily")]
    #[case("spx_intraday-1min_historical-data-download-NOVEMBER-2025.csv", "SPX", "1min")]
    #[case("iauv26_price-history-10-09-2026.csv", "IAUV26", "daily")]
    #[case("es*1_daily-nearby_historical-data-01-02-2026.csv", "ES*1", "daily")]
    #[case("zs_intraday-nearby-30min_historical-data-01-02-2026.csv", "ZS", "30min")]
    #[case("cl_weekly-nearby_historical-data-01-02-2026.csv", "CL", "weekly")]
    #[case("a6h24_Intraday_x.csv", "A6H24", "intraday")]
    fn names_of_exports_are_read(#[case] name: &str, #[case] symbol: &str, #[case] bars: &str) {
        let read = of_export(name);
        assert_eq!(read.symbol.as_deref(), Some(symbol));
        assert_eq!(read.bars.unwrap().words(), bars);
        assert_eq!(read.nearby, name.contains("nearby"));
    }

    #[test]
    fn other_names_say_nothing() {
        for name in ["data.csv", "", "min.csv", "é_min.csv"] {
            assert_eq!(of_export(name), ExportName::default(), "{name}");
        }
        assert_eq!(of_export("_daily.csv").symbol, None);
    }

    #[rstest]
    #[case("x/Day_AUD_20240300.csv", Some(("AUD", Class::Future, "1d", true)))]
    #[case("Hour_AUD_micro_20210900.csv", Some(("AUD_micro", Class::Future, "1h", true)))]
    #[case("a/futures/30m/GOLD/GOLD_20240200.csv", Some(("GOLD", Class::Future, "30m", true)))]
    #[case("a/futures/1d/GC.csv", Some(("GC", Class::Future, "1d", false)))]
    #[case("stocks/1W/BRK-B.csv", Some(("BRK-B", Class::Stock, "1W", false)))]
    #[case("forex/1h/EURUSD.csv", Some(("EURUSD", Class::Forex, "1h", false)))]
    #[case("a/stocks/4h/AAPL.csv", None)]
    #[case("a/futures/1d/SILVER/GOLD_20240200.csv", None)]
    #[case("Week_AUD_20240300.csv", None)]
    #[case("AAPL.csv", None)]
    fn paths_of_other_programs_are_read(
        #[case] path: &str,
        #[case] expected: Option<(&str, Class, &str, bool)>,
    ) {
        let read = of_plain(Path::new(path));
        let told = read
            .as_ref()
            .map(|name| (name.instrument.as_str(), name.class, name.period.name(), name.contract.is_some()));
        assert_eq!(told, expected);
    }
}
