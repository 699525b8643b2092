#!/usr/bin/env python3
"""Prints, as JSON, the bars yfinance reads from a server that plays Yahoo.

usage: yfinance_reads.py BASE_URL INTERVAL START END SYMBOL...

START and END are dates (END is exclusive). Bars are neither adjusted nor repaired; the output maps
each symbol to a list of [seconds since the epoch, {column: value or null}]. Daily and longer bars
carry midnight UTC of their local date, intraday bars the instant they opened. A symbol the server
does not know ends it with an error.
"""

import json
import math
import sys
import tempfile
import urllib.parse
import warnings

import yfinance
import yfinance.data


def point_at(base_url):
    """Sends every request of yfinance to the server, whatever host it is meant for."""
    make_request = yfinance.data.YfData._make_request

    def redirected(self, url, *args, **kwargs):
        parts = urllib.parse.urlsplit(url)
        return make_request(self, base_url + parts.path, *args, **kwargs)

    yfinance.data.YfData._make_request = redirected
    # The chart needs no crumb, and yfinance fetches one past the function above.
    yfinance.data.YfData._get_cookie_and_crumb = lambda self, *args, **kwargs: (None, "basic")


def bars(symbol, interval, start, end):
    table = yfinance.Ticker(symbol).history(
        interval=interval,
        start=start,
        end=end,
        auto_adjust=False,
        actions=True,
        prepost=False,
        repair=False,
    )
    if interval.endswith(("d", "wk", "mo")):
        table.index = table.index.tz_localize(None).normalize().tz_localize("UTC")
    return [
        [
            int(stamp.timestamp()),
            {name: None if math.isnan(value) else float(value) for name, value in row.items()},
        ]
        for stamp, row in table.iterrows()
    ]


def main():
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    base_url, interval, start, end, *symbols = sys.argv[1:]
    warnings.simplefilter("ignore")
    point_at(base_url)
    with tempfile.TemporaryDirectory() as cache:
        yfinance.set_tz_cache_location(cache)
        table = {symbol: bars(symbol, interval, start, end) for symbol in symbols}
    json.dump(table, sys.stdout)


if __name__ == "__main__":
    main()
