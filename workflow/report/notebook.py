"""Which values and conclusions of the notebook hold, judged by the seeds that are trained here.

The notebook trained each of its networks once. Its values and its words are kept by hand in
docs/notebook_values.csv and docs/notebook_conclusions.csv.
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from workflow.base.errors import reading
from workflow.base.files import NOTEBOOK_VALUES
from workflow.evaluation.results import Correct
from workflow.evaluation.significance import (
    CANNOT_TELL,
    LEVEL,
    difference,
    difference_of_means,
    holm,
    verdicts,
)

CONCLUSIONS = Path("docs/notebook_conclusions.csv")
JUDGEMENTS = REPRODUCED, EDGE, NOT = "reproduced", "on the edge", "not reproduced"
CONSTANT = (0.855, 0.87)  # what "a constant 86%" is taken to mean

Histories = dict[str, pd.DataFrame]  # by variant, as `read_history` returns them


def read_notebook(folder: Path = Path()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The notebook's values and conclusions; InputError if a file is missing or damaged."""
    tables = []
    for path, kind in ((NOTEBOOK_VALUES, {"value": float}), (CONCLUSIONS, {"verdict": str})):
        with reading(folder / path, f"; `git checkout {path}` restores it"):
            table = pd.read_csv(folder / path, dtype=kind, keep_default_na=False)
            if table.isna().any(axis=None) or (table == "").any(axis=None):
                raise ValueError("a value is missing")
        tables.append(table)
    return tables[0], tables[1]


def last_epoch_losses(history: pd.DataFrame) -> pd.DataFrame:
    """train_loss and validation_loss of each seed in the last epoch of its first fit."""
    first = history[history["fit"] == "first"]
    last = first[first["epoch"] == first.groupby("seed")["epoch"].transform("max")]
    return last.pivot_table("loss", ["variant", "seed"], "split").add_suffix("_loss")


def validation_curves(history: pd.DataFrame) -> pd.DataFrame:
    """The validation rows of the first fits."""
    return history[(history["fit"] == "first") & (history["split"] == "validation")]


def at_best_epoch(history: pd.DataFrame) -> pd.DataFrame:
    """A row per seed: validation in the epoch where its loss is lowest."""
    validation = validation_curves(history)
    return validation.loc[validation.groupby("seed")["loss"].idxmin()]


def next_run(seeds: NDArray[np.float64]) -> Any:
    """The distribution of the score of one more run, if runs are normally distributed.

    Its central 95% are the prediction interval: Hahn and Meeker, Statistical Intervals (1991), 4.7.
    """
    n = len(seeds)
    return stats.t(n - 1, seeds.mean(), seeds.std(ddof=1) * (1 + 1 / n) ** 0.5)


def judge_values(
    values: pd.DataFrame, scores: pd.DataFrame, histories: Histories, margin: float
) -> list[dict[Hashable, Any]]:
    """Judge each value by whether one more run here could have given it.

    All values are one family, corrected by Holm's method. An accuracy within `margin` of the mean
    here is on the edge at worst.

    Returns:
        The values with seeds (the same score of each seed here), low and high (of the prediction
        interval) and judgement.
    """
    losses = pd.concat(map(last_epoch_losses, histories.values()))
    known = scores.set_index(["variant", "seed"]).join(losses)
    names = zip(values["variant"], values["score"], strict=True)
    seeds = [known.loc[variant, score].to_numpy(np.float64) for variant, score in names]
    runs = [next_run(of_value) for of_value in seeds]
    p_values = [
        2 * float(min(run.cdf(value), run.sf(value)))
        for run, value in zip(runs, values["value"], strict=True)
    ]
    adjusted = np.array(holm(p_values))
    near = np.abs(values["value"] - [run.mean() for run in runs]) < margin
    near &= values["score"].str.endswith("accuracy")
    judgement = np.where(near | (adjusted >= LEVEL), EDGE, NOT)
    judgement = np.where(np.array(p_values) >= LEVEL, REPRODUCED, judgement)
    low, high = zip(*(run.interval(1 - LEVEL) for run in runs), strict=True)
    columns: dict[str, Any] = {"seeds": seeds, "low": low, "high": high, "judgement": judgement}
    return values.assign(**columns).to_dict("records")


def judge_conclusions(
    conclusions: pd.DataFrame, correct: dict[str, Correct], histories: Histories, min_effect: float
) -> list[dict[Hashable, Any]]:
    """Judge each comparison of two variants by the verdict of `make review` on validation.

    Returns:
        The conclusions with difference, found (the verdict), at_best_epoch (the difference where
        each seed's validation loss is lowest, by Student's t) and judgement.
    """
    pairs = list(zip(conclusions["variant"], conclusions["other"], strict=True))
    bits = {name: correct[name].by_split["validation"] for pair in pairs for name in pair}
    best = {name: at_best_epoch(histories[name])["accuracy"].to_numpy() for name in bits}
    differences = {pair: difference(bits[pair[0]], bits[pair[1]]) for pair in pairs}
    words = verdicts(differences, min_effect)
    judgement = []
    for pair, expected in zip(pairs, conclusions["verdict"], strict=True):
        found, same_side = words[pair], (differences[pair].mean > 0) == (expected == "better")
        if found == expected or (found, expected) == ("trivial", "same"):
            judgement.append(REPRODUCED)
        elif found == CANNOT_TELL or (found == "trivial" and same_side):
            judgement.append(EDGE)
        else:
            judgement.append(NOT)
    columns: dict[str, list[Any]] = {
        "difference": [differences[pair] for pair in pairs],
        "found": [words[pair] for pair in pairs],
        "at_best_epoch": [difference_of_means(best[ours], best[theirs]) for ours, theirs in pairs],
        "judgement": judgement,
    }
    return conclusions.assign(**columns).to_dict("records")


def rises_and_falls(history: pd.DataFrame, min_effect: float) -> pd.DataFrame:
    """Whether validation accuracy rises, then falls, then stays near 86%.

    Returns:
        A row per seed: first, highest and last accuracy; holds: it rises above that of the first
        epoch, falls by `min_effect` or more, and is in CONSTANT in the last three epochs.
    """
    curves = validation_curves(history).pivot_table("accuracy", "epoch", "seed")
    first, highest, last = curves.iloc[0], curves.max(), curves.iloc[-1]
    constant = curves.tail(3).apply(lambda curve: curve.between(*CONSTANT).all())
    holds = (highest > first) & (highest - last >= min_effect) & constant
    return pd.DataFrame({"first": first, "highest": highest, "last": last, "holds": holds})
