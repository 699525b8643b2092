//! What is asked for is what is answered.

use prost::Message;
use rstest::rstest;
use vortex::model::{Day, Days};
use vortex::provider::sample::listing::Listing;

use crate::client::*;
use crate::ibkr_gateway::stamps::Zone;
use crate::ibkr_gateway::{Action, Gateway, Options, Rule, proto};
use crate::{EVENING, at, days, evening};

#[test]
fn daily_bars_carry_trading_dates_in_both_formats() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    for format in [1, 2] {
        let mut history = asked(stock("AAPL"), "1 day", "5 D");
        history.format_date = format;
        let bars = client.bars(&history).unwrap();
        assert_eq!(dates(&bars), ["20240529", "20240530", "20240531", "20240603", "20240604"]);
        is_true(&bars, &gateway.truth(&stock("AAPL"), "1 day", "TRADES", days("2024-05-29", "2024-06-04")));
        gateway.advance(60.0);
    }
    let listing = Listing::of("AAPL").unwrap();
    let market = listing.daily(days("2024-06-04", "2024-06-04"), at(EVENING))[0];
    let truth = gateway.truth(&stock("AAPL"), "1 day", "TRADES", days("2024-06-04", "2024-06-04"))[0];
    assert_eq!(truth.volume, market.volume);
    assert_eq!(truth.prices[3] as f32, market.close as f32);
}

#[rstest]
#[case("1 min", "1 D", 390, "1717507800")]
#[case("5 mins", "2 D", 156, "1717421400")]
// The first bar is what of a clock hour lies in the session.
#[case("1 hour", "1 D", 7, "1717507800")]
#[case("20 mins", "1 D", 20, "1717507800")]
#[case("4 hours", "1 D", 2, "1717507800")]
#[case("30 secs", "28800 S", 720, "1717509600")]
#[case("1 secs", "60 S", 0, "")]
fn intraday_bars_go_by_the_clock(
    #[case] size: &str,
    #[case] duration: &str,
    #[case] count: usize,
    #[case] first: &str,
) {
    let gateway = evening();
    let answer = Client::start(&gateway, 1).bars(&asked(stock("AAPL"), size, duration));
    if count == 0 {
        let (code, text) = answer.unwrap_err();
        assert_eq!(code, 162);
        assert!(text.ends_with(":HMDS query returned no data: AAPL@NASDAQ Trades"), "{text}");
        return;
    }
    let bars = answer.unwrap();
    assert_eq!((bars.len(), dates(&bars)[0]), (count, first));
    let first: Day = if duration == "2 D" { "2024-06-03" } else { "2024-06-04" }.parse().unwrap();
    let truth = gateway.truth(
        &stock("AAPL"),
        size,
        "TRADES",
        Days::new(first, "2024-06-04".parse().unwrap()).unwrap(),
    );
    // A window in seconds may begin within the session.
    let truth = &truth[truth.len() - count..];
    is_true(&bars, truth);
    let stamps: Vec<String> = truth.iter().map(|bar| bar.start.to_string()).collect();
    assert_eq!(dates(&bars), stamps);
}

#[test]
fn text_stamps_have_the_zone_of_the_instrument() {
    let gateway = evening();
    let mut history = asked(stock("AAPL"), "1 hour", "1 D");
    history.format_date = 1;
    let bars = Client::start(&gateway, 1).bars(&history).unwrap();
    assert_eq!(dates(&bars)[..2], ["20240604 09:30:00 US/Eastern", "20240604 10:00:00 US/Eastern"]);
}

#[rstest]
#[case(Zone::Instrument, "20240604 00:00:00 US/Eastern", "20240604 18:00:00 US/Eastern")]
#[case(Zone::Utc, "20240604-04:00:00", "20240604-22:00:00")]
#[case(Zone::Named("Nowhere Time".into()), "20240604 00:00:00 Nowhere Time", "20240604 18:00:00 Nowhere Time")]
fn the_ends_are_in_the_zone_of_the_setting(#[case] zone: Zone, #[case] start: &str, #[case] end: &str) {
    let gateway = Gateway::with(at(EVENING), Options { end_zone: zone, ..Options::default() });
    let mut client = Client::start(&gateway, 1);
    client.ask(7, &asked(stock("AAPL"), "1 hour", "1 D"));
    assert_eq!(client.hear().unwrap().0, 17);
    let (number, body) = client.hear().unwrap();
    let ends = proto::HistoricalDataEnd::decode(&body[..]).unwrap();
    assert_eq!((number, ends.start.as_deref(), ends.end.as_deref()), (108, Some(start), Some(end)));
}

#[rstest]
#[case("20240105 23:59:59 US/Eastern", "20240105")]
#[case("20240105-21:00:00", "20240105")]
#[case("20240106 03:00:00 UTC", "20240105")]
#[case("20240108 12:00:00", "20240108")]
fn a_request_ends_where_it_says(#[case] end: &str, #[case] last: &str) {
    let gateway = evening();
    let history = ending(asked(stock("AAPL"), "1 day", "3 D"), end);
    let bars = Client::start(&gateway, 1).bars(&history).unwrap();
    assert_eq!((bars.len(), *dates(&bars).last().unwrap()), (3, last));
}

#[test]
fn a_running_bar_is_sent_and_is_no_truth() {
    let gateway = Gateway::start(at("2024-06-04T17:10:00Z"));
    let mut client = Client::start(&gateway, 1);
    let daily = client.bars(&asked(stock("AAPL"), "1 day", "2 D")).unwrap();
    assert_eq!(dates(&daily), ["20240603", "20240604"]);
    let both = days("2024-06-03", "2024-06-04");
    assert_eq!(gateway.truth(&stock("AAPL"), "1 day", "TRADES", both).len(), 1);
    let hours = client.bars(&asked(stock("AAPL"), "1 hour", "1 D")).unwrap();
    let truth = gateway.truth(&stock("AAPL"), "1 hour", "TRADES", days("2024-06-04", "2024-06-04"));
    assert_eq!(truth.len() + 1, hours.len());
    is_true(&hours[..truth.len()], &truth);
    // What it has so far is what the day has so far.
    assert_eq!(numbers(&daily[1]).0[3], numbers(&hours[4]).0[3]);
}

#[test]
fn weeks_and_months_bear_their_last_session() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    let weeks = client.bars(&asked(stock("AAPL"), "1 week", "2 W")).unwrap();
    assert_eq!(dates(&weeks), ["20240524", "20240531", "20240604"]);
    let months = client.bars(&asked(stock("AAPL"), "1 month", "3 M")).unwrap();
    assert_eq!(dates(&months), ["20240328", "20240430", "20240531", "20240604"]);
    is_true(
        &months[..3],
        &gateway.truth(&stock("AAPL"), "1 month", "TRADES", days("2024-03-01", "2024-06-04")),
    );
    gateway.rule(Rule::new(Action::CutFirst {}));
    let cut = client.bars(&asked(stock("AAPL"), "1W", "2 W")).unwrap();
    assert_eq!(dates(&cut), dates(&weeks));
    assert!(numbers(&cut[0]).1 < numbers(&weeks[0]).1 && cut[1..] == weeks[1..]);
}

#[test]
fn forex_has_quotes_and_no_trades() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    let pair = contract("CASH", "EUR", "IDEALPRO", "USD");
    let mut history = asked(pair.clone(), "1 day", "3 D");
    let mut shown = |what: &str| {
        history.what_to_show = what.into();
        client.bars(&history)
    };
    let middle = shown("MIDPOINT").unwrap();
    assert_eq!(dates(&middle), ["20240531", "20240603", "20240604"]);
    assert!(middle.iter().map(numbers).all(|bar| (bar.1, bar.2, bar.3) == (-1.0, -1.0, -1)));
    let (bid, ask, both) = (shown("BID").unwrap(), shown("ASK").unwrap(), shown("BID_ASK").unwrap());
    for at in 0..3 {
        let [middle, bid, ask, both] = [&middle, &bid, &ask, &both].map(|bars| numbers(&bars[at]).0);
        assert!(bid[3] < middle[3] && middle[3] < ask[3]);
        assert_eq!((both[0], both[1], both[2]), (middle[0], ask[1], bid[2]));
    }
    let (code, text) = shown("TRADES").unwrap_err();
    assert_eq!(code, 162);
    assert!(text.ends_with(":No historical market data for EUR/CASH@IDEALPRO Trades"), "{text}");
    let truth = gateway.truth(&pair, "1 day", "MIDPOINT", days("2024-05-31", "2024-06-04"));
    // New York's evening is London's night: the session of the 4th is still open there.
    is_true(&middle[..2], &truth);
}

#[test]
fn adjusted_prices_end_now() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    let mut history = asked(stock("AAPL"), "1 day", "1 Y");
    let plain = client.bars(&history).unwrap();
    history.what_to_show = "ADJUSTED_LAST".into();
    let adjusted = client.bars(&history).unwrap();
    assert_eq!(plain.last(), adjusted.last());
    let (first, of_plain) = (numbers(&adjusted[0]).0[3], numbers(&plain[0]).0[3]);
    assert!(first < of_plain && first > of_plain * 0.98, "{first} of {of_plain}");
    let (code, text) = client.bars(&ending(history, "20240101 00:00:00 UTC")).unwrap_err();
    assert_eq!(code, 321, "{text}");
}

#[test]
fn outside_of_regular_hours_little_is_traded() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    let mut history = asked(stock("AAPL"), "30 mins", "1 D");
    let regular = client.bars(&history).unwrap();
    history.regular_hours = false;
    let all = client.bars(&history).unwrap();
    // From four in the morning to six in the evening, when it is now.
    assert_eq!((regular.len(), all.len()), (13, 28));
    assert_eq!(all[11..24], regular);
    history.bar_size = "1 min".into();
    let minutes = client.bars(&history).unwrap();
    let stamps: Vec<i64> = dates(&minutes).iter().map(|date| date.parse().unwrap()).collect();
    assert_eq!((stamps[1] - stamps[0], minutes.len()), (7 * 60, 48 + 390 + 18));
}

#[rstest]
#[case("1 minute", "1 D", "TRADES", "", 321, "bar size setting is invalid. Legal ones are: 1 secs, 5 secs")]
#[case("1 day", "366 D", "TRADES", "", 321, "longer than 365 days must be made in years")]
#[case("1 min", "86401 S", "TRADES", "", 321, "longer than 86400 seconds must be made in days")]
#[case("1 day", "a week", "TRADES", "", 321, "Invalid duration")]
#[case("1 day", "1 D", "GUESSES", "", 321, "Error validating request")]
#[case("1 day", "1 D", "TRADES", "yesterday", 10314, "The date, time, or time-zone entered is invalid")]
#[case("1 day", "1 D", "TRADES", "20240105 00:00:00 Nowhere", 10314, "is invalid")]
#[case(
    "1 day",
    "1 D",
    "TRADES",
    "19700105 00:00:00 UTC",
    162,
    ":HMDS query returned no data: AAPL@NASDAQ Trades"
)]
#[case("30 secs", "28800 S", "TRADES", "20231101 00:00:00 UTC", 162, ":HMDS query returned no data")]
#[case("30 secs", "1 D", "TRADES", "", 162, ":invalid step: 30")]
fn what_cannot_be_asked_is_refused(
    #[case] size: &str,
    #[case] duration: &str,
    #[case] what: &str,
    #[case] end: &str,
    #[case] code: i32,
    #[case] says: &str,
) {
    let gateway = evening();
    let mut history = ending(asked(stock("AAPL"), size, duration), end);
    history.what_to_show = what.into();
    let (got, text) = Client::start(&gateway, 1).bars(&history).unwrap_err();
    assert!(got == code && text.contains(says), "{got} {text}");
}

#[test]
fn a_schedule_is_the_sessions() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    let mut history = asked(stock("AAPL"), "1 day", "3 D");
    history.what_to_show = "SCHEDULE".into();
    client.ask(7, &history);
    let (number, body) = client.hear().unwrap();
    let schedule = proto::HistoricalSchedule::decode(&body[..]).unwrap();
    assert_eq!((number, schedule.time_zone.as_deref()), (106, Some("US/Eastern")));
    assert_eq!(schedule.start.as_deref(), Some("20240531-09:30:00"));
    assert_eq!(schedule.end.as_deref(), Some("20240604-16:00:00"));
    let dates: Vec<_> = schedule.sessions.iter().map(|session| session.date.as_deref().unwrap()).collect();
    assert_eq!(dates, ["20240531", "20240603", "20240604"]);
}
