"""How much higher validation accuracy is than test accuracy: what `make optimism` runs.

usage   python -m benchmarks.optimism
reads   params.yaml, data/FEATURES/, metrics/
writes  benchmarks/optimism.md

Both are of networks trained on the train split alone: with `refit`, they are trained again without.
"""

import math

import numpy as np
from tqdm import tqdm

from benchmarks.measure import write_page
from benchmarks.retrained import Bits, load, train_again
from workflow.base.files import CORRECT, HELD_OUT
from workflow.evaluation.results import read_correct
from workflow.evaluation.significance import difference
from workflow.params import Params, load_params
from workflow.report.review_page import table


def first_fits(params: Params, variant: str) -> Bits:
    """What the networks that were trained on the train split alone get right."""
    recipe = params.recipe(variant)
    if not recipe.refit:
        return read_correct(CORRECT / f"{variant}.npz").by_split
    recipe = recipe.model_copy(update={"refit": False})
    return train_again(recipe, load(params, variant), params.train.all_seeds)


def main() -> None:
    params = load_params()
    gaps, rows = [], []
    for variant in tqdm(params.variants):
        bits = first_fits(params, variant)
        of_splits = [difference(bits[split], np.zeros_like(bits[split])) for split in HELD_OUT]
        validation, test = (d.mean for d in of_splits)
        error = math.hypot(*(d.deviation for d in of_splits))
        gaps.append(100 * (validation - test))
        gap = f"{gaps[-1]:+.2f} ± {100 * error:.2f}"
        rows.append([f"`{variant}`", f"{validation:.2%}", f"{test:.2%}", gap])
    write_page(
        "optimism",
        f"""Networks trained on the train split alone have {min(gaps):.1f} to {max(gaps):.1f}
        points more on validation than on test.""",
        f"""Written by `make optimism`: means over {params.train.seeds} seeds; the gap with its
        standard error, which takes reviews as independent. Variants with `refit` are trained
        here without it, so that all of them have seen the same reviews.""",
        table("variant|validation|test|gap, points".split("|"), rows),
    )


if __name__ == "__main__":
    main()
