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
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from workflow.base.errors import InputError, run
from workflow.base.files import (
    CANDIDATE,
    MODELS,
    RERUN_HINT,
    REVIEWS,
    ReviewFacts,
    data_line,
    how_to_get_results,
    read_json,
)
from workflow.base.labels import CLASSES, THRESHOLD, is_positive
from workflow.base.reviews import Reviews, load_reviews
from workflow.charts.style import number_of
from workflow.evaluation.scores import mean_and_std
from workflow.params import load_params
from workflow.report import error_analysis
from workflow.report.error_analysis import Predictions
from workflow.text.vocabulary import Vocabulary, with_line_breaks

if TYPE_CHECKING:
    from workflow.serving.predictor import Predictor

PAGES = Path("errors")
EXAMPLES = 3  # of each other variant
EXCERPT = 80  # words of an example
STEPS = 6  # of colour
MAX_SHOWN = 8  # contributions in each direction
TOLERANCE = 1e-3  # of probabilities: another processor rounds differently

SCORES = {"accuracy": ".2%", "roc_auc": ".4f", "brier": ".4f", "ece": ".2%"}  # and their format
EMBED = """
const charts = JSON.parse(document.getElementById("charts").textContent);
for (const [id, chart] of Object.entries(charts)) {
  const element = document.getElementById(id);
  const options = {actions: false, mode: "vega-lite", renderer: "svg"};
  vegaEmbed(element, chart, options).catch((error) => {
    element.textContent = `This chart cannot be drawn: ${error.message}`;
  });
}
"""


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


def strongest(contributions: list[tuple[str, float]]) -> Iterator[tuple[str, str]]:
    """The largest contributions in each direction, as lines of text; those given are in order."""
    positive = [(name, value) for name, value in contributions if value > 0]
    negative = [(name, value) for name, value in reversed(contributions) if value < 0]
    for direction, largest in (("for positive", positive), ("for negative", negative)):
        if largest:
            terms = [f"{name} {value:+.2f}" for name, value in largest[:MAX_SHOWN]]
            yield direction, ", ".join(terms)


def explained(
    predictor: "Predictor", predictions: Predictions, number: int, text: str
) -> dict[str, Any]:
    """A review that is wrong in every seed, with the contributions of its words.

    Raises:
        InputError: the model does not predict what data/predictions has.
    """
    by_seed = predictions.by_seed[:, number]
    again = predictor.predict([text])[:, 0]
    if len(again) != len(by_seed) or not np.allclose(again, by_seed, atol=TOLERANCE):
        other = "the model predicts something else than data/predictions has"
        raise InputError(f"review {number}: {other}{RERUN_HINT}")
    words, contributions = text.split(" "), predictor.contributions(text)
    ends = percentage(float(by_seed.min())), percentage(float(by_seed.max()))
    return {
        "number": number,
        "label": CLASSES[int(predictions.labels[number])],
        "predicted": CLASSES[int(not predictions.labels[number])],
        "probabilities": " to ".join(dict.fromkeys(ends)),
        "length": len(words),
        "words": highlighted(words, contributions),
        "contributions": list(strongest(contributions)),
    }


def most_different(
    ours: Predictions, theirs: Predictions, reviews: Reviews, vocabulary: Vocabulary
) -> Iterator[dict[str, Any]]:
    """Reviews that two variants classify differently, the largest difference first."""
    differ = np.flatnonzero(is_positive(ours.mean) != is_positive(theirs.mean))
    order = np.argsort(-np.abs(ours.mean - theirs.mean)[differ], kind="stable")
    for number in differ[order][:EXAMPLES].tolist():
        ranks = reviews.between(number, number + 1).values
        yield {
            "number": number,
            "label": CLASSES[int(ours.labels[number])],
            "ours": percentage(ours.mean[number]),
            "theirs": percentage(theirs.mean[number]),
            "text": with_line_breaks(vocabulary.decode(ranks[:EXCERPT]))
            + (" …" if len(ranks) > EXCERPT else ""),
        }


def score_cells(predictions: Predictions) -> dict[str, tuple[str, str]]:
    """Each score of one seed, and of the mean of the seeds."""
    labels = predictions.labels
    seeds = pd.DataFrame([error_analysis.scores(labels, p) for p in predictions.by_seed])
    mean = error_analysis.scores(labels, predictions.mean)
    return {
        score: (mean_and_std(seeds[score], style), f"{mean[score]:{style}}")
        for score, style in SCORES.items()
    }


def vega_charts(
    ours: Predictions, rates: pd.DataFrame, disagreement: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """The charts as Vega-Lite, by the id of their element in the page."""
    from workflow.report import error_charts  # noqa: PLC0415 - Altair comes with `make setup-dev`

    rates, overall = error_analysis.with_intervals(rates), float(ours.wrong.mean())
    tops = rates["high"].groupby(rates["by"] == "agreement").max()  # the others share an axis
    charts = {
        f"by {by}": error_charts.error_rates(group, overall, float(tops[by == "agreement"]))
        for by, group in rates.groupby("by", sort=False)
    }
    charts["reliability"] = error_charts.reliability_diagram(ours)
    charts["roc"] = error_charts.roc_curves(ours)
    if len(disagreement):
        charts["matrix"] = error_charts.disagreement_matrix(disagreement)
    return {name.replace(" ", "-"): chart for name, chart in charts.items()}


def render(charts: dict[str, Any], **context: Any) -> str:
    """The page: texts are escaped, scripts are part of it."""
    import altair as alt  # noqa: PLC0415
    import jinja2  # noqa: PLC0415
    import vl_convert  # noqa: PLC0415

    version = alt.SCHEMA_VERSION.removeprefix("v").rpartition(".")[0]
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        lstrip_blocks=True,
        trim_blocks=True,
    )
    return environment.get_template("errors.html").render(
        charts=json.dumps(charts, separators=(",", ":")).replace("<", r"\u003c"),
        vega=vl_convert.javascript_bundle(EMBED, version),
        steps=STEPS,
        **context,
    )


def make_page(variant: str, shown: int) -> str:
    """The page with this number of reviews.

    Raises:
        InputError: there is no such variant, or results are missing or damaged.
    """
    params = load_params()
    params.recipe(variant)  # fails if there is no such variant
    reviews, vocabulary = load_reviews("test"), Vocabulary.load(REVIEWS)
    facts = read_json(REVIEWS / "facts.json", ReviewFacts)
    predictions = error_analysis.read_predictions(params.variants, reviews, facts.sha256)
    if variant not in predictions:
        raise InputError(f"{variant}: no predictions; {how_to_get_results()}")
    ours = predictions.pop(variant)
    rates = error_analysis.read_error_rates(variant, ours, reviews)
    disagreement = error_analysis.disagreement({variant: ours} | predictions)
    shares = disagreement[disagreement["variant"] == variant].set_index("other")["share"]
    charts = vega_charts(ours, rates, disagreement)
    wrong = ours.wrong_in_every_seed()

    from workflow.serving.predictor import Predictor  # noqa: PLC0415 - takes seconds

    predictor = Predictor(MODELS / variant)
    return render(
        charts,
        variant=variant,
        data=data_line(ours.facts),
        seeds=number_of(len(ours.by_seed)),
        reviews=len(reviews),
        all_wrong=len(wrong),
        scores=score_cells(ours),
        others=[
            (other, shares[other], list(most_different(ours, theirs, reviews, vocabulary)))
            for other, theirs in predictions.items()
            if shares[other]
        ],
        worst=[
            explained(predictor, ours, n, vocabulary.decode(reviews.between(n, n + 1).values))
            for n in tqdm(wrong[:shown].tolist(), unit=" reviews", disable=None)
        ],
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
