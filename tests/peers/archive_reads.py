#!/usr/bin/env python3
"""Reads a whole archive with pandas, Polars, pyarrow and DuckDB, and compares it with its CSVs.

usage: archive_reads.py ARCHIVE

No reader is given any option. Every value has to be the CSV's, bit for bit; every reader has to see the
one schema, and null where the CSV has an empty field or no such column. Prints what it compared.
"""

import csv
import datetime
import glob
import math
import struct
import sys
import urllib.parse

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.parquet

TEXTS = ["Provider", "Class", "Symbol", "Contract", "Period"]
NUMBERS = [
    "Open", "High", "Low", "Close", "Volume", "Adj Close", "Dividends", "Stock Splits", "Capital Gains",
    "Open Interest", "WAP", "Count",
]  # fmt: skip
COLUMNS = [*TEXTS, "Datetime", *NUMBERS]
CLASSES = {"stocks": "stock", "futures": "future", "forex": "forex"}


def bits(value):
    """A double as its bits, so that -0.0 and 0.0 differ; None where there is no value."""
    return None if value is None or math.isnan(value) else struct.pack("<d", value)


def texts(path):
    """Provider, class, symbol, contract and period of a file, by its place in the archive."""
    provider, group, period, *rest = path.removesuffix(".csv").split("/")
    symbol = urllib.parse.unquote(rest[0])
    contract = rest[1] if group == "futures" and len(rest) == 2 and "_" in rest[1] else None
    return (provider, CLASSES[group], symbol, contract, period)


def expected(archive):
    """All rows of all CSVs, as sorted tuples."""
    rows = []
    for path in glob.glob("*/*/**/*.csv", root_dir=archive, recursive=True):
        with open(f"{archive}/{path}", newline="") as file:
            for line in csv.DictReader(file):
                stamp = datetime.datetime.strptime(line["Datetime"], "%Y-%m-%dT%H:%M:%S%z")
                numbers = [line.get(name, "") for name in NUMBERS]
                values = tuple(bits(float(text)) if text else None for text in numbers)
                rows.append((*texts(path), int(stamp.timestamp()), *values))
    return sorted(rows, key=key)


def key(row):
    return tuple(text or "" for text in row[:5]) + (row[5],)


def text(value):
    return value if isinstance(value, str) else None


def rows_of(table):
    """The rows of a dictionary of columns, in the shape of `expected`."""
    assert list(table) == COLUMNS, list(table)
    columns = [[text(value) for value in table[name]] for name in TEXTS]
    columns.append([int(stamp.timestamp()) for stamp in table["Datetime"]])
    columns += [[bits(value) for value in table[name]] for name in NUMBERS]
    return sorted(zip(*columns, strict=True), key=key)


def by_pandas(archive):
    table = pandas.read_parquet(files(archive))
    assert str(table["Datetime"].dtype) == "datetime64[us, UTC]", table.dtypes
    assert all(table[name].dtype == "float64" for name in NUMBERS), table.dtypes
    return {name: table[name].tolist() for name in table.columns}


def by_polars(archive):
    table = polars.read_parquet(f"{archive}/*/*/**/*.parquet")
    assert table.schema["Datetime"] == polars.Datetime("us", "UTC"), table.schema
    assert all(table.schema[name] == polars.String for name in TEXTS), table.schema
    assert all(table.schema[name] == polars.Float64 for name in NUMBERS), table.schema
    assert table.select(polars.col(NUMBERS).is_nan().any()).row(0) == (False,) * len(NUMBERS)
    return {name: table[name].to_list() for name in table.columns}


def by_pyarrow(archive):
    table = pyarrow.parquet.read_table(files(archive))
    assert table.schema.field("Datetime").type == pyarrow.timestamp("us", "UTC"), table.schema
    assert all(table.schema.field(name).type == pyarrow.string() for name in TEXTS), table.schema
    assert all(table.schema.field(name).type == pyarrow.float64() for name in NUMBERS), table.schema
    return table.to_pydict()


def by_duckdb(archive):
    duckdb.sql("SET TimeZone = 'UTC'")
    relation = duckdb.sql(f"SELECT * FROM '{archive}/*/*/**/*.parquet'")
    kinds = dict(zip(relation.columns, map(str, relation.types), strict=True))
    assert kinds["Datetime"] == "TIMESTAMP WITH TIME ZONE", kinds
    assert all(kinds[name] == "DOUBLE" for name in NUMBERS), kinds
    assert all(kinds[name] == "VARCHAR" for name in TEXTS), kinds
    table = relation.to_arrow_table() if hasattr(relation, "to_arrow_table") else relation.arrow()
    return table.to_pydict()


def files(archive):
    return glob.glob(f"{archive}/*/*/**/*.parquet", recursive=True)


def one_schema(archive):
    """Every file has the same schema, and what is never missing is never null."""
    schemas = {str(pyarrow.parquet.ParquetFile(path).schema) for path in files(archive)}
    schemas = {schema.split("\n", 1)[1] for schema in schemas}
    assert len(schemas) == 1, schemas


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    archive = sys.argv[1]
    one_schema(archive)
    wanted = expected(archive)
    assert {row[1] for row in wanted} == set(CLASSES.values()), "the archive is not mixed"
    for read in (by_pandas, by_polars, by_pyarrow, by_duckdb):
        got = rows_of(read(archive))
        assert len(got) == len(wanted), (read.__name__, len(got), len(wanted))
        for ours, theirs in zip(wanted, got, strict=True):
            assert ours == theirs, (read.__name__, ours, theirs)
    print(f"{len(files(archive))} files, {len(wanted)} rows, 4 readers: the same bits")


if __name__ == "__main__":
    main()
