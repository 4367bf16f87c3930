"""Where reviews come from: one module for each source, and what they share."""

from collections.abc import Callable
from typing import NamedTuple

from workflow.params import Data
from workflow.sources import bundled, keras_archive, table
from workflow.sources.corpus import Corpus


class Source(NamedTuple):
    """What reads the reviews, and what they are."""

    read: Callable[[Data], Corpus]
    label: str


# By the name that data.sources in params.yaml gives them.
SOURCES = {
    "keras": Source(keras_archive.keras_archive, keras_archive.LABEL),
    "bundled": Source(bundled.bundled_reviews, bundled.LABEL),
    "csv": Source(table.csv_reviews, table.LABEL),
}
