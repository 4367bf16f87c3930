"""A predictor as a graph of TensorFlow's own operations, from texts to probabilities.

It repeats in TensorFlow what workflow.text and workflow.features do in Python.
"""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from workflow.base.errors import InputError
from workflow.features.multi_hot import INDEX_FROM, OUT_OF_VOCABULARY, START, MultiHotEncoder
from workflow.features.ngrams import WORD_BITS, NGramEncoder
from workflow.features.params import NGramParams, PositionWeights
from workflow.serving.predictor import Predictor, layers_with_kernel, log_odds
from workflow.serving.words import Words, WordTables


class Cells(NamedTuple):
    """Entries of a sparse matrix, (entries,) each; there may be several in one place."""

    rows: Any  # int64
    columns: Any  # int64
    weights: Any  # float32


def classifier(predictor: Predictor) -> tf.Module:
    """A module whose `serve` maps (n,) strings in UTF-8 to the probabilities of being positive.

    They are (n,) float32 each: `probability`, the mean of the seeds, `lowest` and `highest`. The
    first kernels, which are nearly all of a network, are kept in float16.

    Raises:
        InputError: the tokenizer cannot be written with TensorFlow's operations.
        TypeError: the encoder cannot.
    """
    encoder, networks, vocabulary = predictor.encoder, predictor.networks, predictor.vocabulary
    if vocabulary.tokenizer == "unicode":
        raise InputError(
            "TensorFlow has no operations for the tokenizer unicode; export a model that was "
            "trained with another data.csv.tokenizer, or use commands.predict"
        )
    module = tf.Module()
    # Only attributes are saved; a Keras network would be saved whole, and twice.
    module.tables = tables = WordTables(vocabulary)
    if isinstance(encoder, NGramEncoder):
        # A variable: as a constant it makes the graph larger than some readers allow.
        module.keys = keys = tf.Variable(encoder.keys, trainable=False)
        cells = functools.partial(n_grams, keys=keys, settings=encoder.params)
    elif isinstance(encoder, MultiHotEncoder):
        cells = functools.partial(multi_hot, num_words=encoder.columns)
    else:
        raise TypeError(f"{type(encoder).__name__}: no such encoder in TensorFlow's operations")

    layers = [layers_with_kernel(network) for network in networks]
    first_kernels = tf.concat([first.kernel.value for first, *_ in layers], axis=1)
    module.kernels = kernels = tf.Variable(half_precision(first_kernels), trainable=False)
    module.others = [
        variable.value
        for own in layers
        for layer in own
        for variable in layer.variables
        if variable is not own[0].kernel
    ]

    def serve(texts: Any) -> dict[str, Any]:
        words = tables.words(texts)
        products = tf.split(product(cells(words), words.number, kernels), len(layers), axis=1)
        by_seed = tf.sigmoid(tf.stack([*map(log_odds, layers, products)]))
        return {
            "probability": tf.reduce_mean(by_seed, axis=0),
            "lowest": tf.reduce_min(by_seed, axis=0),
            "highest": tf.reduce_max(by_seed, axis=0),
        }

    module.serve = tf.function(serve, [tf.TensorSpec([None], tf.string, "texts")])
    return module


def multi_hot(words: Words, num_words: int) -> Cells:
    """As `features.multi_hot`."""
    indices = words.ranks + INDEX_FROM
    indices = tf.where(indices < num_words, indices, OUT_OF_VOCABULARY)
    starts = tf.range(words.number)
    columns = tf.concat([tf.fill([words.number], tf.constant(START, tf.int64)), indices], 0)
    rows = tf.concat([starts, words.rows], 0)
    return Cells(rows, columns, tf.ones_like(columns, tf.float32))


def n_grams(words: Words, keys: Any, settings: NGramParams) -> Cells:
    """As `NGramVocabulary.encode`, except that keys are found by binary search."""
    length = tf.math.unsorted_segment_sum(tf.ones_like(words.rows), words.rows, words.number)
    from_start = tf.range(tf.size(words.rows, tf.int64))
    from_start -= tf.gather(tf.cumsum(length, exclusive=True), words.rows)
    from_end = tf.gather(length, words.rows) - 1 - from_start
    weights = position_weights(from_start, from_end, settings.position_weights)

    at = tf.range(tf.size(words.rows, tf.int64))  # where an n-gram begins, and its number
    numbers = tf.zeros_like(at)
    found = []
    for n in range(settings.max_n):
        within = tf.gather(from_end, at) >= n
        at, numbers = tf.boolean_mask(at, within), tf.boolean_mask(numbers, within)
        wanted = tf.bitwise.left_shift(numbers, tf.constant(WORD_BITS, tf.int64))
        wanted = tf.bitwise.bitwise_or(wanted, tf.gather(words.ranks, at + n))
        columns = tf.searchsorted(keys, wanted, out_type=tf.int64)
        columns = tf.minimum(columns, tf.size(keys, tf.int64) - 1)
        known = tf.gather(keys, columns) == wanted
        at, numbers = tf.boolean_mask(at, known), tf.boolean_mask(columns, known) + 1
        found.append((at, numbers - 1))
    starts, columns = (tf.concat(parts, 0) for parts in zip(*found, strict=True))
    return Cells(tf.gather(words.rows, starts), columns, tf.gather(weights, starts))


def position_weights(from_start: Any, from_end: Any, weights: PositionWeights) -> Any:
    """As `ngrams.position_weights`."""
    end = weights.end * tf.exp(-tf.cast(from_end, tf.float64) / weights.end_length)
    start = weights.start * tf.exp(-tf.cast(from_start, tf.float64) / weights.start_length)
    return tf.cast(1 + end + start, tf.float32)


def product(cells: Cells, rows: Any, kernel: Any) -> Any:
    """(rows, units) float32: the sparse matrix of these cells times a (columns, units) kernel.

    Where there are several entries in a place, the largest counts.
    """
    columns = tf.shape(kernel, tf.int64)[0]
    places, numbers = tf.unique(cells.rows * columns + cells.columns)
    largest = tf.math.unsorted_segment_max(cells.weights, numbers, tf.size(places))
    # Only the rows of the kernel that are used become float32.
    used, positions = tf.unique(places % columns, tf.int64)
    indices = tf.stack([places // columns, positions], axis=1)
    matrix = tf.SparseTensor(indices, largest, tf.stack([rows, tf.size(used, tf.int64)]))
    used_kernel = tf.cast(tf.gather(kernel, used), tf.float32)
    return tf.sparse.sparse_dense_matmul(tf.sparse.reorder(matrix), used_kernel)


def half_precision(kernel: Any) -> Any:
    """The kernel in float16, or as it is if it has values beyond that range."""
    is_in_range = tf.reduce_max(tf.abs(kernel)) < tf.float16.max
    return tf.cast(kernel, tf.float16) if is_in_range else kernel


def save(predictor: Predictor, folder: Path) -> None:
    """Write a SavedModel into `folder`."""
    module = classifier(predictor)
    tf.saved_model.save(module, str(folder), {"serving_default": module.serve})
