"""Source keras: the archive of keras.datasets.imdb, read without running what is in it."""

import io
import pickle
import zipfile
from typing import Any

import numpy as np
from pydantic import ConfigDict, TypeAdapter

from workflow.base.errors import reading
from workflow.text.corpus import Corpus, check_lists, flatten, make_corpus
from workflow.text.fetch import LARGEST_FILE, find
from workflow.text.params import DataParams


def keras_archive(data: DataParams) -> Corpus:
    """The Large Movie Review Dataset as `keras.datasets.imdb` serves it, in Keras's order.

    Raises:
        InputError: no place has the two files, or what they hold is not such an archive.
    """
    source = data.keras
    word_index = find("imdb_word_index.json", source.word_index_sha256, source.url)
    archive = find("imdb.npz", source.archive_sha256, source.url)
    return parse_archive(archive, word_index)


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
            flatten(
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
    """The items of an array of objects in a .npy file, which are lists of integers."""
    if np.lib.format.read_magic(npy) != (1, 0):
        raise ValueError("not version 1.0 of the .npy format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(npy)
    if not dtype.hasobject:
        raise ValueError(f"the reviews are not lists, but {dtype}")
    items = ListUnpickler(npy).load()
    if shape != (len(items),):
        raise ValueError(f"an array of shape {shape} has {len(items)} items")
    check_lists(items)
    return items
