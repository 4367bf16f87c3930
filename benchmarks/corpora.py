"""The parts of the benchmark with n-grams and large corpora.

usage   python -m benchmarks.corpora ranks|csv FOLDER REVIEWS
reads   data/reviews/
writes  FOLDER/{training,test}_….npy, word_index.json, facts.json; or FOLDER/reviews.csv

Each review of such a corpus has 200 words: ten stretches of 20 words from anywhere in the 50,000
real reviews. It is written some reviews at a time, in a process of its own: the kernel counts the
memory of the benchmark itself as a part of what it starts.
"""

import csv
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import edit_params, size
from benchmarks.pipeline import Measured
from benchmarks.room import Room
from workflow.base.files import REVIEWS, features_folder, read_json, write_json
from workflow.base.reviews import Reviews, load_reviews, save_reviews

MILLION, WORDS, STRETCH = 1_000_000, 200, 20
TEST_REVIEWS = 1_000  # besides
BLOCK = 5_000  # reviews
LIMIT = 4.0  # GB that a process may allocate, with a million reviews


def ngrams(room: Room) -> Measured:
    """The stage vectorize@ngrams against scikit-learn, which gets its words ready-made."""
    folder = room.reviews
    ours, theirs = [], {}

    def once() -> None:
        printed = room.python(folder, "benchmarks.stage", "vectorize", "ngrams").output
        ours.append(json.loads(printed.splitlines()[-1]))

    once()
    for form in ("separate", "together"):
        theirs[form] = json.loads(room.python(folder, "benchmarks.scikit_learn", form).output)
        once()
    # What is run before and after: a machine may be slower at one time than at another.
    seconds = [run["seconds"] for run in ours]
    return {
        "separate": [theirs["separate"]["seconds"], (seconds[0] + seconds[1]) / 2],
        "together": [theirs["together"]["seconds"], (seconds[1] + seconds[2]) / 2],
        "separate MB": theirs["separate"]["peak MB"],
        "together MB": theirs["together"]["peak MB"],
        "ngrams MB": max(run["peak MB"] for run in ours),
        "columns": read_json(folder / features_folder("ngrams") / "facts.json", dict)["columns"],
        "sklearn columns": theirs["separate"]["columns"],
    }


def million(room: Room) -> Measured:
    """The n-grams of a million reviews, with memory limited."""
    folder, reviews = room.reviews, room.reviews / REVIEWS
    kept = reviews.rename(folder / "kept")
    try:
        room.python(folder, "benchmarks.corpora", "ranks", str(reviews), str(MILLION), "kept")
        done = room.stage(folder, "vectorize", "ngrams", limit=LIMIT)
        vectors = folder / features_folder("ngrams")
        return {
            "words": MILLION * WORDS,
            "seconds": done.seconds,
            "million MB": done.peak,
            "columns": read_json(vectors / "facts.json", dict)["columns"],
            "GB of word lists": size(reviews) / 1e9,
            "GB of vectors": size(vectors) / 1e9,
        }
    finally:
        shutil.rmtree(folder / features_folder("ngrams"), ignore_errors=True)
        shutil.rmtree(reviews, ignore_errors=True)
        kept.rename(reviews)


def own(room: Room) -> Measured:
    """The stage download with the user's own reviews: a million rows of a CSV file."""
    folder = room.clone("own")
    room.python(room.reviews, "benchmarks.corpora", "csv", str(folder), str(MILLION))
    file = folder / "reviews.csv"

    def edit(params: Any) -> None:
        params["data"]["sources"] = ["csv"]
        params["data"]["csv"] |= {"path": file.name, "text": "text", "label": "label"}
        params["data"]["csv"] |= {"positive": "positive", "negative": "negative"}

    edit_params(folder, edit)
    done = room.stage(folder, "download")
    result = {
        "words": MILLION * WORDS,
        "GB": size(file) / 1e9,
        "seconds": done.seconds,
        "seconds per million words": done.seconds / (MILLION * WORDS / 1e6),
        "own MB": done.peak,
    }
    shutil.rmtree(folder)
    return result


# --- corpora --------------------------------------------------------------------------------------


def made_up(ranks: NDArray[np.uint32], number: int, seed: int) -> Iterator[Reviews]:
    """So many reviews, half of them positive, some at a time."""
    random = np.random.default_rng(seed)
    for start in range(0, number, BLOCK):
        reviews = min(BLOCK, number - start)
        starts = random.integers(0, len(ranks) - STRETCH, reviews * WORDS // STRETCH)
        words = ranks[starts[:, None] + np.arange(STRETCH)].ravel()
        labels = random.integers(0, 2, reviews, dtype=np.uint8)
        yield Reviews(words, np.arange(reviews + 1) * WORDS, labels)


def write_ranks(folder: Path, number: int, real: NDArray[np.uint32], kept: Path) -> None:
    """What the stage download writes, of other reviews."""
    folder.mkdir()
    for seed, (split, reviews) in enumerate({"training": number, "test": TEST_REVIEWS}.items()):
        save_reviews(made_up(real, reviews, seed), folder, split)
    shutil.copy(kept / "word_index.json", folder)
    facts = read_json(kept / "facts.json", dict) | {"test_reviews": TEST_REVIEWS, "sha256": ""}
    write_json(folder / "facts.json", facts)


def write_csv(folder: Path, number: int, real: NDArray[np.uint32]) -> None:
    """The same as texts, with labels in words."""
    index = json.loads((REVIEWS / "word_index.json").read_text("utf-8"))
    words = np.array(["", *index], object)
    with (folder / "reviews.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for block in made_up(real, number, seed=0):
            texts = map(" ".join, words[block.values.reshape(-1, WORDS)].tolist())
            labels = np.array(["negative", "positive"], object)[block.labels].tolist()
            writer.writerows(zip(texts, labels, strict=True))


if __name__ == "__main__":
    kind, place, count, *source = sys.argv[1:]
    if kind == "ranks":  # data/reviews/ has moved: it is what is made
        kept = Path(source[0])
        arrays = [np.load(kept / f"{split}_values.npy") for split in ("training", "test")]
        write_ranks(Path(place), int(count), np.concatenate(arrays), kept)
    else:
        arrays = [load_reviews(split).values for split in ("training", "test")]
        write_csv(Path(place), int(count), np.concatenate(arrays))
