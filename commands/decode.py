"""A review as text, with its label and the predictions of the variants: `make decode N=0`.

usage   python -m commands.decode N [--split training]
reads   data/reviews/, data/predictions/
prints  review N, from 0, of the test or the training reviews; the first training reviews are the
        validation reviews, for which there are predictions too
"""

import argparse
import textwrap
from collections.abc import Iterator

import numpy as np

from workflow.base.errors import InputError, reading, run
from workflow.base.files import (
    PREDICTIONS,
    RERUN_HINT,
    REVIEWS,
    PredictionFacts,
    ReviewFacts,
    memory_map,
    read_json,
)
from workflow.base.labels import CLASSES, is_positive
from workflow.base.reviews import load_reviews
from workflow.params import load_params
from workflow.text.vocabulary import Vocabulary, with_line_breaks

PREDICTED = {"test": "test", "training": "validation"}


def predictions(split: str, number: int) -> Iterator[tuple[str, float, int, int]]:
    """The name of each variant, its mean probability, how many seeds are right, of how many.

    Raises:
        InputError: predictions are damaged, or of other reviews than data/reviews has.
    """
    label = int(load_reviews(split).labels[number])
    sha256 = read_json(REVIEWS / "facts.json", ReviewFacts).sha256
    for folder in (PREDICTIONS / variant for variant in load_params().variants):
        if not folder.exists():
            continue
        facts = read_json(folder / "facts.json", PredictionFacts)
        if facts.sha256 != sha256:
            raise InputError(f"{folder}: not of the reviews in {REVIEWS}{RERUN_HINT}")
        path = folder / f"{PREDICTED[split]}.npy"
        with reading(path, RERUN_HINT):
            probabilities = memory_map(path)
            if probabilities.ndim != 2 or probabilities.dtype != np.float32:
                raise ValueError("expected a table of float32 probabilities")
        if number < probabilities.shape[1]:
            by_seed = probabilities[:, number].astype(np.float64)
            right = int((is_positive(by_seed) == label).sum())
            yield folder.name, float(by_seed.mean()), right, len(by_seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("number", metavar="N", type=int, help="from 0, as in the notebook")
    parser.add_argument("--split", choices=list(PREDICTED), default="test")
    options = parser.parse_args()
    number, split = options.number, options.split
    reviews = load_reviews(split)
    if not 0 <= number < len(reviews):
        raise InputError(f"there is no review {number}; expected 0 to {len(reviews) - 1}")
    review = reviews.between(number, number + 1)
    text = with_line_breaks(Vocabulary.load(REVIEWS).decode(review.values))
    for line in text.split("\n"):
        print(textwrap.fill(line, 100, break_long_words=False))
    print(f"\nlabel: {CLASSES[review.labels[0]]}")
    for name, mean, right, seeds in predictions(split, number):
        print(f"{name}: {CLASSES[is_positive(mean)]} {mean:.3f}, {right}/{seeds} seeds right")


if __name__ == "__main__":
    run(main)
