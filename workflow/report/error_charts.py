"""The charts of the page of mistakes, by Altair: Vega-Lite as JSON, in the colours of the page.

They name colours of the page's style sheet, where light and dark are told apart: in SVG, Vega hands
on whatever a colour is called.
"""

from collections.abc import Iterable
from typing import Any

import altair as alt
import pandas as pd

from workflow.report.error_analysis import Curve, Predictions, calibration, downsample, roc

INK, LINE, BLUE, GREY = "currentColor", "var(--line)", "var(--blue)", "var(--grey)"
SEED, MEAN = "one seed", "mean of the seeds"
WHO = alt.Scale(domain=[SEED, MEAN], range=[GREY, BLUE])
TOLD = "format(datum.rate, '.1%') + ' of ' + format(datum.reviews, ',')"
FONT = "system-ui, sans-serif"


def finished(chart: Any, height: int) -> dict[str, Any]:
    """As wide as its place in the page; without the address of the schema, which nothing reads."""
    whole = (
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
    specification: dict[str, Any] = whole.to_dict()
    del specification["$schema"]
    return specification


def rates(table: pd.DataFrame, overall: float) -> dict[str, Any]:
    """A bar for each group, with its interval; a dashed line where all reviews together are."""
    room = alt.Scale(domain=[0, 1.5 * max(table["high"].max(), overall)])  # for the numbers
    possible = "datum.value <= 1 ? datum.label : ''"
    axis = alt.Axis(format="~%", grid=False, tickCount=5, labelExpr=possible)
    base = alt.Chart(table).encode(
        y=alt.Y("group:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False)),
        tooltip=[
            alt.Tooltip("group:N"),
            *(alt.Tooltip(f"{name}:Q", format=",") for name in ("reviews", "wrong")),
            *(alt.Tooltip(f"{name}:Q", format=".1%") for name in ("rate", "low", "high")),
        ],
    )
    bars = base.mark_bar(color=BLUE, opacity=0.75).encode(
        x=alt.X("rate:Q", title="wrong", axis=axis, scale=room)
    )
    intervals = base.mark_rule(color=INK).encode(x="low:Q", x2="high:Q")
    numbers = (
        base.transform_calculate(told=TOLD)
        .mark_text(align="right", color=INK, fontSize=12)
        .encode(x=alt.value("width"), text="told:N")
    )
    line = alt.Chart(pd.DataFrame({"rate": [overall]}))
    line = line.mark_rule(color=INK, strokeDash=[4, 4]).encode(x="rate:Q")
    return finished(bars + intervals + line + numbers, 30 * len(table))


def of_each(answers: Predictions) -> Iterable[tuple[str, str, Any]]:
    """Probabilities of the seeds and of their mean, with a key and what to call them."""
    for number, of_seed in enumerate(answers.of_seeds):
        yield str(number), SEED, of_seed
    yield "mean", MEAN, answers.mean


def curves(tables: Iterable[pd.DataFrame], x: str, y: str, **more: Any) -> dict[str, Any]:
    """A line for each table, that of the mean last, from 0 to 1 and with the diagonal."""
    axis, unit = alt.Axis(format="~%", tickCount=5), alt.Scale(domain=[0, 1])
    data = pd.concat(tables, ignore_index=True)
    lines = (
        alt.Chart(data)
        .mark_line(**more)
        .encode(
            x=alt.X("x:Q", title=x, axis=axis, scale=unit),
            y=alt.Y("y:Q", title=y, axis=axis, scale=unit),
            detail="key:N",
            order="x:Q",
            color=alt.Color("who:N", scale=WHO),
            strokeWidth=alt.condition(alt.datum.who == MEAN, alt.value(2.5), alt.value(1)),
            tooltip=[alt.Tooltip("who:N", title="of")]
            + [alt.Tooltip(f"{key}:Q", title=t, format=".1%") for key, t in (("x", x), ("y", y))]
            + ([alt.Tooltip("reviews:Q", format=",")] if "reviews" in data else []),
        )
    )
    diagonal = alt.Chart(pd.DataFrame({"x": [0, 1], "y": [0, 1]}))
    return finished(
        diagonal.mark_line(color=LINE, strokeDash=[4, 4]).encode(x="x:Q", y="y:Q") + lines, 300
    )


def reliability(answers: Predictions) -> dict[str, Any]:
    """How often what is said to be positive is positive."""
    tables = (
        calibration(answers.labels, probabilities)
        .rename(columns={"said": "x", "found": "y"})
        .assign(key=key, who=who)
        for key, who, probabilities in of_each(answers)
    )
    return curves(tables, "probability of positive", "are positive", point={"size": 25})


def roc_curves(answers: Predictions) -> dict[str, Any]:
    """How many positive reviews are found, for how many negative ones by mistake."""

    def table(curve: Curve, key: str, who: str) -> pd.DataFrame:
        return pd.DataFrame({"x": curve[0], "y": curve[1]}).round(4).assign(key=key, who=who)

    tables = (
        table(downsample(roc(answers.labels, p)), key, who) for key, who, p in of_each(answers)
    )
    return curves(tables, "of the negative, called positive", "of the positive, called positive")


def matrix(shares: pd.DataFrame) -> dict[str, Any]:
    """Of each two variants the share of reviews on which they differ."""
    names = list(shares["one"].unique())
    x = alt.X("other:N", sort=names, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=120))
    y = alt.Y("one:N", sort=names, title=None)
    base = alt.Chart(shares).encode(
        x=x, y=y, tooltip=["one", "other", alt.Tooltip("share:Q", format=".2%")]
    )
    cells = base.mark_rect(color=BLUE).encode(
        opacity=alt.Opacity("share:Q", scale=alt.Scale(domainMin=0, range=[0, 0.7]), legend=None)
    )
    numbers = base.mark_text(color=INK, fontSize=12).encode(text=alt.Text("share:Q", format=".1%"))
    return finished(cells + numbers, 34 * len(names))
