"""The sources of reviews, by the names in `data.sources` of params.yaml."""

from collections.abc import Callable

from workflow.text.bundled import bundled_reviews
from workflow.text.corpus import Corpus
from workflow.text.keras_archive import keras_archive
from workflow.text.own_reviews import csv_reviews
from workflow.text.params import DataParams

READERS: dict[str, Callable[[DataParams], Corpus]] = {
    "keras": keras_archive,
    "bundled": bundled_reviews,
    "csv": csv_reviews,
}
