#!/usr/bin/env python3
"""Exports as Barchart has them, made up, and what people write to put them into an archive.

usage: exports.py make FOLDER MEGABYTES
       exports.py pandas|pyarrow FOLDER ARCHIVE

`make` writes minute bars of futures contracts, as many rows a file as the site gives at most. `pandas` reads every file
with pandas' fastest reader and writes CSV and Parquet as pandas does; `pyarrow` has pyarrow write both. Both turn
Chicago's time into UTC, sort, take the closing line off, and write by temporary file, sync and rename, one file pair a
contract, with the stamps that Vortex writes.
"""

import csv
import os
import pathlib
import sys

import numpy
import pandas
import pyarrow
import pyarrow.csv
import pyarrow.parquet

ROWS = 20_000
MONTHS = "FGHJKMNQUVXZ"


def make(folder, megabytes):
    folder.mkdir(parents=True, exist_ok=True)
    dice = numpy.random.default_rng(1)
    written, number = 0, 0
    while written < megabytes * 1_000_000:
        month, root = number % 12, f"Z{chr(65 + number // 12)}"
        end = pandas.Timestamp(2024, month + 1, 10)
        times = pandas.date_range(end=end, periods=2 * ROWS, freq="min")
        # The market rests from 16 to 17 o'clock and over the weekend.
        rests = (times.hour == 16) | (times.day_of_week == 5) | ((times.day_of_week == 6) & (times.hour < 17))
        times = times[~rests][-ROWS:]
        close = (4000 + dice.integers(-3, 4, len(times)).cumsum()) / 4
        frame = pandas.DataFrame({"Time": times.strftime('"%Y-%m-%d %H:%M"')})
        frame["Open"] = close - dice.integers(-4, 5, len(times)) / 4
        frame["Latest"] = close
        frame["High"] = frame[["Open", "Latest"]].max(axis=1) + dice.integers(0, 5, len(times)) / 4
        frame["Low"] = frame[["Open", "Latest"]].min(axis=1) - dice.integers(0, 5, len(times)) / 4
        frame["Change"] = frame["Latest"].diff().fillna(0)
        change = frame["Latest"].pct_change().fillna(0) * 100
        frame["%Change"] = change.map(lambda value: f"{value:+.2f}%")
        frame["Volume"] = dice.integers(1, 9000, len(times))
        columns = ["Time", "Open", "High", "Low", "Latest", "Change", "%Change", "Volume"]
        lines = frame[columns].iloc[::-1].to_csv(index=False, quoting=csv.QUOTE_NONE, quotechar="'", float_format="%.10g")
        path = folder / f"{root.lower()}{MONTHS[month].lower()}24_intraday-1min_historical-data-11-20-2026.csv"
        path.write_text(lines + '"Downloaded from Barchart.com as of 11-20-2026 06:11am CST"\n')
        written += path.stat().st_size
        number += 1
    print(f"{number} files, {written} bytes")


def read(path):
    """The bars of an export, oldest first, with their instants."""
    frame = pandas.read_csv(path, usecols=["Time", "Open", "High", "Low", "Latest", "Volume"])
    frame = frame.iloc[:-1]
    times = pandas.to_datetime(frame.pop("Time"), format="%Y-%m-%d %H:%M")
    frame.index = pandas.DatetimeIndex(times).tz_localize("America/Chicago").tz_convert("UTC")
    frame.index.name = "Datetime"
    return frame.rename(columns={"Latest": "Close"}).sort_index()


def replace(path, write):
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)


def with_pandas(frame, path):
    replace(path.with_suffix(".csv"), lambda file: frame.to_csv(file, date_format="%Y-%m-%dT%H:%M:%S%z"))
    replace(path.with_suffix(".parquet"), lambda file: frame.to_parquet(file, compression="zstd"))


def with_pyarrow(frame, path):
    table = pyarrow.Table.from_pandas(frame.reset_index(), preserve_index=False)
    stamps = frame.index.strftime("%Y-%m-%dT%H:%M:%S+0000")
    text = table.set_column(0, "Datetime", pyarrow.array(stamps))
    replace(path.with_suffix(".csv"), lambda file: pyarrow.csv.write_csv(text, file))
    replace(path.with_suffix(".parquet"), lambda file: pyarrow.parquet.write_table(table, file, compression="zstd"))


def take(folder, archive, write):
    for path in sorted(folder.glob("*.csv")):
        symbol = path.name.split("_")[0].upper()
        root, month, year = symbol[:-3], MONTHS.index(symbol[-3]) + 1, 2000 + int(symbol[-2:])
        place = archive / "barchart/futures/1m" / root
        place.mkdir(parents=True, exist_ok=True)
        write(read(path), place / f"{root}_{year}{month:02}00")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    mode, folder, last = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    if mode == "make":
        make(folder, float(last))
    else:
        take(folder, pathlib.Path(last), {"pandas": with_pandas, "pyarrow": with_pyarrow}[mode])


if __name__ == "__main__":
    main()
