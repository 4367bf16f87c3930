"""Where a variant is wrong: in which reviews, in which kinds of them, how sure it is of itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from workflow.base.errors import reading
from workflow.base.files import PREDICTIONS, RERUN_HINT, PredictionFacts, read_json
from workflow.base.reviews import Reviews
from workflow.evaluation.significance import LEVEL

BINS = 10  # of probabilities, equally wide
POINTS = 150  # of a ROC curve: more would not be seen

Labels = NDArray[np.bool_]
Probabilities = NDArray[np.floating[Any]]
Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Predictions:
    """What the seeds of a variant say of the test reviews; above 0.5 is positive.

    Attributes:
        facts: of the data.
        of_seeds: (seeds, reviews) probabilities of being positive.
        labels: (reviews,) whether they are.
    """

    facts: PredictionFacts
    of_seeds: NDArray[np.float32]
    labels: Labels

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """(reviews,): the mean of the seeds, which is what `make predict` answers."""
        mean: NDArray[np.float64] = self.of_seeds.mean(axis=0, dtype=np.float64)
        return mean

    @property
    def wrong(self) -> Labels:
        """(reviews,): whether the mean is."""
        wrong: Labels = (self.mean > 0.5) != self.labels
        return wrong

    @cached_property
    def right_seeds(self) -> NDArray[np.int64]:
        """(reviews,): how many are."""
        right: NDArray[np.int64] = ((self.of_seeds > 0.5) == self.labels).sum(axis=0)
        return right

    def worst(self) -> NDArray[np.int64]:
        """The reviews that every seed gets wrong, the most confident mean first."""
        found = np.flatnonzero(self.right_seeds == 0)
        return found[np.argsort(-np.abs(self.mean[found] - 0.5), kind="stable")]


def read_predictions(
    variants: Iterable[str], reviews: Reviews, sha256: str
) -> dict[str, Predictions]:
    """Of each of these variants that has predictions.

    Raises:
        InputError: they are damaged, or of other reviews.
    """
    answers = {}
    for folder in [PREDICTIONS / variant for variant in variants]:
        if not (folder / "facts.json").exists():
            continue
        facts = read_json(folder / "facts.json", PredictionFacts)
        with reading(folder, RERUN_HINT):
            of_seeds = np.load(folder / "test.npy", allow_pickle=False)
            if facts.sha256 != sha256:
                raise ValueError("of other reviews than data/reviews")
            if of_seeds.ndim != 2 or of_seeds.shape[1] != len(reviews) or not len(of_seeds):
                raise ValueError("test.npy is damaged")
        answers[folder.name] = Predictions(facts, of_seeds, reviews.labels == 1)
    return answers


# --- kinds of reviews -----------------------------------------------------------------------------


def known_words(words: NDArray[np.int64], vocabulary: int) -> NDArray[np.bool_]:
    """(vocabulary + 1,): whether a word has a column of its own, given the words of all columns."""
    known = np.zeros(vocabulary + 1, np.bool_)
    known[words[(words[:, :-1] == 0).all(axis=1), -1]] = True  # zeros are before a single word
    return known


def unknown_share(reviews: Reviews, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(reviews,): of the words of each, those that have no column of their own."""
    unknown = np.concatenate([[0], np.cumsum(~known[reviews.values])])
    return np.diff(unknown[reviews.offsets]) / np.maximum(np.diff(reviews.offsets), 1)


def quintiles(values: NDArray[Any], name: Callable[[Any], str]) -> "pd.Categorical[str]":
    """Five groups of about the same size, fewer if values are alike: "lowest to highest"."""
    edges = np.unique(np.quantile(values, np.arange(1, 6) / 5, method="inverted_cdf"))
    groups = np.searchsorted(edges, values)
    names = [
        " to ".join(dict.fromkeys([name(of.min()), name(of.max())]))
        for of in (values[groups == group] for group in range(len(edges)))
    ]
    return pd.Categorical.from_codes(groups, pd.Index(names))


def error_rates(answers: Predictions, reviews: Reviews, known: NDArray[np.bool_]) -> pd.DataFrame:
    """Of each group of reviews how many there are and how many the mean gets wrong.

    Returns:
        by: label, words, unknown words or agreement; group; reviews; wrong.
    """
    seeds = len(answers.of_seeds)
    agree = np.where(answers.wrong, seeds - answers.right_seeds, answers.right_seeds)
    kinds = {
        "label": pd.Categorical.from_codes(
            answers.labels.astype(int), pd.Index(["negative", "positive"])
        ),
        "words": quintiles(np.diff(reviews.offsets), "{:,}".format),
        "unknown words": quintiles(unknown_share(reviews, known), "{:.1%}".format),
        "agreement": pd.Categorical.from_codes(
            seeds - agree,
            pd.Index([f"{number} of {seeds} seeds" for number in range(seeds, -1, -1)]),
        ),
    }
    tables = [
        pd.DataFrame({"group": groups, "wrong": answers.wrong})
        .groupby("group", observed=True)["wrong"]
        .agg(reviews="size", wrong="sum")
        .reset_index()
        .assign(by=by)
        .astype({"group": str})
        for by, groups in kinds.items()
    ]
    return pd.concat(tables, ignore_index=True)[["by", "group", "reviews", "wrong"]]


def with_intervals(rates: pd.DataFrame) -> pd.DataFrame:
    """And the share of wrong answers with its interval: Wilson, JASA 22 (1927)."""
    n, rate = rates["reviews"], rates["wrong"] / rates["reviews"]
    z = special.ndtri(1 - LEVEL / 2)
    middle = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (rate * (1 - rate) / n + z**2 / (4 * n**2)) ** 0.5
    return rates.assign(rate=rate, low=(middle - half).clip(lower=0), high=middle + half)


# --- how sure, and how well ordered ---------------------------------------------------------------


def calibration(labels: Labels, probabilities: Probabilities) -> pd.DataFrame:
    """Of each bin of probabilities: how many reviews, the mean probability, how many positive."""
    bins = np.digitize(probabilities, np.linspace(0, 1, BINS + 1)[1:-1], right=True)
    table = pd.DataFrame({"bin": bins, "said": probabilities, "found": labels}).astype(float)
    return (
        table.groupby("bin")
        .agg(reviews=("said", "size"), said=("said", "mean"), found=("found", "mean"))
        .reset_index(drop=True)
    )


def roc(labels: Labels, probabilities: Probabilities) -> Curve:
    """False and true positive rates for every threshold, from none positive to all."""
    order = np.argsort(-probabilities, kind="stable")
    last = np.append(np.diff(probabilities[order]) != 0, True)  # of those that are equal
    of_both = (np.cumsum(these[order])[last] for these in (~labels, labels))
    false, true = (np.append(0, counts) / max(counts[-1], 1) for counts in of_both)
    return false, true


def downsample(curve: Curve) -> Curve:
    """POINTS of a curve, equally far apart along it."""
    along = curve[0] + curve[1]
    at = np.unique(np.searchsorted(along, np.linspace(0, along[-1], POINTS)))
    return curve[0][at], curve[1][at]


def scores(labels: Labels, probabilities: Probabilities) -> dict[str, float]:
    """Accuracy, area under the ROC curve (NaN if all labels are the same), Brier score, ECE."""
    false, true = roc(labels, probabilities)
    bins = calibration(labels, probabilities)
    gaps = (bins["said"] - bins["found"]).abs()
    return {
        "accuracy": float(np.mean((probabilities > 0.5) == labels)),
        "auc": float(np.trapezoid(true, false)) if false[-1] and true[-1] else np.nan,
        "brier": float(np.mean((probabilities - labels) ** 2)),
        "ece": float(np.average(gaps, weights=bins["reviews"])),
    }


def disagreement(answers: dict[str, Predictions]) -> pd.DataFrame:
    """Of each two variants, both ways, the share of reviews of which their means say otherwise."""
    positive = {name: of.mean > 0.5 for name, of in answers.items()}
    rows = [
        {"one": one, "other": other, "share": float((ours != theirs).mean())}
        for one, ours in positive.items()
        for other, theirs in positive.items()
        if one != other
    ]
    return pd.DataFrame(rows, columns=["one", "other", "share"])
