"""The charts of the page of `make errors`: Vega-Lite as JSON, made by Altair.

Colours are names from the page's style sheet, which has a light and a dark theme: in SVG, Vega
passes on any name of a colour.
"""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from workflow.evaluation.scores import BINS, calibration
from workflow.report.error_analysis import Predictions, drawn_roc_curve

VEGA_LITE = alt.SCHEMA_VERSION.removeprefix("v").rpartition(".")[0]  # the version in the page
INK, BLUE, GREY = "currentColor", "var(--blue)", "var(--grey)"
SEED, MEAN = "one seed", "mean of the seeds"
LOWEST_RATE = 0.001  # on the logarithmic axis of the ROC curves


def all_charts(
    predictions: Predictions, rates: pd.DataFrame, disagreement: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """The charts by the id of their element in the page, each as wide as the element.

    `rates` and `disagreement` are what `error_analysis` returns under these names.
    """
    overall = float(predictions.wrong.mean())
    own_axis = rates["by"] == "agreement"  # the other groupings share an axis
    tops = rates.groupby(own_axis)["high"].max()
    charts = {
        f"by-{by}".replace(" ", "-"): error_rates(group, overall, tops[by == "agreement"])
        for by, group in rates.groupby("by", sort=False)
    }
    charts["reliability"] = reliability_diagram(predictions)
    charts["roc"] = roc_curves(predictions)
    if len(disagreement) > 1:
        charts["matrix"] = disagreement_matrix(disagreement)
    return charts


def specification(chart: Any, height: int) -> dict[str, Any]:
    """Without the address of the schema, which nothing reads."""
    vega_lite: dict[str, Any] = chart.properties(width="container", height=height).to_dict()
    del vega_lite["$schema"]
    return vega_lite


def error_rates(table: pd.DataFrame, overall: float, top: float) -> dict[str, Any]:
    """A bar with its interval for each group; a dashed line for all reviews together.

    The axis ends at `top`. The values are below the names of the groups, where no interval reaches
    them however narrow the page is.
    """
    shares = zip(table["group"], table["rate"], table["reviews"], strict=True)
    rows = [f"{group}|{rate:.1%} of {reviews:,}" for group, rate, reviews in shares]
    labels = alt.Axis(domain=False, ticks=False, labelLimit=0, labelOffset=-7)
    labels.labelExpr = "split(datum.label, '|')"
    base = alt.Chart(table.assign(row=rows)).encode(
        y=alt.Y("row:N", sort=None, title=None, axis=labels),
        tooltip=[
            alt.Tooltip("group:N"),
            *(alt.Tooltip(f"{name}:Q", format=",") for name in ("reviews", "wrong")),
            *(alt.Tooltip(f"{name}:Q", format=".1%") for name in ("rate", "low", "high")),
        ],
    )
    axis, scale = alt.Axis(format="~%", grid=False, tickCount=5), alt.Scale(domain=[0, top])
    bars = base.mark_bar(color=BLUE, opacity=0.75, height=16).encode(
        x=alt.X("rate:Q", title="wrong", axis=axis, scale=scale)
    )
    intervals = base.mark_rule(color=INK).encode(x="low:Q", x2="high:Q")
    line = alt.Chart(pd.DataFrame({"rate": [overall]}))
    line = line.mark_rule(color=INK, strokeDash=[4, 4]).encode(x="rate:Q")
    return specification(bars + intervals + line, 38 * len(table))


def curves(tables: list[pd.DataFrame], x: str, y: str, scale: alt.Scale, **mark: Any) -> Any:
    """A line for each seed and, last, for their mean; dashed: where x and y are the same."""
    *seeds, mean = tables
    named = [table.assign(line=str(number), of=SEED) for number, table in enumerate(seeds)]
    data = pd.concat([*named, mean.assign(line="mean", of=MEAN)], ignore_index=True)
    axis = alt.Axis(format="~%", tickCount=4)
    tooltip = [alt.Tooltip("of:N")]
    tooltip += [alt.Tooltip(f"{key}:Q", title=t, format=".1%") for key, t in (("x", x), ("y", y))]
    lines = (
        alt.Chart(data)
        .mark_line(clip=True, **mark)
        .encode(
            x=alt.X("x:Q", title=x, axis=axis, scale=scale),
            y=alt.Y("y:Q", title=y, axis=axis, scale=alt.Scale(domain=[0, 1])),
            detail="line:N",
            order="x:Q",
            color=alt.Color("of:N", scale=alt.Scale(domain=[SEED, MEAN], range=[GREY, BLUE])),
            strokeWidth=alt.condition(alt.datum.of == MEAN, alt.value(2.5), alt.value(1)),
            tooltip=tooltip,
        )
    )
    same = np.geomspace(LOWEST_RATE, 1, 50).round(4)
    diagonal = alt.Chart(pd.DataFrame({"x": same, "y": same}))
    return diagonal.mark_line(color=GREY, strokeDash=[4, 4]).encode(x="x:Q", y="y:Q") + lines


def reliability_diagram(predictions: Predictions) -> dict[str, Any]:
    """How often reviews of each predicted probability are positive; bars: how many there are."""
    all_of_them = [*predictions.by_seed, predictions.mean]
    tables = [calibration(predictions.labels, probabilities) for probabilities in all_of_them]
    bins = tables[-1][["bin", "reviews"]]
    bins = bins.assign(start=bins["bin"] / BINS, share=bins["reviews"] / len(predictions.labels))
    bins = bins.assign(middle=bins["start"] + 0.5 / BINS, end=(bins["bin"] + 1) / BINS)
    base = alt.Chart(bins).encode(y="share:Q", tooltip=alt.Tooltip("reviews:Q", format=","))
    bars = base.mark_rect(color=GREY, opacity=0.4).encode(x="start:Q", x2="end:Q", y2=alt.datum(0))
    numbers = base.mark_text(color=INK, fontSize=10, dy=-6).encode(
        x="middle:Q", text=alt.Text("reviews:Q", format=".2~s")
    )
    points = [table.rename(columns={"predicted": "x", "observed": "y"}) for table in tables]
    unit = alt.Scale(domain=[0, 1])
    lines = curves(points, "predicted probability", "share of positives", unit, point={"size": 25})
    return specification(bars + lines + numbers, 300)


def roc_curves(predictions: Predictions) -> dict[str, Any]:
    """How many positive reviews are found, for how many negative ones by mistake.

    On a linear axis the curve of a good network would lie along the left edge.
    """
    all_of_them = [*predictions.by_seed, predictions.mean]
    tables = [drawn_roc_curve(predictions.labels, of_one).round(4) for of_one in all_of_them]
    visible = [table[table["x"] >= LOWEST_RATE] for table in tables]
    log = alt.Scale(type="log", domain=[LOWEST_RATE, 1])
    return specification(curves(visible, "false positive rate", "true positive rate", log), 300)


def disagreement_matrix(shares: pd.DataFrame) -> dict[str, Any]:
    """For each pair of variants the share of reviews that they classify differently."""
    names = [str(name) for name in shares]
    rows = shares.rename_axis("variant").reset_index()
    rows = rows.melt("variant", var_name="other", value_name="share")
    x = alt.X("other:N", sort=names, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=120))
    y = alt.Y("variant:N", sort=names, title=None)
    tooltip = [alt.Tooltip("variant"), alt.Tooltip("other"), alt.Tooltip("share:Q", format=".2%")]
    base = alt.Chart(rows[rows["variant"] != rows["other"]]).encode(x=x, y=y, tooltip=tooltip)
    opacity = alt.Opacity("share:Q", scale=alt.Scale(domainMin=0, range=[0, 0.7]), legend=None)
    cells = base.mark_rect(color=BLUE).encode(opacity=opacity)
    numbers = base.mark_text(color=INK, fontSize=12).encode(text=alt.Text("share:Q", format=".1%"))
    return specification(cells + numbers, 34 * len(names))
