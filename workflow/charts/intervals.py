"""Means with their intervals, a row per variant."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from workflow.charts.style import COLOURS, rows

OFFSETS = {"validation": -0.17, "test": 0.17}  # of the two lines in a variant's row
MARKERS = {"validation": "s", "test": "o"}


def interval_chart(table: pd.DataFrame) -> tuple[Axes, list[str], list[dict[Any, Any]]]:
    """Draw the means with their intervals, the best variant on the validation reviews on top.

    The result on the validation reviews is a little above the variant's row, that on test below.
    Returns the axis, the variants from top to bottom, and the results with their height, `row`.
    """
    means = table[table["split"] == "validation"].set_index("variant")["mean"]
    ranks = means.rank(method="first", ascending=False) - 1
    heights = table["variant"].map(ranks) + table["split"].map(OFFSETS)
    variants = list(ranks.sort_values().index)
    axis = rows(1, variants, 0.5).axes[0]
    table = table.assign(row=heights.astype(float)).sort_values("row")
    for split, marker in MARKERS.items():
        drawn, colour = table[table["split"] == split], COLOURS[split]
        axis.hlines(drawn["row"], drawn["low"], drawn["high"], colour, linewidth=2)
        axis.plot(drawn["mean"], drawn["row"], marker, color=colour, label=split)
    return axis, variants, table.to_dict("records")
