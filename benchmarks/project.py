"""The project's way in one process, part by part, to hold against notebook.py.

usage   python -m benchmarks.project FOLDER
reads   FOLDER, with the two files of keras.datasets.imdb; params.yaml
prints  JSON: the seconds that each part took, and the accuracies
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.clock import Clock, epoch_times

clock = Clock()

from stages import download, evaluate, network, train, vectorize
from workflow.params import load_params
from workflow.storage import Reviews, save_blocks, write_json

clock.lap("import")

params = load_params()
num_words = params.features.multi_hot.num_words
files = (Path(sys.argv[1], name).read_bytes() for name in ("imdb.npz", "imdb_word_index.json"))
corpus = download.parse_archive(*files)
clock.lap("load")

token_lists = {
    split: [reviews.between(i, i + 1).values.tolist() for i in range(len(reviews))]
    for split, reviews in (("train", corpus.train), ("test", corpus.test))
}
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
clock.restart()
for split, reviews in (("train", corpus.train), ("test", corpus.test)):
    flat = download.flatten(token_lists[split], reviews.labels, len(corpus.word_index))
    blocks = (vectorize.multi_hot(block, num_words) for block in flat.blocks(vectorize.BLOCK))
    save_blocks(blocks, folder, split)
clock.lap("vectorize")

facts = {"source": "keras", "sha256": "", "vocabulary": num_words, "test_reviews": len(corpus.test)}
write_json(folder / "facts.json", facts)
everything, test = Reviews.load(folder, "train"), Reviews.load(folder, "test")
validation, training = everything.between(0, 10_000), everything.between(10_000, 25_000)
for name in ("single", "single_regularized", "three_regularized"):
    variant, times = params.variant(name), epoch_times()
    clock.restart()
    _, history = train.train(variant, num_words, 1, training, validation, [times])
    clock.lap(f"{name} fit")
    predict = evaluate.predict(
        network.last.network, network.batches(test, num_words, network.EVALUATION_BATCH)
    )
    scores = evaluate.classification_scores(test.labels, predict()[0])
    clock.lap(f"{name} evaluate")
    last = history.query("split == 'validation'").iloc[-1]
    clock.seconds[f"{name} epoch"] = times.median()
    clock.facts[f"{name} validation accuracy"] = last["accuracy"]
    clock.facts[f"{name} test accuracy"] = scores["accuracy"]
clock.facts["vectors bytes"] = sum(path.stat().st_size for path in folder.iterdir())
clock.print()
