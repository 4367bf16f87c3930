"""Variants trained again in this process, otherwise than params.yaml says."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.train import train_all
from workflow.base.files import HELD_OUT, FeatureFacts, features_folder, read_json
from workflow.base.reviews import Reviews, load_vectors
from workflow.model import network
from workflow.model.params import Recipe
from workflow.model.training import Trained, TrainingData
from workflow.params import Params

Bits = dict[str, NDArray[np.bool_]]  # for validation and test, (seeds, reviews)


class Vectors(NamedTuple):
    """What a variant is trained on, and what it is tested with."""

    data: TrainingData
    test: Reviews

    def split(self, name: str) -> Reviews:
        validation = self.data.training.between(0, self.data.validation_reviews)
        return {"validation": validation, "test": self.test}[name]


def load(params: Params, variant: str) -> Vectors:
    """What the stage train has."""
    folder = features_folder(params.features_of(variant))
    facts: FeatureFacts = read_json(folder / "facts.json", FeatureFacts)
    data = TrainingData(load_vectors(folder, "training"), facts.validation_reviews, facts.columns)
    return Vectors(data, load_vectors(folder, "test"))


def correct(recipe: Recipe, vectors: Vectors, trained: list[Trained]) -> Bits:
    """What each seed gets right; of the validation reviews, before it is refitted on them."""
    columns = vectors.data.columns
    model, plain = (network.build(recipe, columns, 0, plain=p) for p in (False, True))
    splits = {split: vectors.split(split) for split in HELD_OUT}
    predict = {
        split: network.predict(model, network.batches(reviews, columns, network.EVALUATION_BATCH))
        for split, reviews in splits.items()
    }
    found: dict[str, list[NDArray[np.float32]]] = {split: [] for split in HELD_OUT}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        for of_seed in trained:
            path.write_bytes(of_seed.archive)
            network.load_weights(model, plain, path)
            for split in HELD_OUT:
                found[split].append(predict[split]()[0])
    if recipe.refit:
        found["validation"] = [t.validation for t in trained if t.validation is not None]
    return {
        split: (np.stack(found[split]) > 0.5) == reviews.labels for split, reviews in splits.items()
    }


def train_again(recipe: Recipe, vectors: Vectors, seeds: range) -> Bits:
    """The same of seeds that are trained now."""
    return correct(recipe, vectors, train_all(recipe, vectors.data, seeds))
