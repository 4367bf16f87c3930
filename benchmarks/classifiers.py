"""Other classifiers, tuned or tried; each run is a process of its own.

usage   python -m benchmarks.classifiers NAME tune|SETTING
reads   training.txt, test.txt, as benchmarks/texts.py writes them
prints  JSON. `tune`: how many settings there are, the best one and its accuracy on the notebook's
        10,000 validation reviews after training on the other 15,000. SETTING, which is JSON: the
        test accuracy after training on all 25,000.
"""

import importlib
import itertools
import json
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

VALIDATION, TRAIN = slice(10_000), slice(10_000, None)  # of the training reviews
NAIVE_BAYES = {"max_n": (2, 3), "min_reviews": (1, 2, 3), "length": ("mean", "unit")}
BETA = {"beta": (1, 0.5)}
GRIDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "tfidf": {
        "max_n": (1, 2, 3),
        "min_reviews": (1, 2),
        "counts": ("plain", "binary", "sublinear"),
        "C": (0.03, 0.1, 0.3, 1, 3, 10),
    },
    "nb_svm": NAIVE_BAYES | {"model": ("svm",), "C": (0.1, 0.3, 1, 3, 10), **BETA},
    "nb_logistic": NAIVE_BAYES | {"model": ("logistic",), "C": (10, 30, 100, 300, 1000), **BETA},
    "fasttext": {
        "wordNgrams": (1, 2, 3),
        "epoch": (5, 10, 20),
        "lr": (0.05, 0.1, 0.25, 0.5, 1, 2, 4),
    },
}
Setting = dict[str, Any]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)  # compared, and cached, by identity
class Reviews:
    """Some labelled texts; `labels` is True where they are positive."""

    labels: Labels
    texts: list[str]


def read(split: str, rows: slice = slice(None)) -> Reviews:
    content = Path(f"{split}.txt").read_bytes().decode().removesuffix("\n")
    lines = content.split("\n")[rows]  # some words have other line ends
    labels, texts = zip(*(line.split(" ", 1) for line in lines), strict=True)
    return Reviews(np.array(labels) == "__label__1", list(texts))


def tune(name: str) -> dict[str, Any]:
    """The best of all settings on the validation reviews; of equal ones the first."""
    train, validation = (read("training", rows) for rows in (TRAIN, VALIDATION))
    names, values = GRIDS[name].keys(), itertools.product(*GRIDS[name].values())
    settings = [dict(zip(names, setting, strict=True)) for setting in values]
    accuracies = [accuracy(name, setting, train, validation) for setting in settings]
    best = int(np.argmax(accuracies))
    return {"settings": len(settings), "best": settings[best], "validation": accuracies[best]}


def accuracy(name: str, setting: Setting, train: Reviews, test: Reviews) -> float:
    classify = {"tfidf": tfidf, "fasttext": fasttext}.get(name, naive_bayes)
    return float((classify(setting, train, test) == test.labels).mean())


@lru_cache(1)  # most settings of a grid need the same
def count(train: Reviews, test: Reviews, max_n: int, min_reviews: int) -> tuple[Any, Any]:
    """How often each review has each n-gram that is in `min_reviews` training reviews."""
    vectorizer = CountVectorizer(
        tokenizer=lambda text: text.split(" "), token_pattern=None, lowercase=False,
        ngram_range=(1, max_n), min_df=min_reviews, dtype=np.float32,
    )  # fmt: skip
    return vectorizer.fit_transform(train.texts), vectorizer.transform(test.texts)


def tfidf(setting: Setting, train: Reviews, test: Reviews) -> Labels:
    """A linear SVM on TF-IDF vectors."""
    x_train, x_test = count(train, test, setting["max_n"], setting["min_reviews"])
    if setting["counts"] == "binary":
        x_train, x_test = x_train.sign(), x_test.sign()
    transformer = TfidfTransformer(sublinear_tf=setting["counts"] == "sublinear")
    model = LinearSVC(C=setting["C"]).fit(transformer.fit_transform(x_train), train.labels)
    predicted: Labels = model.predict(transformer.transform(x_test))
    return predicted


def naive_bayes(setting: Setting, train: Reviews, test: Reviews) -> Labels:
    """A linear model on n-grams scaled by their naive-Bayes log-count ratios.

    `beta` is its share in an average with a naive-Bayes model: Wang and Manning, "Baselines and
    Bigrams" (2012), section 2.3.
    """
    *others, beta = setting.values()
    weights, intercept, x_test = fit_scaled(train, test, *others)
    weights = beta * weights + (1 - beta) * np.abs(weights).mean()
    predicted: Labels = x_test @ weights + intercept > 0
    return predicted


@lru_cache(1)  # for every `beta`
def fit_scaled(
    train: Reviews,
    test: Reviews,
    max_n: int,
    min_reviews: int,
    length: str,
    model: str,
    c: float,
) -> tuple[NDArray[Any], float, Any]:
    """Weights, intercept, and the vectors of the test reviews."""
    x_train, x_test = (x.sign() for x in count(train, test, max_n, min_reviews))
    of_labels = [x_train[train.labels == label].sum(axis=0) + 1 for label in (True, False)]
    positive, negative = (np.asarray(counts).ravel() / counts.sum() for counts in of_labels)
    ratios = np.log(positive / negative).astype(np.float32)
    x_train, x_test = (x.multiply(ratios[None]).tocsr() for x in (x_train, x_test))
    if length == "unit":
        x_train, x_test = normalize(x_train), normalize(x_test)
    else:  # 1 on average, so that the same C are sensible
        mean = float(scipy.sparse.linalg.norm(x_train, axis=1).mean())
        x_train, x_test = x_train / mean, x_test / mean
    models = {
        "svm": LinearSVC,
        "logistic": partial(LogisticRegression, solver="liblinear", dual=True),
    }
    linear = models[model](C=c).fit(x_train, train.labels)
    return linear.coef_[0], float(linear.intercept_[0]), x_test


def fasttext(setting: Setting, train: Reviews, test: Reviews) -> Labels:
    """Joulin et al., "Bag of Tricks for Efficient Text Classification" (2017)."""
    module = importlib.import_module("fasttext")  # it may not be there
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n") as file:
        for label, text in zip(train.labels, train.texts, strict=True):
            file.write(f"__label__{int(label)} {text}\n")
        file.flush()
        model = module.train_supervised(file.name, dim=10, thread=2, verbose=0, **setting)
    predicted, _ = model.predict(test.texts)
    return np.array([labels[0] == "__label__1" for labels in predicted])


def main() -> None:
    name, setting = sys.argv[1:]
    result: Any
    if setting == "tune":
        result = tune(name)
    else:
        result = accuracy(name, json.loads(setting), read("training"), read("test"))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
