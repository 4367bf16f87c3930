"""Stage plot: the comparison of the variants, and their errors.

reads   params.yaml (variants, train, compare), metrics/{metrics.json,scores.csv,differences.csv}
writes  plots/figures/{test_accuracy,differences,confusion_matrices}.png
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from workflow.errors import run
from workflow.figures import COLOURS, data_line, save
from workflow.params import load_params
from workflow.results import read_differences, read_facts, read_scores
from workflow.storage import SCORES


def test_accuracy(scores: pd.DataFrame, data: str) -> Figure:
    """All variants on the test reviews: each seed a dot, the mean a line with its deviation."""
    variants = list(scores["variant"].unique())
    figure, axis = plt.subplots(figsize=(8, 0.7 * len(variants) + 1.6), layout="constrained")
    for row, variant in enumerate(variants):
        of_seeds = scores.loc[scores["variant"] == variant, "test_accuracy"]
        mean, deviation = of_seeds.mean(), of_seeds.std(ddof=1) if len(of_seeds) > 1 else 0.0
        axis.errorbar(mean, row, xerr=deviation, fmt="|", color="black", capsize=5, markersize=18)
        axis.plot(of_seeds, np.full(len(of_seeds), row), "o", color=COLOURS["train"], alpha=0.6)
        axis.annotate(
            f"{mean:.2%} ± {deviation:.2%}",
            (mean, row),
            xytext=(0, 11),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axis.set_yticks(range(len(variants)), variants)
    axis.margins(x=0.15)
    axis.set_ylim(len(variants) - 0.5, -0.7)
    axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    axis.grid(axis="x", alpha=0.3)
    axis.set_xlabel(f"test accuracy: {scores['seed'].nunique()} seeds, mean ± standard deviation")
    figure.suptitle(data, fontsize=10)
    return figure


def differences(table: pd.DataFrame, reference: str, data: str) -> Figure:
    """What each variant is better or worse than the reference, with 95% intervals around zero."""
    variants = list(table["variant"].unique())
    figure, axis = plt.subplots(figsize=(8, 0.7 * len(variants) + 1.6), layout="constrained")
    axis.axvline(0, color="black", linewidth=1)
    for split, offset, marker in (("validation", -0.15, "s"), ("test", 0.15, "o")):
        of_split = table[table["split"] == split].set_index("variant")
        for row, variant in enumerate(variants):
            of = of_split.loc[variant]
            ends = [of["mean"] if np.isnan(end) else end for end in (of["low"], of["high"])]
            axis.plot(ends, [row + offset] * 2, color=COLOURS[split], linewidth=2)
            label = split if row == 0 else None
            axis.plot(of["mean"], row + offset, marker, color=COLOURS[split], label=label)
            axis.annotate(f"  {of['verdict']}", (ends[1], row + offset), fontsize=9, va="center")
    axis.set_yticks(range(len(variants)), variants)
    axis.set_ylim(len(variants) - 0.5, -0.5)
    axis.margins(x=0.15)
    axis.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.1f}")
    axis.grid(axis="x", alpha=0.3)
    axis.set_xlabel(f"accuracy minus that of {reference}, in points, with 95% interval")
    figure.suptitle(data, fontsize=10)
    if variants:
        axis.legend(loc="best")
    return figure


def confusion_matrices(scores: pd.DataFrame, data: str) -> Figure:
    """A matrix per variant: the share of the reviews of each label, mean over seeds."""
    counts = scores.groupby("variant", sort=False)[
        [f"test_{c}" for c in ("true_negatives", "false_positives")]
        + [f"test_{c}" for c in ("false_negatives", "true_positives")]
    ].mean()
    columns = min(3, len(counts))
    rows = -(-len(counts) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(3 * columns, 3 * rows + 0.5), squeeze=False, layout="constrained"
    )
    for axis in grid.flat[len(counts) :]:
        axis.remove()
    for axis, (variant, cells) in zip(grid.flat, counts.iterrows(), strict=False):
        matrix = cells.to_numpy().reshape(2, 2)
        share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (actual, predicted), value in np.ndenumerate(share):
            axis.text(
                predicted,
                actual,
                f"{value:.1%}\n{matrix[actual, predicted]:,.0f}",
                ha="center",
                va="center",
                color="white" if value > 0.5 else "black",
            )
        axis.set(title=variant, xlabel="predicted", ylabel="label")
        axis.set_xticks([0, 1], ["negative", "positive"])
        axis.set_yticks([0, 1], ["negative", "positive"], rotation=90, va="center")
    figure.suptitle(
        f"Test reviews, mean over {scores['seed'].nunique()} seeds\n{data}", fontsize=11
    )
    return figure


def main() -> None:
    params = load_params()
    data = data_line(read_facts())
    scores = read_scores(SCORES, params.variants, params.train.all_seeds)
    for name, figure in {
        "test_accuracy": test_accuracy(scores, data),
        "differences": differences(read_differences(), params.compare.reference, data),
        "confusion_matrices": confusion_matrices(scores, data),
    }.items():
        print(save(figure, name))


if __name__ == "__main__":
    run(main)
