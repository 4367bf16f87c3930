"""The figures of MODEL_CARD.md: what is known of the variant candidate."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ruamel.yaml import YAML

from workflow.base.errors import reading
from workflow.base.files import CORRECT, DIFFERENCES, HELD_OUT, METRICS, SCORES, DataFacts
from workflow.base.schema import read_yaml
from workflow.evaluation.results import (
    Correct,
    read_correct,
    read_differences,
    read_facts,
    read_scores,
)
from workflow.evaluation.scores import mean_and_std
from workflow.evaluation.significance import difference
from workflow.report.comparison import interval, table
from workflow.report.error_analysis import with_intervals

CANDIDATE = "candidate"
ERRORS = Path("docs/errors.csv")  # written by commands.errors
EVERY_SEED = "wrong in every seed"  # its first row


class Card(NamedTuple):
    """What the card tells of, all read."""

    params: dict[str, Any]
    facts: DataFacts
    scores: pd.DataFrame  # of the candidate
    differences: pd.DataFrame  # of the candidate
    correct: Correct
    errors: pd.DataFrame | None


def read_card(folder: Path) -> Card:
    """The results in a checkout of this project.

    Raises:
        InputError: docs/errors.csv is of other results.
    """
    tables = read_scores(folder / SCORES), read_differences(folder / DIFFERENCES)
    scores, differences = (table.query("variant == @CANDIDATE") for table in tables)
    correct = read_correct(folder / CORRECT / f"{CANDIDATE}.npz")
    path, errors = folder / ERRORS, None
    if path.exists():
        with reading(ERRORS, "; `make errors` makes it anew"):
            counts = {"reviews": "int64", "wrong": "int64"}
            errors = pd.read_csv(path, dtype=counts, keep_default_na=False)
            if errors["wrong"][0] != (~correct.by_split["test"]).all(axis=0).sum():
                raise ValueError("of other results than metrics/")
    params = read_yaml(folder / "params.yaml")
    return Card(params, read_facts(folder / METRICS), scores, differences, correct, errors)


def recipe(of: Card) -> str:
    """What params.yaml says of it, as YAML."""
    variant = of.params["variants"][CANDIDATE]
    place, features = variant["recipe"].split("."), variant["features"]
    block = of.params
    for key in place:
        block = block[key]
    file, yaml = io.StringIO(), YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # it has no type
    yaml.dump({"features": {features: of.params["features"][features]}, place[-1]: block}, file)
    return f"```yaml\n{file.getvalue()}```"


def data(of: Card) -> str:
    """Where the reviews are from and how many there are."""
    facts = of.facts
    own = "**Not the reviews above, but own ones.** " if facts.source.startswith("csv") else ""
    return (
        f"{own}Source `{facts.source}`, sha256 `{facts.sha256}…`: {facts.train_reviews:,} train, "
        f"{facts.validation_reviews:,} validation and {facts.test_reviews:,} test reviews, "
        f"{facts.vocabulary:,} words."
    )


def accuracy(right: NDArray[np.bool_]) -> str:
    """With its interval, over seeds and reviews: that of a difference from nothing right."""
    found = difference(right, np.zeros_like(right))
    return f"{found.mean:.2%} {interval(found._asdict(), '.2%')}"


def figures(of: Card) -> str:
    """A row for each figure."""
    rows = [[f"accuracy, {split}", accuracy(of.correct.by_split[split])] for split in HELD_OUT]
    for found in of.differences.to_dict("records"):
        hundred = {str(key): 100 * found[key] for key in ("mean", "low", "high")}
        gain = f"{hundred['mean']:+.2f} {interval(hundred, '+.2f')} points, {found['verdict']}"
        reference = of.params["compare"]["reference"]
        rows.append([f"accuracy minus that of `{reference}`, {found['split']}", gain])
    others = {
        "precision": "precision",
        "recall": "recall",
        "roc_auc": "ROC AUC",
        "brier": "Brier score",
    }
    rows += [
        [f"{told}, test", mean_and_std(of.scores[f"test_{name}"])] for name, told in others.items()
    ]
    return table([f"{len(of.scores)} seeds", ""], rows)


def errors(of: Card) -> str | None:
    """A sentence and a row for each kind of reviews; None if commands.errors has not run."""
    if of.errors is None:
        return None
    every, rates = of.errors.iloc[0], with_intervals(of.errors.iloc[1:])
    rows = [
        [by, group, f"{reviews:,}", f"{rate:.1%}", f"[{low:.1%}, {high:.1%}]"]
        for by, group, reviews, _, rate, low, high in rates.itertuples(index=False)
    ]
    counts = f"{every['wrong']:,} of {every['reviews']:,} test reviews"
    told = f"{counts} ({every['wrong'] / every['reviews']:.1%}) are {EVERY_SEED}."
    return f"{told}\n\n{table(['by', 'group', 'reviews', 'wrong', '95% interval'], rows)}"
