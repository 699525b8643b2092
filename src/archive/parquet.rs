//! The Parquet twin of a partition: one schema for every file of every archive.

mod guard;
mod uniform;

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, LogicalType, Repetition, TimeUnit, Type, ZstdLevel};
use parquet::column::reader::{get_column_reader, get_typed_column_reader};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::{ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type as SchemaType, TypePtr};

use self::guard::{Checked, guarded};
use super::{SeriesState, layout};
use crate::model::{Bars, Column, Coverage, SeriesKey};

/// The columns that say whose bars these are, in order; only `Contract` may be null.
const IDENTITY: [&str; 5] = ["Provider", "Class", "Symbol", "Contract", "Period"];
/// Where `Contract` stands among them.
const CONTRACT: usize = 3;
/// Microseconds in a second.
const MICROS: i64 = 1_000_000;
/// zstd's fastest: the higher ones cost far more time than they save bytes.
const ZSTD_LEVEL: i32 = 1;

/// A row group of fewer rows is written again with what comes behind it, and not compressed: that would save
/// little, and preparing to compress a column costs more than such a column.
const SMALL_GROUP: usize = 256;
/// More row groups are not kept: all are written as one again.
const MOST_GROUPS: usize = 8;

static SCHEMA: LazyLock<Result<TypePtr, ParquetError>> = LazyLock::new(|| schema().map(Arc::new));

fn schema() -> Result<SchemaType, ParquetError> {
    let mut fields = Vec::new();
    for (at, name) in IDENTITY.into_iter().enumerate() {
        let repetition = if at == CONTRACT { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let field = SchemaType::primitive_type_builder(name, Type::BYTE_ARRAY)
            .with_repetition(repetition)
            .with_logical_type(Some(LogicalType::String));
        fields.push(Arc::new(field.build()?));
    }
    let datetime = SchemaType::primitive_type_builder("Datetime", Type::INT64)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MICROS)));
    fields.push(Arc::new(datetime.build()?));
    for column in Column::ALL {
        let field = SchemaType::primitive_type_builder(column.name(), Type::DOUBLE)
            .with_repetition(Repetition::OPTIONAL);
        fields.push(Arc::new(field.build()?));
    }
    SchemaType::group_type_builder("bars").with_fields(fields).build()
}

/// What a file says beside its bars.
#[derive(Clone, Debug)]
pub(super) struct Notes {
    /// What was known of the series at the write; its coverage is that of the partition's days.
    pub(super) state: SeriesState,
    /// When the bars were fetched, in seconds since the epoch.
    pub(super) fetched_at: i64,
}

/// The first row groups of a file, which go into its successor as they are.
pub(super) struct Kept {
    file: Bytes,
    groups: Vec<RowGroupMetaData>,
    /// How many rows they hold.
    pub(super) rows: usize,
}

impl Kept {
    /// Nothing: the file is written anew.
    pub(super) fn nothing() -> Kept {
        Kept { file: Bytes::new(), groups: Vec::new(), rows: 0 }
    }

    /// What can be kept of a file of `rows` rows whose first `unchanged` ones stay as they are. A small
    /// last group is written again with what comes, and now and then all are, so that there are few.
    pub(super) fn of(file: Vec<u8>, rows: usize, unchanged: usize) -> Result<Kept, String> {
        let file = Bytes::from(file);
        let metadata = guarded(|| {
            ParquetMetaDataReader::new().parse_and_finish(&file).map_err(|error| error.to_string())
        })?;
        let rows_of = |group: &RowGroupMetaData| usize::try_from(group.num_rows()).unwrap_or(usize::MAX);
        let all = metadata.row_groups().iter().map(rows_of).fold(0, usize::saturating_add);
        if all != rows {
            return Ok(Kept::nothing());
        }
        let mut kept = Kept { file, groups: Vec::new(), rows: 0 };
        for group in metadata.row_groups() {
            let rows = rows_of(group);
            if rows < SMALL_GROUP || kept.rows + rows > unchanged {
                break;
            }
            kept.rows += rows;
            kept.groups.push(group.clone());
        }
        if kept.groups.len() < MOST_GROUPS { Ok(kept) } else { Ok(Kept::nothing()) }
    }

    /// Copies the groups, byte by byte.
    fn copy_to(&self, writer: &mut SerializedFileWriter<Vec<u8>>) -> Result<(), ParquetError> {
        for group in &self.groups {
            let mut copy = writer.next_row_group()?;
            for column in group.columns() {
                let close = ColumnCloseResult {
                    bytes_written: column.compressed_size().unsigned_abs(),
                    rows_written: group.num_rows().unsigned_abs(),
                    metadata: column.clone(),
                    bloom_filter: None,
                    column_index: None,
                    offset_index: None,
                };
                copy.append_column(&self.file, close)?;
            }
            copy.close()?;
        }
        Ok(())
    }
}

/// Encodes one partition: what is kept of its old file, then these bars. `notes` are the whole series';
/// only its part of these days is kept.
pub(super) fn encode(
    key: &SeriesKey,
    partition: &str,
    kept: &Kept,
    bars: &Bars,
    notes: &Notes,
) -> Result<Vec<u8>, ParquetError> {
    let schema = SCHEMA.as_ref().map_err(|e| ParquetError::General(e.to_string()))?;
    let properties = properties(key, partition, bars.len(), notes)?;
    let mut writer = SerializedFileWriter::new(Vec::new(), schema.clone(), Arc::new(properties))?;
    kept.copy_to(&mut writer)?;
    let columns = writer.schema_descr().columns().to_vec();
    let mut group = writer.next_row_group()?;
    for (column, text) in columns.iter().zip(identity(key)) {
        uniform::write(&mut group, column, text.as_deref(), bars.len())?;
    }
    let micros: Vec<i64> = bars.times.iter().map(|time| time * MICROS).collect();
    write::<Int64Type>(&mut group, &micros, None)?;
    let all = vec![1_i16; bars.len()];
    for (column, name) in columns.iter().skip(IDENTITY.len() + 1).zip(Column::ALL) {
        match bars.column(name) {
            None => uniform::write(&mut group, column, None, bars.len())?,
            Some(values) if !values.iter().any(|value| value.is_nan()) => {
                write::<DoubleType>(&mut group, values, Some(&all))?;
            }
            Some(values) => {
                let levels: Vec<i16> = values.iter().map(|value| i16::from(!value.is_nan())).collect();
                let values: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
                write::<DoubleType>(&mut group, &values, Some(&levels))?;
            }
        }
    }
    group.close()?;
    writer.into_inner()
}

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    levels: Option<&Vec<i16>>,
) -> Result<(), ParquetError> {
    let mut column =
        group.next_column()?.ok_or_else(|| ParquetError::General("no such column".to_owned()))?;
    column.typed::<T>().write_batch(values, levels.map(Vec::as_slice), None)?;
    column.close()
}

/// The text of the identity columns.
fn identity(key: &SeriesKey) -> [Option<String>; 5] {
    [
        Some(key.provider.clone()),
        Some(key.class.name().to_owned()),
        Some(key.symbol.clone()),
        key.contract.map(|_| key.name()),
        Some(key.period.name().to_owned()),
    ]
}

/// How the columns are written. Prices are never dictionary-encoded; measured, splitting their bytes
/// into streams is 39 % smaller and faster for daily bars, plain the smallest for minute bars.
fn properties(
    key: &SeriesKey,
    partition: &str,
    rows: usize,
    notes: &Notes,
) -> Result<WriterProperties, ParquetError> {
    let compression = match rows < SMALL_GROUP {
        true => Compression::UNCOMPRESSED,
        false => Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?),
    };
    let prices = if key.period.is_intraday() { Encoding::PLAIN } else { Encoding::BYTE_STREAM_SPLIT };
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("vortex ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_dictionary_enabled(false)
        .set_key_value_metadata(Some(metadata(key, partition, notes)?));
    for column in Column::ALL {
        properties = properties.set_column_encoding(ColumnPath::from(column.name()), prices);
    }
    Ok(properties.build())
}

fn metadata(key: &SeriesKey, partition: &str, notes: &Notes) -> Result<Vec<KeyValue>, ParquetError> {
    let coverage = notes.state.coverage.within(layout::partition_days(key, partition));
    let state = SeriesState { coverage: Coverage::default(), ..notes.state.clone() };
    let state = serde_json::to_string(&state).map_err(|e| ParquetError::General(e.to_string()))?;
    let fetched = jiff::Timestamp::from_second(notes.fetched_at)
        .map_err(|e| ParquetError::General(format!("fetched at: {e}")))?;
    let meta = &notes.state.meta;
    Ok([
        ("currency", meta.currency.clone()),
        ("exchange", meta.exchange.clone()),
        ("exchange_time_zone", meta.zone.clone()),
        ("fetched_at", Some(fetched.to_string())),
        ("vortex_version", Some(env!("CARGO_PKG_VERSION").to_owned())),
        ("vortex_coverage", Some(coverage.to_text())),
        ("vortex_series", Some(state)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(KeyValue::new(name.to_owned(), value?)))
    .collect())
}

/// Opens a file and checks that it has the columns every file of an archive has.
pub(super) fn open(path: &Path) -> Result<SerializedFileReader<File>, String> {
    guarded(|| open_unguarded(path))
}

fn open_unguarded(path: &Path) -> Result<SerializedFileReader<File>, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let reader = SerializedFileReader::new(file).map_err(|e| e.to_string())?;
    let expected = SCHEMA.as_ref().map_err(ToString::to_string)?;
    if reader.metadata().file_metadata().schema().get_fields() == expected.get_fields() {
        Ok(reader)
    } else {
        Err("the columns are not those of a Vortex archive".to_owned())
    }
}

/// Reads a partition of a series back; an error says what is wrong with the file.
pub(super) fn read(path: &Path, key: &SeriesKey, partition: &str) -> Result<(Bars, Notes), String> {
    guarded(|| {
        let reader = open_unguarded(path)?;
        // A small file of a stranger may unpack to more rows than there is memory for.
        let (rows, most) = (reader.metadata().file_metadata().num_rows(), most_bars(key, partition));
        let groups = reader.metadata().row_groups().iter().map(RowGroupMetaData::num_rows);
        if rows > most || groups.max().is_some_and(|of| of > most) {
            return Err(format!("it says it has {rows} rows, and {most} fit into its days"));
        }
        let file = reader.metadata().file_metadata();
        let notes = notes(file.key_value_metadata().map_or(&[][..], Vec::as_slice))?;
        let mut bars = Bars::new(key.columns());
        for at in 0..reader.num_row_groups() {
            let group = reader.get_row_group(at).map_err(|e| e.to_string())?;
            append_group(&mut bars, group.as_ref(), key)?;
        }
        Ok((bars, notes))
    })
}

/// As many bars as can stand in a partition: one follows the other for all of its days. One without an end
/// holds daily bars of two centuries, or a contract's intraday bars of ten years.
fn most_bars(key: &SeriesKey, partition: &str) -> i64 {
    let (seconds, years) = key.period.seconds().map_or((86_400, 200), |seconds| (seconds, 10));
    let days = layout::partition_days(key, partition).len().min(years * 366) as i64;
    days * (86_400 / seconds)
}

fn notes(pairs: &[KeyValue]) -> Result<Notes, String> {
    let value = |name: &str| {
        pairs
            .iter()
            .find(|pair| pair.key == name)
            .and_then(|pair| pair.value.as_deref())
            .ok_or(format!("metadata {name} is missing"))
    };
    let mut state: SeriesState =
        serde_json::from_str(value("vortex_series")?).map_err(|e| format!("metadata vortex_series: {e}"))?;
    state.coverage = Coverage::from_text(value("vortex_coverage")?)?;
    let fetched_at: jiff::Timestamp =
        value("fetched_at")?.parse().map_err(|e| format!("metadata fetched_at: {e}"))?;
    Ok(Notes { state, fetched_at: fetched_at.as_second() })
}

fn append_group(bars: &mut Bars, group: &dyn RowGroupReader, key: &SeriesKey) -> Result<(), String> {
    let rows = usize::try_from(group.metadata().num_rows()).map_err(|e| e.to_string())?;
    for (at, (name, text)) in IDENTITY.iter().zip(identity(key)).enumerate() {
        let (values, levels) = column::<ByteArrayType>(group, at, rows)?;
        let present = if at == CONTRACT { levels.iter().filter(|level| **level == 1).count() } else { rows };
        let expected = text.as_deref().unwrap_or_default().as_bytes();
        let wanted = if text.is_some() { rows } else { 0 };
        if present != wanted || values.iter().any(|value| value.data() != expected) {
            return Err(format!("column {name} is not {:?} throughout", text.unwrap_or_default()));
        }
    }
    let (micros, _) = column::<Int64Type>(group, IDENTITY.len(), rows)?;
    if micros.iter().any(|micros| micros % MICROS != 0) {
        return Err("column Datetime has a fraction of a second".to_owned());
    }
    bars.times.extend(micros.iter().map(|micros| micros / MICROS));
    for (nth, column_name) in Column::ALL.into_iter().enumerate() {
        let (values, levels) = column::<DoubleType>(group, IDENTITY.len() + 1 + nth, rows)?;
        match bars
            .columns()
            .iter()
            .position(|own| *own == column_name)
            .and_then(|own| bars.values.get_mut(own))
        {
            Some(own) => {
                let mut values = values.into_iter();
                own.extend(levels.iter().map(|level| match level {
                    1 => values.next().unwrap_or(f64::NAN),
                    _ => f64::NAN,
                }));
            }
            None if values.is_empty() => {}
            None => {
                return Err(format!("column {} has values, {key} has no such column", column_name.name()));
            }
        }
    }
    Ok(())
}

/// The values of one column and, where it is nullable, a level for each row: 1 = a value, 0 = null.
fn column<T: DataType>(
    group: &dyn RowGroupReader,
    at: usize,
    rows: usize,
) -> Result<(Vec<T::T>, Vec<i16>), String> {
    let said = |error: ParquetError| error.to_string();
    let pages = Checked(group.get_column_page_reader(at).map_err(said)?);
    let descriptor = group.metadata().column(at).column_descr_ptr();
    let mut reader = get_typed_column_reader::<T>(get_column_reader(descriptor, Box::new(pages)));
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let (read, _, _) = reader.read_records(rows, Some(&mut levels), None, &mut values).map_err(said)?;
    if read == rows { Ok((values, levels)) } else { Err(format!("a column has {read} of {rows} rows")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Class, Contract, Day, Mark, Period};
    use proptest::prelude::*;

    fn key(class: Class, contract: bool, period: Period) -> SeriesKey {
        SeriesKey {
            provider: "sample".into(),
            class,
            symbol: "GOLD=F".into(),
            contract: contract.then_some(Contract { year: 2024, month: 2 }),
            period,
        }
    }

    fn round_trip(key: &SeriesKey, bars: &Bars, notes: &Notes) -> Result<(Bars, Notes), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        std::fs::write(&path, encode(key, "", &Kept::nothing(), bars, notes).unwrap()).unwrap();
        read(&path, key, "")
    }

    fn some_notes() -> Notes {
        let mut state = SeriesState { code: "GC=F".into(), asked_at: 7, ..SeriesState::default() };
        state.meta.currency = Some("GBp".into());
        state.coverage.set_day(Day::new(5), Mark::Present);
        Notes { state, fetched_at: 1_700_000_000 }
    }

    #[test]
    fn the_notes_read_back() {
        let key = key(Class::Stock, false, Period::D1);
        let mut bars = Bars::new(key.columns());
        bars.push(0, &[1.0]);
        let (_, notes) = round_trip(&key, &bars, &some_notes()).unwrap();
        assert_eq!(notes.state, some_notes().state);
        assert_eq!(notes.fetched_at, 1_700_000_000);
    }

    #[test]
    fn bars_of_another_series_are_refused() {
        let gold = key(Class::Future, true, Period::D1);
        let mut bars = Bars::new(gold.columns());
        bars.push(0, &[1.0; 6]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        std::fs::write(&path, encode(&gold, "", &Kept::nothing(), &bars, &some_notes()).unwrap()).unwrap();
        for other in [key(Class::Stock, false, Period::D1), key(Class::Future, true, Period::H1)] {
            assert!(read(&path, &other, "").unwrap_err().contains("throughout"));
        }
        std::fs::write(&path, b"PAR1 and nothing more").unwrap();
        assert!(read(&path, &gold, "").is_err());
    }

    /// Found by the fuzzer: the library panics on columns that lie before the file, and more of the kind.
    #[test]
    fn no_damage_ends_the_program() {
        let key = key(Class::Stock, false, Period::D1);
        let mut bars = Bars::new(key.columns());
        bars.push(0, &[1.5; 9]);
        bars.push(86_400, &[2.5; 9]);
        let good = encode(&key, "", &Kept::nothing(), &bars, &some_notes()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        for at in 0..good.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= change;
                std::fs::write(&path, &bad).unwrap();
                let _ = read(&path, &key, "");
                let _ = Kept::of(bad, 2, 2);
            }
        }
        assert!(guard::guarded::<()>(|| panic!("as the library does")).is_err());
    }

    #[test]
    fn a_file_of_more_rows_than_its_days_hold_is_not_unpacked() {
        let key = key(Class::Stock, false, Period::M1);
        let mut bars = Bars::new(key.columns());
        let first = "2024-02-01".parse::<Day>().unwrap().midnight();
        for minute in 0..=29 * 1440 {
            bars.push(first + minute * 60, &[1.5; 9]);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        std::fs::write(&path, encode(&key, "2024-02", &Kept::nothing(), &bars, &some_notes()).unwrap())
            .unwrap();
        let said = read(&path, &key, "2024-02").unwrap_err();
        assert_eq!(said, "it says it has 41761 rows, and 41760 fit into its days");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_double_reads_back_bit_for_bit(
            kind in 0..4usize,
            rows in prop::collection::vec((-1_000_000..1_000_000_i64, prop::array::uniform9(any::<u64>())), 1..40),
        ) {
            let (class, contract, period) = [
                (Class::Stock, false, Period::D1),
                (Class::Future, true, Period::D1),
                (Class::Future, true, Period::M1),
                (Class::Forex, false, Period::M5),
            ][kind];
            let key = key(class, contract, period);
            let mut bars = Bars::new(key.columns());
            for (time, bits) in rows {
                bars.push(time, &bits.map(f64::from_bits));
            }
            let (read, _) = round_trip(&key, &bars, &some_notes()).unwrap();
            prop_assert!(read.same(&bars));
        }
    }
}
