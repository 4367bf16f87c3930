"""fastText on texts that rivals.py wrote; it needs nothing of this project.

usage   python benchmarks/fasttext_rival.py TRAIN TEST [RATE]
reads   TRAIN, TEST, a line per review: __label__1 or __label__0, a space, its words
prints  JSON: the seconds, the peak memory, the accuracy

Words and bigrams, five epochs, ten dimensions, as in Joulin et al., "Bag of Tricks for Efficient
Text Classification" (2017); the learning rate, as there, is the best on validation reviews: of
0.05, 0.1, 0.25, 0.5, 1, 2 and 4 on the notebook's.
"""

import importlib
import json
import resource
import sys
import time
from pathlib import Path

CHOSEN = "2.0"

fasttext = importlib.import_module("fasttext")  # it may not be there
train, test, rate = [*sys.argv[1:], CHOSEN][:3]
content = Path(test).read_bytes().decode().removesuffix("\n")  # some words have odd line ends
lines = [line.split(" ", 1) for line in content.split("\n")]
start = time.perf_counter()
model = fasttext.train_supervised(
    train, lr=float(rate), epoch=5, dim=10, wordNgrams=2, thread=2, verbose=0
)
predicted, _ = model.predict([text for _, text in lines])
seconds = time.perf_counter() - start
right = sum(line[0] == labels[0] for line, labels in zip(lines, predicted, strict=True))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps({"seconds": seconds, "peak MB": peak, "accuracy": right / len(lines)}))
