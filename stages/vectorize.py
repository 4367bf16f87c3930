"""Stage vectorize@FEATURES: word ranks to the vectors of one feature set, cached as sparse arrays.

usage   python -m stages.vectorize FEATURES
reads   params.yaml (features.FEATURES, data.validation), data/reviews/
writes  data/FEATURES/{training,test}_{values,offsets,labels,weights}.npy
                      facts.json  how many reviews and columns, and which reviews validate
                      encoder/    turns any other review into such a vector
"""

import shutil

from workflow.base import files
from workflow.base.errors import InputError, run
from workflow.base.files import REVIEWS, FeatureFacts, ReviewFacts
from workflow.base.reviews import load_reviews, save_reviews
from workflow.features.encoders import make_encoder
from workflow.params import feature_set, item_from_argv, load_params


def validation_size(reviews: int, share: float) -> int:
    """The number of validation reviews; InputError if it is 0 or leaves none to train on."""
    size = round(reviews * share)
    if not 0 < size < reviews:
        raise InputError(
            f"params.yaml: data.validation: {share} of {reviews} training reviews leaves {size} to "
            f"validate and {reviews - size} to train on; both must be at least 1"
        )
    return size


def main() -> None:
    params = load_params()
    name = feature_set(item_from_argv())
    reviews: ReviewFacts = files.read_json(REVIEWS / "facts.json", ReviewFacts)
    training, test = load_reviews("training"), load_reviews("test")
    size = validation_size(len(training), params.data.validation)
    encoder = make_encoder(name, params.features, training, reviews.vocabulary)

    folder = files.empty_folder(files.features_folder(name))
    save_reviews(encoder.encode(training), folder, "training")
    save_reviews(encoder.encode(test), folder, "test")
    facts = FeatureFacts(
        **reviews.model_dump(),
        train_reviews=len(training) - size,
        validation_reviews=size,
        columns=encoder.columns,
        weighted=(folder / "test_weights.npy").exists(),
    )
    files.write_json(folder / "facts.json", facts.model_dump(exclude_none=True))
    (folder / "encoder").mkdir()
    encoder.save(folder / "encoder")
    for file in ("facts.json", "word_index.json"):  # from texts to word ranks
        shutil.copy(REVIEWS / file, folder / "encoder")
    print(
        f"{name}: {encoder.columns:,} columns; {facts.train_reviews:,} reviews to train on, "
        f"{size:,} to validate, {len(test):,} to test"
    )


if __name__ == "__main__":
    run(main)
