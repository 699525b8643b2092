#!/usr/bin/env python3
"""What people write instead of Vortex, as fast as it can be written with yfinance and pyarrow.

usage: script.py first|threads|update|usual BASE_URL FOLDER SYMBOLS_FILE FIRST_DATE

`first` asks for each symbol's daily bars since FIRST_DATE, one after the other in one session, and writes
CSV and Parquet by temporary file and rename. `threads` does the same with `yf.download` and its threads.
`update` reads each CSV, asks for the last days, appends what is new and writes both files again, synced.
`usual` does that as it is written as a rule, with pandas.
"""

import datetime
import os
import pathlib
import sys
import warnings

import pandas
import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
import yfinance

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))
from yfinance_reads import point_at  # noqa: E402

OVERLAP = datetime.timedelta(days=10)


def write(path, to_file, sync):
    """Replaces a file whole."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        to_file(file)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    os.rename(temporary, path)


def save(folder, symbol, table, sync):
    write(folder / f"{symbol}.csv", lambda file: pyarrow.csv.write_csv(table, file), sync)
    write(
        folder / f"{symbol}.parquet",
        lambda file: pyarrow.parquet.write_table(table, file, compression="zstd"),
        sync,
    )


def table_of(frame):
    """Dates and columns of a frame of yfinance."""
    frame.index = frame.index.tz_localize(None).normalize()
    return pyarrow.Table.from_pandas(frame.dropna(subset=["Close"]))


def history(symbol, start):
    return table_of(yfinance.Ticker(symbol).history(start=start, auto_adjust=False, actions=True))


def first(folder, symbols, start):
    for symbol in symbols:
        save(folder, symbol, history(symbol, start), sync=False)


def threads(folder, symbols, start):
    frames = yfinance.download(
        symbols, start=start, auto_adjust=False, actions=True, threads=True, group_by="ticker", progress=False
    )
    for symbol in symbols:
        save(folder, symbol, table_of(frames[symbol]), sync=False)


def update(folder, symbols, _start):
    for symbol in symbols:
        stored = pyarrow.csv.read_csv(folder / f"{symbol}.csv")
        last = stored["Date"][-1].as_py()
        new = history(symbol, (last - OVERLAP).date().isoformat())
        new = new.filter(pyarrow.compute.greater(new["Date"], stored["Date"][-1].cast(new["Date"].type)))
        if len(new):
            whole = pyarrow.concat_tables([stored.cast(new.schema.remove_metadata()), new.replace_schema_metadata()])
            save(folder, symbol, whole, sync=True)


def usual(folder, symbols, _start):
    for symbol in symbols:
        stored = pandas.read_csv(folder / f"{symbol}.csv", index_col="Date", parse_dates=True)
        since = (stored.index[-1] - OVERLAP).date().isoformat()
        new = yfinance.Ticker(symbol).history(start=since, auto_adjust=False, actions=True)
        new.index = new.index.tz_localize(None).normalize()
        new = new[new.index > stored.index[-1]]
        if len(new):
            whole = pandas.concat([stored, new])
            write(folder / f"{symbol}.csv", whole.to_csv, sync=True)
            write(folder / f"{symbol}.parquet", lambda file: whole.to_parquet(file, compression="zstd"), sync=True)


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    mode, base_url, folder, symbols, start = sys.argv[1:]
    work = {"first": first, "threads": threads, "update": update, "usual": usual}[mode]
    warnings.simplefilter("ignore")
    point_at(base_url)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # What yfinance keeps between runs: the time zone of each symbol.
    yfinance.set_tz_cache_location(str(folder / ".cache"))
    work(folder, pathlib.Path(symbols).read_text().split(), start)


if __name__ == "__main__":
    main()
