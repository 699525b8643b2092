#!/usr/bin/env python3
"""Runs lines for pysystemtrade's CSV reader and compares the bars they bring with a CSV of the archive.

usage: pysystemtrade_reads.py CSV < LINES

pysystemtrade is on no package index. Where it is installed its own reader is used; where it is not, one that
does with the configuration what its documentation says of each field.
"""

import csv
import dataclasses
import datetime
import sys
import types

import pandas


def stand_in():
    """Modules with the names that the lines import."""

    @dataclasses.dataclass
    class ConfigCsvFuturesPrices:
        input_date_index_name: str
        input_date_format: str
        input_column_mapping: dict
        input_skiprows: int = 0
        input_skipfooter: int = 0

    class Reader:
        def __init__(self, datapath, config):
            self.datapath, self.config = datapath, config

        def get_merged_prices_for_contract_object(self, contract):
            config = self.config
            path = f"{self.datapath}/{contract[0]}_{contract[1]}.csv"
            table = pandas.read_csv(path, skiprows=config.input_skiprows, skipfooter=config.input_skipfooter)
            stamps = pandas.to_datetime(table[config.input_date_index_name], format=config.input_date_format)
            columns = {new: table[old].to_numpy() for new, old in config.input_column_mapping.items()}
            return pandas.DataFrame(columns, index=stamps.to_numpy()).groupby(level=0).last()

    contents = {
        "sysdata.csv.csv_futures_contract_prices": {
            "ConfigCsvFuturesPrices": ConfigCsvFuturesPrices,
            "csvFuturesContractPriceData": Reader,
        },
        "sysobjects.contracts": {"futuresContract": lambda instrument, date: (instrument, date)},
    }
    for name, members in contents.items():
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
        vars(sys.modules[name]).update(members)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        import sysdata.csv.csv_futures_contract_prices  # noqa: F401
    except ImportError:
        stand_in()
    known = {}
    exec(sys.stdin.read(), known)  # the lines of a page of ours
    bars = known["bars"]
    with open(sys.argv[1], newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(bars) == len(rows) > 0, (len(bars), len(rows))
    names = {"OPEN": "Open", "HIGH": "High", "LOW": "Low", "FINAL": "Close", "VOLUME": "Volume"}
    for row, (stamp, bar) in zip(rows, bars.iterrows(), strict=True):
        expected = datetime.datetime.strptime(row["Datetime"], "%Y-%m-%dT%H:%M:%S+0000")
        assert stamp.to_pydatetime() == expected, (stamp, expected)
        for theirs, ours in names.items():
            assert bar[theirs] == float(row[ours]), (stamp, theirs, bar[theirs], row[ours])
    print(f"{len(bars)} bars")


if __name__ == "__main__":
    main()
