//! What each recorded answer shows, written by looking at it.

/// What a recording must become.
pub(crate) enum Expect {
    /// A readable answer to a request for (symbol, period).
    Bars(&'static str, &'static str, Shown),
    /// A refusal: (status where the file has none, period, variant, words in it).
    Refused(u16, &'static str, &'static str, &'static str),
    /// A step of the consent flow: the status and where it leads, or what its body gives.
    Step(u16, Option<&'static str>),
    /// Not an answer of the chart service, with the reason.
    NotAChart(&'static str),
}

/// What a file shows.
pub(crate) struct Shown {
    pub(crate) bars: usize,
    pub(crate) first: &'static str,
    pub(crate) last: &'static str,
    pub(crate) finished: &'static str,
    pub(crate) currency: &'static str,
    /// Trading dates that the answer says were sessions.
    pub(crate) sessions: &'static [&'static str],
    /// Sum and number of the dividends in their column.
    pub(crate) dividends: (f64, usize),
    pub(crate) splits: &'static [(&'static str, f64)],
    /// Words of notes.
    pub(crate) notes: &'static [&'static str],
}

const NOTHING: Shown = Shown {
    bars: 0,
    first: "",
    last: "",
    finished: "",
    currency: "USD",
    sessions: &[],
    dividends: (0.0, 0),
    splits: &[],
    notes: &[],
};

const TABLE: Expect = Expect::NotAChart(
    "a table made by yfinance of bad data or its repaired twin; scale detection is tested with it",
);

/// Each file with what it must become.
pub(crate) fn expectations() -> Vec<(&'static str, Expect)> {
    use Expect::{Bars, Refused, Step};
    vec![
        (
            "1301.T_1d_1mo.body.json",
            Bars(
                "1301.T",
                "1d",
                Shown {
                    bars: 23,
                    first: "2024-11-06",
                    last: "2024-12-06",
                    finished: "2024-12-06",
                    currency: "JPY",
                    sessions: &["2024-12-06"],
                    ..NOTHING
                },
            ),
        ),
        (
            "7203.T_5m_lunch_nulls_live_row.CUT.body.json",
            Bars(
                "7203.T",
                "5m",
                Shown {
                    bars: 5,
                    first: "2026-10-05 00:00",
                    last: "2026-10-05 06:20",
                    finished: "2026-10-05",
                    currency: "JPY",
                    sessions: &["2026-10-05"],
                    notes: &["4 rows without any price", "1 row outside"],
                    ..NOTHING
                },
            ),
        ),
        (
            "AAPL_1d_2020-08-31_2020-11-07_split_div_dst.http.json",
            Bars(
                "AAPL",
                "1d",
                Shown {
                    bars: 49,
                    first: "2020-08-31",
                    last: "2020-11-06",
                    finished: "2025-02-19",
                    sessions: &["2025-02-19"],
                    dividends: (0.205, 1),
                    splits: &[("2020-08-31", 4.0)],
                    ..NOTHING
                },
            ),
        ),
        (
            "AAPL_1d_2022-02-22.http.json",
            Bars(
                "AAPL",
                "1d",
                Shown { bars: 1, first: "2022-02-22", last: "2022-02-22", finished: "2025-03-23", ..NOTHING },
            ),
        ),
        (
            "AAPL_1d_6mo_range.body.json",
            Bars(
                "AAPL",
                "1d",
                Shown {
                    // The live row of 16:00:01 is the only row of its date, after the close.
                    bars: 127,
                    first: "2025-04-30",
                    last: "2025-10-29",
                    finished: "2025-10-29",
                    sessions: &["2025-10-29"],
                    dividends: (0.52, 2),
                    ..NOTHING
                },
            ),
        ),
        (
            "AAPL_1m_weekend_empty.http.json",
            Bars("AAPL", "1m", Shown { finished: "2025-02-19", sessions: &["2025-02-19"], ..NOTHING }),
        ),
        (
            "ALL.AX_1d_3mo_live_row.body.json",
            Bars(
                "ALL.AX",
                "1d",
                Shown {
                    // The last row was running, two minutes before the close.
                    bars: 63,
                    first: "2021-10-13",
                    last: "2022-01-12",
                    finished: "2022-01-12",
                    currency: "AUD",
                    notes: &["1 row of a bar that is not over"],
                    ..NOTHING
                },
            ),
        ),
        (
            "BTC-USD_1d.http.json",
            Bars(
                "BTC-USD",
                "1d",
                Shown { bars: 3, first: "2020-01-01", last: "2020-01-03", finished: "2025-02-19", ..NOTHING },
            ),
        ),
        (
            "EURUSD=X_1d.http.json",
            Bars(
                "EURUSD=X",
                "1d",
                Shown { bars: 3, first: "2020-01-01", last: "2020-01-03", finished: "2025-02-19", ..NOTHING },
            ),
        ),
        (
            "EURUSD=X_1d_range1d_live_only.body.json",
            Bars(
                "EURUSD=X",
                "1d",
                Shown { finished: "2024-11-13", notes: &["1 row of a bar that is not over"], ..NOTHING },
            ),
        ),
        (
            "GC=F_1d.http.json",
            Bars(
                "GC=F",
                "1d",
                Shown { bars: 1, first: "2020-01-02", last: "2020-01-02", finished: "2025-02-19", ..NOTHING },
            ),
        ),
        (
            "IBM_1d_1962_negative_ts.body.json",
            Bars(
                "IBM",
                "1d",
                Shown {
                    // Rows between 1962 and 2021 were cut, so that the events stand on the next one left.
                    bars: 10,
                    first: "1962-01-02",
                    last: "2021-01-08",
                    finished: "2024-09-13",
                    sessions: &["2024-09-13"],
                    dividends: (7.777564, 1),
                    splits: &[
                        ("1964-05-18", 1.25),
                        ("1966-05-18", 1.5),
                        ("1968-04-23", 2.0),
                        ("1973-05-29", 1.25),
                        ("1979-06-01", 4.0),
                        ("1997-05-28", 2.0),
                        ("1999-05-27", 2.0),
                    ],
                    notes: &["of 1964-05-18 has no bar, put on 2021-01-04"],
                    ..NOTHING
                },
            ),
        ),
        (
            "INR=X_1d_null_row.body.json",
            Bars(
                "INR=X",
                "1d",
                Shown {
                    bars: 3,
                    first: "2017-07-10",
                    last: "2017-07-13",
                    finished: "2024-09-13",
                    currency: "INR",
                    sessions: &["2017-07-11"],
                    notes: &["1 row without any price"],
                    ..NOTHING
                },
            ),
        ),
        (
            "MSFT_1d_2021_dividends.http.json",
            Bars(
                "MSFT",
                "1d",
                Shown {
                    bars: 252,
                    first: "2021-02-01",
                    last: "2022-01-28",
                    finished: "2025-02-21",
                    sessions: &["2025-02-21"],
                    dividends: (2.3, 4),
                    ..NOTHING
                },
            ),
        ),
        (
            "MUV2.DE_1d_2017_2018_fetched2020.body.json",
            Bars(
                "MUV2.DE",
                "1d",
                Shown {
                    bars: 123,
                    first: "2017-11-27",
                    last: "2018-05-25",
                    finished: "2020-10-15",
                    currency: "EUR",
                    sessions: &["2017-12-19"],
                    notes: &["1 row without any price"],
                    ..NOTHING
                },
            ),
        ),
        (
            "OCDO.L_1d_GBp.http.json",
            Bars(
                "OCDO.L",
                "1d",
                Shown {
                    bars: 1,
                    first: "2020-01-02",
                    last: "2020-01-02",
                    finished: "2025-02-19",
                    currency: "GBp",
                    ..NOTHING
                },
            ),
        ),
        (
            "QQQ_1d_etf.http.json",
            Bars(
                "QQQ",
                "1d",
                Shown {
                    bars: 1,
                    first: "2020-01-02",
                    last: "2020-01-02",
                    finished: "2025-02-19",
                    sessions: &["2025-02-19"],
                    ..NOTHING
                },
            ),
        ),
        (
            "TNX_5m_partial_day_index.body.json",
            Bars(
                "^TNX",
                "5m",
                Shown {
                    // The clock stands 8 s before the end of the last bar.
                    bars: 14,
                    first: "2026-02-02 18:45",
                    last: "2026-02-02 19:50",
                    finished: "2026-02-01",
                    notes: &["1 row of a bar that is not over"],
                    ..NOTHING
                },
            ),
        ),
        ("VFINX_max_silently_3mo.body.json", Refused(200, "1d", "Unusable", "dataGranularity is 3mo")),
        (
            "WSKT.JK_1d_suspended.http.json",
            Bars(
                "WSKT.JK",
                "1d",
                Shown {
                    bars: 1,
                    first: "2020-01-02",
                    last: "2020-01-02",
                    finished: "2025-02-20",
                    currency: "IDR",
                    sessions: &["2024-07-24"],
                    ..NOTHING
                },
            ),
        ),
        (
            "aapl_chart_5d_cl_2021.body.json",
            Bars(
                "AAPL",
                "1d",
                Shown {
                    bars: 5,
                    first: "2021-04-19",
                    last: "2021-04-23",
                    finished: "2021-04-23",
                    sessions: &["2021-04-23"],
                    ..NOTHING
                },
            ),
        ),
        (
            "aapl_chart_5d_no_ts_2021.body.json",
            Refused(200, "1d", "Unusable", "5 values of close for 0 timestamps"),
        ),
        (
            "aapl_chart_no_results_2021.body.json",
            Bars("AAPL", "1h", Shown { finished: "2021-05-03", sessions: &["2021-05-03"], ..NOTHING }),
        ),
        ("errors/400_bad_interval_2021.json", Refused(400, "1d", "Invalid", "interval=5h")),
        ("errors/400_no_data_in_range.json", Refused(400, "1d", "EmptyWindow", "startDate = 1565740800")),
        ("errors/401_invalid_crumb.json", Refused(401, "1d", "Denied", "Invalid Crumb")),
        ("errors/401_v7_download_dead.json", Refused(401, "1d", "Denied", "not logged in")),
        ("errors/404_not_found.json", Refused(404, "1d", "Unknown", "may be delisted")),
        ("errors/422_5m_older_than_60_days.json", Refused(422, "5m", "TooOld", "last 60 days")),
        ("errors/429_edge_too_many_requests.txt", Refused(429, "1d", "Limited", "Edge")),
        ("consent_flow/getCrumb-quote-AAPL.json", Step(307, Some("guce.yahoo.com"))),
        ("consent_flow/getCrumb-quote-AAPL-consent.html.json", Step(302, Some("consent.yahoo.com"))),
        ("consent_flow/getCrumb-quote-AAPL-collectConsent.html.json", Step(200, None)),
        ("consent_flow/getCrumb-quote-AAPL-collectConsentSubmit.json", Step(302, Some("guce.yahoo.com"))),
        ("consent_flow/getCrumb-quote-AAPL-copyConsent.json", Step(302, Some("finance.yahoo.com"))),
        (
            "consent_flow/getCrumb-quote-AAPL-consent-final-redirect.html.json",
            Step(301, Some("finance.yahoo.com")),
        ),
        ("consent_flow/getCrumb-getcrumb.json", Step(200, None)),
        ("yfinance_repair/8TRA-DE-1d-missing-div-adjust-fixed.csv", TABLE),
        ("yfinance_repair/8TRA-DE-1d-missing-div-adjust.csv", TABLE),
        ("yfinance_repair/AET-L-1d-100x-error-fixed.csv", TABLE),
        ("yfinance_repair/AET-L-1d-100x-error.csv", TABLE),
        ("yfinance_repair/ALPHA-PA-1d-bad-stock-split-fixed.csv", TABLE),
        ("yfinance_repair/ALPHA-PA-1d-bad-stock-split.csv", TABLE),
        ("yfinance_repair/CNE-L-1d-bad-stock-split-fixed.csv", TABLE),
        ("yfinance_repair/CNE-L-1d-bad-stock-split.csv", TABLE),
        ("yfinance_repair/DEX-AX-1d-bad-stock-split-fixed.csv", TABLE),
        ("yfinance_repair/DEX-AX-1d-bad-stock-split.csv", TABLE),
        ("yfinance_repair/SSW-JO-1d-100x-error-fixed.csv", TABLE),
        ("yfinance_repair/SSW-JO-1d-100x-error.csv", TABLE),
    ]
}
