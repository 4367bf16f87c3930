"""Word ranks to the columns that a network is fed: multi-hot."""

import numpy as np
import scipy.sparse

from workflow.storage import Reviews

# What `keras.datasets.imdb.load_data` calls start_char, oov_char and index_from.
START, OUT_OF_VOCABULARY, INDEX_FROM = 1, 2, 3


def encode(reviews: Reviews, num_words: int) -> Reviews:
    """The word indices that `keras.datasets.imdb.load_data(num_words=num_words)` returns.

    Every review begins with START; the word of rank r becomes r + INDEX_FROM, or
    OUT_OF_VOCABULARY where that is not below `num_words`.
    """
    indices = reviews.values.astype(np.int64) + INDEX_FROM
    indices[indices >= num_words] = OUT_OF_VOCABULARY
    offsets = reviews.offsets + np.arange(len(reviews.offsets))
    return Reviews(np.insert(indices, reviews.offsets[:-1], START), offsets, reviews.labels)


def multi_hot(reviews: Reviews, num_words: int) -> Reviews:
    """The columns that are 1 in each row of the (n, num_words) multi-hot matrix, ascending."""
    encoded = encode(reviews, num_words)
    ones = np.ones(len(encoded.values), dtype=bool)
    matrix = scipy.sparse.csr_array(
        (ones, encoded.values, encoded.offsets), shape=(len(encoded), num_words)
    )
    matrix = matrix.tocsc().tocsr()  # sorts the words of each row in linear time
    matrix.sum_duplicates()
    columns = matrix.indices.astype(np.min_scalar_type(num_words - 1))
    return Reviews(columns, matrix.indptr.astype(np.int64), reviews.labels)
