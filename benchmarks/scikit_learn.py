"""What scikit-learn takes for n-grams alone, and for telling positive reviews by them.

usage   python -m benchmarks.scikit_learn separate|together|logistic|svc|texts [C]
reads   data/reviews/
prints  JSON: the seconds, the peak memory, and columns or accuracies
writes  training.txt, test.txt, if asked for texts: what fasttext_rival.py reads

`separate` and `together` are CountVectorizer on lists of words that are made before the clock runs:
its n-grams found in the training reviews, as here, or in all 50,000 at once. `logistic` and `svc`
go from texts to predictions. With C, they are trained on the notebook's 15,000 reviews and show how
good that C is on its 10,000 for validation: which is how the C below was chosen, of 1, 10, 100 and
1000 and of 0.1, 1 and 10. (With C = 10 the latter is 0.07 points better, and takes thrice as long.)
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from benchmarks.clock import Clock
from workflow.base.files import REVIEWS
from workflow.base.reviews import Reviews, load_reviews

CHOSEN = {"logistic": 100.0, "svc": 1.0}
VALIDATION = 10_000
clock = Clock()


def tokens(reviews: Reviews) -> list[list[str]]:
    """The words of each review."""
    words = ["", *json.loads((REVIEWS / "word_index.json").read_text("utf-8"))]
    offsets = reviews.offsets.tolist()
    flat = [words[rank] for rank in reviews.values.tolist()]
    return [flat[a:b] for a, b in pairwise(offsets)]


def texts(reviews: Reviews) -> list[str]:
    return [" ".join(review) for review in tokens(reviews)]


def count(*, together: bool) -> None:
    """The n-grams that the feature set ngrams has, without their weights."""
    vectorizer = CountVectorizer(
        analyzer="word", tokenizer=list, preprocessor=list, token_pattern=None, lowercase=False,
        ngram_range=(1, 3), min_df=2, binary=True,
    )  # fmt: skip
    train, test = (tokens(load_reviews(split)) for split in ("training", "test"))
    clock.restart()
    if together:
        vectorizer.fit_transform(train + test)
    else:
        vectorizer.fit_transform(train)
        vectorizer.transform(test)
    clock.lap("seconds")
    clock.facts["columns"] = len(vectorizer.vocabulary_)


def classify(name: str, c: float | None) -> None:
    """TF-IDF of the same words as everywhere here, and a linear model."""
    n, fewest, model = {
        "logistic": (2, 1, LogisticRegression(C=c or CHOSEN["logistic"], max_iter=1000)),
        "svc": (3, 2, LinearSVC(C=c or CHOSEN["svc"])),
    }[name]
    vectorizer = TfidfVectorizer(tokenizer=str.split, token_pattern=None, lowercase=False,
        ngram_range=(1, n), min_df=fewest,
    )  # fmt: skip
    train = load_reviews("training")
    validation, rest = train.between(0, VALIDATION), train.between(VALIDATION, len(train))
    train, test = (train, load_reviews("test")) if c is None else (rest, validation)
    train_texts, test_texts = texts(train), texts(test)
    clock.restart()
    model.fit(vectorizer.fit_transform(train_texts), np.asarray(train.labels))
    predicted = model.predict(vectorizer.transform(test_texts))
    clock.lap("seconds")
    clock.facts["columns"] = len(vectorizer.vocabulary_)
    clock.facts["C"] = model.C
    clock.facts["accuracy"] = float(np.mean(predicted == test.labels))


def write_texts() -> None:
    for split in ("training", "test"):
        reviews = load_reviews(split)
        lines = zip(reviews.labels.tolist(), texts(reviews), strict=True)
        content = "".join(f"__label__{label} {text}\n" for label, text in lines)
        Path(f"{split}.txt").write_text(content, "utf-8")


if __name__ == "__main__":
    task, *setting = sys.argv[1:]
    if task == "texts":
        write_texts()
    elif task in CHOSEN:
        classify(task, float(setting[0]) if setting else None)
    else:
        count(together=task == "together")
    clock.print()
