"""The variant `single` in one process, part by part, to compare with notebook.py.

usage   python -m benchmarks.project
reads   params.yaml, data/reviews/
prints  JSON: the seconds that each part took, and the bytes of the vectors
"""

import tempfile
from pathlib import Path

from benchmarks.clock import Clock
from workflow.base.reviews import load_arrays, load_reviews, save_reviews, split_validation
from workflow.evaluation.scores import classification_scores
from workflow.features.multi_hot import MultiHotEncoder
from workflow.model import network, training
from workflow.params import load_params

params = load_params()
recipe = params.recipe("single")
encoder = MultiHotEncoder(params.features.multi_hot)
reviews = {split: load_reviews(split) for split in ("training", "test")}

with tempfile.TemporaryDirectory() as temporary:
    folder = Path(temporary)
    clock = Clock()
    for split, side in reviews.items():
        save_reviews(encoder.encode(side), folder, split)
    training_vectors, test = (
        load_arrays(folder, split, len(side), encoder.columns, weighted=False)
        for split, side in reviews.items()
    )
    clock.lap("vectorize")
    validation, train = split_validation(training_vectors, 10_000)
    model, _ = training.fit(recipe, encoder.columns, 1, recipe.epochs, train, validation)
    clock.lap("fit")
    batches = network.batches(test, encoder.columns, network.EVALUATION_BATCH)
    classification_scores(test.labels, network.predict(model, batches)()[0])
    clock.lap("evaluate")
    clock.print(bytes=sum(path.stat().st_size for path in folder.iterdir()))
