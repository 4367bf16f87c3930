"""Reviews of one film: neighbours in the archive, before Keras shuffles them.

In the archive all positive reviews come first, then all negative ones; of either label, those of a
film stand together. A film has at most 30 reviews. `make_corpus` shuffles as Keras does, so that
every review's place before is known.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrained import Bits, Vectors
from workflow.base.reviews import Reviews
from workflow.evaluation.significance import difference
from workflow.model.training import TrainingData

FILM = 30  # reviews at most
BLOCK = 100  # reviews, of some films; those at its ends may be cut
HALF = 25_000


class Places(NamedTuple):
    """Where each training and each test review stood in the archive."""

    training: NDArray[np.int64]
    test: NDArray[np.int64]

    def of(self, split: str, reviews: int) -> NDArray[np.int64]:
        return {"validation": self.training, "test": self.test}[split][:reviews]


def find_places() -> Places:
    """The shuffle of `workflow.text.sources.corpus.make_corpus` undone."""
    random = np.random.RandomState(113)
    orders = []
    for _ in range(2):
        order = np.arange(HALF)
        random.shuffle(order)
        orders.append(order)
    return Places(*orders)


def widening(
    ours: NDArray[np.bool_],
    theirs: NDArray[np.bool_],
    place: NDArray[np.int64],
    labels: NDArray[np.uint8],
) -> tuple[float, float]:
    """How much wider an interval must be because neighbours are alike, and its standard error.

    `difference` takes reviews for independent. Their mean has as much more variance as the products
    of the deviations of any two neighbours sum up to, divided by R²; deviations are from the mean
    of the label, of which either has as many reviews whatever is drawn. The standard error is that
    of independent reviews.
    """
    values = ours.mean(axis=0) - theirs.mean(axis=0)
    for label in (0, 1):
        values[labels == label] -= values[labels == label].mean()
    row, known = np.zeros(HALF), np.zeros(HALF)
    row[place], known[place] = values, 1
    lags = range(1, FILM)
    products = 2 * sum(float(row[:-lag] @ row[lag:]) for lag in lags)
    pairs = sum(float(known[:-lag] @ known[lag:]) for lag in lags)
    error = 2 * pairs**0.5 * float(values.var())
    variance = difference(ours, theirs).deviation ** 2 * len(values) ** 2
    wider = max(0.0, 1 + products / variance) ** 0.5
    return wider - 1, error / variance / 2 / max(wider, 0.5)


def whole_films(vectors: Vectors, places: Places) -> tuple[Vectors, Places]:
    """The same reviews, as many of them validating, but whole blocks of neighbours."""
    random = np.random.default_rng(1)
    size, half = vectors.data.validation_reviews, HALF // BLOCK // 2  # blocks of either label
    drawn = round(size / BLOCK / 2)
    chosen = np.concatenate([random.permutation(half)[:drawn] + half * k for k in (0, 1)])
    validates = np.isin(places.training // BLOCK, chosen)
    rows = np.concatenate([np.flatnonzero(validates), np.flatnonzero(~validates)])
    training = rearranged(vectors.data.training, rows)
    data = TrainingData(training, int(validates.sum()), vectors.data.columns)
    return Vectors(data, vectors.test), places._replace(training=places.training[rows])


def rearranged(reviews: Reviews, rows: NDArray[np.int64]) -> Reviews:
    """These reviews, in this order."""
    lengths = np.diff(reviews.offsets)[rows]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    flat = np.repeat(reviews.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
    weights = None if reviews.weights is None else reviews.weights[flat]
    return Reviews(reviews.values[flat], offsets, reviews.labels[rows], weights)


class Gap(NamedTuple):
    """Validation accuracy minus test accuracy of the same networks."""

    points: float
    error: float  # standard error, of reviews whose neighbours are alike

    def __str__(self) -> str:
        return f"{self.points:+.2f} ± {self.error:.2f}"


def gap(bits: Bits, vectors: Vectors, places: Places) -> Gap:
    variance = 0.0
    for split, ours in bits.items():
        labels = np.asarray(vectors.split(split).labels)
        nothing = np.zeros_like(ours)
        wider, _ = widening(ours, nothing, places.of(split, len(labels)), labels)
        variance += (difference(ours, nothing).deviation * (1 + wider)) ** 2
    points = float(bits["validation"].mean() - bits["test"].mean())
    return Gap(100 * points, 100 * variance**0.5)
