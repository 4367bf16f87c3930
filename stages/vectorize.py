"""Stage vectorize@FEATURES: word ranks to the vectors of one feature set, cached as sparse arrays.

usage   python -m stages.vectorize FEATURES
reads   params.yaml (features.FEATURES, data.validation), data/reviews/
writes  data/FEATURES/{train,validation,test}_{values,offsets,labels}.npy, facts.json
"""

from workflow.errors import InputError, run
from workflow.features import INDEX_FROM, multi_hot
from workflow.params import argument, load_params
from workflow.storage import (
    REVIEWS,
    ReviewFacts,
    Reviews,
    features_folder,
    read_json,
    save_blocks,
    whole_folder,
    write_json,
)

BLOCK = 1000  # reviews vectorized at once: few enough for the processor's cache


def divide(train: Reviews, test: Reviews, validation: float) -> dict[str, Reviews]:
    """The three splits: the first of the training reviews validate, as in the notebook.

    Raises:
        InputError: none would validate, or none would be left to train on.
    """
    size = round(len(train) * validation)
    if not 0 < size < len(train):
        raise InputError(
            f"params.yaml: data.validation: {validation} of {len(train)} training reviews leaves "
            f"{size} to validate and {len(train) - size} to train on; both must be at least 1"
        )
    return {
        "validation": train.between(0, size),
        "train": train.between(size, len(train)),
        "test": test,
    }


def main() -> None:
    params = load_params()
    name = params.feature_set(argument())
    num_words = params.features.multi_hot.num_words
    facts: ReviewFacts = read_json(REVIEWS / "facts.json", ReviewFacts)
    largest = facts.vocabulary + INDEX_FROM + 1
    if num_words > largest:
        raise InputError(
            f"params.yaml: features.multi_hot.num_words: {num_words} is more than these reviews "
            f"have: {facts.vocabulary} words and 4 reserved indices make at most {largest}"
        )
    train, test = (Reviews.load(REVIEWS, split) for split in ("train", "test"))
    splits = divide(train, test, params.data.validation)
    sizes = {f"{split}_reviews": len(reviews) for split, reviews in splits.items()}
    with whole_folder(features_folder(name)) as folder:
        for split, reviews in splits.items():
            blocks = (multi_hot(block, num_words) for block in reviews.blocks(BLOCK))
            save_blocks(blocks, folder, split)
        write_json(folder / "facts.json", facts.model_dump() | sizes | {"columns": num_words})
    print(", ".join(f"{split}: {len(reviews):,}" for split, reviews in splits.items()))


if __name__ == "__main__":
    run(main)
