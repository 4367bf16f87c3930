"""The values in MODEL_CARD.md: what is known about the variant `candidate`."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from workflow.base import files
from workflow.base.files import CANDIDATE, HELD_OUT
from workflow.base.schema import read_yaml
from workflow.evaluation import results
from workflow.evaluation.scores import mean_and_std
from workflow.evaluation.significance import difference, verdicts
from workflow.report.error_analysis import with_intervals
from workflow.report.review_page import interval, points, table

TEST_SCORES = {"precision": "precision", "recall": "recall"}
TEST_SCORES |= {"roc_auc": "ROC AUC", "brier": "Brier score"}


class Card(NamedTuple):
    """What the card is made of."""

    params: dict[str, Any]
    facts: files.DataFacts
    scores: pd.DataFrame  # of the candidate
    differences: pd.DataFrame  # of the candidate
    metrics: dict[str, Any]  # by variant
    correct: dict[str, results.Correct]  # by variant


def own_reviews(facts: files.ReviewFacts) -> bool:
    """Whether the reviews are a user's own."""
    return facts.source.startswith("csv")


def read_card(folder: Path) -> Card:
    """The results in a checkout of this project; InputError if any are missing or damaged."""
    scores = results.read_scores(folder / files.SCORES)
    differences = results.read_differences(folder / files.DIFFERENCES)
    params = read_yaml(folder / "params.yaml")
    correct = {
        variant: results.read_correct(folder / files.CORRECT / f"{variant}.npz")
        for variant in params["variants"]
    }
    metrics = files.read_json(folder / files.METRICS, dict[str, Any])
    facts = results.read_facts(folder / files.METRICS)
    scores, differences = (t[t["variant"] == CANDIDATE] for t in (scores, differences))
    return Card(params, facts, scores, differences, metrics, correct)


def recipe_of(params: dict[str, Any], variant: str) -> dict[str, Any]:
    """The block of params.yaml with the recipe of a variant."""
    block = params
    for key in params["variants"][variant]["recipe"].split("."):
        block = block[key]
    return block


def trained_on(params: dict[str, Any], facts: files.DataFacts, variant: str) -> int:
    """The number of reviews that the networks scored on test were trained on."""
    refit = recipe_of(params, variant).get("refit", False)
    return facts.train_reviews + (facts.validation_reviews if refit else 0)


def recipe(card: Card) -> str:
    """The recipe and its features, as params.yaml has them."""
    variant, file = card.params["variants"][CANDIDATE], io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # it has no type
    features, name = variant["features"], variant["recipe"].split(".")[-1]
    blocks = {"features": {features: card.params["features"][features]}}
    yaml.dump(blocks | {name: recipe_of(card.params, CANDIDATE)}, file)
    return f"```yaml\n{file.getvalue()}```"


def data(card: Card) -> str:
    """Where the reviews are from and how many there are."""
    own = "**Not the dataset above, but own reviews.** " if own_reviews(card.facts) else ""
    words, sha256 = f"{card.facts.vocabulary:,} words", f"sha256 `{card.facts.sha256}…`"
    return f"{own}{files.data_line(card.facts)}; {words}; {sha256}."


def values(card: Card) -> str:
    """A row for each value, with its uncertainty."""
    reference = card.params["compare"]["reference"]
    ours, theirs = (trained_on(card.params, card.facts, name) for name in (CANDIDATE, reference))
    rows = [["reviews trained on", f"{ours:,} (`{reference}`: {theirs:,})"]]
    for split in HELD_OUT:
        correct = card.correct[CANDIDATE].by_split[split]
        accuracy = difference(correct, np.zeros_like(correct))  # over seeds and reviews
        cell = f"{accuracy.mean:.2%} {interval(accuracy._asdict(), '.2%')}"
        rows.append([f"accuracy, {split}", cell])
    for row in card.differences.to_dict("records"):
        cell = f"{points(row)} points, {row['verdict']}"
        rows.append([f"accuracy minus that of `{reference}`, {row['split']}", cell])
    if other := smallest_not_beaten(card):
        for split in HELD_OUT:
            d = difference(*(card.correct[v].by_split[split] for v in (CANDIDATE, other)))
            (word,) = verdicts({other: d}, card.params["compare"]["min_effect"]).values()
            cell = f"{points(d._asdict())} points, {word}"
            rows.append([f"accuracy minus that of `{other}`, {split}", cell])
    average = card.metrics[CANDIDATE]["average"]
    rows += [
        ["accuracy of the average, test", f"{average['accuracy']:.2%} {interval(average, '.2%')}"],
        ["Brier score of the average, test", f"{average['brier']:.4f}"],
        ["calibration error of the average, test", f"{average['calibration_error']:.2%}"],
    ]
    for name, label in TEST_SCORES.items():
        rows.append([f"{label}, test", mean_and_std(card.scores[f"test_{name}"])])
    return table([f"{len(card.scores)} seeds", ""], rows)


def smallest_not_beaten(card: Card) -> str | None:
    """The variant with the fewest weights that the candidate is not shown to beat on validation."""
    bits = {v: correct.by_split["validation"] for v, correct in card.correct.items()}
    ours = bits.pop(CANDIDATE)
    words = verdicts(
        {variant: difference(ours, theirs) for variant, theirs in bits.items()},
        card.params["compare"]["min_effect"],
    )
    not_beaten = [variant for variant, word in words.items() if word != "better"]
    weights = {variant: card.metrics[variant]["size"]["weights"] for variant in not_beaten}
    return min(not_beaten, key=weights.__getitem__, default=None)


def errors(card: Card, rates: pd.DataFrame | None) -> str | None:
    """A sentence, and a row for each group of reviews with its error rate; None without rates."""
    if own_reviews(card.facts):
        return "Not shown for own reviews: `make errors` writes errors/candidate.html."
    if rates is None:
        return None
    rows = [
        [by, group, f"{reviews:,}", f"{rate:.1%}", f"[{low:.1%}, {high:.1%}]"]
        for by, group, reviews, _, rate, low, high in with_intervals(rates).itertuples(index=False)
    ]
    wrong = np.asarray((~card.correct[CANDIDATE].by_split["test"]).all(axis=0))
    share = f"{wrong.sum():,} of {len(wrong):,} test reviews ({wrong.mean():.1%})"
    header = ["by", "group", "reviews", "wrong", "95% interval"]
    return f"{share} are wrong in every seed.\n\n{table(header, rows)}"
