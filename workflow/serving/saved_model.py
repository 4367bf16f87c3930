"""A predictor as a graph of TensorFlow's own operations, from texts to probabilities.

It repeats in TensorFlow what workflow.text and workflow.features do in Python.
"""

from pathlib import Path
from typing import Any

from workflow.base.errors import InputError
from workflow.features.multi_hot import INDEX_FROM, OUT_OF_VOCABULARY, START
from workflow.features.ngrams import WORD_BITS, NGramEncoder
from workflow.features.params import NGramParams, PositionWeights
from workflow.model.libraries import tf
from workflow.serving.predictor import Predictor, layers_with_kernel, log_odds
from workflow.serving.words import WordTables


def classifier(predictor: Predictor) -> tf.Module:
    """A module whose `serve` maps (n,) strings in UTF-8 to the probabilities of being positive.

    They are (n,) float32 each: `probability`, the mean of the seeds, `lowest` and `highest`. The
    first kernels, which are nearly all of a network, are kept in float16.

    Raises:
        InputError: the tokenizer cannot be written with TensorFlow's operations.
    """
    encoder, vocabulary = predictor.encoder, predictor.vocabulary
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
        module.keys = tf.Variable(encoder.keys, trainable=False)

    layers = [layers_with_kernel(network) for network in predictor.networks]
    first_kernels = tf.concat([first.kernel.value for first, *_ in layers], axis=1)
    half = tf.saturate_cast(first_kernels, tf.float16)
    module.kernels = kernels = tf.Variable(half, trainable=False)
    module.others = [
        variable.value
        for own in layers
        for layer in own
        for variable in layer.variables
        if variable is not own[0].kernel
    ]

    def serve(texts: Any) -> dict[str, Any]:
        ranks = tables.ranks_of(texts)
        if isinstance(encoder, NGramEncoder):
            entries = n_grams(ranks, module.keys, encoder.params)
        else:
            entries = multi_hot(ranks, encoder.columns)
        products = tf.split(product(*entries, ranks.nrows(), kernels), len(layers), axis=1)
        by_seed = tf.sigmoid(tf.stack([*map(log_odds, layers, products)]))
        return {
            "probability": tf.reduce_mean(by_seed, axis=0),
            "lowest": tf.reduce_min(by_seed, axis=0),
            "highest": tf.reduce_max(by_seed, axis=0),
        }

    module.serve = tf.function(serve, [tf.TensorSpec([None], tf.string, "texts")])
    return module


# The next two return entries of a sparse matrix: rows and columns, int64, and weights, float32.
# There may be several entries in one place.


def multi_hot(ranks: tf.RaggedTensor, num_words: int) -> tuple[Any, Any, Any]:
    """As `features.multi_hot`."""
    indices = ranks.values + INDEX_FROM
    indices = tf.where(indices < num_words, indices, OUT_OF_VOCABULARY)
    start = tf.fill([ranks.nrows(), 1], tf.constant(START, tf.int64))
    columns = tf.concat([start, ranks.with_values(indices)], axis=1)
    return columns.value_rowids(), columns.values, tf.ones_like(columns.values, tf.float32)


def n_grams(ranks: tf.RaggedTensor, keys: Any, params: NGramParams) -> tuple[Any, Any, Any]:
    """As `NGramEncoder.encode`, except that keys are found by binary search."""
    lengths = ranks.row_lengths()
    from_start = tf.ragged.range(lengths).values
    from_end = tf.repeat(lengths, lengths) - 1 - from_start
    weights = position_weights(from_start, from_end, params.position_weights)

    starts = tf.range(tf.size(ranks.values, tf.int64))  # of the n-grams
    numbers = tf.zeros_like(starts)
    found = []
    for n in range(params.max_n):
        fits = tf.gather(from_end, starts) >= n
        starts, numbers = tf.boolean_mask(starts, fits), tf.boolean_mask(numbers, fits)
        prefixes = tf.bitwise.left_shift(numbers, tf.constant(WORD_BITS, tf.int64))
        wanted = tf.bitwise.bitwise_or(prefixes, tf.gather(ranks.values, starts + n))
        columns = tf.searchsorted(keys, wanted, out_type=tf.int64)
        columns = tf.minimum(columns, tf.size(keys, tf.int64) - 1)
        known = tf.gather(keys, columns) == wanted
        starts, columns = tf.boolean_mask(starts, known), tf.boolean_mask(columns, known)
        numbers = columns + 1
        found.append((starts, columns))
    starts, columns = (tf.concat(parts, 0) for parts in zip(*found, strict=True))
    return tf.gather(ranks.value_rowids(), starts), columns, tf.gather(weights, starts)


def position_weights(from_start: Any, from_end: Any, weights: PositionWeights) -> Any:
    """As `ngrams.position_weights`."""
    end = weights.end * tf.exp(-tf.cast(from_end, tf.float64) / weights.end_length)
    start = weights.start * tf.exp(-tf.cast(from_start, tf.float64) / weights.start_length)
    return tf.cast(1 + end + start, tf.float32)


def product(rows: Any, columns: Any, weights: Any, number: Any, kernel: Any) -> Any:
    """(number, units) float32: the sparse matrix of these entries times a (columns, units) kernel.

    Where there are several entries in a place, the largest counts.
    """
    width = tf.shape(kernel, tf.int64)[0]
    places, entries = tf.unique(rows * width + columns)
    largest = tf.math.unsorted_segment_max(weights, entries, tf.size(places))
    # Only the rows of the kernel that are used become float32.
    used, positions = tf.unique(places % width, tf.int64)
    indices = tf.stack([places // width, positions], axis=1)
    matrix = tf.SparseTensor(indices, largest, tf.stack([number, tf.size(used, tf.int64)]))
    used_kernel = tf.cast(tf.gather(kernel, used), tf.float32)
    return tf.sparse.sparse_dense_matmul(tf.sparse.reorder(matrix), used_kernel)


def save(predictor: Predictor, folder: Path) -> None:
    """Write a SavedModel into `folder`."""
    module = classifier(predictor)
    tf.saved_model.save(module, str(folder), {"serving_default": module.serve})
