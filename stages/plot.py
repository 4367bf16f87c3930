"""Stage plot: the comparison of the variants, and their errors.

reads   params.yaml (variants, train, compare), docs/notebook_values.csv,
        metrics/{metrics.json,scores.csv,differences.csv,correct/}
writes  plots/figures/{test_accuracy,differences,error_rates}.png
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from workflow.base.errors import run
from workflow.base.files import CORRECT, NOTEBOOK_VALUES, SCORES, DataFacts, data_line, read_csv
from workflow.charts.style import COLOURS, beside, number_of, percent, rows, save
from workflow.evaluation.params import CompareParams
from workflow.evaluation.results import (
    Correct,
    read_correct,
    read_differences,
    read_facts,
    read_scores,
)
from workflow.evaluation.significance import difference
from workflow.params import load_params

OFFSETS = {"validation": -0.17, "test": 0.17}  # of the two lines in a variant's row
MARKERS = {"validation": "s", "test": "o"}


def notebook_accuracies() -> dict[str, float]:
    """The notebook's test accuracies by variant, each of one run on the archive's test reviews."""
    values = read_csv(NOTEBOOK_VALUES, {"variant": str, "score": str, "value": "float64"})
    values = values[values["score"] == "test_accuracy"]
    return dict(zip(values["variant"], values["value"], strict=True))


def accuracies(correct: dict[str, Correct]) -> pd.DataFrame:
    """A row per variant and split: mean, and low and high of its 95% interval."""
    by_split = {
        (variant, split): difference(right, np.zeros_like(right))  # over seeds and reviews
        for variant, bits in correct.items()
        for split, right in bits.by_split.items()
    }
    index = pd.MultiIndex.from_tuples(by_split, names=["variant", "split"])
    return pd.DataFrame(by_split.values(), index).reset_index()


def with_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The results in order of `row`, their place: the best variant on the validation reviews is 0.

    The result on the validation reviews is a little above the row, the one on test below.
    """
    validation = table[table["split"] == "validation"].set_index("variant")["mean"]
    ranks = validation.rank(method="first", ascending=False) - 1
    rows = table["variant"].map(ranks) + table["split"].map(OFFSETS)
    return table.assign(row=rows.astype(float)).sort_values("row")


def draw_intervals(axis: Axes, table: pd.DataFrame) -> list[Artist]:
    """Means and intervals in their rows; returns one mark of each split, for a legend."""
    marks: list[Artist] = []
    for split, marker in MARKERS.items():
        results, colour = table[table["split"] == split], COLOURS[split]
        axis.hlines(results["row"], results["low"], results["high"], colour, linewidth=2)
        marks += axis.plot(results["mean"], results["row"], marker, color=colour, label=split)
    return marks


def test_accuracy(table: pd.DataFrame, notebook: dict[str, float], facts: DataFacts) -> Path:
    """The accuracies with their intervals, and the notebook's."""
    table = with_rows(table)
    variants = list(table["variant"].unique())
    figure, (axis,) = rows(1, variants, 0.5)
    handles = draw_intervals(axis, table)
    known = [(notebook[v], row) for row, v in enumerate(variants) if v in notebook]
    if known and facts.source == "keras":
        x, y = np.transpose(known)
        label = "the notebook's one run, test"
        handles += axis.plot(x, y + OFFSETS["test"], "D", c="black", fillstyle="none", label=label)
    for result in table.to_dict("records"):
        text = f"{result['mean']:.2%}"
        if not np.isnan(result["low"]):  # a single seed has no interval
            text += f" [{100 * result['low']:.2f}, {100 * result['high']:.2f}]"
        beside(axis, result["row"], text, COLOURS[result["split"]])
    axis.xaxis.set_major_formatter(percent)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    axis.set_xlabel("accuracy, with 95% interval")
    axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=9)
    best = table[table["split"] == "validation"].set_index("variant")["mean"]
    seeds = number_of(int(table["seeds"].max()))
    return save(
        figure,
        "test_accuracy",
        "Most validation reviews right: " + ", ".join(f"{v} {best[v]:.2%}" for v in variants[:2]),
        f"{seeds} per variant; interval over seeds and reviews; ordered by validation accuracy",
        data_line(facts),
    )


def differences(table: pd.DataFrame, compare: CompareParams, facts: DataFacts) -> Path:
    """The difference of each variant from the reference, with its 95% interval."""
    table = with_rows(table.assign(**100 * table[["mean", "low", "high"]]))
    variants = list(table["variant"].unique())
    figure, (axis,) = rows(1, variants, 0.5)
    axis.axvline(0, color="black", linewidth=0.8)
    min_effect = 100 * compare.min_effect
    axis.axvspan(-min_effect, min_effect, color="lightgray", alpha=0.6, linewidth=0)
    handles = draw_intervals(axis, table)
    for result in table.to_dict("records"):
        end = np.nanmax([result["mean"], result["high"]])
        axis.annotate(f"  {result['verdict']}", (end, result["row"]), fontsize=9, va="center")
    if min_effect:
        label = f"less than {min_effect:g} points: does not matter"
        handles.append(Patch(color="lightgray", alpha=0.6, linewidth=0, label=label))
    axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=9)
    axis.margins(x=0.1)
    axis.xaxis.set_major_formatter("{x:+g}")
    axis.set_xlabel(f"accuracy minus that of {compare.reference}, in points, with 95% interval")
    better = (table[table["split"] == "validation"]["verdict"] == "better").sum()
    return save(
        figure,
        "differences",
        f"Better than {compare.reference} on the validation reviews: "
        f"{better} of {len(variants)} variants",
        data_line(facts),
    )


def error_rates(scores: pd.DataFrame, facts: DataFacts) -> Path:
    """The error rates of each variant on negative and on positive reviews, a dot for each seed."""
    right = {"negative": "test_true_negatives", "positive": "test_true_positives"}
    wrong = {"negative": "test_false_positives", "positive": "test_false_negatives"}
    by_variant = scores.groupby("variant", sort=False)
    order = by_variant["validation_accuracy"].mean().sort_values(ascending=False, kind="stable")
    rates = pd.DataFrame(
        {
            label: scores[wrong[label]] / (scores[wrong[label]] + scores[right[label]]).clip(1)
            for label in right
        }
    ).set_index(scores["variant"])
    figure, axes = rows(2, list(order.index), 0.35)
    for axis, label, other in zip(axes, right, reversed(right), strict=True):
        for row, variant in enumerate(order.index):
            of_seeds = rates.loc[[variant], label]
            axis.plot(of_seeds, [row] * len(of_seeds), "o", color=COLOURS["test"], alpha=0.5)
            axis.plot(of_seeds.mean(), row, "|", color="black", markersize=14)
            beside(axis, row, f"{of_seeds.mean():.1%}")
        axis.set_xlim(0, 1.05 * max(float(rates.to_numpy().max()), 0.01))
        axis.xaxis.set_major_formatter(percent)
        axis.set_xlabel(f"{label} reviews taken for {other}")
    return save(
        figure,
        "error_rates",
        "Error rates on negative and on positive test reviews",
        f"{number_of(scores['seed'].nunique())} per variant, each a dot; line: their mean; "
        "ordered by validation accuracy",
        data_line(facts),
    )


def main() -> None:
    params = load_params()
    facts = read_facts()
    scores = read_scores(SCORES, params.variants, params.train.all_seeds)
    correct = {variant: read_correct(CORRECT / f"{variant}.npz") for variant in params.variants}
    print(test_accuracy(accuracies(correct), notebook_accuracies(), facts))
    print(differences(read_differences(), params.compare, facts))
    print(error_rates(scores, facts))


if __name__ == "__main__":
    run(main)
