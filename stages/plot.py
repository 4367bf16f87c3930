"""Stage plot: the comparison of the variants, and their errors.

reads   params.yaml (variants, train, compare), metrics/{metrics.json,scores.csv,differences.csv},
        docs/notebook_values.csv
writes  plots/figures/{test_accuracy,differences,error_rates}.png
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from workflow.base.errors import run
from workflow.base.files import NOTEBOOK_VALUES, SCORES, DataFacts, data_line, read_csv
from workflow.charts.style import COLOURS, beside, number_of, percent, rows, save
from workflow.evaluation.params import CompareParams
from workflow.evaluation.results import read_differences, read_facts, read_scores
from workflow.params import load_params


def notebook_accuracies() -> dict[str, float]:
    """The notebook's test accuracies by variant, each of one run on the archive's test reviews."""
    values = read_csv(NOTEBOOK_VALUES, {"variant": str, "score": str, "value": "float64"})
    values = values[values["score"] == "test_accuracy"]
    return dict(zip(values["variant"], values["value"], strict=True))


def test_accuracy(scores: pd.DataFrame, notebook: dict[str, float], facts: DataFacts) -> Path:
    """The mean of each variant; on the right, how far each seed is from it, which is much less."""
    by_variant = scores.groupby("variant", sort=False)["test_accuracy"]
    means = by_variant.mean().sort_values(ascending=False, kind="stable")
    variants = list(means.index)
    figure, (left, right) = rows(2, variants, 0.35)
    left.plot(means, range(len(means)), "o", color=COLOURS["test"], label="mean over the seeds")
    if facts.source == "keras":
        known = [(notebook[v], row) for row, v in enumerate(variants) if v in notebook]
        if known:
            label = "the notebook's one run"
            left.plot(*zip(*known, strict=True), "D", color="black", fillstyle="none", label=label)
    for row, variant in enumerate(variants):
        seeds = by_variant.get_group(variant)
        points = 100 * (seeds - means[variant])
        right.plot(points, np.full(len(seeds), row), "o", color=COLOURS["test"], alpha=0.5)
        beside(left, row, f"{means[variant]:.2%}")
        if len(seeds) > 1:
            deviation = 100 * seeds.std()
            right.plot([-deviation, deviation], [row, row], color="black", linewidth=1)
            beside(right, row, f"± {deviation:.2f}")
    left.xaxis.set_major_formatter(percent)
    left.xaxis.set_major_locator(MaxNLocator(6))
    left.set_xlabel("test accuracy")
    if left.get_legend_handles_labels()[0]:
        left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=9, borderpad=0)
    right.axvline(0, color="black", linewidth=0.8)
    right.xaxis.set_major_formatter("{x:+g}")
    right.set_xlabel("each seed minus the mean, in points")
    return save(
        figure,
        "test_accuracy",
        "Most test reviews right: " + ", ".join(f"{v} {means[v]:.2%}" for v in variants[:2]),
        f"{number_of(scores['seed'].nunique())} per variant, each a dot on the right; "
        "line: ± standard deviation",
        data_line(facts),
    )


def differences(table: pd.DataFrame, compare: CompareParams, facts: DataFacts) -> Path:
    """The difference of each variant from the reference, with its 95% interval."""
    validation = table[table["split"] == "validation"].sort_values("mean", ascending=False)
    variants = list(validation["variant"])
    figure, (axis,) = rows(1, variants, 0.5)
    axis.axvline(0, color="black", linewidth=0.8)
    min_effect = 100 * compare.min_effect
    axis.axvspan(-min_effect, min_effect, color="lightgray", alpha=0.6, linewidth=0)
    handles: list[object] = []
    for split, offset, marker in (("validation", -0.17, "s"), ("test", 0.17, "o")):
        of_split = table[table["split"] == split].set_index("variant")
        for row, variant in enumerate(variants):
            result = of_split.loc[variant]
            points = 100 * result[["mean", "low", "high"]].astype(float)
            mean, *ends = points.fillna(points["mean"])  # a single seed has no interval
            axis.plot(ends, [row + offset] * 2, color=COLOURS[split], linewidth=2)
            (dot,) = axis.plot(mean, row + offset, marker, color=COLOURS[split], label=split)
            axis.annotate(
                f"  {result['verdict']}", (ends[1], row + offset), fontsize=9, va="center"
            )
            handles += [dot] if row == 0 else []
    if min_effect:
        label = f"less than {min_effect:g} points: does not matter"
        handles.append(Patch(color="lightgray", alpha=0.6, linewidth=0, label=label))
    axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=9)
    axis.margins(x=0.1)
    axis.xaxis.set_major_formatter("{x:+g}")
    axis.set_xlabel(f"accuracy minus that of {compare.reference}, in points, with 95% interval")
    better = f"{(validation['verdict'] == 'better').sum()} of {len(variants)} variants"
    return save(
        figure,
        "differences",
        f"Better than {compare.reference} on the validation reviews: {better}",
        data_line(facts),
    )


def error_rates(scores: pd.DataFrame, facts: DataFacts) -> Path:
    """The error rates of each variant on negative and on positive reviews, a dot for each seed."""
    right = {"negative": "test_true_negatives", "positive": "test_true_positives"}
    wrong = {"negative": "test_false_positives", "positive": "test_false_negatives"}
    rates = pd.DataFrame(
        {
            label: scores[wrong[label]] / (scores[wrong[label]] + scores[right[label]]).clip(1)
            for label in right
        }
    ).set_index(scores["variant"])
    means = rates.groupby(level=0, sort=False).mean()
    means = means.loc[means.mean(axis=1).sort_values(kind="stable").index]
    figure, axes = rows(2, list(means.index), 0.35)
    for axis, label, other in zip(axes, right, reversed(right), strict=True):
        for row, variant in enumerate(means.index):
            of_seeds = rates.loc[[variant], label]
            axis.plot(of_seeds, [row] * len(of_seeds), "o", color=COLOURS["test"], alpha=0.5)
            axis.plot(means.loc[variant, label], row, "|", color="black", markersize=14)
            beside(axis, row, f"{means.loc[variant, label]:.1%}")
        axis.set_xlim(0, 1.05 * max(float(rates.to_numpy().max()), 0.01))
        axis.xaxis.set_major_formatter(percent)
        axis.set_xlabel(f"{label} reviews taken for {other}")
    more = (means["positive"] > means["negative"]).sum()
    return save(
        figure,
        "error_rates",
        f"Wrong more often on positive than on negative reviews: {more} of {len(means)} variants",
        f"test reviews; {number_of(scores['seed'].nunique())} per variant, each a dot; "
        "line: their mean",
        data_line(facts),
    )


def main() -> None:
    params = load_params()
    facts = read_facts()
    scores = read_scores(SCORES, params.variants, params.train.all_seeds)
    print(test_accuracy(scores, notebook_accuracies(), facts))
    print(differences(read_differences(), params.compare, facts))
    print(error_rates(scores, facts))


if __name__ == "__main__":
    run(main)
