"""What `make bench` runs: the notebook's way, rivals and large corpora against this project.

usage   python -m benchmarks.bench [PART …] [--repetitions N]
reads   the last commit; the archive of keras.datasets.imdb, from where the download stage finds it
writes  benchmarks/measured/PART.json, and from all that are there results.md and rivals.md;
        benchmarks/growth.csv, benchmarks/growth.png

A part can be measured again alone. Parts that run together share what they need: the notebook's
script is run once per repetition. A ratio is taken within a repetition, of which
everything but large corpora, growth and rivals has as many as wanted.
"""

import argparse
import json
import signal
import tempfile
import time
import traceback
from pathlib import Path

from benchmarks import report
from benchmarks.corpora import million, ngrams, own
from benchmarks.growth import growth
from benchmarks.measure import MEASURED, machine, measured
from benchmarks.pipeline import candidate, everything, experiment, notebook
from benchmarks.rivals import rivals
from benchmarks.room import Room

REPEATED = {
    "notebook": notebook,
    "everything": everything,
    "candidate": candidate,
    "experiment": experiment,
    "ngrams": ngrams,
}
ONCE = {"million": million, "own": own, "rivals": rivals, "growth": growth}
PARTS = REPEATED | ONCE  # in this order


def measure(part: str, room: Room, *, anew: bool) -> None:
    """Keep what this repetition of a part measures; `anew`: instead of all that was kept."""
    path = MEASURED / f"{part}.json"
    start = time.perf_counter()
    result = PARTS[part](room)
    seconds = time.perf_counter() - start
    kept = [] if anew else measured(part)
    content = {"machine": machine(), "repetitions": [*kept, result]}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    report.write()
    print(f"{part}: measured in {seconds:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--repetitions", type=int, default=1)
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: temporary files go
    failed = set()
    for repetition in range(arguments.repetitions):
        wanted = REPEATED if repetition else PARTS
        with tempfile.TemporaryDirectory() as folder:
            room = Room(Path(folder))
            for part in wanted:
                if part not in (arguments.parts or PARTS) or part in failed:
                    continue
                try:
                    measure(part, room, anew=repetition == 0)
                except Exception:  # noqa: BLE001 - one part that fails leaves the others
                    traceback.print_exc()
                    failed.add(part)
    if failed:
        raise SystemExit(f"not measured: {', '.join(sorted(failed))}")


if __name__ == "__main__":
    main()
