"""Stage vectorize: word ranks to multi-hot vectors, cached as sparse arrays.

reads   params.yaml (features.multi_hot, data.validation), data/reviews/
writes  data/multi_hot/{train,validation,test}_{values,offsets,labels}.npy, facts.json
"""

import numpy as np
import scipy.sparse

from stages.errors import InputError, run
from stages.params import load_params
from stages.storage import (
    MULTI_HOT,
    REVIEWS,
    ReviewFacts,
    Reviews,
    read_json,
    save_blocks,
    whole_folder,
    write_json,
)

# What `keras.datasets.imdb.load_data` calls start_char, oov_char and index_from.
START, OUT_OF_VOCABULARY, INDEX_FROM = 1, 2, 3

BLOCK = 1000  # reviews vectorized at once: few enough for the processor's cache


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


def validation_size(reviews: int, share: float) -> int:
    """How many reviews validate; InputError if none would, or none would be left to train on."""
    size = round(reviews * share)
    if not 0 < size < reviews:
        raise InputError(
            f"params.yaml: data.validation: {share} of {reviews} training reviews leaves {size} to "
            f"validate and {reviews - size} to train on; both must be at least 1"
        )
    return size


def main() -> None:
    params = load_params()
    num_words = params.features.multi_hot.num_words
    facts: ReviewFacts = read_json(REVIEWS / "facts.json", ReviewFacts)
    largest = facts.vocabulary + INDEX_FROM + 1
    if num_words > largest:
        raise InputError(
            f"params.yaml: features.multi_hot.num_words: {num_words} is more than these reviews "
            f"have: {facts.vocabulary} words and 4 reserved indices make at most {largest}"
        )
    train, test = (Reviews.load(REVIEWS, split) for split in ("train", "test"))
    size = validation_size(len(train), params.data.validation)
    splits = {
        "validation": train.between(0, size),
        "train": train.between(size, len(train)),
        "test": test,
    }
    sizes = {f"{split}_reviews": len(reviews) for split, reviews in splits.items()}
    with whole_folder(MULTI_HOT) as folder:
        for split, reviews in splits.items():
            blocks = (multi_hot(block, num_words) for block in reviews.blocks(BLOCK))
            save_blocks(blocks, folder, split)
        write_json(folder / "facts.json", facts.model_dump() | sizes | {"num_words": num_words})
    print(", ".join(f"{split}: {len(reviews):,}" for split, reviews in splits.items()))


if __name__ == "__main__":
    run(main)
