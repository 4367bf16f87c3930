"""What the pages are made of: the results in a checkout, and what was measured beside them."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from workflow.base.errors import reading
from workflow.base.files import DIFFERENCES, HISTORY, NOTEBOOK_VALUES, SCORES, DataFacts
from workflow.evaluation.results import Correct, read_differences, read_history, read_scores
from workflow.evaluation.significance import difference, verdicts
from workflow.params import Params, load_params
from workflow.report.review_page import points
from workflow.report.revisions import Results

CONCLUSIONS = Path("docs/notebook_conclusions.csv")


class Sources(NamedTuple):
    """Checked results; dictionaries are by variant."""

    params: Params
    facts: DataFacts
    metrics: dict[str, Any]
    scores: pd.DataFrame
    differences: pd.DataFrame
    histories: dict[str, pd.DataFrame]
    correct: dict[str, Correct]
    notebook_values: pd.DataFrame
    notebook_conclusions: pd.DataFrame
    benchmarks: dict[str, list[str]]  # by page of benchmarks/, its paragraphs; a table is one

    def trained_on(self, variant: str) -> int:
        """The number of reviews that the networks scored on test were trained on."""
        refit = self.params.recipe(variant).refit
        return self.facts.train_reviews + (self.facts.validation_reviews if refit else 0)

    def compared(self, variant: str, other: str, split: str) -> tuple[str, str]:
        """The accuracy of one variant minus that of another, in points, and the verdict."""
        d = difference(*(self.correct[name].by_split[split] for name in (variant, other)))
        (word,) = verdicts({variant: d}, self.params.compare.min_effect).values()
        return f"{points(d._asdict())} points", word


def read_by_hand(path: Path, columns: dict[str, type]) -> pd.DataFrame:
    """A table that no command writes; InputError if it is missing or damaged."""
    with reading(path, f"; `git checkout {path}` restores it"):
        table = pd.read_csv(path, dtype=columns, keep_default_na=False)
        if table.isna().any(axis=None) or (table == "").any(axis=None):
            raise ValueError("a value is missing")
        return table


def read_sources(folder: Path = Path()) -> Sources:
    """The results in a checkout of this project; InputError if any are missing or damaged."""
    params = load_params(folder / "params.yaml")
    names, seeds = params.variants, params.train.all_seeds
    results = Results(folder)
    return Sources(
        params,
        results.facts,
        results.metrics,
        read_scores(folder / SCORES, names, seeds),
        read_differences(folder / DIFFERENCES),
        {name: read_history(name, seeds, folder / HISTORY) for name in names},
        results.correct,
        read_by_hand(folder / NOTEBOOK_VALUES, {"value": float}),
        read_by_hand(folder / CONCLUSIONS, {"verdict": str}),
        {
            page.stem: page.read_text("utf-8").strip().split("\n\n")
            for page in (folder / "benchmarks").glob("*.md")
        },
    )
