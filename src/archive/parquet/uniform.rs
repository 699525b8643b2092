//! Columns that say the same in every row: one text, or nothing. Their chunks are a run each and are put
//! together as such; the general writer would hash, compare and count every row of them.

use bytes::Bytes;
use parquet::basic::{Encoding, PageType};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// Writes the next column of a row group, which is `column`: `text` in each of `rows` rows, `None` for
/// null. A few bytes, so they are not compressed.
pub(super) fn write(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    column: &ColumnDescPtr,
    text: Option<&str>,
    rows: usize,
) -> Result<(), ParquetError> {
    let count = u32::try_from(rows).map_err(|error| ParquetError::General(error.to_string()))?;
    let mut data = Vec::new();
    if column.max_def_level() > 0 {
        let mut levels = run(count);
        levels.push(u8::from(text.is_some()));
        data.extend_from_slice(&(levels.len() as u32).to_le_bytes());
        data.extend_from_slice(&levels);
    }
    let mut pages = Vec::new();
    if let Some(text) = text {
        // Indices into a dictionary of one are zero bits wide.
        data.push(0);
        data.extend_from_slice(&run(count));
        let buf = [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
        pages.push(Page::DictionaryPage {
            buf: Bytes::from(buf),
            num_values: 1,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        });
    }
    pages.push(Page::DataPage {
        buf: Bytes::from(data),
        num_values: count,
        encoding: if text.is_some() { Encoding::RLE_DICTIONARY } else { Encoding::PLAIN },
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    });
    append(group, column, pages, statistics(text, u64::from(count)), rows)
}

/// The head of a run of equal values, as the hybrid of runs and packed bits has it: a varint of twice the
/// length.
fn run(length: u32) -> Vec<u8> {
    let mut left = u64::from(length) << 1;
    let mut bytes = Vec::new();
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

fn statistics(text: Option<&str>, rows: u64) -> Statistics {
    match text {
        Some(text) => {
            let value = Some(ByteArray::from(text));
            ValueStatistics::new(value.clone(), value, None, Some(0), false).into()
        }
        None => ValueStatistics::<f64>::new(None, None, None, Some(rows), false).into(),
    }
}

fn append(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    column: &ColumnDescPtr,
    pages: Vec<Page>,
    statistics: Statistics,
    rows: usize,
) -> Result<(), ParquetError> {
    let mut chunk = TrackedWrite::new(Vec::new());
    let mut writer = SerializedPageWriter::new(&mut chunk);
    let mut metadata =
        ColumnChunkMetaData::builder(column.clone()).set_num_values(rows as i64).set_statistics(statistics);
    let (mut encodings, mut kinds) = (vec![Encoding::RLE], Vec::new());
    for page in pages {
        let (page_type, encoding, size) = (page.page_type(), page.encoding(), page.buffer().len());
        let written = writer.write_page(CompressedPage::new(page, size))?;
        let offset = written.offset as i64;
        metadata = match page_type {
            PageType::DICTIONARY_PAGE => metadata.set_dictionary_page_offset(Some(offset)),
            _ => metadata.set_data_page_offset(offset),
        };
        encodings.push(encoding);
        kinds.push(PageEncodingStats { page_type, encoding, count: 1 });
    }
    let bytes = chunk.into_inner()?;
    let size = bytes.len() as i64;
    let metadata = metadata
        .set_encodings(encodings)
        .set_page_encoding_stats(kinds)
        .set_total_compressed_size(size)
        .set_total_uncompressed_size(size)
        .build()?;
    let close = ColumnCloseResult {
        bytes_written: bytes.len() as u64,
        rows_written: rows as u64,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    };
    group.append_column(&Bytes::from(bytes), close)
}
