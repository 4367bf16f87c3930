"""A review as text, with its label and the predictions of the variants: `make decode N=0`.

usage   python -m commands.decode N [--split training]
reads   data/reviews/, data/predictions/
prints  review N, from 0, of the test or the training reviews; the first training reviews are the
        validation reviews, for which there are predictions too
"""

import argparse
import textwrap

from workflow.base.errors import InputError, run
from workflow.base.files import REVIEWS
from workflow.base.labels import CLASSES, is_positive
from workflow.base.reviews import load_reviews
from workflow.params import load_params
from workflow.report.error_analysis import read_predictions
from workflow.text.vocabulary import Vocabulary, with_line_breaks

PREDICTED = {"test": "test", "training": "validation"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("number", metavar="N", type=int, help="from 0, as in the notebook")
    parser.add_argument("--split", choices=list(PREDICTED), default="test")
    options = parser.parse_args()
    number, split = options.number, options.split
    reviews = load_reviews(split)
    if not 0 <= number < len(reviews):
        raise InputError(f"there is no review {number}; expected 0 to {len(reviews) - 1}")
    review = reviews.between(number, number + 1)
    text = with_line_breaks(Vocabulary.load(REVIEWS).decode(review.values))
    for line in text.split("\n"):
        print(textwrap.fill(line, 100, break_long_words=False))
    print(f"\nlabel: {CLASSES[review.labels[0]]}")
    for variant, predictions in read_predictions(load_params().variants, PREDICTED[split]).items():
        if number < len(predictions.labels):
            mean = float(predictions.mean[number])
            seeds = f"{predictions.correct_seeds[number]}/{len(predictions.by_seed)} seeds right"
            print(f"{variant}: {CLASSES[is_positive(mean)]} {mean:.3f}, {seeds}")


if __name__ == "__main__":
    run(main)
