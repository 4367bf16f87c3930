"""Text and label of each row of a CSV, TSV or JSON lines file, packed or not, one row at a time.

With the csv module of Python, not pandas: that takes a row with a column too few or too many for a
good one, and does not tell in which row a quote was opened or a character could not be decoded.
"""

import bz2
import codecs
import csv
import gzip
import io
import itertools
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from tqdm import tqdm

from workflow.text.params import CsvParams

UNPACK: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = ".jsonl"
LONGEST = 10_000_000  # characters of a line, and of a text: a quote left open ends there

Rows = Iterator[tuple[int, list[str]]]  # the number of a row, and its text and its label


def read_rows(path: Path, source: CsvParams) -> Rows:
    """Text and label of each row, with a progress bar on a terminal; ValueError if one is bad."""
    unpack = UNPACK.get(path.suffix.lower())
    kind = Path(path.stem if unpack else path.name).suffix.lower()
    if kind not in (*DELIMITERS, JSON_LINES):
        raise ValueError("its name must end in .csv, .tsv or .jsonl, and then .gz, .bz2 or .xz")
    columns = [source.text, source.label]
    encoding = codecs.lookup(source.encoding).name
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding  # a mark at its start is no text
    with (
        path.open("rb") as file,
        tqdm(
            desc=path.name, total=path.stat().st_size, unit="B", unit_scale=True, disable=None
        ) as bar,
    ):
        # What cannot be decoded becomes surrogates, so that its row and column can be told.
        stream = unpack(file) if unpack else file
        lines = read_lines(io.TextIOWrapper(stream, encoding, "surrogateescape", newline=""))
        found = (
            json_rows(lines, columns)
            if kind == JSON_LINES
            else table_rows(lines, DELIMITERS[kind], columns)
        )
        try:
            for row, values in found:
                for column, value in zip(columns, values, strict=True):
                    check_characters(value, f"row {row}, column {column!r}")
                yield row, values
                bar.update(file.tell() - bar.n)
        except EncodingError as place:
            named = f"the encoding {source.encoding}, which data.csv.encoding in params.yaml names"
            raise ValueError(f"{place}: it is not in {named}") from None


def read_lines(text: io.TextIOWrapper) -> Iterator[str]:
    for number in itertools.count(1):
        try:
            line = text.readline(LONGEST + 1)
        except UnicodeError as error:
            raise EncodingError(f"line {number}") from error
        if len(line) > LONGEST:
            raise ValueError(f"line {number} has more than {LONGEST:,} characters")
        if not line:
            break
        yield line


class EncodingError(ValueError):
    """The place of a text that is not in the encoding in which it is read."""


def check_characters(value: str, place: str) -> None:
    """EncodingError or ValueError if a text has characters that cannot be."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise EncodingError(place) from None
    if "\0" in value:
        raise ValueError(f"{place}: there is a NUL byte in it")


def table_rows(lines: Iterator[str], delimiter: str, columns: list[str]) -> Rows:
    """Rows as a spreadsheet counts them: the header is row 1. Blank lines are passed over."""
    csv.field_size_limit(LONGEST)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] = []
    places: list[int] = []
    for number in itertools.count(1):
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(f"row {number}: {error}; is a quote left open?") from None
        if not header:
            header = row
            for cell in header:
                check_characters(cell, f"row {number}")
            places = [place_of(column, header) for column in columns if header]
        elif row:
            if len(row) != len(header):
                raise ValueError(
                    f"row {number}: {len(row)} values, but the header has {len(header)} columns"
                )
            yield number, [row[place] for place in places]


def place_of(column: str, header: list[str]) -> int:
    if header.count(column) != 1:
        number = "no column is" if column not in header else f"{header.count(column)} columns are"
        raise ValueError(f"{number} called {column!r}; there are {', '.join(map(repr, header))}")
    return header.index(column)


def json_rows(lines: Iterator[str], columns: list[str]) -> Rows:
    """One JSON object per line; numbers and truth values as JSON writes them."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        check_characters(line, f"row {number}")
        try:
            record = orjson.loads(line)
        except ValueError as error:
            raise ValueError(f"row {number}: {error}") from None
        values = []
        for column in columns:
            value = record.get(column) if isinstance(record, dict) else None
            if value is None or isinstance(value, dict | list):
                raise ValueError(f"row {number}, column {column!r}: no text or number is there")
            values.append(value if isinstance(value, str) else orjson.dumps(value).decode())
        yield number, values
