"""Stage vectorize@FEATURES: word ranks to the vectors of one feature set, cached as sparse arrays.

usage   python -m stages.vectorize FEATURES
reads   params.yaml (features.FEATURES, data.validation), data/reviews/
writes  data/FEATURES/{training,test}_{values,offsets,labels,weights}.npy
                      facts.json  how many reviews and columns, and which reviews validate
                      encoder/    what makes the same vectors of any other review
"""

import shutil

from workflow.errors import InputError, run
from workflow.features import make_encoder
from workflow.params import argument, load_params
from workflow.storage import (
    REVIEWS,
    FeatureFacts,
    ReviewFacts,
    features_folder,
    load_reviews,
    read_json,
    save_blocks,
    whole_folder,
    write_json,
)


def validation_size(reviews: int, share: float) -> int:
    """How many reviews validate; InputError if none would, or none would be left to train on."""
    size = round(reviews * share)
    if not 0 < size < reviews:
        raise InputError(
            f"params.yaml: data.validation: {share} of {reviews} training reviews leaves {size} to "
            f"validate and {reviews - size} to train on; both must be at least 1"
        )
    return size


def main() -> None:
    params = load_params()
    name = params.feature_set(argument())
    reviews: ReviewFacts = read_json(REVIEWS / "facts.json", ReviewFacts)
    training, test = load_reviews("training"), load_reviews("test")
    size = validation_size(len(training), params.data.validation)
    encoder = make_encoder(name, params.features, training, reviews.vocabulary)
    with whole_folder(features_folder(name)) as folder:
        for split, of_split in (("training", training), ("test", test)):
            save_blocks(encoder.encode(of_split), folder, split)
        facts = FeatureFacts(
            **reviews.model_dump(),
            train_reviews=len(training) - size,
            validation_reviews=size,
            columns=encoder.columns,
            weighted=(folder / "test_weights.npy").exists(),
        )
        write_json(folder / "facts.json", facts.model_dump())
        (folder / "encoder").mkdir()
        encoder.save(folder / "encoder")
        for file in ("facts.json", "word_index.json"):  # how texts become word ranks
            shutil.copy(REVIEWS / file, folder / "encoder")
    print(
        f"{name}: {encoder.columns:,} columns; {facts.train_reviews:,} reviews to train on, "
        f"{size:,} to validate, {len(test):,} to test"
    )


if __name__ == "__main__":
    run(main)
