"""The charts of the page of `make errors`: Vega-Lite as JSON, made by Altair.

Colours are names from the page's style sheet, which has a light and a dark theme: in SVG, Vega
passes on any name of a colour.
"""

from collections.abc import Iterable
from typing import Any

import altair as alt
import pandas as pd

from workflow.evaluation.scores import calibration
from workflow.report.error_analysis import Predictions, drawn_roc_curve

INK, LINE, BLUE, GREY = "currentColor", "var(--line)", "var(--blue)", "var(--grey)"
SEED, MEAN = "one seed", "mean of the seeds"
RATE_LABEL = "format(datum.rate, '.1%') + ' of ' + format(datum.reviews, ',')"
FONT = "system-ui, sans-serif"


def specification(chart: Any, height: int) -> dict[str, Any]:
    """A chart as wide as its container, without the address of the schema, which nothing reads."""
    styled = (
        chart.properties(width="container", height=height)
        .configure(background="transparent", font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            **{f"{part}Color": INK for part in ("label", "title")},
            **{f"{part}Color": LINE for part in ("grid", "domain", "tick")},
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
        )
        .configure_legend(labelColor=INK, labelFontSize=12, title=None, orient="top")
    )
    vega_lite: dict[str, Any] = styled.to_dict()
    del vega_lite["$schema"]
    return vega_lite


def error_rates(table: pd.DataFrame, overall: float) -> dict[str, Any]:
    """A bar with its interval for each group; a dashed line for all reviews together."""
    # Beyond the longest interval there is room for the numbers, but no label above 100%.
    scale = alt.Scale(domain=[0, 1.5 * max(table["high"].max(), overall)])
    labels = "datum.value <= 1 ? datum.label : ''"
    axis = alt.Axis(format="~%", grid=False, tickCount=5, labelExpr=labels)
    base = alt.Chart(table).encode(
        y=alt.Y("group:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False)),
        tooltip=[
            alt.Tooltip("group:N"),
            *(alt.Tooltip(f"{name}:Q", format=",") for name in ("reviews", "wrong")),
            *(alt.Tooltip(f"{name}:Q", format=".1%") for name in ("rate", "low", "high")),
        ],
    )
    bars = base.mark_bar(color=BLUE, opacity=0.75).encode(
        x=alt.X("rate:Q", title="wrong", axis=axis, scale=scale)
    )
    intervals = base.mark_rule(color=INK).encode(x="low:Q", x2="high:Q")
    numbers = (
        base.transform_calculate(rate_label=RATE_LABEL)
        .mark_text(align="right", color=INK, fontSize=12)
        .encode(x=alt.value("width"), text="rate_label:N")
    )
    line = alt.Chart(pd.DataFrame({"rate": [overall]}))
    line = line.mark_rule(color=INK, strokeDash=[4, 4]).encode(x="rate:Q")
    return specification(bars + intervals + line + numbers, 30 * len(table))


def curves(tables: Iterable[pd.DataFrame], x: str, y: str, **mark: Any) -> dict[str, Any]:
    """A line for each seed and, last, for their mean, from 0 to 1 and with the diagonal."""
    axis, unit = alt.Axis(format="~%", tickCount=5), alt.Scale(domain=[0, 1])
    *seeds, mean = tables
    named = [table.assign(line=str(number), of=SEED) for number, table in enumerate(seeds)]
    data = pd.concat([*named, mean.assign(line="mean", of=MEAN)], ignore_index=True)
    tooltip = [alt.Tooltip("of:N")]
    tooltip += [alt.Tooltip(f"{key}:Q", title=t, format=".1%") for key, t in (("x", x), ("y", y))]
    if "reviews" in data:
        tooltip.append(alt.Tooltip("reviews:Q", format=","))
    lines = (
        alt.Chart(data)
        .mark_line(**mark)
        .encode(
            x=alt.X("x:Q", title=x, axis=axis, scale=unit),
            y=alt.Y("y:Q", title=y, axis=axis, scale=unit),
            detail="line:N",
            order="x:Q",
            color=alt.Color("of:N", scale=alt.Scale(domain=[SEED, MEAN], range=[GREY, BLUE])),
            strokeWidth=alt.condition(alt.datum.of == MEAN, alt.value(2.5), alt.value(1)),
            tooltip=tooltip,
        )
    )
    diagonal = alt.Chart(pd.DataFrame({"x": [0, 1], "y": [0, 1]}))
    diagonal = diagonal.mark_line(color=LINE, strokeDash=[4, 4]).encode(x="x:Q", y="y:Q")
    return specification(diagonal + lines, 300)


def reliability_diagram(predictions: Predictions) -> dict[str, Any]:
    """How often reviews of each predicted probability are positive."""
    all_of_them = [*predictions.by_seed, predictions.mean]
    tables = (calibration(predictions.labels, probabilities) for probabilities in all_of_them)
    tables = (table.rename(columns={"predicted": "x", "observed": "y"}) for table in tables)
    return curves(tables, "predicted probability", "share of positives", point={"size": 25})


def roc_curves(predictions: Predictions) -> dict[str, Any]:
    """How many positive reviews are found, for how many negative ones by mistake."""
    all_of_them = [*predictions.by_seed, predictions.mean]
    tables = (drawn_roc_curve(predictions.labels, of_one).round(4) for of_one in all_of_them)
    return curves(tables, "false positive rate", "true positive rate")


def disagreement_matrix(shares: pd.DataFrame) -> dict[str, Any]:
    """For each pair of variants the share of reviews that they classify differently."""
    names = list(shares["variant"].unique())
    x = alt.X("other:N", sort=names, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=120))
    y = alt.Y("variant:N", sort=names, title=None)
    tooltip = [alt.Tooltip("variant"), alt.Tooltip("other"), alt.Tooltip("share:Q", format=".2%")]
    base = alt.Chart(shares).encode(x=x, y=y, tooltip=tooltip)
    opacity = alt.Opacity("share:Q", scale=alt.Scale(domainMin=0, range=[0, 0.7]), legend=None)
    cells = base.mark_rect(color=BLUE).encode(opacity=opacity)
    numbers = base.mark_text(color=INK, fontSize=12).encode(text=alt.Text("share:Q", format=".1%"))
    return specification(cells + numbers, 34 * len(names))
