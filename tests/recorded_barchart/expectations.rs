//! What each recorded file must become; counted and read off the files by hand.

/// One file.
pub(crate) struct Expect {
    pub(crate) file: &'static str,
    /// The folder or file of its series, below the provider's.
    pub(crate) series: &'static str,
    /// Rows of the file.
    pub(crate) rows: u64,
    /// Rows that are no bars.
    pub(crate) left_out: u64,
    /// Whether a settlement lies outside of its day's range.
    pub(crate) outside: bool,
    /// The first line of bars.
    pub(crate) first: &'static str,
    /// The last one.
    pub(crate) last: &'static str,
}

const fn expect(
    file: &'static str,
    series: &'static str,
    rows: u64,
    first: &'static str,
    last: &'static str,
) -> Expect {
    Expect { file, series, rows, left_out: 0, outside: false, first, last }
}

pub(crate) const EXPECTATIONS: &[Expect] = &[
    Expect {
        outside: true,
        ..expect(
            "iauv26_price-history-10-09-2026.EXCERPT.csv",
            "futures/1d/IAU/IAU_20261000.csv",
            13,
            "2026-09-22T00:00:00+0000,1.06,1.06,1.06,1.06,10,3173",
            "2026-10-08T00:00:00+0000,1.04983,1.04983,1.04983,1.04983,35,3323",
        )
    },
    // Winter: 14:00 in Chicago is 20:00 of UTC.
    expect(
        "nqh26_intraday-60min_03-05-2026.EXCERPT.csv",
        "futures/1h/NASDAQ/NASDAQ_20260300.csv",
        78,
        "2026-02-27T20:00:00+0000,24894.25,25022.75,24893.5,24998.5,74658",
        "2026-03-05T05:00:00+0000,25103.25,25104.5,25033,25034.75,4822",
    ),
    // Summer.
    expect(
        "nqh26_intraday-60min_03-05-2026.SPARSE-TAIL.csv",
        "futures/1h/NASDAQ/NASDAQ_20260300.csv",
        9,
        "2025-03-11T13:00:00+0000,20331,20331,20331,20331,1",
        "2025-05-21T05:00:00+0000,21980,21980,21980,21980,2",
    ),
    expect(
        "spx_daily_2020-01-12_old_format.csv",
        "stocks/1d/SPX.csv",
        5037,
        "2000-01-03T00:00:00+0000,1471.21,1478,1438.36,1455.22,0",
        "2020-01-10T00:00:00+0000,3281.81,3282.99,3260.86,3265.35,0",
    ),
    // Good Friday is left out.
    Expect {
        left_out: 1,
        ..expect(
            "spx_daily_historical-data-04-18-2026.csv",
            "stocks/1d/SPX.csv",
            6602,
            "2000-01-03T00:00:00+0000,1471.21,1478,1438.36,1455.22,0",
            "2026-04-02T00:00:00+0000,6512.61,6600.41,6474.94,6582.69,0",
        )
    },
    expect(
        "spx_intraday-1min_2025-11.csv",
        "stocks/1m/SPX",
        7648,
        "2025-11-03T14:30:00+0000,6882.32,6882.32,6872.67,6872.95,0",
        "2025-11-28T19:13:00+0000,6849.09,6849.09,6849.09,6849.09,0",
    ),
    expect(
        "vixd_intraday-1min_06-16-2026.csv",
        "stocks/1m/VIXD",
        405,
        "2025-12-23T14:31:00+0000,7.1,7.47,7.1,7.47,0",
        "2025-12-23T21:15:00+0000,7.58,7.58,7.58,7.58,0",
    ),
    expect(
        "ymh26_daily_03-05-2026.EXCERPT.csv",
        "futures/1d/DOW/DOW_20260300.csv",
        32,
        "2026-01-16T00:00:00+0000,49653,49799,49424,49547,96775,69922",
        "2026-03-04T00:00:00+0000,48475,48916,48266,48796,134674,70793",
    ),
    expect(
        "bc-utils_normalised/Day_ALUMINIUM_20140700.csv",
        "futures/1d/ALUMINIUM/ALUMINIUM_20140700.csv",
        59,
        "2014-05-06T00:00:00+0000,1949.75,2205.75,1835,2172.75,41,",
        "2014-07-29T00:00:00+0000,2339,2339,2339,2339,0,",
    ),
    expect(
        "bc-utils_normalised/Day_AUD_20240300.csv",
        "futures/1d/AUD/AUD_20240300.csv",
        73,
        "2023-10-17T00:00:00+0000,0.6392,0.6406,0.63735,0.6393,63,",
        "2024-01-31T00:00:00+0000,0.661,0.6633,0.6561,0.6605,178084,",
    ),
    expect(
        "bc-utils_normalised/Day_US5_20190300.csv",
        "futures/1d/US5/US5_20190300.csv",
        189,
        "2018-06-29T00:00:00+0000,113.2890625,113.2890625,113.2890625,113.2890625,0,",
        "2019-03-29T00:00:00+0000,115.7578125,115.78125,115.640625,115.765625,156,",
    ),
    expect(
        "bc-utils_normalised/Hour_AUD_20240300.csv",
        "futures/1h/AUD/AUD_20240300.csv",
        1575,
        "2023-10-17T05:00:00+0000,0.6388,0.6388,0.6388,0.6388,2",
        "2024-01-31T23:00:00+0000,0.6574,0.65785,0.657,0.6572,2099",
    ),
    expect(
        "bc-utils_normalised/Hour_AUD_micro_20210900.csv",
        "futures/1h/AUD_micro/AUD_micro_20210900.csv",
        2561,
        "2021-03-16T07:00:00+0000,0.7733,0.7733,0.7733,0.7733,1",
        "2021-09-13T13:00:00+0000,0.7367,0.7367,0.7367,0.7367,13",
    ),
];
