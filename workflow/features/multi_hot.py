"""Reviews as multi-hot vectors: the set of their most frequent words, as in the notebook."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from workflow.base.files import write_json
from workflow.base.reviews import Reviews

# Arguments of `keras.datasets.imdb.load_data`: start_char, oov_char and index_from.
START, OUT_OF_VOCABULARY, INDEX_FROM = 1, 2, 3
REVIEWS_AT_ONCE = 1000  # few enough for the CPU's cache


@dataclass(frozen=True)
class MultiHotEncoder:
    """Each review as the set of its words.

    Attributes:
        columns: the length of the vectors.
    """

    columns: int

    def save(self, folder: Path) -> None:
        """Write what `load_encoder` reads."""
        write_json(folder / "multi_hot.json", {"num_words": self.columns})

    def encode(self, reviews: Reviews) -> Iterator[Reviews]:
        """Blocks of reviews, in order, as the columns that are 1."""
        return (multi_hot(block, self.columns) for block in reviews.blocks(REVIEWS_AT_ONCE))

    def words(self, columns: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """(len(columns), 1) ranks: the word of each column, 0 if it is a reserved index."""
        return np.maximum(columns.astype(np.int64)[:, None] - INDEX_FROM, 0)


def keras_indices(reviews: Reviews, num_words: int) -> Reviews:
    """The word indices that `keras.datasets.imdb.load_data(num_words=num_words)` returns.

    Every review begins with START; the word of rank r becomes r + INDEX_FROM, or
    OUT_OF_VOCABULARY if that is not below `num_words`.
    """
    indices = reviews.values.astype(np.int64) + INDEX_FROM
    indices[indices >= num_words] = OUT_OF_VOCABULARY
    offsets = reviews.offsets + np.arange(len(reviews.offsets))
    return Reviews(np.insert(indices, reviews.offsets[:-1], START), offsets, reviews.labels)


def multi_hot(reviews: Reviews, num_words: int) -> Reviews:
    """The columns that are 1 in each row of the (n, num_words) multi-hot matrix, ascending."""
    encoded = keras_indices(reviews, num_words)
    ones = np.ones(len(encoded.values), dtype=bool)
    matrix = scipy.sparse.csr_array((ones, encoded.values, encoded.offsets))
    matrix = matrix.tocsc().tocsr()  # sorts the words of each row in linear time
    matrix.sum_duplicates()
    columns = matrix.indices.astype(np.min_scalar_type(num_words - 1))
    return Reviews(columns, matrix.indptr.astype(np.int64), reviews.labels)
