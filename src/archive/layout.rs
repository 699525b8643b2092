//! Where the files of a series lie below the archive's folder, and which series a file belongs to.

use std::path::{Path, PathBuf};

use super::ArchiveError;
use crate::model::{Class, Contract, Day, Days, Parts, Period, SeriesKey, symbol};

/// Everything of Vortex's own, below the archive's folder.
pub(super) const OWN: &str = ".vortex";
/// Files on their way in.
pub(super) const TMP: &str = ".vortex/tmp";
/// What restatements replaced.
pub(super) const REVISIONS: &str = ".vortex/revisions";

/// The days a partition without a name covers: all that a CSV can hold.
const ALL_DAYS: Days = Days { first: Day::new(-719_528), last: Day::new(2_932_896) };

/// How the series is cut into files; a dated contract is one file pair at any period.
fn parts(key: &SeriesKey) -> Parts {
    match key.contract {
        Some(_) => Parts::Whole,
        None => key.period.parts(),
    }
}

/// The name of the partition that holds a bar of a series: empty for a whole-file series or a dated
/// contract, else `2024` or `2024-03`.
pub fn partition_name(key: &SeriesKey, time: i64) -> String {
    let date = || Day::of_utc(time).date();
    match parts(key) {
        Parts::Whole => String::new(),
        Parts::Years => format!("{:04}", date().year()),
        Parts::Months => format!("{:04}-{:02}", date().year(), date().month()),
    }
}

/// The trading dates whose coverage is kept with a partition. Each date belongs to one partition.
pub(super) fn partition_days(key: &SeriesKey, name: &str) -> Days {
    let first_of = |month: &str| format!("{month}-01").parse::<Day>().ok();
    let days = match parts(key) {
        Parts::Whole => None,
        Parts::Years => first_of(&format!("{name}-01"))
            .and_then(|first| Days::new(first, first.plus(366).first_of_month().plus(-1))),
        Parts::Months => {
            first_of(name).and_then(|first| Days::new(first, first.plus(31).first_of_month().plus(-1)))
        }
    };
    days.unwrap_or(ALL_DAYS)
}

/// Where a series lies, below the archive's folder: its CSV where it is one file, else the folder of
/// its partitions.
pub(super) fn series_path(key: &SeriesKey) -> Result<PathBuf, ArchiveError> {
    let mut path = csv_path(key, "")?;
    if parts(key) != Parts::Whole {
        path.pop();
    }
    Ok(path)
}

/// Where a partition's CSV lies, below the archive's folder.
pub(super) fn csv_path(key: &SeriesKey, partition: &str) -> Result<PathBuf, ArchiveError> {
    path(key, partition, "csv")
}

/// Where a partition's Parquet lies, below the archive's folder.
pub(super) fn parquet_path(key: &SeriesKey, partition: &str) -> Result<PathBuf, ArchiveError> {
    path(key, partition, "parquet")
}

fn path(key: &SeriesKey, partition: &str, extension: &str) -> Result<PathBuf, ArchiveError> {
    let symbol = symbol::encode(&key.symbol).map_err(ArchiveError::Refused)?;
    let folder = Path::new(&key.provider).join(key.class.folder()).join(key.period.name());
    Ok(match (key.contract, parts(key)) {
        (Some(contract), _) => {
            let file = format!("{}.{extension}", contract.stored_name(&symbol));
            folder.join(symbol).join(file)
        }
        (None, Parts::Whole) => folder.join(format!("{symbol}.{extension}")),
        (None, _) => folder.join(symbol).join(format!("{partition}.{extension}")),
    })
}

/// The series and partition of a CSV or Parquet file, by its path below the archive's folder; `None`
/// where no series has a file there.
pub(super) fn place_of(relative: &Path) -> Option<(SeriesKey, String)> {
    let words: Vec<&str> = relative.iter().map(|word| word.to_str()).collect::<Option<_>>()?;
    let [provider, class, period, names @ ..] = words.as_slice() else {
        return None;
    };
    let class = Class::ALL.into_iter().find(|known| known.folder() == *class)?;
    let period: Period = period.parse().ok()?;
    let (file, folder) = names.split_last()?;
    let stem = file.strip_suffix(".csv").or(file.strip_suffix(".parquet"))?;
    let (symbol, contract, partition) = match folder {
        [] => (stem, None, ""),
        [folder] => match Contract::of_stored_name(stem) {
            Some((symbol, contract)) if symbol == *folder && class == Class::Future => {
                (symbol, Some(contract), "")
            }
            _ => (*folder, None, stem),
        },
        _ => return None,
    };
    let key = SeriesKey {
        provider: (*provider).to_owned(),
        class,
        symbol: symbol::decode(symbol)?,
        contract,
        period,
    };
    let days = partition_days(&key, partition);
    let named = partition_name(&key, days.first.midnight());
    (named == partition).then(|| (key, partition.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(class: Class, symbol: &str, contract: bool, period: Period) -> SeriesKey {
        SeriesKey {
            provider: "yahoo".into(),
            class,
            symbol: symbol.into(),
            contract: contract.then_some(Contract { year: 2024, month: 2 }),
            period,
        }
    }

    #[test]
    fn paths_are_those_of_the_design_and_read_back() {
        let time = "2024-03-31".parse::<Day>().unwrap().midnight() + 86_399;
        for (key, path) in [
            (key(Class::Stock, "7203.T", false, Period::D1), "yahoo/stocks/1d/7203.T.csv"),
            (key(Class::Forex, "EURUSD=X", false, Period::W1), "yahoo/forex/1W/EURUSD%3DX.csv"),
            (key(Class::Stock, "AAPL", false, Period::H1), "yahoo/stocks/1h/AAPL/2024.csv"),
            (key(Class::Stock, "AAPL", false, Period::M20), "yahoo/stocks/20m/AAPL/2024-03.csv"),
            (key(Class::Future, "GC=F", false, Period::M30), "yahoo/futures/30m/GC%3DF/2024.csv"),
            (key(Class::Future, "GOLD", true, Period::M1), "yahoo/futures/1m/GOLD/GOLD_20240200.csv"),
            (key(Class::Future, "GOLD", true, Period::D1), "yahoo/futures/1d/GOLD/GOLD_20240200.csv"),
        ] {
            let name = partition_name(&key, time);
            assert_eq!(csv_path(&key, &name).unwrap(), Path::new(path));
            assert_eq!(place_of(Path::new(path)), Some((key.clone(), name.clone())));
            assert_eq!(place_of(&parquet_path(&key, &name).unwrap()), Some((key, name)));
        }
    }

    #[test]
    fn other_files_belong_to_no_series() {
        for path in [
            "raw/yahoo/2024/03/31/x.csv",
            "yahoo/stocks/1d/AAPL.txt",
            "yahoo/stocks/1d/AAPL/2024.csv",
            "yahoo/stocks/1h/AAPL.csv",
            "yahoo/stocks/1h/AAPL/2024-03.csv",
            "yahoo/stocks/1m/AAPL/2024-13.csv",
            "yahoo/stocks/1d/a b.csv",
            "yahoo/futures/1d/GOLD/SILVER_20240200.csv",
            "yahoo/AAPL.csv",
        ] {
            assert_eq!(place_of(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn days_of_partitions_tile_the_calendar() {
        let hourly = key(Class::Stock, "A", false, Period::H1);
        assert_eq!(partition_days(&hourly, "2024").to_string(), "2024-01-01..2024-12-31");
        assert_eq!(partition_days(&hourly, "2023").to_string(), "2023-01-01..2023-12-31");
        let minute = key(Class::Stock, "A", false, Period::M1);
        assert_eq!(partition_days(&minute, "2024-02").to_string(), "2024-02-01..2024-02-29");
        let daily = key(Class::Stock, "A", false, Period::D1);
        assert_eq!(partition_days(&daily, ""), ALL_DAYS);
    }
}
