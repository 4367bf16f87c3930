"""How well probabilities fit labels, and the scores of several seeds in short."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn import metrics
from sklearn.calibration import calibration_curve

from workflow.base.labels import is_positive
from workflow.evaluation.significance import LEVEL

BINS = 10  # of the reliability diagram, equally wide


def classification_scores(labels: NDArray[Any], probabilities: NDArray[Any]) -> dict[str, float]:
    """How well (n,) probabilities of being positive fit (n,) labels, 0 or 1.

    The ROC AUC is NaN if all labels are the same; precision and recall are 0 where they would
    divide by zero.
    """
    positive = is_positive(probabilities)
    tn, fp, fn, tp = metrics.confusion_matrix(labels, positive, labels=[0, 1]).ravel().tolist()
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, positive, average="binary", zero_division=0
    )
    both = len(np.unique(labels)) == 2
    return {
        "accuracy": (tn + tp) / len(labels),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "roc_auc": float(metrics.roc_auc_score(labels, probabilities)) if both else np.nan,
        "brier": float(metrics.brier_score_loss(labels, probabilities)),
        "true_negatives": tn,
        "false_positives": fp,
        "false_negatives": fn,
        "true_positives": tp,
    }


def calibration(labels: NDArray[Any], probabilities: NDArray[Any]) -> pd.DataFrame:
    """Per bin with reviews: number of the bin, mean predicted and observed share, reviews."""
    observed, predicted = calibration_curve(labels, probabilities, n_bins=BINS)
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], probabilities)  # the same ones
    number, reviews = np.unique(bins, return_counts=True)
    columns = {"bin": number, "predicted": predicted, "observed": observed, "reviews": reviews}
    return pd.DataFrame(columns)


def calibration_error(labels: NDArray[Any], probabilities: NDArray[Any]) -> float:
    """The expected calibration error: the mean gap of `calibration`, weighted by reviews."""
    bins = calibration(labels, probabilities)
    gaps = (bins["predicted"] - bins["observed"]).abs()
    return float(np.average(gaps, weights=bins["reviews"]))


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson, Journal of the American Statistical Association 22)."""
    interval = stats.binomtest(successes, trials).proportion_ci(1 - LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def average_scores(labels: NDArray[Any], probabilities: NDArray[Any]) -> dict[str, float]:
    """Accuracy with its 95% interval, Brier score and calibration error of one prediction, (n,).

    The interval is over reviews alone: it is about these networks, not about others that the
    recipe would give with other seeds.
    """
    right = is_positive(probabilities) == labels
    low, high = wilson_interval(int(right.sum()), len(labels))
    return {
        "accuracy": float(right.mean()),
        "low": low,
        "high": high,
        "brier": float(metrics.brier_score_loss(labels, probabilities)),
        "calibration_error": calibration_error(labels, probabilities),
    }


def mean_and_std(values: ArrayLike, style: str = ".4f") -> str:
    """The mean over seeds ± the standard deviation; the value alone of a single seed."""
    array = np.asarray(values)
    deviation = f" ± {array.std(ddof=1):{style}}" if len(array) > 1 else ""
    return f"{array.mean():{style}}{deviation}"
