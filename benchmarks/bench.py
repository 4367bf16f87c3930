"""Measure the project against the notebook, scikit-learn and fastText: `make bench`.

usage   python -m benchmarks.bench [PART …] [--repetitions N]
reads   the last commit; the archive of keras.datasets.imdb, from where the download stage finds it
writes  benchmarks/measured/PART.json, and from all that are there results.md and rivals.md

Parts that run together share what they need: the notebook's script runs once per repetition, and a
ratio is of two values of the same one. Only the parts in REPEATED are repeated. `tuning` takes an
hour and runs only if it is named; `rivals` uses what it found.
"""

import argparse
import json
import signal
import tempfile
import time
from pathlib import Path

from benchmarks import report
from benchmarks.corpora import million, ngrams
from benchmarks.measure import MEASURED, Measured, machine, measured
from benchmarks.pipeline import everything, experiment, notebook
from benchmarks.rivals import rivals, tuning
from benchmarks.sandbox import Sandbox

REPEATED = {f.__name__: f for f in (notebook, everything, experiment, ngrams)}
DEFAULT = REPEATED | {"million": million, "rivals": rivals}
PARTS = {"tuning": tuning} | DEFAULT  # in this order


def measure(part: str, sandbox: Sandbox, earlier: list[Measured]) -> None:
    """Write what a part measures, after what its earlier repetitions did."""
    start = time.perf_counter()
    repetitions = [*earlier, PARTS[part](sandbox)]
    print(f"{part}: measured in {time.perf_counter() - start:.0f} s", flush=True)
    content = {"machine": machine(), "repetitions": repetitions}
    (MEASURED / f"{part}.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    report.main()


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"unknown part {unknown.pop()!r}; expected one of {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: temporary files go
    wanted = [part for part in PARTS if part in (arguments.parts or DEFAULT)]
    for repetition in range(arguments.repetitions):
        with tempfile.TemporaryDirectory() as folder:
            sandbox = Sandbox(Path(folder))
            for part in wanted:
                if repetition == 0 or part in REPEATED:
                    measure(part, sandbox, measured(part) if repetition else [])


if __name__ == "__main__":
    main()
