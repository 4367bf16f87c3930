"""The two classes, and the probability from which a review counts as positive."""

from typing import Any

CLASSES = ("negative", "positive")  # by label: 0, 1
THRESHOLD = 0.5  # of Keras's BinaryAccuracy, too


def is_positive(probabilities: Any) -> Any:
    """Whether a probability, or each in an array, is above the threshold."""
    return probabilities > THRESHOLD
