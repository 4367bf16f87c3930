"""How far the metrics move when sums are rounded otherwise, as by another kind of processor.

usage   python -m benchmarks.rounding
reads   params.yaml, data/FEATURES/, metrics/scores.csv
writes  benchmarks/rounding.md

Every seed of every variant is trained again, with the columns of each review in reverse order: the
vectors are the same, but what the first layer gives for them is summed the other way round, so that
every step is rounded otherwise, from the first one on.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import table
from benchmarks.retrained import Vectors, load, train_again
from workflow.base.files import HELD_OUT, SCORES
from workflow.base.reviews import Reviews
from workflow.evaluation.results import read_scores
from workflow.params import Params, load_params

RESULTS = Path(__file__).with_suffix(".md")


def in_reverse(reviews: Reviews) -> Reviews:
    """The same vectors; the columns of each, and what is in them, from the last to the first."""
    first, after = reviews.offsets[:-1], reviews.offsets[1:]
    order = np.repeat(first + after - 1, after - first) - np.arange(len(reviews.values))
    weights = None if reviews.weights is None else reviews.weights[order]
    return dataclasses.replace(reviews, values=reviews.values[order], weights=weights)


def otherwise(params: Params, variant: str) -> pd.DataFrame:
    """The accuracies of each seed, on validation and test reviews, rounded otherwise."""
    data, test = load(params, variant)
    vectors = Vectors(data._replace(training=in_reverse(data.training)), in_reverse(test))
    bits = train_again(params.recipe(variant), vectors, params.train.all_seeds)
    return pd.DataFrame({f"{split}_accuracy": bits[split].mean(axis=1) for split in HELD_OUT})


def main() -> None:
    params = load_params()
    scores = read_scores(SCORES, params.variants, params.train.all_seeds)
    rows, seed, mean = [], 0.0, 0.0
    for variant in params.variants:
        here = scores[scores["variant"] == variant].reset_index()
        moved = 100 * (
            otherwise(params, variant) - here[[f"{split}_accuracy" for split in HELD_OUT]]
        )
        seed, mean = max(seed, moved.abs().max().max()), max(mean, moved.mean().abs().max())
        rows += [
            {
                "variant": f"`{variant}`",
                "accuracy": split,
                "one seed": f"{moved[f'{split}_accuracy'].abs().max():.2f}",
                "mean": f"{moved[f'{split}_accuracy'].mean():+.2f}",
                "sd of the seeds": f"{100 * here[f'{split}_accuracy'].std():.2f}",
            }
            for split in HELD_OUT
        ]
    RESULTS.write_text(
        f"""With the sums of the first layer in another order, the accuracy of a seed moves by up to
{seed:.2f} points and the mean of all seeds by up to {mean:.2f} points.

Written by `make rounding`: how far the accuracy of one seed moves at most, how far the mean moves,
and, for comparison, the standard deviation from seed to seed, in points.

{table(rows)}
""",
        "utf-8",
    )


if __name__ == "__main__":
    main()
