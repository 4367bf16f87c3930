"""Is a review positive? `make predict TEXT="…"`, or a review on each line of standard input.

usage   python -m commands.predict [VARIANT] [FILE] [--sentence TEXT | --text COLUMN]
                                   [--csv | --json] [--explain] [--model FOLDER]
reads   models/VARIANT, or FOLDER, alone; reviews from FILE or standard input, in UTF-8
prints  for each review, in the same order: the probability that it is positive, mean, lowest and
        highest of the seeds; how many seeds agree with the mean; words that are not in the
        vocabulary; and, of a single sentence or with --explain, what pushed it most, in log-odds.
        As text, unless something is explained, only the probabilities and the seeds
"""

import argparse
import codecs
import csv
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tqdm import tqdm

from workflow.base.errors import InputError, run, warn

if TYPE_CHECKING:
    from workflow.serving.predictor import Predictor

STDIN = "-"
LONGEST = 10_000_000  # bytes of a line
BLOCK = 4096  # reviews predicted together, or
BLOCK_CHARACTERS = 4_000_000  # fewer, if they are longer than this together
SHOWN = 5  # of what pushed most, in each direction
MIN_SHOWN = 0.005  # in log-odds; what pushed less is not shown

Row = dict[str, str]
Answer = dict[str, Any]


def lines(file: BinaryIO, name: str) -> Iterator[str]:
    """The lines of a file, with their ends.

    Raises:
        InputError: one is longer than LONGEST or not in UTF-8.
    """
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise InputError(f"{name}: line {number} has more than {LONGEST:,} bytes")
        try:
            # Some editors and spreadsheets put a mark at the start of a file.
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise InputError(f"{name}: line {number} is not in UTF-8") from None


def table_rows(file: BinaryIO, name: str, column: str) -> Iterator[Row]:
    """The rows of a CSV with a header.

    Raises:
        InputError: it has no such column, or is no CSV.
    """
    csv.field_size_limit(LONGEST)
    table = csv.DictReader(lines(file, name), strict=True)
    try:
        header = list(table.fieldnames or [])
        if column not in header or len(set(header)) < len(header):
            there = ", ".join(header)[:300] or "none"
            raise InputError(f"{name}: no column {column!r}, or one twice; there are {there}")
        for row in table:
            if None in row or None in row.values():
                fewer = f"not as many fields as the header, which has {len(header)}"
                raise InputError(f"{name}: line {table.line_num}: {fewer}")
            yield row
    except csv.Error as error:
        line = f"{name}: line {table.reader.line_num}"
        raise InputError(f"{line}: {error}; is a quote left open?") from None


def blocks(rows: Iterator[Row], column: str, most: int) -> Iterator[list[Row]]:
    """At most so many rows at a time, and fewer if their texts are long."""
    block, characters = [], 0
    for row in rows:
        block.append(row)
        characters += len(row[column])
        if len(block) == most or characters >= BLOCK_CHARACTERS:
            yield block
            block, characters = [], 0
    if block:
        yield block


def answers(predictor: "Predictor", texts: list[str], *, explain: bool) -> Iterator[Answer]:
    """What is said of each text: see the top of this file."""
    for text, of_seeds in zip(texts, predictor.predict(texts).T.astype(float), strict=True):
        mean = of_seeds.mean()
        answer: Answer = {
            "probability": round(mean, 6),
            "lowest": round(of_seeds.min(), 6),
            "highest": round(of_seeds.max(), 6),
            "agree": int(((of_seeds > 0.5) == (mean > 0.5)).sum()),
            "seeds": len(of_seeds),
            "unknown": predictor.vocabulary.unknown(text),
        }
        if explain:
            contributions = {
                words: round(contribution, 4)
                for words, contribution in predictor.contributions(text)
            }
            felt = [pair for pair in contributions.items() if abs(pair[1]) >= MIN_SHOWN]
            answer["for"] = dict([pair for pair in felt if pair[1] > 0][:SHOWN])
            answer["against"] = dict([pair for pair in reversed(felt) if pair[1] < 0][:SHOWN])
        yield answer


def as_text(text: str, answer: Answer) -> str:
    """For people: a line, and below it what was asked for."""
    word = "positive" if answer["probability"] > 0.5 else "negative"
    low, mean, high = (f"{answer[key]:.3f}" for key in ("lowest", "probability", "highest"))
    seeds = f"{answer['agree']}/{answer['seeds']} seeds"
    said = [f"{word} {mean}  {low} to {high}  {seeds}  {printable(text, 60)}"]
    if "for" in answer:
        said += [
            f"  {name}: {printable(in_a_cell(answer[key]), 300)}"
            for name, key in (
                ("for positive", "for"),
                ("for negative", "against"),
                ("not in the vocabulary", "unknown"),
            )
            if answer[key]
        ]
    return "\n".join(said)


def in_a_cell(value: Any) -> Any:
    """Lists and contributions as people write them."""
    if isinstance(value, dict):
        return ", ".join(f"{words} {contribution:+.2f}" for words, contribution in value.items())
    return " ".join(value) if isinstance(value, list) else value


def printable(text: str, most: int) -> str:
    """The beginning of a text, without what moves a terminal's cursor or changes its colours."""
    shown = "".join(c if c.isprintable() else " " for c in text[: most + 1])
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def printer(style: str, column: str) -> Callable[[Row, Answer], None]:
    """What prints a review and its answer."""
    table = csv.writer(sys.stdout, lineterminator="\n")
    header: list[str] = []
    utf_8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"

    def as_csv(row: Row, answer: Answer) -> None:
        values = row | {key: in_a_cell(value) for key, value in answer.items()}
        if not header:
            header.extend(values)
            table.writerow(header)
        table.writerow(values.values())

    return {
        "text": lambda row, answer: print(as_text(row[column], answer)),
        "json": lambda row, answer: print(json.dumps(row | answer, ensure_ascii=not utf_8)),
        "csv": as_csv,
    }[style]


def opened(name: str) -> BinaryIO:
    """A file, or standard input; InputError if there is none that can be read."""
    try:
        return open(0, "rb", closefd=False) if name == STDIN else Path(name).open("rb")
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0],
        usage="%(prog)s [VARIANT] [FILE] [options], or --model FOLDER [FILE] [options]",
    )
    parser.add_argument("names", nargs="*", help="a variant (default: candidate), then a file")
    parser.add_argument("--model", type=Path, help="a folder such as models/candidate")
    reviews = parser.add_mutually_exclusive_group()
    reviews.add_argument("--sentence", metavar="TEXT", help="one review")
    reviews.add_argument("--text", metavar="COLUMN", help="the input is a CSV; its column of texts")
    style = parser.add_mutually_exclusive_group()
    for name in ("csv", "json"):
        style.add_argument(f"--{name}", dest="style", action="store_const", const=name)
    parser.add_argument("--explain", action="store_true", help="what pushed each review most")
    parser.set_defaults(style="text")
    options = parser.parse_args()
    if options.model is None:
        options.variant, *options.names = options.names or ["candidate"]
    if len(options.names) > (options.sentence is None):
        parser.error(f"not understood: {' '.join(options.names)}")
    options.file = options.names[0] if options.names else STDIN
    return options


def read(options: argparse.Namespace, file: BinaryIO) -> Iterator[Row]:
    """Reviews as rows with a column of texts, from wherever they come."""
    if options.text is not None:
        return table_rows(file, options.file, options.text)
    if options.sentence is not None:
        return iter([{"text": options.sentence}])
    return ({"text": line.rstrip("\r\n")} for line in lines(file, options.file))


def main() -> None:
    options = arguments()
    column = options.text or "text"
    with opened(options.file if options.sentence is None else os.devnull) as file:
        # Not above: it takes seconds, in which Ctrl-C is to be quiet; and mistakes are told before.
        from workflow.base.files import MODELS  # noqa: PLC0415
        from workflow.serving.predictor import Predictor  # noqa: PLC0415

        folder = options.model or MODELS / options.variant
        if options.model is None and not folder.is_dir() and Path(options.variant).is_file():
            raise InputError(
                f"{options.variant} is a file; the variant comes first: "
                f"python -m commands.predict candidate {options.variant}"
            )
        predictor = Predictor(folder)
        if talking := file.isatty():
            warn("a review on each line; Ctrl-D ends")
        explain = options.explain or talking or options.sentence is not None
        show = printer(options.style, column)
        # On a terminal the bar would stand between the answers.
        with tqdm(unit=" reviews", disable=True if sys.stdout.isatty() else None) as bar:
            for block in blocks(read(options, file), column, 1 if talking else BLOCK):
                texts = [row[column] for row in block]
                said = answers(predictor, texts, explain=explain)
                for row, answer in zip(block, said, strict=True):
                    if taken := row.keys() & answer.keys():
                        raise InputError(f"{options.file}: rename column {', '.join(taken)}")
                    show(row, answer)
                sys.stdout.flush()
                bar.update(len(block))


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # There is nothing to clean up, and an exception can be lost inside TensorFlow.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    run(main)
