"""How well probabilities fit labels, and the scores of several seeds in short."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics

from workflow.base.labels import is_positive


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
        "brier": float(metrics.brier_score_loss(labels, probabilities, pos_label=1)),
        "true_negatives": tn,
        "false_positives": fp,
        "false_negatives": fn,
        "true_positives": tp,
    }


def mean_and_std(values: ArrayLike, style: str = ".4f") -> str:
    """The mean over seeds ± the standard deviation; the value alone of a single seed."""
    array = np.asarray(values, np.float64)
    deviation = f" ± {array.std(ddof=1):{style}}" if len(array) > 1 else ""
    return f"{array.mean():{style}}{deviation}"
