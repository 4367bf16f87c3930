"""Variants trained again in this process, with other settings than those in params.yaml."""

from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workflow.base.files import HELD_OUT, FeatureFacts, features_folder, read_json
from workflow.base.labels import is_positive
from workflow.base.reviews import Reviews, load_vectors, split_validation
from workflow.model import network
from workflow.model.params import Recipe
from workflow.model.training import Trained, TrainingData, train_all
from workflow.params import Params

Bits = dict[str, NDArray[np.bool_]]  # for validation and test, (seeds, reviews)


class Vectors(NamedTuple):
    """What a variant is trained on, and what it is tested with."""

    data: TrainingData
    test: Reviews


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
    validation, _ = split_validation(vectors.data.training, vectors.data.validation_reviews)
    bits = {}
    for split, reviews in zip(HELD_OUT, (validation, vectors.test), strict=True):
        batches = network.batches(reviews, columns, network.EVALUATION_BATCH)
        predict = network.predict(model, batches)
        probabilities = []
        for of_seed in trained:
            if split == "validation" and of_seed.validation is not None:
                probabilities.append(of_seed.validation)
                continue
            with NamedTemporaryFile(suffix=".keras") as file:
                Path(file.name).write_bytes(of_seed.archive)
                network.load_weights(model, plain, Path(file.name))
            probabilities.append(predict()[0])
        bits[split] = is_positive(np.stack(probabilities)) == reviews.labels
    return bits


def train_again(recipe: Recipe, vectors: Vectors, seeds: range) -> Bits:
    return correct(recipe, vectors, train_all(recipe, vectors.data, seeds))
