use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn trail(folder: &Path, compress: bool) -> RawTrail {
    RawTrail::new(&RawSettings {
        enabled: true,
        directory: folder.to_owned(),
        retention_days: Some(30),
        compress,
        include_metadata: true,
    })
}

fn request() -> Request {
    Request {
        instrument: Instrument::of_code("EURUSD=X"),
        contract: None,
        period: Period::D1,
        days: Days::new(Day::new(100), Day::new(200)).unwrap(),
        correlation: "abc-1".into(),
    }
}

fn answer(received: i64) -> RawAnswer {
    RawAnswer {
        url: "https://example.org/v8/chart/X?interval=1d&crumb=SECRET".into(),
        status: 200,
        headers: vec![("date".into(), "today".into()), ("set-cookie".into(), "SECRET".into())],
        received,
        body: b"{\"chart\":1}".to_vec(),
        gzip: None,
    }
}

#[test]
fn answers_are_kept_and_read_again_in_order_without_secrets() {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(&answer(0).body).unwrap();
    let gzip = packer.finish().unwrap();
    for (compress, gzip, ending) in [
        (true, None, ".body.zst"),
        (true, Some(&gzip), ".body.gz"),
        (false, None, ".body"),
        (false, Some(&gzip), ".body"),
    ] {
        let answer = |received| RawAnswer { gzip: gzip.cloned(), ..answer(received) };
        let folder = tempfile::tempdir().unwrap();
        let trail = trail(folder.path(), compress);
        let path = trail.keep("yahoo", &request(), &answer(1_700_000_100)).unwrap().unwrap();
        let expected = format!("yahoo/2023/11/14/221500_EURUSD%3DX_1d_abc-1{ending}");
        assert_eq!(path, folder.path().join(expected));
        trail.keep("yahoo", &request(), &answer(1_600_000_000)).unwrap();
        trail.keep("yahoo", &request(), &answer(1_600_000_000)).unwrap();
        let entries: Vec<RawEntry> = entries(folder.path()).unwrap().map(Result::unwrap).collect();
        let times: Vec<i64> = entries.iter().map(|entry| entry.about.received).collect();
        assert_eq!(times, [1_600_000_000, 1_600_000_000, 1_700_000_100]);
        let read = entries[2].answer().unwrap();
        assert_eq!(read.body, answer(0).body);
        if let (true, Some(as_it_came)) = (compress, gzip) {
            assert_eq!(fs::read(&path).unwrap(), *as_it_came);
        }
        assert_eq!(read.url, "https://example.org/v8/chart/X?interval=1d");
        assert_eq!(read.headers, [("date".to_owned(), "today".to_owned())]);
        let asked = entries[2].request().unwrap();
        assert_eq!(asked.instrument, request().instrument);
        assert_eq!(asked.days, request().days);
    }
}

/// A refusal that came plain, and the packed answer of the same second.
#[test]
fn two_answers_of_one_second_are_both_kept_however_they_came() {
    let folder = tempfile::tempdir().unwrap();
    let trail = trail(folder.path(), true);
    for (status, gzip) in [(429, None), (200, Some(Vec::new())), (503, None)] {
        trail.keep("yahoo", &request(), &RawAnswer { status, gzip, ..answer(1_600_000_000) }).unwrap();
    }
    let mut statuses: Vec<u16> =
        entries(folder.path()).unwrap().map(|entry| entry.unwrap().about.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 429, 503]);
}

#[test]
fn the_sweep_removes_old_days_only() {
    let folder = tempfile::tempdir().unwrap();
    let trail = trail(folder.path(), true);
    let now = 1_700_000_000;
    for age in [0, 30, 31, 400] {
        let answer = RawAnswer { gzip: (age == 31).then(Vec::new), ..answer(now - age * 86_400) };
        trail.keep("yahoo", &request(), &answer).unwrap();
    }
    assert_eq!(trail.sweep(now).unwrap(), 2);
    assert_eq!(entries(folder.path()).unwrap().count(), 2);
    assert!(!folder.path().join("yahoo/2022").exists());
    assert_eq!(trail.sweep(now).unwrap(), 0);
}

#[test]
fn the_sweep_leaves_what_is_not_of_the_trail() {
    let folder = tempfile::tempdir().unwrap();
    let trail = trail(folder.path(), true);
    let ours = trail.keep("yahoo", &request(), &answer(1_600_000_000)).unwrap().unwrap();
    let beside = |name: &str| ours.with_file_name(name);
    fs::write(beside(&format!(".{}", ours.file_name().unwrap().to_str().unwrap())), "half").unwrap();
    let foreign = [
        beside("notes.json"),
        beside("122640_x.body"),
        beside("holiday_EURUSD_1d_abc.json"),
        folder.path().join("photos/2001/02/03/122640_A_1d_abc.json"),
        folder.path().join("yahoo/2001/02/03/picture.jpg"),
    ];
    for path in &foreign {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "mine").unwrap();
    }
    let empty = folder.path().join("yahoo/1999/01/01");
    fs::create_dir_all(&empty).unwrap();
    assert_eq!(trail.sweep(1_700_000_000).unwrap(), 1);
    assert!(foreign.iter().all(|path| path.exists()) && empty.exists());
    assert_eq!(fs::read_dir(ours.parent().unwrap()).unwrap().count(), 3);
    assert_eq!(trail.sweep(1_700_000_000).unwrap(), 0);
}

#[test]
fn a_body_outside_of_its_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = trail(folder.path(), false).keep("yahoo", &request(), &answer(0)).unwrap().unwrap();
    let about = path.with_extension("json");
    let text = fs::read_to_string(&about).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    fs::write(&about, text.replace(name, "../../x")).unwrap();
    assert!(entries(folder.path()).unwrap().next().unwrap().is_err());
}
