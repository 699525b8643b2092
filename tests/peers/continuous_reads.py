#!/usr/bin/env python3
"""Makes a continuous series of an archive's contracts again, by pandas, and compares it with Vortex's.

usage: continuous_reads.py ARCHIVE PROVIDER SYMBOL SESSIONS

The series SYMBOL, SYMBOL_DIFF and SYMBOL_RATIO of the folder vortex/futures/1d are rolled by volume over so
many sessions, and adjusted by none, difference and ratio. Prints what it compared.
"""

import csv
import decimal
import glob
import sys

import duckdb
import pandas


def contracts(archive, provider, symbol):
    """The daily bars of each contract, by its name, in order."""
    paths = sorted(glob.glob(f"{archive}/{provider}/futures/1d/{symbol}/*.parquet"))
    tables = {path.split("/")[-1].removesuffix(".parquet"): pandas.read_parquet(path) for path in paths}
    return {name: table.set_index("Datetime") for name, table in tables.items()}


def held_by_session(tables, wanted):
    """Which contract is held on each session, and where it changes."""
    names = list(tables)
    volumes = pandas.DataFrame({name: table["Volume"] for name, table in tables.items()}).sort_index()
    newest = volumes.index[-1]
    ends = {}
    for name, table in tables.items():
        month = pandas.Timestamp(f"{name[-8:-4]}-{name[-4:-2]}-01", tz="UTC") + pandas.offsets.MonthEnd()
        over = newest >= month + pandas.Timedelta(days=4)
        ends[name] = table.index[-1] if over else month
    held, later, row, sessions = None, None, 0, {}
    for session, volume in volumes.iterrows():
        if held is None:
            held = volume.idxmax()
        sessions[session] = held
        after = volume[names[names.index(held) + 1 :]].dropna()
        own = 0 if pandas.isna(volume[held]) else volume[held]
        best = after.idxmax() if len(after) else None
        if best is not None and after[best] > own:
            row = row + 1 if best == later else 1
            later = best
        else:
            later, row = None, 0
        if row >= wanted or (session >= ends[held] and best is not None):
            held, later, row = best, None, 0
    return sessions


def exact(value):
    return decimal.Decimal(repr(float(value)))


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    archive, provider, symbol, wanted = *sys.argv[1:4], int(sys.argv[4])
    tables = contracts(archive, provider, symbol)
    sessions = held_by_session(tables, wanted)
    days = [day for day, name in sessions.items() if day in tables[name].index]
    rolls = [(a, b) for a, b in zip(days, days[1:]) if sessions[a] != sessions[b]]
    with open(f"{archive}/vortex/futures/1d/{symbol}.rolls.tsv", newline="") as file:
        stored = list(csv.DictReader(file, delimiter="\t"))
    assert [row["Date"] for row in stored[1:]] == [f"{day:%Y-%m-%d}" for _, day in rolls]
    assert [row["To"] for row in stored] == [sessions[days[0]]] + [sessions[day] for _, day in rolls]

    pattern = f"{archive}/vortex/futures/1d/{{}}.parquet"
    plain, diff, ratio = (
        duckdb.sql(f"SELECT * FROM '{pattern.format(symbol + end)}' ORDER BY Datetime").df()
        for end in ("", "_DIFF", "_RATIO")
    )
    assert len(plain) == len(diff) == len(ratio) == len(days)
    gap, factor = decimal.Decimal(0), 1.0
    for at in range(len(days) - 1, -1, -1):
        day, name = days[at], sessions[days[at]]
        if at + 1 < len(days) and sessions[days[at + 1]] != name:
            next_name = sessions[days[at + 1]]
            common = tables[name].index.intersection(tables[next_name].index)
            last = max(stamp for stamp in common if stamp <= day)
            old, new = tables[name]["Close"][last], tables[next_name]["Close"][last]
            gap, factor = gap + exact(new) - exact(old), factor * (new / old)
        for column in ["Open", "High", "Low", "Close"]:
            price = tables[name][column][day]
            assert plain[column][at] == price, (day, column)
            assert diff[column][at] == float(exact(price) + gap), (day, column)
            assert ratio[column][at] == price * factor, (day, column)
        for column in ["Volume", "Open Interest"]:
            values = {frame[column][at] for frame in (plain, diff, ratio)}
            assert values == {tables[name][column][day]}, (day, column)
    print(f"{len(days)} sessions, {len(rolls)} rolls, 3 series: the same bits")


if __name__ == "__main__":
    main()
