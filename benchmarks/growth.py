"""The part of the benchmark with how cost grows, and a corpus larger than memory.

writes  benchmarks/growth.csv, benchmarks/growth.png
"""

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.measure import edit_params, keep_variants, size
from benchmarks.pipeline import Measured
from benchmarks.room import Room
from workflow.base.files import (
    REVIEWS,
    ReviewFacts,
    atomic_folder,
    features_folder,
    read_json,
    write_json,
)
from workflow.base.reviews import load_arrays, save_reviews

RESULTS = Path(__file__).parent
GROWTH = {
    "copies": [1, 2, 4, 8],
    "num_words": [1_000, 3_000, 10_000, 30_000, 88_000],
    "units": [8, 32, 128, 512],
}
EPOCHS = 5
LARGE, LIMIT = 80, 1.0  # copies of the reviews, and GB that a process may allocate
STAGES = ("vectorize", "multi_hot"), ("train", "single")


def growth(room: Room) -> Measured:
    """`single` alone, with one seed, on more reviews, words or units; then with little memory."""
    folder = room.clone("growth")
    keep_variants(folder, ("single",), seeds=1)
    (folder / "once").symlink_to(room.reviews / REVIEWS)
    of = partial(costs, room, folder)
    table = pd.DataFrame(
        {"what": what} | of(**{what: value})
        for what, values in GROWTH.items()
        for value in tqdm(values, what)
    )
    table.round(2).to_csv(RESULTS / "growth.csv", index=False)
    plt.rcdefaults()
    draw(table).savefig(RESULTS / "growth.png", dpi=100)
    return of(copies=LARGE, limit=LIMIT) | {"limit": LIMIT}


def costs(
    room: Room,
    folder: Path,
    copies: int = 1,
    num_words: int = 10_000,
    units: int = 32,
    *,
    limit: float = 0,
) -> dict[str, float]:
    """What the stages vectorize and train need."""

    def edit(params: Any) -> None:
        params["features"]["multi_hot"]["num_words"] = num_words
        params["baselines"]["single"] |= {"units": units, "epochs": 1 if limit else EPOCHS}

    edit_params(folder, edit)
    words = repeat_reviews(folder, copies)
    done = {stage: room.stage(folder, stage, item, limit=limit) for stage, item in STAGES}
    return {
        "copies": copies,
        "num_words": num_words,
        "units": units,
        "words": words,
        "GB of word lists": size(folder / REVIEWS) / 1e9,
        "GB of vectors": size(folder / features_folder("multi_hot")) / 1e9,
    } | {
        f"{stage} {unit}": value
        for stage, run in done.items()
        for unit, value in (("s", run.seconds), ("MB", run.peak))
    }


def repeat_reviews(folder: Path, copies: int) -> int:
    """So many times the reviews; returns how many words they have."""
    words = 0
    facts: ReviewFacts = read_json(folder / "once/facts.json", ReviewFacts)
    with atomic_folder(folder / REVIEWS) as reviews:
        repeated = facts.model_copy(update={"test_reviews": facts.test_reviews * copies})
        write_json(reviews / "facts.json", repeated.model_dump())
        (reviews / "word_index.json").write_bytes((folder / "once/word_index.json").read_bytes())
        for split in ("training", "test"):
            columns = facts.vocabulary + 1
            once = load_arrays(folder / "once", split, None, columns, weighted=False)
            save_reviews(itertools.repeat(once, copies), reviews, split)
            words += copies * len(once.values)
    return words


def draw(table: pd.DataFrame) -> Figure:
    """Seconds above, memory below; a column for each thing that grows."""
    figure, axes = plt.subplots(2, len(GROWTH), figsize=(11, 6), sharey="row", layout="constrained")
    labels = {
        "copies": "reviews, in times 50,000",
        "num_words": "words in the vocabulary",
        "units": "hidden units",
    }
    for column, what in enumerate(GROWTH):
        points = table[table["what"] == what].sort_values(what)
        for row, unit in enumerate(("s", "MB")):
            axis = axes[row, column]
            for stage, marker in (("train", "o-"), ("vectorize", "s--")):
                axis.plot(points[what], points[f"{stage} {unit}"], marker, label=stage)
            axis.set_xscale("log")
            axis.set_xticks(points[what], [f"{value:,}" for value in points[what]], minor=False)
            axis.set_xticks([], minor=True)
            axis.grid(alpha=0.3)
        axes[1, column].set_xlabel(labels[what])
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("peak memory (MB)")
    axes[0, 0].legend(frameon=False)
    for row in axes:
        row[0].set_ylim(bottom=0)  # after all is drawn: a row shares its axis
    figure.suptitle(f"The stages as whole processes; train: `single`, one seed, {EPOCHS} epochs")
    return figure


def sentence(measured: Measured) -> str:
    """For results.md."""
    return (
        f"A corpus larger than memory: {LARGE} times the reviews, "
        f"{measured['GB of word lists']:.1f} GB of word lists and\n"
        f"{measured['GB of vectors']:.1f} GB of multi-hot vectors, with each process allowed to "
        f"allocate {measured['limit']:.1f} GB (`prlimit --data`),\nTensorFlow included: vectorized "
        f"in {measured['vectorize s']:.0f} s, one epoch of `single` with validation in "
        f"{measured['train s']:.0f} s."
    )
