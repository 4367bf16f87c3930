"""What is to be held against its rivals: the candidate, from word ranks to predictions.

usage   python -m benchmarks.ours [SEEDS]
reads   params.yaml, data/reviews/
prints  JSON: the seconds, the peak memory, the accuracy of the mean of all seeds' probabilities

As the stages vectorize, train and evaluate do it, but in one process, and without validation
reviews being predicted. Each seed is trained twice: to see how many epochs are best, and anew.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.clock import Clock
from stages.train import train_all
from stages.vectorize import validation_size
from workflow.base.files import REVIEWS, ReviewFacts, read_json
from workflow.base.reviews import load_arrays, load_reviews, save_reviews
from workflow.features.encoders import make_encoder
from workflow.model import network
from workflow.model.training import TrainingData
from workflow.params import load_params

SPLITS = "training", "test"
clock = Clock()
params = load_params()
recipe, name = params.recipe("candidate"), params.features_of("candidate")
seeds = range(1, 1 + int(sys.argv[1])) if sys.argv[1:] else params.train.all_seeds
facts = read_json(REVIEWS / "facts.json", ReviewFacts)
reviews = {split: load_reviews(split) for split in SPLITS}
with tempfile.TemporaryDirectory() as temporary:
    folder = Path(temporary)
    clock.restart()
    encoder = make_encoder(name, params.features, reviews["training"], facts.vocabulary)
    for split in SPLITS:
        save_reviews(encoder.encode(reviews[split]), folder, split)
    training, test = (
        load_arrays(folder, split, len(reviews[split]), encoder.columns, weighted=name == "ngrams")
        for split in SPLITS
    )
    clock.lap("vectorize")
    size = validation_size(len(training), params.data.validation)
    trained = train_all(recipe, TrainingData(training, size, encoder.columns), seeds)
    clock.lap("train")
    model, plain = (network.build(recipe, encoder.columns, 0, plain=p) for p in (False, True))
    predict = network.predict(
        model, network.batches(test, encoder.columns, network.EVALUATION_BATCH)
    )
    total = np.zeros(len(test))
    for of_seed in trained:
        path = folder / "network.keras"
        path.write_bytes(of_seed.archive)
        network.load_weights(model, plain, path)
        total += predict()[0]
    clock.lap("evaluate")
    clock.facts["accuracy"] = float(np.mean((total / len(trained) > 0.5) == test.labels))
clock.facts["columns"] = encoder.columns
clock.facts["seconds"] = sum(clock.seconds[part] for part in ("vectorize", "train", "evaluate"))
clock.print()
