"""Is a review positive? `make predict TEXT="…"`, or a review on each line of standard input.

usage   python -m commands.predict [VARIANT] [FILE] [--sentence TEXT] [--model FOLDER]
                                   [--text COLUMN] [--input KIND] [--encoding NAME]
                                   [--csv | --json] [--explain]
reads   models/VARIANT, or FOLDER, alone; reviews from FILE or standard input: lines of text, or the
        column `text` of a CSV, TSV or JSON lines file, which its name or --input says; .gz, .bz2
        and .xz are unpacked
prints  for each review, in the same order: the probability that it is positive, as mean, lowest and
        highest of the seeds; how many seeds agree with the mean; how many words are in the
        vocabulary, and those that are not; and, of a single sentence or with --explain, what
        contributed most, in log-odds. As text, unless something is explained, only the
        probabilities and the seeds, and "undecided" if seeds disagree or no word is known
"""

import argparse
import csv
import json
import os
import queue
import re
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

from workflow.base.errors import InputError, reading, run, warn
from workflow.base.files import CANDIDATE, MODELS
from workflow.base.labels import CLASSES, is_positive
from workflow.text.params import text_encoding
from workflow.text.rows import KINDS, kind_of, read_rows, unpack

STDIN = "-"
BLOCK = 4096  # reviews predicted together, or
BLOCK_CHARACTERS = 4_000_000  # fewer, if they are longer than this together
PAUSE = 0.05  # seconds without a new line of a pipe after which the lines so far are answered

Row = dict[str, Any]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="a variant (default: candidate), a file, or both")
    parser.add_argument("--model", type=Path, help="another folder than models/VARIANT")
    parser.add_argument("--sentence", metavar="TEXT", help="one review")
    parser.add_argument("--text", metavar="COLUMN", help="the column of a table (default: text)")
    parser.add_argument("--input", choices=KINDS, help="(default: as the file's name says)")
    parser.add_argument("--encoding", type=text_encoding, default="utf-8", help="of the input")
    style = parser.add_mutually_exclusive_group()
    for name in ("csv", "json"):
        style.add_argument(f"--{name}", dest="style", action="store_const", const=name)
    parser.add_argument("--explain", action="store_true", help="what contributed most to each")
    options = parser.parse_intermixed_args()
    names, file_expected = options.names, options.sentence is None
    if len(names) > 1 + file_expected:
        parser.error(f"unexpected argument: {names[-1]}")
    if len(names) == 1 and file_expected:
        is_variant = re.fullmatch("[a-z][a-z0-9_]*", names[0]) and not Path(names[0]).is_file()
        names = names if is_variant else [CANDIDATE, *names]
    options.variant, options.file = names + [CANDIDATE, STDIN][len(names) :]
    options.input = options.input or kind_of(Path(options.file))
    if options.input == "lines" and options.text:
        options.input = "csv"
    options.text = options.text or "text"
    return options


def open_file(name: str) -> BinaryIO:
    """A file, or standard input; InputError if it cannot be read."""
    with reading(name):
        # Without a buffer, whose lock would be held by the thread that waits for input.
        return open(0, "rb", 0, closefd=False) if name == STDIN else Path(name).open("rb", 0)


def rows_of(options: argparse.Namespace, file: BinaryIO) -> Iterator[Row]:
    """The reviews; InputError if one cannot be read."""
    if options.sentence is not None:
        yield {options.text: options.sentence}
        return
    stream = unpack(file, Path(options.file))
    with reading(options.file):
        for _, row in read_rows(stream, options.input, [options.text], options.encoding):
            yield row


def blocks(rows: Iterator[Row], column: str, pause: float | None) -> Iterator[list[Row]]:
    """Rows to be predicted together: not too many, and those that came before a pause.

    A thread reads them, so that those which have come do not wait for the next one.
    """
    arrived: queue.Queue[Row | Exception | None] = queue.Queue(100)

    def read() -> None:
        try:
            for row in rows:
                arrived.put(row)
            arrived.put(None)
        except Exception as error:  # noqa: BLE001 - raised below
            arrived.put(error)

    threading.Thread(target=read, daemon=True).start()
    item: Row | Exception | None = {}
    while item is not None:
        block: list[Row] = []
        characters = 0
        with suppress(queue.Empty):
            while len(block) < BLOCK and characters < BLOCK_CHARACTERS:
                item = arrived.get(timeout=pause if block else None)
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    break
                block.append(item)
                characters += len(item[column])
        if block:
            yield block


def as_text(text: str, answer: Row) -> str:
    """For people: a line, and below it what was asked for."""
    decided = answer["agree"] == answer["seeds"] and answer["known"]
    label = CLASSES[is_positive(answer["probability"])] if decided else "undecided"
    low, mean, high = (f"{answer[key]:.3f}" for key in ("lowest", "probability", "highest"))
    seeds = f"{answer['agree']}/{answer['seeds']} seeds" if answer["known"] else "no known word"
    lines = [f"{label} {mean}  {low} to {high}  {seeds}  {printable(text, 60)}"]
    details = {"for": "for positive", "against": "for negative", "unknown": "not in the vocabulary"}
    for key, title in details.items() if "for" in answer else ():
        if answer[key]:
            lines.append(f"  {title}: {printable(in_a_cell(answer[key]), 300)}")
    return "\n".join(lines)


def in_a_cell(value: Any) -> Any:
    """Lists and contributions as people write them."""
    if isinstance(value, dict):
        return ", ".join(f"{words} {number:+.2f}" for words, number in value.items())
    return " ".join(value) if isinstance(value, list) else value


def printable(text: str, length: int) -> str:
    """The beginning of a text, without what moves a terminal's cursor or changes its colours."""
    shown = "".join(c if c.isprintable() else " " for c in text[: length + 1])
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def main() -> None:
    options = arguments()
    column, style = options.text, options.style
    with open_file(options.file if options.sentence is None else os.devnull) as file:
        # Imported late so that mistakes in arguments appear before TensorFlow's slow import.
        from workflow.serving.predictor import Predictor  # noqa: PLC0415

        predictor = Predictor(options.model or MODELS / options.variant)
        if file.isatty():
            warn("a review on each line; Ctrl-D ends")
        explain = options.explain or file.isatty() or options.sentence is not None
        pause = None if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else PAUSE

        def answered() -> Iterator[tuple[Row, Row]]:
            for block in blocks(rows_of(options, file), column, pause):
                texts = [row[column] for row in block]
                yield from zip(block, predictor.answers(texts, explain=explain), strict=True)

        table = csv.writer(sys.stdout, lineterminator="\n")
        is_utf_8 = (sys.stdout.encoding or "").lower() == "utf-8"
        # On a terminal the bar would stand between the answers.
        hidden = True if sys.stdout.isatty() else None
        for number, (row, answer) in enumerate(tqdm(answered(), unit=" reviews", disable=hidden)):
            if common := row.keys() & answer.keys():
                raise InputError(f"{options.file}: rename column {', '.join(common)}")
            if style == "json":
                print(json.dumps(row | answer, ensure_ascii=not is_utf_8))
            elif style == "csv":
                cells = row | {key: in_a_cell(value) for key, value in answer.items()}
                table.writerows([cells.keys(), cells.values()] if number == 0 else [cells.values()])
            else:
                print(as_text(row[column], answer))
            sys.stdout.flush()


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # There is nothing to clean up, and an exception can be lost inside TensorFlow.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    run(main)
