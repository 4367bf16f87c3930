"""Stage train@VARIANT: one variant, once per seed.

usage   python -m stages.train VARIANT
reads   params.yaml (train, variants.VARIANT and its recipe), data/FEATURES/ (training, encoder)
writes  models/VARIANT/seed-N.keras    plain Keras
                       encoder/        turns a review into the input of these networks
                       validation.npy  with refit: probabilities of the first fits, (seeds, reviews)
        plots/history/VARIANT.csv      a row per seed, fit, epoch and split

With `refit` each seed is trained twice: first on the train split, to find on the validation split
after how many epochs it is best; then from the start on both splits together for that many epochs.
The second network is kept.
"""

import shutil

import numpy as np
import pandas as pd

from workflow.base import files
from workflow.base.errors import InputError, run, warn
from workflow.base.files import HISTORY, FeatureFacts
from workflow.base.reviews import load_vectors
from workflow.params import item_from_argv, load_params


def main() -> None:
    params = load_params()
    name = item_from_argv()
    # After the parameters are checked, because TensorFlow takes seconds to import.
    from workflow.model.training import TrainingData, train_all  # noqa: PLC0415

    recipe, seeds = params.recipe(name), params.train.all_seeds
    features = params.features_of(name)
    folder = files.features_folder(features)
    facts: FeatureFacts = files.read_json(folder / "facts.json", FeatureFacts)
    data = TrainingData(load_vectors(folder, "training"), facts.validation_reviews, facts.columns)
    try:
        recipe.check_size(name, data.columns)
    except ValueError as error:
        raise InputError(f"params.yaml: {error}") from None
    refit = ", then a refit" if recipe.refit else ""
    print(
        f"{name}: {len(seeds)} seeds on {facts.columns:,} columns of {features}, "
        f"at most {recipe.epochs} epochs each{refit}",
        flush=True,
    )
    results = train_all(recipe, data, seeds)

    models = files.empty_folder(files.MODELS / name)
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
    print(f"{name}: mean validation accuracy {kept.mean():.4f}")
    positive = data.training.labels[: facts.validation_reviews].mean()
    if kept.mean() <= max(positive, 1 - positive):
        warn(f"{name}: no better than always predicting the more frequent label")


if __name__ == "__main__":
    run(main)
