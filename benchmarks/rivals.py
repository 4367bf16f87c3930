"""The part of the benchmark with what else one would take: each in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import PROJECT, Run
from benchmarks.pipeline import Measured
from benchmarks.room import Room

FIND = "import importlib.util as i, sys; sys.exit(i.find_spec('fasttext') is None)"
FASTTEXT = "FASTTEXT_PYTHON"  # a Python that has the package fasttext


def rivals(room: Room) -> Measured:
    """Accuracy on the 25,000 test reviews, seconds from words to predictions, peak memory."""
    folder = room.reviews
    done = {
        "fasttext": fasttext(room, folder),
        "logistic": room.python(folder, "benchmarks.scikit_learn", "logistic"),
        "svc": room.python(folder, "benchmarks.scikit_learn", "svc"),
        "ours": room.python(folder, "benchmarks.ours"),
        "ours, one seed": room.python(folder, "benchmarks.ours", "1"),
    }
    return {name: json.loads(run.output.splitlines()[-1]) for name, run in done.items() if run}


def fasttext(room: Room, folder: Path) -> Run | None:
    """None where no Python has it: it may need an environment of its own."""
    python = os.environ.get(FASTTEXT, sys.executable)
    script = PROJECT / "benchmarks/fasttext_rival.py"
    files = [str(folder / f"{split}.txt") for split in ("training", "test")]
    try:
        room.run(folder, python, "-c", FIND)
    except (OSError, subprocess.CalledProcessError):
        return None
    room.python(folder, "benchmarks.scikit_learn", "texts")
    return room.run(folder, python, str(script), *files)
