"""Write a page of what a variant gets wrong: `make errors VARIANT=candidate`.

usage   python -m commands.errors [VARIANT] [--reviews 50]     with the packages of `make setup-dev`
reads   params.yaml, data/reviews, data/predictions of all variants, models/VARIANT
writes  errors/VARIANT.html, one file that opens without a network

This is not a stage of the pipeline, since nothing depends on the page. TensorFlow is needed only
for the contributions of words.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from workflow.base.errors import InputError, run
from workflow.base.files import (
    CANDIDATE,
    MODELS,
    RERUN_HINT,
    REVIEWS,
    data_line,
    how_to_get_results,
)
from workflow.base.labels import CLASSES, THRESHOLD, is_positive
from workflow.base.reviews import load_reviews
from workflow.charts.style import number_of
from workflow.evaluation.scores import mean_and_std
from workflow.params import load_params
from workflow.report import error_analysis
from workflow.report.error_analysis import Predictions
from workflow.text.vocabulary import Vocabulary, with_line_breaks

PAGES = Path("errors")
EXAMPLES = 3  # of each other variant
EXCERPT = 80  # words of an example
STEPS = 6  # of colour
MAX_SHOWN = 8  # contributions in each direction
TOLERANCE = 1e-3  # of probabilities: another processor rounds differently
SCORES = {  # their names and formats
    "accuracy": ("accuracy", ".2%"),
    "roc_auc": ("area under the ROC curve", ".4f"),
    "brier": ("Brier score: mean squared error of the probability", ".4f"),
    "ece": ("expected calibration error, ten bins", ".2%"),
}


def highlighted(
    words: list[str], contributions: list[tuple[str, float]]
) -> list[tuple[str, str, int, str]]:
    """The words, each with class, step of colour (0: none), and its contribution as text.

    The contribution of an n-gram is shared among its words, wherever it occurs in the review.
    """
    by_n_gram = {tuple(name.split(" ")): value for name, value in contributions}
    by_word = np.zeros(len(words))
    for n in sorted({len(n_gram) for n_gram in by_n_gram}):
        for start in range(len(words) - n + 1):
            n_gram = tuple(words[start : start + n])
            by_word[start : start + n] += by_n_gram.get(n_gram, 0.0) / n
    steps = np.rint(STEPS * np.abs(by_word) / max(np.abs(by_word).max(initial=0), 1e-9)).astype(int)
    return [
        (with_line_breaks(word), CLASSES[value > 0], step, f"{value:+.2f}")
        for word, value, step in zip(words, by_word.tolist(), steps.tolist(), strict=True)
    ]


def percentage(probability: float) -> str:
    """As text; never 0.0% or 100.0%, since no probability is that certain."""
    if 0.001 <= probability <= 0.999:
        return f"{probability:.1%}"
    return "under 0.1%" if probability < THRESHOLD else "over 99.9%"


def most_different(ours: Predictions, theirs: Predictions) -> list[int]:
    """Reviews that two variants classify differently, the largest difference first."""
    differ = np.flatnonzero(is_positive(ours.mean) != is_positive(theirs.mean))
    order = np.argsort(-np.abs(ours.mean - theirs.mean)[differ], kind="stable")
    return differ[order][:EXAMPLES].tolist()  # type: ignore[no-any-return]


def score_rows(predictions: Predictions) -> Iterator[tuple[str, str, str]]:
    """Each score: its name, that of one seed, and that of the mean of the seeds."""
    labels = predictions.labels
    seeds = pd.DataFrame([error_analysis.scores(labels, p) for p in predictions.by_seed])
    mean = error_analysis.scores(labels, predictions.mean)
    for score, (name, style) in SCORES.items():
        yield name, mean_and_std(seeds[score], style), f"{mean[score]:{style}}"


def make_page(variant: str, shown: int) -> str:
    """The page with this number of reviews.

    Raises:
        InputError: there is no such variant, or results are missing, damaged or inconsistent.
        ModuleNotFoundError: a package of `make setup-dev` is not installed.
    """
    import jinja2  # noqa: PLC0415
    import vl_convert  # noqa: PLC0415

    from workflow.report import error_charts  # noqa: PLC0415

    params = load_params()
    params.recipe(variant)  # fails if there is no such variant
    reviews, vocabulary = load_reviews("test"), Vocabulary.load(REVIEWS)
    others = error_analysis.read_predictions(params.variants)
    if variant not in others:
        raise InputError(f"{variant}: no predictions; {how_to_get_results()}")
    ours = others.pop(variant)
    rates = error_analysis.read_error_rates(variant, ours)
    shares = error_analysis.disagreement({variant: ours} | others)
    wrong = ours.wrong_in_every_seed().tolist()

    from workflow.serving.predictor import Predictor, strongest  # noqa: PLC0415 - takes seconds

    predictor = Predictor(MODELS / variant)

    def text_of(number: int) -> str:
        return vocabulary.decode(reviews.between(number, number + 1).values)

    def excerpt(number: int) -> str:
        words = text_of(number).split(" ")
        end = " …" if len(words) > EXCERPT else ""
        return with_line_breaks(" ".join(words[:EXCERPT])) + end

    def explained(number: int) -> dict[str, Any]:
        text, by_seed = text_of(number), ours.by_seed[:, number]
        again = predictor.predict([text])[:, 0]
        if len(again) != len(by_seed) or not np.allclose(again, by_seed, atol=TOLERANCE):
            other = "the model predicts something else than data/predictions has"
            raise InputError(f"review {number}: {other}{RERUN_HINT}")
        contributions = predictor.contributions(text)
        return {
            "number": number,
            "probabilities": [percentage(by_seed.min()), percentage(by_seed.max())],
            "words": highlighted(text.split(" "), contributions),
            "strongest": list(
                zip(reversed(CLASSES), strongest(contributions, MAX_SHOWN), strict=True)
            ),
        }

    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        lstrip_blocks=True,
        trim_blocks=True,
    )
    environment.filters |= {"percentage": percentage, "excerpt": excerpt}
    charts = error_charts.all_charts(ours, rates, shares)
    return environment.get_template("errors.html").render(
        variant=variant,
        data=data_line(ours.facts),
        seeds=number_of(len(ours.by_seed)),
        ours=ours,
        classes=CLASSES,
        all_wrong=len(wrong),
        scores=list(score_rows(ours)),
        others=[
            (other, shares.loc[variant, other], theirs, most_different(ours, theirs))
            for other, theirs in others.items()
        ],
        worst=[explained(n) for n in tqdm(wrong[:shown], unit=" reviews", disable=None)],
        steps=STEPS,
        charts=json.dumps(charts, separators=(",", ":")).replace("<", r"\u003c"),
        vega=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", error_charts.VEGA_LITE),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("variant", nargs="?", default=CANDIDATE, help=f"(default: {CANDIDATE})")
    parser.add_argument("--reviews", type=int, default=50, help="how many to show (default: 50)")
    options = parser.parse_args()
    if options.reviews < 0:
        parser.error("--reviews: expected 0 or more")
    try:
        page = make_page(options.variant, options.reviews)
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed; run `make setup-dev`") from None
    PAGES.mkdir(exist_ok=True)
    path = PAGES / f"{options.variant}.html"
    path.write_text(page, "utf-8")
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run(main)
