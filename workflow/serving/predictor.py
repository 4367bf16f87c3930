"""A trained variant applied to texts. It needs nothing but the variant's folder in models/.

Importing this module imports TensorFlow, which takes seconds.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, logsumexp

from workflow.base.errors import InputError, reading
from workflow.base.files import RERUN_HINT, how_to_get_results
from workflow.base.labels import is_positive
from workflow.base.reviews import Reviews
from workflow.features.encoders import load_encoder
from workflow.features.multi_hot import OUT_OF_VOCABULARY, START
from workflow.model.libraries import keras, tf
from workflow.model.network import memory_errors  # and sums that are the same on any cores
from workflow.text.vocabulary import Vocabulary

# Columns of multi-hot vectors that stand for no word of the vocabulary.
RESERVED = {START: "(start)", OUT_OF_VOCABULARY: "(rare words)"}
SHOWN = 5  # contributions in each direction
MIN_SHOWN = 0.005  # in log-odds; smaller contributions are not shown


class Predictor:
    """The networks of a variant, one for each seed, and what makes their input from a text.

    Attributes:
        vocabulary: makes word ranks from texts.
        encoder: makes vectors from word ranks.
        networks: by seed; each maps (n, columns) sparse float32 to (n, 1) probabilities.
    """

    def __init__(self, folder: Path) -> None:
        """Load models/VARIANT; InputError if it is missing or damaged."""
        paths = sorted(folder.glob("seed-*.keras"), key=lambda path: (len(path.name), path.name))
        if not paths:
            raise InputError(f"{folder}: no trained model; {how_to_get_results()}")
        self.vocabulary = Vocabulary.load(folder / "encoder")
        self.encoder = load_encoder(folder / "encoder")
        self.networks = [load(path, self.encoder.columns) for path in paths]

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(seeds, texts): each seed's probability that a text is positive."""
        parts = [np.empty((0, len(self.networks)), np.float32)]
        for block in self.encoder.encode(self.vocabulary.encode(texts)):
            vectors = sparse(block, self.encoder.columns)
            by_seed = [network(vectors, training=False) for network in self.networks]
            parts.append(np.concatenate(by_seed, axis=1))
        return np.concatenate(parts).T

    def contributions(self, text: str) -> list[tuple[str, float]]:
        """Each word or n-gram of a text, and how much it adds to the log-odds of being positive.

        The contribution of a column is what the log-odds of the mean probability, log(p / (1 - p)),
        fall by if it is taken out of the review and all else stays: without "good", the pair
        "not good" is still there. So contributions need not add up to the log-odds.

        Returns:
            The largest first.
        """
        (vectors,) = self.encoder.encode(self.vocabulary.encode([text]))
        columns = vectors.values.astype(np.int64)
        weights = column_weights(vectors)
        log_odds = np.stack([leave_one_out(n, columns, weights) for n in self.networks])
        # log(p / (1 - p)) with p the mean of the seeds, exact also where p is nearly 0 or 1.
        mean = logsumexp(log_expit(log_odds), axis=0) - logsumexp(log_expit(-log_odds), axis=0)
        contributions = mean[0] - mean[1:]
        order = np.argsort(-contributions, kind="stable")
        names = [
            self.vocabulary.decode(ranks) or RESERVED[column]
            for ranks, column in zip(
                self.encoder.words(columns[order]), columns[order].tolist(), strict=True
            )
        ]
        return list(zip(names, contributions[order].tolist(), strict=True))

    def answers(self, texts: Sequence[str], *, explain: bool) -> Iterator[dict[str, Any]]:
        """What `make predict` says of each text: probabilities, words, what contributed most."""
        ranks = self.vocabulary.ranks
        for text, by_seed in zip(texts, self.predict(texts).T.astype(float), strict=True):
            mean, words = float(by_seed.mean()), self.vocabulary.tokenize(text)
            answer: dict[str, Any] = {
                "probability": round(mean, 6),
                "lowest": round(by_seed.min(), 6),
                "highest": round(by_seed.max(), 6),
                "agree": int((is_positive(by_seed) == is_positive(mean)).sum()),
                "seeds": len(by_seed),
                "known": sum(word in ranks for word in words),
                "unknown": [word for word in dict.fromkeys(words) if word not in ranks],
            }
            if explain:
                shown = strongest(self.contributions(text), SHOWN)
                for key, values in zip(("for", "against"), shown, strict=True):
                    answer[key] = {name: round(value, 4) for name, value in values.items()}
            yield answer


def strongest(contributions: list[tuple[str, float]], number: int) -> list[dict[str, float]]:
    """Up to `number` contributions for positive, and for negative; those given are in order."""
    positive = [pair for pair in contributions if pair[1] >= MIN_SHOWN]
    negative = [pair for pair in reversed(contributions) if pair[1] <= -MIN_SHOWN]
    return [dict(positive[:number]), dict(negative[:number])]


def load(path: Path, columns: int) -> keras.Sequential:
    """A network that takes vectors of so many columns; else InputError."""
    with reading(path, RERUN_HINT):
        with memory_errors():
            loaded = keras.models.load_model(path, compile=False)
        if loaded.input_shape != (None, columns):
            raise ValueError(f"it takes {loaded.input_shape[1]} columns, its encoder has {columns}")
        return loaded


def column_weights(vectors: Reviews) -> NDArray[np.float32]:
    """The values in the columns that are not 0."""
    return np.ones(len(vectors.values), np.float32) if vectors.weights is None else vectors.weights


def sparse(vectors: Reviews, columns: int) -> tf.SparseTensor:
    """Vectors as a network takes them: (n, columns) float32."""
    rows = np.repeat(np.arange(len(vectors)), np.diff(vectors.offsets))
    indices = np.column_stack([rows, vectors.values.astype(np.int64)])
    return tf.SparseTensor(indices, column_weights(vectors), (len(vectors), columns))


def leave_one_out(
    network: keras.Sequential, columns: NDArray[np.int64], weights: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(1 + columns,): log-odds of a review, first whole, then without each of its columns.

    The first layer's sum is linear in the columns, so a column is taken out by a subtraction, and
    the time is that of 1 + columns reviews of one column.
    """
    layers = layers_with_kernel(network)
    parts = tf.gather(layers[0].kernel.value, columns) * weights[:, None]
    whole = tf.reduce_sum(parts, axis=0)
    products = tf.concat([whole[None], whole - parts], axis=0)
    return np.asarray(log_odds(layers, products), np.float64)


def layers_with_kernel(network: keras.Sequential) -> list[keras.layers.Dense]:
    """All but dropout."""
    return [layer for layer in network.layers if hasattr(layer, "kernel")]


def log_odds(layers: list[keras.layers.Dense], products: Any) -> Any:
    """(n,) log-odds from the products of n reviews and the first kernel, (n, units).

    The activation of the last layer, a sigmoid, is left out.
    """
    sums = products + layers[0].bias.value
    for before, layer in pairwise(layers):
        sums = tf.matmul(before.activation(sums), layer.kernel.value) + layer.bias.value
    return sums[:, 0]
