"""Stage train@VARIANT: one variant, once per seed.

usage   python -m stages.train VARIANT
reads   params.yaml (train, variants.VARIANT and its recipe), data/FEATURES/ (training, encoder)
writes  models/VARIANT/seed-N.keras    plain Keras
                       encoder/        what makes its input of a review
                       validation.npy  with refit: what the first fits say, (seeds, reviews) float32
        plots/history/VARIANT.csv      a row per seed, fit, epoch and split

With `refit` each seed is trained twice: first on the train split, so that the validation split
tells after how many epochs it is best; then anew, for so many epochs, on both splits together. The
second network is the one that is kept.
"""

import functools
import shutil

import numpy as np
import pandas as pd

from workflow.errors import InputError, run
from workflow.params import argument, load_params
from workflow.recipe import Recipe
from workflow.seeds import for_every_seed, spread
from workflow.storage import (
    HISTORY,
    MODELS,
    FeatureFacts,
    features_folder,
    load_vectors,
    read_json,
    whole_folder,
)
from workflow.training import Data, Trained, train


def train_all(recipe: Recipe, data: Data, seeds: range) -> list[Trained]:
    """`train` for every seed, in order of the seeds."""
    fits = 2 if recipe.refit else 1
    return for_every_seed(functools.partial(train, recipe), data, seeds, fits * recipe.epochs)


def main() -> None:
    params = load_params()
    name = argument()
    recipe, seeds = params.recipe(name), params.train.all_seeds
    folder = features_folder(params.features_of(name))
    facts: FeatureFacts = read_json(folder / "facts.json", FeatureFacts)
    data = Data(load_vectors(folder, "training"), facts.validation_reviews, facts.columns)
    try:
        recipe.check_size(name, data.columns)
    except ValueError as error:
        raise InputError(f"params.yaml: {error}") from None
    results = train_all(recipe, data, seeds)
    with whole_folder(MODELS / name) as models:
        for seed, trained in zip(seeds, results, strict=True):
            (models / f"seed-{seed}.keras").write_bytes(trained.archive)
        if first_fits := [t.validation for t in results if t.validation is not None]:
            np.save(models / "validation.npy", np.stack(first_fits))
        shutil.copytree(folder / "encoder", models / "encoder")
    histories = pd.concat([trained.history for trained in results])
    histories.insert(0, "variant", name)
    HISTORY.mkdir(parents=True, exist_ok=True)
    histories.to_csv(HISTORY / f"{name}.csv", index=False, float_format="%.6f")
    kept = histories.query("kept == 1 and split == 'validation'")["accuracy"]
    print(f"{name}: {len(seeds)} seeds, validation accuracy {spread(kept)}")


if __name__ == "__main__":
    run(main)
