"""Which values and conclusions of the notebook hold, judged by the seeds that are trained here.

The notebook trained each of its networks once. Its values and its words are kept by hand in
docs/notebook_values.csv and docs/notebook_conclusions.csv.
"""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from workflow.evaluation.significance import (
    CANNOT_TELL,
    LEVEL,
    difference,
    difference_of_means,
    holm,
    verdicts,
)
from workflow.report.sources import Sources

JUDGEMENTS = REPRODUCED, EDGE, NOT = "reproduced", "on the edge", "not reproduced"
CURVE_CLAIM = (
    "“initially it tends to increase and then decreases … at the end it gives a constant 86%”",
    "87.80%, at most 89.12%, at the end 86.49%",
)
CONSTANT = (0.855, 0.87)  # what "a constant 86%" is taken to mean

Rows = list[dict[Hashable, Any]]


def validation_curves(history: pd.DataFrame) -> pd.DataFrame:
    """The validation rows of the first fits."""
    return history[(history["fit"] == "first") & (history["split"] == "validation")]


def at_best_epoch(history: pd.DataFrame) -> pd.DataFrame:
    """A row per seed: validation in the epoch where its loss is lowest."""
    validation = validation_curves(history)
    return validation.loc[validation.groupby("seed")["loss"].idxmin()]


def judge_values(sources: Sources) -> Rows:
    """Judge each value by whether one more run here could have given it.

    All values are one family, corrected by Holm's method. An accuracy within `compare.min_effect`
    of the mean here is on the edge at worst.

    Returns:
        The values with seeds (the same score of each seed here), judgement, and low and high of
        the prediction interval, in which one more run falls with a probability of 95% if runs are
        normally distributed: Hahn and Meeker, Statistical Intervals (1991), 4.7.
    """
    epochs = pd.concat(sources.histories.values()).query("fit == 'first'")
    losses = epochs.groupby(["variant", "seed", "split"])["loss"].last().unstack()  # noqa: PD010
    known = sources.scores.set_index(["variant", "seed"]).join(losses.add_suffix("_loss"))
    rows, p_values = sources.notebook_values.to_dict("records"), []
    for row in rows:
        seeds = known.loc[row["variant"], row["score"]].to_numpy(np.float64)
        n, mean, deviation = len(seeds), seeds.mean(), seeds.std(ddof=1)
        one_more_run = stats.t(n - 1, mean, deviation * (1 + 1 / n) ** 0.5)
        low, high = one_more_run.interval(1 - LEVEL)
        row |= {"seeds": seeds, "low": low, "high": high}
        p_values.append(2 * min(one_more_run.cdf(row["value"]), one_more_run.sf(row["value"])))
    for row, p, adjusted in zip(rows, p_values, holm(p_values), strict=True):
        near = abs(row["value"] - row["seeds"].mean()) < sources.params.compare.min_effect
        near &= row["score"].endswith("accuracy")
        row["judgement"] = REPRODUCED if p >= LEVEL else EDGE if near or adjusted >= LEVEL else NOT
    return rows


def judge_conclusions(sources: Sources) -> Rows:
    """Judge each comparison of two variants by the verdict of `make review` on validation.

    Returns:
        The conclusions with difference, found (the verdict), at_best_epoch (the difference where
        each seed's validation loss is lowest, by Student's t) and judgement.
    """
    rows, differences = sources.notebook_conclusions.to_dict("records"), {}
    for row in rows:
        pair = row["variant"], row["other"]
        bits = (sources.correct[name].by_split["validation"] for name in pair)
        best = (at_best_epoch(sources.histories[name])["accuracy"].to_numpy() for name in pair)
        differences[pair] = row["difference"] = difference(*bits)
        row["at_best_epoch"] = difference_of_means(*best)
    words = verdicts(differences, sources.params.compare.min_effect)
    for row in rows:
        found, expected = words[row["variant"], row["other"]], row["verdict"]
        same_side = (row["difference"].mean > 0) == (expected == "better")
        if found == expected or (found, expected) == ("trivial", "same"):
            judgement = REPRODUCED
        elif found == CANNOT_TELL or (found == "trivial" and same_side):
            judgement = EDGE
        else:
            judgement = NOT
        row |= {"found": found, "judgement": judgement}
    return rows


def judge_curve(sources: Sources) -> tuple[pd.DataFrame, str]:
    """Judge whether validation accuracy of `single` rises, then falls, then stays near 86%.

    Returns:
        A row per seed: first, highest and last accuracy; holds: it rises above that of the first
        epoch, falls by `compare.min_effect` or more, and is in CONSTANT in the last three epochs.
        And the judgement.
    """
    history = validation_curves(sources.histories["single"])
    curves = history.pivot_table("accuracy", "epoch", "seed")
    first, highest, last = curves.iloc[0], curves.max(), curves.iloc[-1]
    falls = highest - last >= sources.params.compare.min_effect
    constant = curves.tail(3).apply(lambda curve: curve.between(*CONSTANT).all())
    holds = (highest > first) & falls & constant
    judgement = REPRODUCED if holds.all() else EDGE if holds.mean() > 1 / 2 else NOT
    columns = {"first": first, "highest": highest, "last": last, "holds": holds}
    return pd.DataFrame(columns), judgement
