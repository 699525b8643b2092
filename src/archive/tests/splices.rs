//! An update that copies what stays gives the very bytes and bars that writing everything anew gives.

use proptest::prelude::*;

use super::super::{csv, parquet};
use super::*;

/// News of a series, which come to what is stored.
fn news(key: &SeriesKey, bars: &Bars) -> Change {
    let mut change = change(key, bars);
    for (_, content) in &mut change.partitions {
        *content = Content::News(content.bars().clone());
    }
    change
}

/// How many row groups the twin of a daily series has.
fn groups(place: &Place) -> usize {
    let twin = place.root().join("yahoo/stocks/1d/AAPL.parquet");
    ::parquet::file::reader::FileReader::num_row_groups(&parquet::open(&twin).unwrap())
}

/// Both files hold these bars, and the CSV byte for byte as if it were written whole.
fn holds(place: &Place, archive: &Archive, key: &SeriesKey, bars: &Bars) {
    assert!(stored(archive, key).same(bars));
    let path = place.root().join("yahoo/stocks/1d/AAPL.csv");
    assert!(fs::read(&path).unwrap() == csv::encode(bars).unwrap());
    assert!(parquet::read(&path.with_extension("parquet"), key, "").unwrap().0.same(bars));
    let wrong = |of: &verify::Finding| of.severity == verify::Severity::Error;
    assert!(!archive.verify(None).unwrap().iter().any(wrong));
}

#[test]
fn what_stays_is_copied_and_many_row_groups_become_one() {
    let place = Place::new();
    let writer = place.writer();
    let key = key("AAPL", Period::D1);
    let all = bars(&key, START, 3000, 5.0);
    commit(&writer, change(&key, &all.slice(0..300)));
    let mut seen = Vec::new();
    // 300 bars at a time are a row group each, until there are too many.
    for at in 1..10 {
        let prepared = writer.prepare(news(&key, &all.slice(at * 300..at * 300 + 300))).unwrap();
        assert_eq!((prepared.added, prepared.changed), (300, 0));
        writer.commit(vec![prepared]).unwrap();
        holds(&place, writer.archive(), &key, &all.slice(0..at * 300 + 300));
        seen.push(groups(&place));
    }
    assert_eq!(seen, [2, 3, 4, 5, 6, 7, 8, 1, 2]);
}

#[test]
fn single_bars_go_into_one_small_row_group() {
    let place = Place::new();
    let writer = place.writer();
    let key = key("AAPL", Period::D1);
    let all = bars(&key, START, 306, 5.0);
    commit(&writer, change(&key, &all.slice(0..300)));
    for at in 300..306 {
        commit(&writer, news(&key, &all.slice(at..at + 1)));
        assert_eq!(groups(&place), 2);
    }
    holds(&place, writer.archive(), &key, &all);
}

#[test]
fn a_twin_that_is_not_as_recorded_is_not_copied_from() {
    let place = Place::new();
    let writer = place.writer();
    let key = key("AAPL", Period::D1);
    let all = bars(&key, START, 500, 5.0);
    let twin = place.root().join("yahoo/stocks/1d/AAPL.parquet");
    commit(&writer, change(&key, &all.slice(0..400)));
    let mut bytes = fs::read(&twin).unwrap();
    bytes[100] ^= 1;
    fs::write(&twin, &bytes).unwrap();
    commit(&writer, news(&key, &all.slice(400..450)));
    holds(&place, writer.archive(), &key, &all.slice(0..450));
    fs::remove_file(&twin).unwrap();
    commit(&writer, news(&key, &all.slice(450..500)));
    holds(&place, writer.archive(), &key, &all);
}

#[test]
fn news_for_a_csv_that_is_gone_or_edited_are_refused() {
    let place = Place::new();
    let writer = place.writer();
    let key = key("AAPL", Period::D1);
    let all = bars(&key, START, 40, 5.0);
    let path = place.root().join("yahoo/stocks/1d/AAPL.csv");
    commit(&writer, change(&key, &all.slice(0..30)));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [whole.as_slice(), b"x"].concat()).unwrap();
    let refused = writer.prepare(news(&key, &all.slice(30..40))).unwrap_err();
    assert!(matches!(refused, ArchiveError::Edited { .. }), "{refused}");
    fs::remove_file(&path).unwrap();
    let refused = writer.prepare(news(&key, &all.slice(30..40))).unwrap_err();
    assert!(matches!(refused, ArchiveError::Damaged { .. }), "{refused}");
    assert!(tmp_is_empty(&place));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_news_give_what_a_merge_gives(
        first in prop::collection::btree_map(0..600_i64, 1..1000_u32, 1..500),
        more in prop::collection::vec(prop::collection::btree_map(0..900_i64, 1..1000_u32, 1..300), 1..5),
        twins in prop::collection::vec(any::<bool>(), 5),
    ) {
        let place = Place::new();
        let writer = place.writer();
        let key = key("AAPL", Period::D1);
        let bars = |rows: &std::collections::BTreeMap<i64, u32>| {
            let mut bars = Bars::new(key.columns());
            for (day, price) in rows {
                bars.push(START + day * 86_400, &[f64::from(*price) / 7.0; 5]);
            }
            bars
        };
        let mut expected = bars(&first);
        commit(&writer, change(&key, &expected));
        for (rows, twin) in more.iter().zip(&twins) {
            let rows = bars(rows);
            let before = expected.len();
            expected = Bars::merge(&expected, &rows);
            let prepared = writer.prepare(Change { parquet: *twin, ..news(&key, &rows) }).unwrap();
            prop_assert_eq!(prepared.added as usize, expected.len() - before);
            prop_assert_eq!(prepared.changed as usize, rows.len() + before - expected.len());
            writer.commit(vec![prepared]).unwrap();
            prop_assert!(stored(writer.archive(), &key).same(&expected));
        }
        // A twin of the last, whatever became of it in between.
        let last = bars(more.last().unwrap());
        commit(&writer, news(&key, &last));
        holds(&place, writer.archive(), &key, &Bars::merge(&expected, &last));
    }
}
