"""How far the metrics move when sums are rounded otherwise, as by another kind of processor.

usage   python -m benchmarks.rounding
reads   params.yaml, data/FEATURES/, metrics/scores.csv
writes  benchmarks/rounding.md

Every seed of every variant is trained again by Keras's own layer and optimizers. They compute the
same sums in another order, so that every step is rounded otherwise, from the first one on. Not so
with `lazy`, for which Keras has nothing that does the same, nor with `naive_bayes`, whose scale
Keras's own layer has not: such variants are left out.
"""

import functools
from pathlib import Path
from unittest import mock

import pandas as pd

from benchmarks.measure import table
from benchmarks.retrained import correct, load
from stages.train import train_all
from workflow import network
from workflow.params import Params, load_params
from workflow.results import read_scores
from workflow.storage import HELD_OUT, SCORES

RESULTS = Path(__file__).with_suffix(".md")


def otherwise(params: Params, variant: str) -> pd.DataFrame:
    """The accuracies of each seed, on validation and test reviews, rounded otherwise."""
    recipe, vectors = params.recipe(variant), load(params, variant)
    with mock.patch.object(network, "build", functools.partial(network.build, plain=True)):
        trained = train_all(recipe, vectors.data, params.train.all_seeds)
    bits = correct(recipe, vectors, trained)
    return pd.DataFrame({f"{split}_accuracy": bits[split].mean(axis=1) for split in HELD_OUT})


def main() -> None:
    params = load_params()
    scores = read_scores(SCORES, params.variants, params.train.all_seeds)
    recipes = {variant: params.recipe(variant) for variant in params.variants}
    left_out = [name for name, recipe in recipes.items() if recipe.lazy or recipe.naive_bayes]
    rows, seed, mean = [], 0.0, 0.0
    for variant in params.variants:
        if variant in left_out:
            continue
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
    without = f"\nWithout {', '.join(f'`{v}`' for v in left_out)}: for `lazy` and `naive_bayes` "
    without += "Keras has nothing that\ndoes the same with sums in another order.\n"
    RESULTS.write_text(
        f"""With every sum in another order, the accuracy of a seed moves by up to {seed:.2f} points
and the mean of all seeds by up to {mean:.2f} points.

Written by `make rounding`: how far the accuracy of one seed moves at most, how far the mean moves,
and, for comparison, the standard deviation from seed to seed, in points.

{table(rows)}
{without if left_out else ""}""",
        "utf-8",
    )


if __name__ == "__main__":
    main()
