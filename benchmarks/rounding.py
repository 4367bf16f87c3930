"""How far the metrics move when sums are rounded differently, as by another kind of processor.

usage   python -m benchmarks.rounding
reads   params.yaml, data/FEATURES/, metrics/scores.csv
writes  benchmarks/rounding.md

Every seed is trained again, with the columns of each review in reverse order: the vectors are the
same, but the first layer sums them in the opposite order, which rounds every step differently.
"""

import dataclasses

import numpy as np
from tqdm import tqdm

from benchmarks.measure import write_page
from benchmarks.retrained import Vectors, load, train_again
from workflow.base.files import HELD_OUT, SCORES
from workflow.base.reviews import Reviews
from workflow.evaluation.results import read_scores
from workflow.params import load_params
from workflow.report.review_page import table


def in_reverse(reviews: Reviews) -> Reviews:
    """The same vectors; the columns of each, and what is in them, from the last to the first."""
    first, after = reviews.offsets[:-1], reviews.offsets[1:]
    order = np.repeat(first + after - 1, after - first) - np.arange(len(reviews.values))
    weights = None if reviews.weights is None else reviews.weights[order]
    return dataclasses.replace(reviews, values=reviews.values[order], weights=weights)


def main() -> None:
    params = load_params()
    scores = read_scores(SCORES, params.variants, params.train.all_seeds)
    moves, rows = [], []
    for variant in tqdm(params.variants):
        data, test = load(params, variant)
        vectors = Vectors(data._replace(training=in_reverse(data.training)), in_reverse(test))
        bits = train_again(params.recipe(variant), vectors, params.train.all_seeds)
        for split in HELD_OUT:
            before = scores.loc[scores["variant"] == variant, f"{split}_accuracy"].to_numpy()
            moved = 100 * (bits[split].mean(axis=1) - before)
            moves.append((np.abs(moved).max(), abs(moved.mean())))
            values = (
                f"{moves[-1][0]:.2f}",
                f"{moved.mean():+.2f}",
                f"{100 * before.std(ddof=1):.2f}",
            )
            rows.append([f"`{variant}`", split, *values])
    of_seed, of_mean = np.max(moves, axis=0)
    write_page(
        "rounding",
        f"""With the sums of the first layer in another order, the accuracy of a seed moves by
        up to {of_seed:.2f} points and the mean of all seeds by up to {of_mean:.2f} points.""",
        """Written by `make rounding`: how far the accuracy of one seed moves at most, how far
        the mean moves, and, for comparison, the standard deviation from seed to seed, in
        points.""",
        table("variant|accuracy|one seed|mean|sd of the seeds".split("|"), rows),
    )


if __name__ == "__main__":
    main()
