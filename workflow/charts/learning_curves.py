"""The learning curves of a variant, from plots/history/VARIANT.csv."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from workflow.base.files import DataFacts
from workflow.charts.style import COLOURS, number_of, percent, save

TOP = 3  # of the axis of losses: so many times the highest validation loss after the lowest


def epoch_ticks(last: int) -> list[int]:
    """Every epoch if there are few; else 1 and multiples of 5 or 10."""
    if last <= 12:
        return [*range(1, last + 1)]
    few = MaxNLocator(8, steps=[5, 10], integer=True).tick_values(0, last)
    return [1, *(int(epoch) for epoch in few if 1 < epoch <= last)]


def span(epochs: pd.Series) -> str:
    low, high = epochs.min(), epochs.max()
    return f"epoch {low}" if low == high else f"epochs {low} to {high}"


def headline(first: pd.DataFrame) -> str:
    """The title: the epochs with the lowest validation loss, and whether they are kept."""
    validation = first[first["split"] == "validation"]
    lowest = validation.loc[validation.groupby("seed")["loss"].idxmin(), "epoch"]
    kept = validation.loc[validation["kept"] == 1, "epoch"]
    if set(lowest.index) == set(kept.index):
        return f"kept as soon as the validation loss is lowest, after {span(kept)}"
    return f"the validation loss is lowest after {span(lowest)}, but kept after {span(kept)}"


def mark_lowest_loss(axis: Axes, first: pd.DataFrame) -> list[str]:
    """Mark the lowest mean validation loss; returns a note if the first losses are cut off.

    Penalties can make these so large that the rest would look flat.
    """
    by_epoch = first.groupby(["split", "epoch"])["loss"].mean()
    validation = by_epoch["validation"]
    epoch = validation.idxmin()
    axis.plot(epoch, validation[epoch], "v", color=COLOURS["validation"], label="lowest mean")
    top = TOP * validation.loc[epoch:].max()
    if by_epoch.max() <= top:
        return []
    axis.set_ylim(0, top)
    return ["the first losses are above the axis"]


def learning_curves(history: pd.DataFrame, loss: str, facts: DataFacts) -> Path:
    """Loss and accuracy by epoch: mean and range over the seeds.

    After the last epoch that all seeds have, the remaining ones are drawn one by one.
    """
    first = history[history["fit"] == "first"]
    lengths = first.groupby("seed")["epoch"].max()
    common, last = lengths.min(), lengths.max()
    # Fixed, since a layout that is computed takes as long as all the rest.
    margins = {"left": 0.09, "right": 0.99, "bottom": 0.21, "top": 0.89, "wspace": 0.28}
    _, axes = plt.subplots(1, 2, figsize=(10, 4.2), gridspec_kw=margins)
    for axis, quantity in zip(axes, ("loss", "accuracy"), strict=True):
        for split, dashes in (("train", "--"), ("validation", "-")):
            colour, curves = COLOURS[split], first[first["split"] == split]
            by_epoch = curves[curves["epoch"] <= common].groupby("epoch")[quantity]
            mean, low, high = by_epoch.mean(), by_epoch.min(), by_epoch.max()
            axis.plot(mean, f".{dashes}", color=colour, label=split)
            axis.fill_between(mean.index, low, high, color=colour, alpha=0.2, lw=0)
            longer = curves["seed"].map(lengths) > common
            for _, curve in curves[longer & (curves["epoch"] >= common)].groupby("seed"):
                axis.plot(curve["epoch"], curve[quantity], dashes, color=colour, lw=0.7, alpha=0.7)
        kept = first[(first["kept"] == 1) & (first["split"] == "validation")].groupby("epoch")
        label = "kept" if len(kept) == 1 else "kept, by how many seeds"
        axis.plot(kept[quantity].mean(), "o", ms=10, mec="black", mfc="none", label=label)
        for epoch, values in kept[quantity] if len(kept) > 1 else ():
            place, text = (epoch, values.mean()), f"{len(values)} of {len(lengths)}"
            axis.annotate(text, place, (0, 8), textcoords="offset points", ha="center", size=8)
        axis.set_xlabel("epoch")
        axis.set_xticks(epoch_ticks(last))
        axis.set_xlim(1 - 0.03 * last, 1.03 * last)
        axis.grid()
    axes[0].set_ylabel(f"loss: {loss}")
    axes[1].set_ylabel("accuracy")
    axes[1].yaxis.set_major_formatter(percent)
    notes = [f"mean and range over {number_of(len(lengths))}"]
    notes += mark_lowest_loss(axes[0], first[first["epoch"] <= common])
    if common < last:
        notes.append(f"thin: the seeds that were trained for more than {common} epochs")
    if (history["fit"] == "refit").any():
        notes.append("then trained again on train and validation reviews, for as many epochs")
    axes[0].legend()
    variant = history["variant"].iloc[0]
    title = f"{variant}: {headline(first)}"
    return save(facts, f"learning_curves_{variant}", title, "; ".join(notes))
