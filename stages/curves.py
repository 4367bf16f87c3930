"""Stage curves@VARIANT: the learning curves of one variant.

usage   python -m stages.curves VARIANT
reads   params.yaml (train, variants), plots/history/VARIANT.csv, data/FEATURES/facts.json
writes  plots/figures/learning_curves_VARIANT.png
"""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from workflow.errors import run
from workflow.figures import COLOURS, data_line, save
from workflow.params import argument, load_params
from workflow.results import read_history
from workflow.storage import FeatureFacts, features_folder, read_json


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


def main() -> None:
    params = load_params()
    variant = argument()
    facts = read_json(features_folder(params.features_of(variant)) / "facts.json", FeatureFacts)
    history = read_history(variant, params.train.all_seeds).query("fit == 'first'")
    print(save(learning_curves(history, data_line(facts)), f"learning_curves_{variant}"))


if __name__ == "__main__":
    run(main)
