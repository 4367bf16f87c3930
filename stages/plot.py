"""Stage plot: the comparison of the variants, their errors, and the learning curves of each.

reads   params.yaml (variants and their recipes, train, compare), docs/notebook_values.csv,
        plots/history/, metrics/{metrics.json,scores.csv,differences.csv,correct/}
writes  plots/figures/{test_accuracy,differences,error_rates,learning_curves_VARIANT}.png
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from workflow.base.errors import run
from workflow.base.files import (
    CORRECT,
    FIGURES,
    NOTEBOOK_VALUES,
    SCORES,
    DataFacts,
    empty_folder,
    read_csv,
)
from workflow.base.labels import CLASSES
from workflow.charts.intervals import OFFSETS, interval_chart
from workflow.charts.learning_curves import learning_curves
from workflow.charts.style import COLOURS, beside, number_of, percent, rows, save
from workflow.evaluation import results
from workflow.evaluation.params import CompareParams
from workflow.evaluation.significance import difference
from workflow.model.params import Recipe
from workflow.params import load_params

ABOVE = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 3, "fontsize": 9}  # of a legend


def notebook_accuracies() -> dict[str, float]:
    """The notebook's test accuracies by variant, each of one run on the archive's test reviews."""
    values = read_csv(NOTEBOOK_VALUES, {"variant": str, "score": str, "value": "float64"})
    values = values[values["score"] == "test_accuracy"]
    return dict(zip(values["variant"], values["value"], strict=True))


def accuracies(correct: dict[str, results.Correct]) -> pd.DataFrame:
    """A row per variant and split: mean, and low and high of its 95% interval."""
    return pd.DataFrame(
        {"variant": variant, "split": split}
        | difference(right, np.zeros_like(right))._asdict()  # over seeds and reviews
        for variant, bits in correct.items()
        for split, right in bits.by_split.items()
    )


def test_accuracy(table: pd.DataFrame, notebook: dict[str, float], facts: DataFacts) -> Path:
    """The accuracies with their intervals, and the notebook's."""
    axis, variants, drawn = interval_chart(table)
    known = [(notebook[v], row) for row, v in enumerate(variants) if v in notebook]
    if known and facts.source == "keras":
        x, y = np.transpose(known)
        label = "the notebook's one run, test"
        axis.plot(x, y + OFFSETS["test"], "D", c="black", fillstyle="none", label=label)
    for result in drawn:
        text = f"{result['mean']:.2%}"
        if not np.isnan(result["low"]):  # a single seed has no interval
            text += f" [{100 * result['low']:.2f}, {100 * result['high']:.2f}]"
        beside(axis, result["row"], text, COLOURS[result["split"]])
    axis.xaxis.set_major_formatter(percent)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    axis.set_xlabel("accuracy, with 95% interval")
    axis.legend(**ABOVE)
    best = [f"{r['variant']} {r['mean']:.2%}" for r in drawn if r["split"] == "validation"]
    return save(
        facts,
        "test_accuracy",
        f"Most validation reviews right: {', '.join(best[:2])}",
        f"{number_of(table['seeds'].max())} per variant; interval over seeds and reviews; "
        "ordered by validation accuracy",
    )


def differences(table: pd.DataFrame, compare: CompareParams, facts: DataFacts) -> Path:
    """The difference of each variant from the reference, with its 95% interval."""
    axis, variants, drawn = interval_chart(table.assign(**100 * table[["mean", "low", "high"]]))
    min_effect = 100 * compare.min_effect
    label = f"less than {min_effect:g} points: does not matter" if min_effect else ""
    axis.axvspan(-min_effect, min_effect, color="lightgray", alpha=0.6, linewidth=0, label=label)
    axis.axvline(0, color="black", linewidth=0.8, zorder=1)
    for result in drawn:
        end = np.nanmax([result["mean"], result["high"]])
        axis.annotate(f"  {result['verdict']}", (end, result["row"]), fontsize=9, va="center")
    axis.legend(**ABOVE)
    axis.margins(x=0.1)
    axis.xaxis.set_major_formatter("{x:+g}")
    axis.set_xlabel(f"accuracy minus that of {compare.reference}, in points, with 95% interval")
    better = [r for r in drawn if (r["split"], r["verdict"]) == ("validation", "better")]
    return save(
        facts,
        "differences",
        f"Better than {compare.reference} on the validation reviews: "
        f"{len(better)} of {len(variants)} variants",
    )


def error_rates(scores: pd.DataFrame, facts: DataFacts) -> Path:
    """The error rates of each variant on negative and on positive reviews, a dot for each seed."""
    tp, tn, fp, fn = (scores[f"test_{name}"] for name in results.COUNTS)
    rates = pd.DataFrame({"negative": fp / (fp + tn).clip(1), "positive": fn / (fn + tp).clip(1)})
    means = scores.groupby("variant", sort=False)["validation_accuracy"].mean()
    order = list(means.sort_values(ascending=False, kind="stable").index)
    figure = rows(2, order, 0.35)
    for axis, label, other in zip(figure.axes, CLASSES, reversed(CLASSES), strict=True):
        for row, variant in enumerate(order):
            of_seeds = rates.loc[scores["variant"] == variant, label]
            axis.plot(of_seeds, [row] * len(of_seeds), "o", color=COLOURS["test"], alpha=0.5)
            axis.plot(of_seeds.mean(), row, "|", color="black", markersize=14)
            beside(axis, row, f"{of_seeds.mean():.1%}")
        axis.set_xlim(0, 1.05 * max(float(rates.to_numpy().max()), 0.01))
        axis.xaxis.set_major_formatter(percent)
        axis.set_xlabel(f"{label} reviews taken for {other}")
    return save(
        facts,
        "error_rates",
        "Error rates on negative and on positive test reviews",
        f"{number_of(scores['seed'].nunique())} per variant, each a dot; line: their mean; "
        "ordered by validation accuracy",
    )


def parts_of_loss(recipe: Recipe) -> str:
    """What the loss in the history of a recipe is the sum of."""
    return recipe.loss.replace("_", " ") + (" and penalties" if recipe.penalties else "")


def main() -> None:
    params, facts = load_params(), results.read_facts()
    scores = results.read_scores(SCORES, params.variants, params.train.all_seeds)
    correct = {v: results.read_correct(CORRECT / f"{v}.npz") for v in params.variants}
    histories = {v: results.read_history(v, params.train.all_seeds) for v in params.variants}

    empty_folder(FIGURES)
    print(test_accuracy(accuracies(correct), notebook_accuracies(), facts))
    print(differences(results.read_differences(), params.compare, facts))
    print(error_rates(scores, facts))
    for variant, history in histories.items():
        print(learning_curves(history, parts_of_loss(params.recipe(variant)), facts))


if __name__ == "__main__":
    run(main)
