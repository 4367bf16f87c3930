"""What a variant gets wrong, as a page to read: `make errors VARIANT=candidate`.

usage   python -m commands.errors [VARIANT] [--reviews 50]     with the packages of `make setup-dev`
reads   params.yaml, data/reviews, data/predictions of all variants, models/VARIANT
writes  errors/VARIANT.html, one file that opens without a network; of the candidate also
        docs/errors.csv, whose figures MODEL_CARD.md shows

No stage of the pipeline, for nothing depends on it: it shows texts to a person. TensorFlow is
needed for one part alone, which words pushed.
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
from workflow.base.files import MODELS, REVIEWS, ReviewFacts, data_line, read_json
from workflow.base.reviews import Reviews, load_reviews
from workflow.charts.style import number_of
from workflow.evaluation.scores import mean_and_std
from workflow.features.encoders import load_encoder
from workflow.params import load_params
from workflow.report.error_analysis import (
    Predictions,
    disagreement,
    error_rates,
    known_words,
    read_predictions,
    scores,
    with_intervals,
)
from workflow.report.model_card import CANDIDATE, ERRORS, EVERY_SEED
from workflow.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from workflow.serving.predictor import Predictor

PAGES = Path("errors")
CLASSES = ("negative", "positive")
EXAMPLES = 3  # of each other variant
EXCERPT = 80  # words of them
STEPS = 6  # of colour
SHOWN = 8  # of what pushed most, in each direction
TOLERANCE = 1e-3  # of probabilities: another processor rounds otherwise

SCORES = {
    "accuracy": ("accuracy", ".2%"),
    "auc": ("area under the ROC curve", ".4f"),
    "brier": ("Brier score: mean squared error of the probability", ".4f"),
    "ece": ("expected calibration error, ten bins", ".2%"),
}
KINDS = {
    "label": ("By label", "Of negative and of positive reviews."),
    "words": ("By length", "In words; five groups of about the same size."),
    "unknown words": (
        "By share of unknown words",
        "Words that have no column of their own: too rare, or in no training review.",
    ),
    "agreement": ("By agreement of the seeds", "How many seeds say the same as their mean."),
}
EMBED = """
const charts = JSON.parse(document.getElementById("charts").textContent);
for (const [place, chart] of Object.entries(charts)) {
  const element = document.getElementById(place);
  const options = {actions: false, mode: "vega-lite", renderer: "svg"};
  vegaEmbed(element, chart, options).catch((error) => {
    element.textContent = `This chart cannot be drawn: ${error.message}`;
  });
}
"""


def shades(
    words: list[str], contributions: list[tuple[str, float]]
) -> list[tuple[str, str, int, str]]:
    """A review in pieces: text, direction, step of colour (0: none), and the contribution to be shown.

    The contribution of an n-gram is shared among its words, wherever in the review they are.
    """
    of_words = np.zeros(len(words))
    lengths: dict[int, dict[tuple[str, ...], float]] = {}
    for name, contribution in contributions:
        n_gram = tuple(name.split(" "))
        lengths.setdefault(len(n_gram), {})[n_gram] = contribution / len(n_gram)
    for n, of in lengths.items():
        for at in range(len(words) - n + 1):
            of_words[at : at + n] += of.get(tuple(words[at : at + n]), 0.0)
    steps = np.rint(STEPS * np.abs(of_words) / max(np.abs(of_words).max(initial=0), 1e-9))
    pieces: list[tuple[str, str, int, str]] = []
    for word, contribution, step in zip(
        words, of_words.tolist(), steps.astype(int).tolist(), strict=True
    ):
        if not step and pieces and not pieces[-1][2]:
            pieces[-1] = (f"{pieces[-1][0]} {word}", "", 0, "")
        else:
            pieces.append((word, CLASSES[contribution > 0], step, f"{contribution:+.2f}"))
    return pieces


def chance(probability: float) -> str:
    """No review is called positive by 0.0% or by 100.0%."""
    if 0.001 <= probability <= 0.999:
        return f"{probability:.1%}"
    return "under 0.1%" if probability < 0.5 else "over 99.9%"


def strongest(contributions: list[tuple[str, float]]) -> Iterator[tuple[str, str]]:
    """What pushed most in each direction, as lines of text."""
    for name, ordered in (("for positive", contributions), ("for negative", contributions[::-1])):
        sign = 1 if ordered is contributions else -1
        told = [
            f"{words} {contribution:+.2f}"
            for words, contribution in ordered[:SHOWN]
            if sign * contribution > 0
        ]
        if told:
            yield name, ", ".join(told)


def explained(
    predictor: "Predictor", answers: Predictions, number: int, text: str
) -> dict[str, Any]:
    """A review that is wrong, with what pushed.

    Raises:
        InputError: the model does not say of it what the predictions say.
    """
    words = text.split(" ")
    of_seeds = answers.of_seeds[:, number]
    lowest, highest = float(of_seeds.min()), float(of_seeds.max())
    again = predictor.predict([text])[:, 0]
    if len(again) != len(of_seeds) or not np.allclose(again, of_seeds, atol=TOLERANCE):
        raise InputError(
            f"review {number}: the model does not say what data/predictions has; `dvc repro` makes "
            "both anew"
        )
    contributions = predictor.contributions(text)
    return {
        "number": number,
        "label": CLASSES[int(answers.labels[number])],
        "called": CLASSES[int(not answers.labels[number])],
        "chances": " to ".join(dict.fromkeys(map(chance, (lowest, highest)))),
        "length": len(words),
        "pieces": shades(words, contributions),
        "contributions": list(strongest(contributions)),
    }


def differing(
    ours: Predictions, theirs: Predictions, reviews: Reviews, vocabulary: Vocabulary
) -> Iterator[dict[str, Any]]:
    """Reviews of which two variants say otherwise, where they are farthest apart."""
    differ = np.flatnonzero((ours.mean > 0.5) != (theirs.mean > 0.5))
    order = np.argsort(-np.abs(ours.mean - theirs.mean)[differ], kind="stable")
    for number in differ[order][:EXAMPLES].tolist():
        ranks = reviews.between(number, number + 1).values
        more = " …" if len(ranks) > EXCERPT else ""
        yield {
            "number": number,
            "label": CLASSES[int(ours.labels[number])],
            "ours": chance(ours.mean[number]),
            "theirs": chance(theirs.mean[number]),
            "text": vocabulary.decode(ranks[:EXCERPT]) + more,
        }


def score_rows(answers: Predictions) -> Iterator[tuple[str, str, str]]:
    """Of each score its name, that of one seed, and that of the mean of the seeds."""
    seeds = pd.DataFrame([scores(answers.labels, of_seed) for of_seed in answers.of_seeds])
    mean = scores(answers.labels, answers.mean)
    for key, (name, style) in SCORES.items():
        yield name, mean_and_std(seeds[key], style), f"{mean[key]:{style}}"


def charts_of(
    variant: str, answers: dict[str, Predictions], rates: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """The charts as Vega-Lite, by the place that each has in the page."""
    from workflow.report import error_charts  # noqa: PLC0415 - Altair is not everybody's

    ours, overall = answers[variant], float(answers[variant].wrong.mean())
    charts = {
        f"by-{place}": error_charts.rates(rates[rates["by"] == by], overall)
        for place, by in enumerate(KINDS)
    }
    charts["reliability"] = error_charts.reliability(ours)
    charts["roc"] = error_charts.roc_curves(ours)
    if len(answers) > 1:
        charts["matrix"] = error_charts.matrix(disagreement(answers))
    return charts


def rendered(charts: dict[str, Any], **context: Any) -> str:
    """The page: its texts are escaped, its scripts are in it."""
    import altair as alt  # noqa: PLC0415
    import vl_convert  # noqa: PLC0415
    from jinja2 import Environment, FileSystemLoader  # noqa: PLC0415

    version = alt.SCHEMA_VERSION.removeprefix("v").rpartition(".")[0]
    places = FileSystemLoader(Path(__file__).parent)
    template = Environment(autoescape=True, loader=places, lstrip_blocks=True, trim_blocks=True)
    return template.get_template("errors.html").render(
        charts=json.dumps(charts, separators=(",", ":")).replace("<", r"\u003c"),
        vega=vl_convert.javascript_bundle(EMBED, version),
        steps=STEPS,
        **context,
    )


def page(variant: str, number: int) -> tuple[str, pd.DataFrame]:
    """The page with so many reviews, and the figures that are kept in Git.

    Raises:
        InputError: there is no such variant, or something of it is missing or damaged.
    """
    params = load_params()
    params.recipe(variant)  # is there one?
    reviews, vocabulary = load_reviews("test"), Vocabulary.load(REVIEWS)
    facts = read_json(REVIEWS / "facts.json", ReviewFacts)
    answers = read_predictions(params.variants, reviews, facts.sha256)
    if variant not in answers:
        raise InputError(f"{variant}: no predictions; `dvc repro` or `dvc pull` brings them")
    ours, encoder = answers.pop(variant), load_encoder(MODELS / variant / "encoder")
    answers = {variant: ours} | answers
    known = known_words(encoder.words(np.arange(encoder.columns)), facts.vocabulary)
    rates = error_rates(ours, reviews, known)
    charts = charts_of(variant, answers, with_intervals(rates))
    worst = ours.worst()

    from workflow.serving.predictor import Predictor  # noqa: PLC0415 - takes seconds

    predictor = Predictor(MODELS / variant)
    told = rendered(
        charts,
        variant=variant,
        data=data_line(ours.facts),
        seeds=number_of(len(ours.of_seeds)),
        reviews=len(reviews),
        all_wrong=len(worst),
        scores=score_rows(ours),
        rates=[(*told, f"by-{place}") for place, told in enumerate(KINDS.values())],
        others=[
            (other, np.mean((ours.mean > 0.5) != (theirs.mean > 0.5)), examples)
            for other, theirs in answers.items()
            if (examples := list(differing(ours, theirs, reviews, vocabulary)))
        ],
        worst=[
            explained(predictor, ours, n, vocabulary.decode(reviews.between(n, n + 1).values))
            for n in tqdm(worst[:number].tolist(), unit=" reviews", disable=None)
        ],
    )
    every = {"by": "", "group": EVERY_SEED, "reviews": len(reviews), "wrong": len(worst)}
    return told, pd.concat([pd.DataFrame([every]), rates])


def natural(text: str) -> int:
    """A number of reviews; ValueError if it is none."""
    if (number := int(text)) < 0:
        raise ValueError
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("variant", nargs="?", default=CANDIDATE, help=f"(default: {CANDIDATE})")
    parser.add_argument(
        "--reviews", type=natural, default=50, help="how many to show (default: 50)"
    )
    options = parser.parse_args()
    try:
        told, figures = page(options.variant, options.reviews)
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed; `make setup-dev` installs it") from None
    PAGES.mkdir(exist_ok=True)
    path = PAGES / f"{options.variant}.html"
    path.write_text(told, "utf-8")
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    if options.variant == CANDIDATE:
        ERRORS.parent.mkdir(exist_ok=True)
        figures.to_csv(ERRORS, index=False)
        print(f"{ERRORS}: its figures; `make readme` shows them in MODEL_CARD.md")


if __name__ == "__main__":
    run(main)
