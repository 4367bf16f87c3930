"""The rows of a CSV, TSV or JSON lines file, or the lines of a text, one at a time.

With Python's csv module, not pandas, which accepts a row with a column too few or too many and does
not name the row in which a quote was opened.
"""

import bz2
import codecs
import csv
import gzip
import io
import itertools
import lzma
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from workflow.base.errors import warn

UNPACK: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
DELIMITERS = {"csv": ",", "tsv": "\t"}  # the usual ones
KINDS = (*DELIMITERS, "jsonl", "lines")
MAX_LENGTH = 10_000_000  # characters of a line and of a cell, which a quote left open ends there

Rows = Iterator[tuple[int, dict[str, Any]]]  # the number of a row, from 1, and its values by column


def kind_of(path: Path) -> str:
    """One of KINDS by the name of a file, packed or not: `lines` unless it is a table."""
    name = path.stem if path.suffix.lower() in UNPACK else path.name
    kind = Path(name).suffix.lower().removeprefix(".")
    return kind if kind in KINDS else "lines"


def unpack(file: BinaryIO, path: Path) -> Any:
    """The content of a file that may be packed."""
    opener = UNPACK.get(path.suffix.lower())
    return opener(file) if opener else file


def read_rows(
    stream: Any, kind: str, columns: Sequence[str], encoding: str, delimiter: str | None = None
) -> Rows:
    """The rows of a file that is open for reading bytes.

    Args:
        stream: the file.
        kind: one of KINDS; `lines` has one column, `columns[0]`.
        columns: those which must be there, with a text in each row.
        encoding: a text encoding that Python knows.
        delimiter: of a CSV or TSV; None: the usual one, or one of , ; | and tab that fits the
            header, which is then reported.

    Raises:
        ValueError: the row, the column, and why it cannot be read.
    """
    lines = read_lines(stream, encoding)
    if kind == "jsonl":
        return json_rows(lines, columns)
    if kind == "lines":
        return ((i, {columns[0]: line.rstrip("\r\n")}) for i, line in enumerate(lines, 1))
    return table_rows(lines, columns, DELIMITERS[kind], delimiter)


def read_lines(stream: Any, encoding: str) -> Iterator[str]:
    """The lines of a file, with their ends."""
    encoding = codecs.lookup(encoding).name
    codec = "utf-8-sig" if encoding == "utf-8" else encoding  # some programs write a mark
    # What cannot be decoded becomes surrogates, so that its line can be named.
    text = io.TextIOWrapper(stream, codec, "surrogateescape", newline="")
    for number in itertools.count(1):
        undecodable = None
        try:
            line = text.readline(MAX_LENGTH + 1)
            line.encode()
            if "\0" in line:
                undecodable = line.encode(encoding)
        except UnicodeEncodeError:
            undecodable = line.encode(encoding, "surrogateescape")
        except UnicodeDecodeError as error:  # of an encoding that has no such surrogates
            undecodable = error.object
        if undecodable is not None:
            raise ValueError(
                f"line {number}: not in the encoding {encoding}; it may be in "
                f"{likely_encoding(undecodable)}: set data.csv.encoding in params.yaml, "
                "or --encoding"
            )
        if len(line) > MAX_LENGTH:
            raise ValueError(f"line {number} has more than {MAX_LENGTH:,} characters")
        if not line:
            return
        yield line


def likely_encoding(content: bytes) -> str:
    """The first of the most common encodings in which `content` makes sense."""
    if b"\0" in content or content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for name in ("utf-8", "cp1252"):
        with suppress(UnicodeDecodeError):
            content.decode(name)
            return name
    return "latin-1"


def table_rows(
    lines: Iterator[str], columns: Sequence[str], usual: str, delimiter: str | None
) -> Rows:
    """Rows as a spreadsheet numbers them: the header is row 1. Blank lines are skipped."""
    csv.field_size_limit(MAX_LENGTH)
    first = next(filter(str.strip, lines), "")
    if delimiter is None:
        delimiter = fitting_delimiter(first, columns, usual)
        if delimiter != usual:
            warn(f"read with the delimiter {delimiter!r}, which fits the header {first.strip()!r}")
    reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter, strict=True)
    number = 0
    header: list[str] = []
    try:
        for number, row in enumerate(reader, 1):
            if row and not header:
                header = row
                check_header(header, columns)
            elif row and len(row) != len(header):
                raise ValueError(
                    f"row {number}: {len(row)} values, but the header has {len(header)} columns"
                )
            elif row:
                yield number, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise ValueError(f"row {number + 1}: {error}; is a quote left open?") from None


def fitting_delimiter(header: str, columns: Sequence[str], usual: str) -> str:
    """The delimiter with which all the columns are in the header; `usual` if there is none."""
    delimiters: list[str] = [usual, *",;\t|"]
    for delimiter in delimiters:
        if set(columns).issubset(next(csv.reader([header], delimiter=delimiter), [])):
            return delimiter
    return usual


def check_header(header: list[str], columns: Sequence[str]) -> None:
    """ValueError unless each of the columns is there once."""
    for column in columns:
        if (count := header.count(column)) != 1:
            number = f"{count} columns are" if count else "no column is"
            names = ", ".join(map(repr, header))[:300]
            raise ValueError(f"{number} called {column!r}; there are {names}")


def json_rows(lines: Iterator[str], columns: Sequence[str]) -> Rows:
    """One JSON object per line; in `columns`, numbers and truth values as JSON writes them."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except ValueError as error:
            raise ValueError(f"row {number}: {error}") from None
        for column in columns:
            value = row.get(column) if isinstance(row, dict) else None
            if value is None or isinstance(value, dict | list):
                raise ValueError(f"row {number}, column {column!r}: expected a text or a number")
            row[column] = value if isinstance(value, str) else orjson.dumps(value).decode()
        yield number, row
