"""The project's way in one process, part by part, to hold against notebook.py.

usage   python -m benchmarks.project FOLDER
reads   FOLDER, with the two files of keras.datasets.imdb; params.yaml
prints  JSON: the seconds that each part took, and the accuracies
"""

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.clock import Clock, median_step

clock = Clock()

from workflow.base.reviews import load_arrays, save_reviews
from workflow.evaluation.scores import classification_scores
from workflow.features.multi_hot import MultiHotEncoder
from workflow.model import network, training
from workflow.params import load_params
from workflow.text.imdb import flatten, parse_archive

clock.lap("import")

params = load_params()
encoder = MultiHotEncoder(params.features.multi_hot)
files = (Path(sys.argv[1], name).read_bytes() for name in ("imdb.npz", "imdb_word_index.json"))
corpus = parse_archive(*files)
clock.lap("load")

splits = {"training": corpus.training, "test": corpus.test}
token_lists = {
    split: [reviews.between(i, i + 1).values.tolist() for i in range(len(reviews))]
    for split, reviews in splits.items()
}
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
clock.restart()
for split, reviews in splits.items():
    flat = flatten(token_lists[split], reviews.labels, len(corpus.word_index))
    save_reviews(encoder.encode(flat), folder, split)
clock.lap("vectorize")

everything, test = (
    load_arrays(folder, split, len(reviews), encoder.columns, weighted=False)
    for split, reviews in splits.items()
)
validation, train = everything.between(0, 10_000), everything.between(10_000, 25_000)
ends: list[float] = []


def report(_: str) -> bool:
    """Called at the end of each epoch: go on."""
    ends.append(time.perf_counter())
    return True


for name in ("single", "single_regularized", "three_regularized"):
    recipe = params.recipe(name)
    ends.clear()
    clock.restart()
    model, history = training.fit(
        recipe, encoder.columns, 1, recipe.epochs, train, validation, report
    )
    clock.lap(f"{name} fit")
    batches = network.batches(test, encoder.columns, network.EVALUATION_BATCH)
    probabilities, _ = network.predict(model, batches)()
    scores = classification_scores(test.labels, probabilities)
    clock.lap(f"{name} evaluate")
    last = history.query("split == 'validation'").iloc[-1]
    clock.seconds[f"{name} epoch"] = median_step(ends)
    clock.facts[f"{name} validation accuracy"] = last["accuracy"]
    clock.facts[f"{name} test accuracy"] = scores["accuracy"]
clock.facts["vectors bytes"] = sum(path.stat().st_size for path in folder.iterdir())
clock.print()
