//! The binary against a gateway: what `providers --test` says, and a download.

use vortex::model::Day;

use crate::binary::Home;
use crate::ibkr_gateway::{Action, Clock, Gateway, Kind, Options, Rule};

fn gateway(options: Options) -> (Gateway, Home) {
    let gateway = Gateway::listen(Clock::System, options).unwrap();
    let home = home(gateway.port(), "");
    (gateway, home)
}

fn home(port: u16, lines: &str) -> Home {
    Home::configured(&format!(
        "providers.ibkr.host = \"127.0.0.1\"\nproviders.ibkr.port = {port}\nproviders.ibkr.timeout = 2\n{lines}"
    ))
}

const TEST: [&str; 3] = ["providers", "--test", "ibkr"];

#[test]
fn a_test_says_in_a_line_what_is_wrong() {
    let (_gateway, home) = gateway(Options::default());
    home.expect(0, &TEST).says("ibkr: ok,").says("daily bars of AAPL");

    let (_gateway, home) = gateway(Options { taken: vec![1, 2], ..Options::default() });
    home.expect(0, &TEST).says("client id 1 is taken by another program, connected as client 3");

    let (_gateway, home) = gateway(Options { version: 178, ..Options::default() });
    home.expect(1, &TEST).says("too old").says("install the latest TWS or IB Gateway");

    let (_gateway, home) = gateway(Options { logged_in: false, ..Options::default() });
    home.expect(1, &TEST).says("is somebody logged in there");

    let (gateway_, home) = gateway(Options::default());
    gateway_.rule(Rule::new(Action::HangUp {}).on(Kind::Connect));
    home.expect(1, &TEST).says("closed the connection at once").says("Enable ActiveX and Socket Clients");

    let (gateway_, home) = gateway(Options::default());
    gateway_.rule(Rule::error(162, "x:No market data permissions for NASDAQ STK"));
    home.expect(1, &TEST).says("No market data permissions").says("subscription");

    let (gateway_, home) = gateway(Options::default());
    gateway_.rule(Rule::new(Action::Outage { milliseconds: 60_000, code: 1102 }).on(Kind::Details));
    home.expect(1, &TEST).says("no connection to Interactive Brokers (1100)");

    let (gateway_, home) = gateway(Options::default());
    gateway_.rule(Rule::new(Action::Silent {}).on(Kind::Details));
    home.expect(1, &TEST).says("gives no answer within 2 seconds");
    assert_eq!(gateway_.counts().details, 1, "asked once");

    let (gateway_, home) = gateway(Options::default());
    gateway_.shut();
    let ran = home.expect(1, &TEST).says("nothing listens at 127.0.0.1:");
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
}

#[test]
fn a_broken_limit_is_told_and_not_waited_for() {
    let (gateway, home) = gateway(Options::default());
    gateway.rule(Rule::error(162, "x:Historical data request pacing violation"));
    home.expect(1, &TEST).says("pacing violation");
    home.expect(0, &TEST).says("it answers; no bars were asked for, as the limits are in use");
    home.expect(0, &["resilience"])
        .says("limited")
        .says("limits were broken")
        .says("60 of 60 in ten minutes");
    let json = home.expect(0, &["resilience", "--json"]).json();
    assert_eq!((&json[0]["state"], &json[0]["window_used"]), (&"limited".into(), &60.into()), "{json}");
    gateway.clear_rules();
    // The broker's own memory of it.
    gateway.advance(600.0);
    home.expect(0, &["resilience", "reset", "ibkr"]);
    home.expect(0, &TEST).says("daily bars of AAPL");
    home.expect(0, &["resilience"]).says("ready");
}

#[test]
fn what_is_no_gateway_is_told_so() {
    let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = web.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = web.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
    });
    home(port, "").expect(1, &TEST).says("no TWS or IB Gateway").says("providers.ibkr.port");
    served.join().unwrap();
}

#[test]
fn the_port_of_the_other_mode_is_named() {
    // Whoever holds the port: that it is open is enough.
    let _listener = std::net::TcpListener::bind("127.0.0.1:4002");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    home(free, "").expect(1, &TEST).says("is open: set providers.ibkr.port to it");
}

#[test]
fn a_download_archives_the_list_that_comes_with_the_program() {
    let (gateway, home) = gateway(Options::default());
    let start = Day::of_utc(jiff::Timestamp::now().as_second()).plus(-20).to_string();
    let list = ["download", "--provider", "ibkr", "--yes", "--period", "1d", "--start-date", &start];
    home.expect(0, &list);
    let csvs = home.csvs();
    let has = |part: &str| csvs.keys().any(|path| path.to_string_lossy().contains(part));
    assert!(
        has("ibkr/stocks/1d/AAPL.csv") && has("ibkr/forex/1d/EURUSD.csv") && has("ibkr/futures/1d/ES/ES_")
    );
    let aapl = csvs.iter().find(|(path, _)| path.ends_with("AAPL.csv")).unwrap().1;
    assert!(aapl.starts_with("Datetime,Open,High,Low,Close,Volume,WAP,Count\n"), "{aapl}");
    assert_eq!(gateway.counts().violations, []);
    // Dry runs ask nobody.
    let asked = gateway.counts().connections;
    home.expect(0, &[&list[..], &["--dry-run", "--force"]].concat()).says("by its limits");
    assert_eq!(gateway.counts().connections, asked);
}

#[test]
fn a_dry_run_tells_how_long_the_limits_make_it_take() {
    let home = home(1, "");
    let plan = |more: &[&str], symbols: &[&str]| {
        let names = [&["-s"][..], symbols].concat();
        let args = [&["download", "--provider", "ibkr", "--dry-run", "--json", "--period"], more, &names[..]];
        let told = home.expect(0, &args.concat()).json();
        (told["asked"].as_i64().unwrap(), told["seconds"].as_i64().unwrap())
    };
    let start = Day::of_utc(jiff::Timestamp::now().as_second()).plus(-5).to_string();
    let few = ["1d", "--start-date", &start];
    assert_eq!(plan(&few, &["AAPL"]), (1, 0));
    let many: Vec<String> = (1..=61).map(|at| format!("S{at:04}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(plan(&few, &many[..60]), (60, 0), "sixty go at once");
    assert_eq!(plan(&few, &many), (61, 601), "one more waits for ten minutes");
    // Six of one contract: five bars' windows of minutes and where its data begin.
    let long = Day::of_utc(jiff::Timestamp::now().as_second()).plus(-41).to_string();
    let (asked, seconds) = plan(&["1m", "--start-date", &long], &["AAPL"]);
    assert!((6..=11).contains(&asked) && (3..=6).contains(&seconds), "{asked} {seconds}");
    home.expect(0, &["download", "--provider", "ibkr", "--dry-run", "--period", "1d", "-s", "AAPL"])
        .says("request")
        .says("by its limits");
}

/// Bars of about a year of minutes.
const MANY: usize = 100_000;

/// Runs a command of the binary; the most memory it held, in kB.
fn measured(home: &Home, args: &[&str]) -> (u64, std::process::Output) {
    let (told, command) = (home.path("told"), home.command(args));
    let mut watched = std::process::Command::new("/usr/bin/time");
    watched.args(["-f", "%M", "-q", "-o"]).arg(&told).arg(command.get_program()).args(command.get_args());
    watched.env_clear().env("HOME", home.path("")).current_dir(home.path(""));
    let output = watched.output().expect("/usr/bin/time is not installed");
    (std::fs::read_to_string(told).unwrap().trim().parse().unwrap(), output)
}

#[test]
fn a_hundred_thousand_bars_fit_into_a_ten_minutes_allowance_and_64_mib() {
    let (gateway, home) = gateway(Options::default());
    let start = Day::of_utc(jiff::Timestamp::now().as_second()).plus(-380).to_string();
    let args = ["download", "-p", "ibkr", "-s", "S0001", "--period", "1m", "--start-date", &start];
    let (kilobytes, output) = measured(&home, &args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(kilobytes < 64 << 10, "{kilobytes} kB");
    let bars: usize = home.csvs().values().map(|csv| csv.lines().count() - 1).sum();
    assert!(bars >= MANY, "{bars}");
    let counts = gateway.counts();
    // Nobody has to wait for a limit, and no bar is asked for twice but those of an overlap.
    assert!(counts.history.len() + counts.heads as usize <= 60, "{}", counts.history.len());
    assert_eq!(counts.violations, []);
}

#[test]
fn one_answer_of_as_many_bars_as_are_taken_is_held_within_64_mib_and_more_are_refused() {
    // Of those that are taken the ones far from what was asked for are dropped. What is refused was held by the crate
    // of the protocol before anybody could count it.
    for (bars, code, most) in [(MANY / 2, 0, 64), (MANY, 1, 80)] {
        let (gateway, home) = gateway(Options::default());
        gateway.rule(Rule::new(Action::Huge { bars }));
        let start = Day::of_utc(jiff::Timestamp::now().as_second()).plus(-5).to_string();
        let args = ["download", "-p", "ibkr", "-s", "S0001", "--period", "1m", "--start-date", &start];
        let (kilobytes, output) = measured(&home, &args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert_eq!(said.contains("many times what was asked for"), code == 1, "{said}");
        assert!(gateway.counts().bars_most >= bars, "{:?}", gateway.counts().bars_most);
        assert!(kilobytes < most << 10, "{bars} bars: {kilobytes} kB");
    }
}
