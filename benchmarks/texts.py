"""The reviews as texts, for other classifiers; and any number of reviews made of them.

usage   python -m benchmarks.texts [CSV REVIEWS]
reads   data/reviews/
writes  training.txt, test.txt: a line per review, __label__1 or __label__0, a space, its words
        or CSV: REVIEWS rows of 200 words, ten stretches of 20 words from anywhere in the real ones
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np

from workflow.base.files import REVIEWS
from workflow.base.labels import CLASSES
from workflow.base.reviews import Reviews, load_reviews

WORDS, STRETCH, BLOCK = 200, 20, 5_000


def write_texts(words: list[str], reviews: Reviews, path: Path) -> None:
    ranks, offsets = reviews.values.tolist(), reviews.offsets.tolist()
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for i, label in enumerate(reviews.labels.tolist()):
            text = " ".join(words[rank] for rank in ranks[offsets[i] : offsets[i + 1]])
            file.write(f"__label__{label} {text}\n")


def write_csv(words: list[str], reviews: list[Reviews], path: Path, number: int) -> None:
    random = np.random.default_rng(0)
    all_words = np.array(words, object)
    ranks = np.concatenate([of_split.values for of_split in reviews])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for _ in range(number // BLOCK):
            starts = random.integers(0, len(ranks) - STRETCH, (BLOCK, WORDS // STRETCH))
            block = ranks[starts[:, :, None] + np.arange(STRETCH)].reshape(BLOCK, WORDS)
            labels = random.choice(CLASSES, BLOCK)
            writer.writerows(zip(map(" ".join, all_words[block]), labels, strict=True))


if __name__ == "__main__":
    words = ["", *json.loads((REVIEWS / "word_index.json").read_text("utf-8"))]
    splits = {split: load_reviews(split) for split in ("training", "test")}
    if sys.argv[1:]:
        write_csv(words, [*splits.values()], Path(sys.argv[1]), int(sys.argv[2]))
    else:
        for split, reviews in splits.items():
            write_texts(words, reviews, Path(f"{split}.txt"))
