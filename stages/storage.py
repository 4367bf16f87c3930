"""Where the stages keep what they hand on, and labelled reviews as arrays without pickles."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.errors import InputError

REVIEWS = Path("data/reviews")  # written by download
MULTI_HOT = Path("data/multi_hot")  # written by vectorize
MODELS = Path("models")  # one folder per variant, written by train
HISTORY = Path("plots/history")  # one CSV per variant, written by train
PREDICTIONS = Path("data/predictions")  # written by evaluate
SCORES = Path("metrics/scores.csv")  # written by evaluate
METRICS = Path("metrics/metrics.json")  # written by compare


@dataclass(frozen=True)
class Reviews:
    """n labelled reviews of different lengths, one after the other in one flat array.

    Attributes:
        values: (offsets[-1],) unsigned integers: the words of all reviews.
        offsets: (n + 1,) int64: review i is values[offsets[i] : offsets[i + 1]].
        labels: (n,) uint8: 1 positive, 0 negative.
    """

    values: NDArray[np.unsignedinteger[Any]]
    offsets: NDArray[np.int64]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)

    def between(self, start: int, stop: int) -> "Reviews":
        """The reviews start, …, stop - 1."""
        offsets = self.offsets[start : stop + 1]
        return Reviews(
            self.values[offsets[0] : offsets[-1]], offsets - offsets[0], self.labels[start:stop]
        )

    def save(self, folder: Path, split: str) -> None:
        """Write one .npy file for each array into `folder`."""
        for field, array in zip(fields(self), astuple(self), strict=True):
            np.save(folder / f"{split}_{field.name}.npy", array, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, split: str) -> "Reviews":
        """Memory-map what `save` wrote; InputError if the files are missing or damaged."""
        try:
            reviews = cls(
                *(
                    np.load(folder / f"{split}_{field.name}.npy", mmap_mode="r", allow_pickle=False)
                    for field in fields(cls)
                )
            )
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{folder}: {error}; `dvc repro` makes it anew") from None
        offsets = reviews.offsets
        if not (
            len(offsets) == len(reviews) + 1
            and offsets[0] == 0
            and offsets[-1] == len(reviews.values)
            and (np.diff(offsets) >= 0).all()
            and (reviews.labels <= 1).all()
        ):
            raise InputError(
                f"{folder}: the {split} arrays are damaged; `dvc repro` makes them anew"
            )
        return reviews


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder to write to, which takes the place of `folder` once all is written."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_json(path: Path, value: object) -> None:
    """Write `value` sorted and indented, so that Git shows what changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", "utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file that another stage wrote; InputError if it is missing or damaged."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}; `dvc repro` makes it anew") from None
