"""Encoders: each turns reviews of word ranks into the vectors of one feature set.

An encoder is stored with the models trained on its vectors, so that any review can be turned into
the input of a network, and each column can be traced back to words.
"""

from pathlib import Path

from workflow.base.errors import warn
from workflow.base.files import read_json
from workflow.base.reviews import Reviews
from workflow.features.multi_hot import INDEX_FROM, MultiHotEncoder
from workflow.features.ngrams import NGramEncoder
from workflow.features.params import FeatureParams, FeatureSet, MultiHotParams

Encoder = MultiHotEncoder | NGramEncoder


def make_encoder(
    name: FeatureSet, params: FeatureParams, training: Reviews, vocabulary: int
) -> Encoder:
    """The encoder of a feature set, fitted on the training reviews without their labels.

    Raises:
        InputError: no n-gram is frequent enough, or there are too many.
    """
    if name == "ngrams":
        return NGramEncoder.fit(params.ngrams, training)
    wanted, most = params.multi_hot.num_words, vocabulary + INDEX_FROM + 1
    if wanted > most:
        warn(
            f"features.multi_hot.num_words: {wanted:,} is more than the {vocabulary:,} "
            f"words and 4 reserved indices that these reviews have; {most:,} are used"
        )
    return MultiHotEncoder(min(wanted, most))


def load_encoder(folder: Path) -> Encoder:
    """The encoder that `save` wrote; InputError if it is missing or damaged."""
    if (path := folder / "multi_hot.json").exists():
        return MultiHotEncoder(read_json(path, MultiHotParams).num_words)
    return NGramEncoder.load(folder)
