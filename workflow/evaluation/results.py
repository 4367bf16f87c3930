"""The result files of train, evaluate and compare, checked when they are read."""

import io
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.base import files
from workflow.base.errors import reading
from workflow.base.files import HELD_OUT, RERUN_HINT, DataFacts, read_csv
from workflow.base.reviews import Reviews

# Of test reviews, in scores.csv.
COUNTS = ("true_positives", "true_negatives", "false_positives", "false_negatives")


class Correct(NamedTuple):
    """What a variant gets right: a bit per seed and review, small enough for Git.

    Attributes:
        sha256: of the reviews, as in facts.json.
        seeds: (S,) int64.
        by_split: of validation and test, (S, reviews) bool.
        average: what the mean of the seeds' probabilities gets right in test, (reviews,) bool.
    """

    sha256: str
    seeds: NDArray[np.int64]
    by_split: dict[str, NDArray[np.bool_]]
    average: NDArray[np.bool_]

    def to_bytes(self) -> bytes:
        """The content of a .npz file; the same bits give the same bytes.

        The bits of a review's seeds are packed together: mostly all seeds are right or none is,
        so that this compresses to a third of what packing along the reviews gives.
        """
        arrays: dict[str, Any] = {"sha256": np.array(self.sha256), "seeds": self.seeds}
        arrays |= {f"{k}_reviews": np.array(bits.shape[1]) for k, bits in self.by_split.items()}
        arrays |= {split: np.packbits(bits, axis=0) for split, bits in self.by_split.items()}
        arrays["average"] = np.packbits(self.average)
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Correct":
        """Read what `to_bytes` made; one of PARSE_ERRORS if it is damaged."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            seeds = arrays["seeds"]
            if seeds.dtype != np.int64 or np.unique(seeds).shape != seeds.shape:
                raise ValueError("the seeds are damaged")

            def bits(name: str, *shape: int) -> NDArray[np.bool_]:
                packed, (length, *others) = arrays[name], shape
                if packed.dtype != np.uint8 or packed.shape != (-(-length // 8), *others):
                    raise ValueError(f"the {name} bits are damaged")
                return np.unpackbits(packed, axis=0, count=length).astype(bool)

            reviews = {split: int(arrays[f"{split}_reviews"]) for split in HELD_OUT}
            by_split = {split: bits(split, len(seeds), n) for split, n in reviews.items()}
            average = bits("average", reviews["test"])
            return cls(str(arrays["sha256"]), seeds, by_split, average)


def read_correct(path: Path) -> Correct:
    """A file of `Correct.to_bytes`; InputError if it is missing or damaged."""
    with reading(path, RERUN_HINT):
        return Correct.from_bytes(path.read_bytes())


def read_scores(
    path: Path, variants: Iterable[str] = (), seeds: Iterable[int] = ()
) -> pd.DataFrame:
    """A row per variant and seed; all that there are, or exactly those asked for.

    Raises:
        InputError: the file is missing or damaged, or its rows are others.
    """
    columns: dict[str, Any] = {"variant": str, "seed": "int64", "best_epoch": "int64"}
    columns |= dict.fromkeys([f"{part}_accuracy" for part in ("train", *HELD_OUT)], "float64")
    columns |= {"test_loss": "float64"} | dict.fromkeys([f"test_{n}" for n in COUNTS], "int64")
    scores = read_csv(path, columns)
    with reading(path, RERUN_HINT):
        expected = product(variants or scores["variant"].unique(), seeds or scores["seed"].unique())
        if [*zip(scores["variant"], scores["seed"], strict=True)] != [*expected]:
            raise ValueError("its rows are not those of the variants and seeds in params.yaml")
    return scores


def describe(reviews: Reviews, known: NDArray[np.integer[Any]]) -> pd.DataFrame:
    """A row per review: its label, its number of words, and how many of them are not `known`."""
    unknown = np.concatenate([[0], np.cumsum(~np.isin(reviews.values, known))])
    return pd.DataFrame(
        {
            "label": reviews.labels,
            "words": np.diff(reviews.offsets).astype(np.uint32),
            "unknown": np.diff(unknown[reviews.offsets]).astype(np.uint32),
        }
    )


def write_descriptions(
    tables: dict[str, pd.DataFrame], path: Path = files.HELD_OUT_REVIEWS
) -> None:
    """Write what `describe` returns, by split; the same tables give the same bytes."""
    arrays: dict[str, Any] = {
        f"{split}_{name}": column for split in tables for name, column in tables[split].items()
    }
    np.savez_compressed(path, **arrays)


def read_descriptions(path: Path = files.HELD_OUT_REVIEWS) -> dict[str, pd.DataFrame]:
    """What `write_descriptions` wrote; InputError if it is missing or damaged."""
    columns = ("label", "words", "unknown")
    with reading(path, RERUN_HINT), np.load(path, allow_pickle=False) as arrays:
        return {
            split: pd.DataFrame({name: arrays[f"{split}_{name}"] for name in columns})
            for split in HELD_OUT
        }


def read_facts(path: Path = files.METRICS) -> DataFacts:
    """The block data of metrics.json; InputError if it is missing or damaged."""
    metrics = files.read_json(path, dict[str, Any])
    with reading(path, RERUN_HINT):
        return DataFacts.model_validate(metrics["data"])


def read_differences(path: Path = files.DIFFERENCES) -> pd.DataFrame:
    """The table of compare; InputError if it is missing or damaged. One seed has no interval."""
    columns: dict[str, Any] = {"variant": str, "split": str, "verdict": str, "seeds": "int64"}
    numbers = dict.fromkeys(["mean", "low", "high"], "float64")
    with reading(path, RERUN_HINT):
        table = pd.read_csv(path, usecols=[*columns, *numbers], dtype=columns | numbers)
        if table["mean"].isna().any() or not table["split"].isin(HELD_OUT).all():
            raise ValueError("rows are missing or damaged")
    return table


def read_history(variant: str, seeds: Iterable[int], folder: Path = files.HISTORY) -> pd.DataFrame:
    """The learning curves of exactly these seeds; InputError if missing or damaged."""
    path = folder / f"{variant}.csv"
    columns: dict[str, Any] = dict.fromkeys(["variant", "fit", "split"], str)
    columns |= dict.fromkeys(["seed", "epoch", "kept"], "int64")
    history = read_csv(path, columns | dict.fromkeys(["loss", "accuracy"], "float64"))
    with reading(path, RERUN_HINT):
        curves = history.groupby(["fit", "seed", "split"])
        first = set(product(["first"], seeds, ["train", "validation"]))
        refit = set(product(["refit"], seeds, ["train"]))
        if not (
            (history["variant"] == variant).all()
            and set(curves.groups) in (first, first | refit)
            and (history["epoch"] == curves.cumcount() + 1).all()
            and (curves["kept"].sum() == 1).all()
        ):
            raise ValueError("rows are missing or damaged")
    return history
