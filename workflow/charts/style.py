"""What the figures have in common: drawn without a screen, the same for everybody."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workflow.base.files import FIGURES, DataFacts, data_line

mpl.rcdefaults()  # whatever the user's matplotlibrc says
mpl.rcParams |= {
    "axes.axisbelow": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.h_pad": 0.08,
    "grid.color": "#dddddd",
    "legend.frameon": False,
}

# From Okabe and Ito, "Color Universal Design" (2008): distinct for any colour vision.
COLOURS = {"train": "#0072B2", "validation": "#D55E00", "test": "#009E73"}


def number_of(seeds: int) -> str:
    return "one seed" if seeds == 1 else f"{seeds} seeds"


def percent(value: float, _position: float) -> str:
    """How an axis writes a share."""
    return f"{100 * value:g}%"


def rows(panels: int, names: Sequence[str], height: float) -> Figure:
    """Panels side by side, with a row of this height in inches for each name, the first on top."""
    number = max(len(names), 1)
    size = (9, height * number + 1.7)
    figure, axes = plt.subplots(1, panels, figsize=size, sharey=True, layout="constrained")
    short = [name if len(name) <= 32 else f"{name[:31]}…" for name in names]
    plt.setp(axes, yticks=range(len(names)), yticklabels=short, ylim=(number - 0.5, -0.5))
    for axis in figure.axes:
        axis.grid()
        axis.tick_params(axis="y", length=0)
    return figure


def beside(axis: Axes, row: float, text: str, colour: str = "black") -> None:
    """Write `text` at the right end of a row."""
    place = axis.get_yaxis_transform()
    axis.text(1.02, row, text, transform=place, va="center", fontsize=9, color=colour)


def save(facts: DataFacts, name: str, title: str, *notes: str) -> Path:
    """Write plots/figures/NAME.png: the finding as the title; below, notes and the data.

    The current figure is written and closed.
    """
    figure = plt.gcf()
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    small = {"x": 0.01, "ha": "left", "fontsize": 8, "color": "dimgray"}
    figure.supxlabel("\n".join([*notes, data_line(facts)]), parse_math=False, **small)
    FIGURES.mkdir(parents=True, exist_ok=True)
    path = FIGURES / f"{name}.png"
    figure.savefig(path, dpi=100, metadata={"Software": None})
    plt.close(figure)
    return path
