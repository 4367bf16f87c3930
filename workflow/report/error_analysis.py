"""What a variant gets wrong: which reviews, which kinds of them, and how well calibrated it is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from workflow.base import files
from workflow.base.errors import reading
from workflow.base.labels import CLASSES, THRESHOLD, is_positive
from workflow.base.reviews import load_reviews
from workflow.evaluation.results import describe
from workflow.evaluation.scores import calibration_error, classification_scores, wilson_interval
from workflow.features.encoders import load_encoder

MAX_POINTS = 150  # of a ROC curve: more would not be visible


@dataclass(frozen=True)
class Predictions:
    """What the seeds of a variant predict for the test reviews.

    Attributes:
        facts: of the data.
        by_seed: (seeds, reviews) float32 probabilities of being positive.
        labels: (reviews,) bool: whether a review is positive.
    """

    facts: files.PredictionFacts
    by_seed: NDArray[np.float32]
    labels: NDArray[np.bool_]

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """(reviews,): the mean over the seeds, which is what `make predict` answers."""
        return np.asarray(self.by_seed.mean(axis=0, dtype=np.float64))

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """(reviews,): whether the mean is on the wrong side of the threshold."""
        return np.asarray(is_positive(self.mean) != self.labels)

    @cached_property
    def correct_seeds(self) -> NDArray[np.int64]:
        """(reviews,): how many seeds are right."""
        return np.asarray((is_positive(self.by_seed) == self.labels).sum(axis=0))

    def wrong_in_every_seed(self) -> NDArray[np.int64]:
        """The numbers of these reviews, the most confident mean first."""
        wrong = np.flatnonzero(self.correct_seeds == 0)
        return wrong[np.argsort(-np.abs(self.mean[wrong] - THRESHOLD), kind="stable")]


def read_predictions(variants: Iterable[str], split: str = "test") -> dict[str, Predictions]:
    """Of those of these variants that have been evaluated; the split is `test` or `validation`.

    InputError if they are damaged, or of other reviews than data/reviews has.
    """
    sha256 = files.read_json(files.REVIEWS / "facts.json", files.ReviewFacts).sha256
    labels = load_reviews("test" if split == "test" else "training").labels == 1
    predictions = {}
    for variant in [v for v in variants if (files.PREDICTIONS / v / "facts.json").exists()]:
        folder = files.PREDICTIONS / variant
        facts = files.read_json(folder / "facts.json", files.PredictionFacts)
        with reading(folder, files.RERUN_HINT):
            if facts.sha256 != sha256:
                raise ValueError(f"of other reviews than {files.REVIEWS}")
            by_seed = np.load(folder / f"{split}.npy", allow_pickle=False)
            number = facts.test_reviews if split == "test" else facts.validation_reviews
            if by_seed.shape[1:] != (number,) or by_seed.size == 0:
                raise ValueError(f"{split}.npy is damaged")
        predictions[variant] = Predictions(facts, by_seed, labels[:number])
    return predictions


def quintiles(values: NDArray[Any], name: Callable[[Any], str]) -> "pd.Categorical[str]":
    """Five groups of about the same size, called "lowest to highest"; fewer if values are equal."""
    edges = np.unique(np.quantile(values, np.arange(1, 6) / 5, method="inverted_cdf"))
    groups = np.searchsorted(edges, values)
    ends = pd.Series(values).groupby(groups).agg(["min", "max"])
    names = [" to ".join(dict.fromkeys(map(name, of_group))) for of_group in ends.to_numpy()]
    return pd.Categorical(np.array(names)[groups], list(dict.fromkeys(names)))


def group_reviews(reviews: pd.DataFrame) -> "dict[str, pd.Categorical[str]]":
    """By kind of group, the group of each review, of a table that `describe` returns."""
    words = reviews["words"].to_numpy()
    unknown = reviews["unknown"].to_numpy() / np.maximum(words, 1)
    return {
        "label": pd.Categorical.from_codes(reviews["label"].to_numpy(), pd.Index(CLASSES)),
        "words": quintiles(words, "{:,}".format),
        "unknown words": quintiles(unknown, "{:.1%}".format),
    }


def error_rates(predictions: Predictions, reviews: pd.DataFrame) -> pd.DataFrame:
    """How many reviews of each group the mean of the seeds gets wrong.

    The groups are those of `group_reviews`, and how many seeds agree with the mean.

    Returns:
        by, group, reviews, wrong, and the rate, the share of these, with its 95% interval, low and
        high.
    """
    seeds, wrong = len(predictions.by_seed), pd.Series(predictions.wrong)
    disagree = np.where(wrong, predictions.correct_seeds, seeds - predictions.correct_seeds)
    levels = [f"{number} of {seeds} seeds" for number in range(seeds, -1, -1)]
    agreement = {"agreement": pd.Categorical.from_codes(disagree, pd.Index(levels))}
    tables = {
        by: wrong.groupby(pd.Series(groups), observed=True).agg(reviews="size", wrong="sum")
        for by, groups in (group_reviews(reviews) | agreement).items()
    }
    rates = pd.concat(tables, names=["by", "group"]).reset_index().astype({"group": str})
    low, high = zip(*map(wilson_interval, rates["wrong"], rates["reviews"]), strict=True)
    rates["rate"] = rates["wrong"] / rates["reviews"]
    return rates.assign(low=low, high=high)  # type: ignore[no-any-return]


def read_error_rates(variant: str, predictions: Predictions) -> pd.DataFrame:
    """`error_rates` of a variant; unknown are words without a column of their own."""
    encoder = load_encoder(files.MODELS / variant / "encoder")
    words = encoder.words(np.arange(encoder.columns))
    single = (words[:, :-1] == 0).all(axis=1)  # shorter n-grams are padded with zeros in front
    return error_rates(predictions, describe(load_reviews("test"), words[single, -1]))


def scores(labels: NDArray[np.bool_], probabilities: NDArray[Any]) -> dict[str, float]:
    """The classification scores, and `ece`: the expected calibration error."""
    ece = calibration_error(labels, probabilities)
    return classification_scores(labels, probabilities) | {"ece": ece}


def drawn_roc_curve(labels: NDArray[np.bool_], probabilities: NDArray[Any]) -> pd.DataFrame:
    """False (x) and true (y) positive rates: up to MAX_POINTS, equally far apart on the curve."""
    false, true, _ = np.nan_to_num(roc_curve(labels, probabilities, drop_intermediate=False))
    along = false + true
    at = np.unique(np.searchsorted(along, np.linspace(0, along[-1], MAX_POINTS)))
    return pd.DataFrame({"x": false[at], "y": true[at]})


def disagreement(predictions: dict[str, Predictions]) -> pd.DataFrame:
    """(variants, variants): the share of reviews that two variants classify differently."""
    answers = {variant: is_positive(of_one.mean) for variant, of_one in predictions.items()}
    return pd.DataFrame(
        {
            other: {variant: (ours != theirs).mean() for variant, ours in answers.items()}
            for other, theirs in answers.items()
        }
    )
