"""What is wanted of speed, memory and room on disk, and whether it is met."""

import statistics
from typing import NamedTuple

from benchmarks.measure import measured, spread, table
from benchmarks.pipeline import DROPOUT, VARIANTS


class Row(NamedTuple):
    """A ratio that is wanted, of two figures that a part measured."""

    part: str
    key: str
    what: str
    goal: float
    at_most: bool = False  # here may take so many times as much; else: the larger the better
    unit: str = "s"


ROWS = (
    Row(
        "notebook",
        "vectorize",
        "multi-hot vectors of all reviews, from lists of words to what the network is fed",
        30,
    ),
    Row(
        "notebook",
        "fit",
        "20 epochs of `single` with validation, from compiling to the last",
        6,
    ),
    Row("notebook", "epoch", "one of them, once they run", 6),
    Row("notebook", "evaluate", "evaluate 25,000 reviews", 10),
    Row(
        "notebook",
        "peak",
        "peak memory of the largest process of the three systems",
        8.8 / 0.9,
        unit="MB",
    ),
    Row("notebook", "three", "three systems, one seed each, from nothing", 2),
    Row(
        "notebook",
        "vectors",
        "all multi-hot vectors on disk; the notebook's, in memory",
        4000 / 20,
        unit="MB",
    ),
    Row(
        "everything",
        "older",
        "the five multi-hot variants, six seeds each, figures, comparison, from nothing: against "
        "one run of the notebook",
        1.5,
        at_most=True,
    ),
    Row(
        "everything",
        "everything",
        "all variants, those on n-grams too: against one run of the notebook",
        3,
        at_most=True,
    ),
    Row(
        "everything",
        "again",
        "a second `dvc repro`: against `dvc status`, DVC's own look at the same files",
        1.5,
        at_most=True,
    ),
    *(
        Row(
            "experiment",
            f"{variants}",
            f"`dvc exp run -S baselines.wide_dropout.{DROPOUT}` with {variants} variants: against "
            "two imports of TensorFlow and the training",
            1.6,
            at_most=True,
        )
        for variants in VARIANTS
    ),
    Row(
        "experiment",
        "growth",
        f"the same with {VARIANTS[-1]} variants: against {VARIANTS[0]}",
        1.1,
        at_most=True,
    ),
    Row(
        "candidate",
        "candidate experiment",
        f"`dvc exp run -S model.{DROPOUT}`, on n-grams: against one run of the notebook",
        1.5,
        at_most=True,
    ),
    Row(
        "candidate",
        "candidate train",
        "six seeds of the candidate, each fitted and refitted: against one run of the notebook",
        1,
        at_most=True,
    ),
    Row(
        "ngrams",
        "separate",
        "n-grams of all 50,000 reviews: against scikit-learn, those of 25,000 applied to the rest",
        10,
    ),
    Row("ngrams", "together", "the same: against scikit-learn, of all 50,000 at once", 10),
)


class Bound(NamedTuple):
    """A figure that is to be no larger."""

    part: str
    key: str
    what: str
    goal: float
    unit: str = "MB"


BOUNDS = (
    Bound("everything", "peak MB", "peak memory of the largest process of all variants", 1600),
    Bound("candidate", "model MB", "one seed of the candidate, saved", 35),
    Bound("everything", "cache MB", "`.dvc/cache` after all variants", 1000),
    Bound("ngrams", "ngrams MB", "peak memory of `vectorize@ngrams`", 1500),
    Bound(
        "million",
        "million MB",
        "peak memory of `vectorize@ngrams` with a million reviews of 200 words",
        4000,
    ),
)


def pairs(row: Row) -> list[tuple[float, float]]:
    """What it is held against, and here, per repetition."""
    found = measured(row.part)
    if row.key == "growth":
        few, many = (str(VARIANTS[i]) for i in (0, -1))
        return [(r[few]["experiment"][1], r[many]["experiment"][1]) for r in found]
    if row.part == "experiment":
        return [tuple(r[row.key]["experiment"]) for r in found]
    return [tuple(r[row.key]) for r in found]


def ratios() -> str:
    """What each is held against, how many times one takes the other, and whether that is met."""
    rows = []
    for row in ROWS:
        if not (found := pairs(row)):
            continue
        values = [here / there if row.at_most else there / here for there, here in found]
        ratio = statistics.median(values)
        sign, met = ("≤", ratio <= row.goal) if row.at_most else ("≥", ratio >= row.goal)
        digits = 0 if row.unit == "MB" else 2
        there, here = (spread([pair[way] for pair in found], digits) for way in (0, 1))
        rows.append(
            {
                "": row.what,
                "held against": f"{there} {row.unit}",
                "here": f"{here} {row.unit}",
                "ratio": spread(values, 1 if ratio > 3 else 2),
                "goal": f"{sign} {row.goal:.1f}".removesuffix(".0"),
                "met": "yes" if met else "no",
            }
        )
    return table(rows)


def bounds() -> str:
    """Memory and room on disk."""
    rows = []
    for bound in BOUNDS:
        if found := [repetition[bound.key] for repetition in measured(bound.part)]:
            row = {"": bound.what, "here": f"{spread(found, 0)} {bound.unit}"}
            met = "yes" if max(found) <= bound.goal else "no"
            rows.append(row | {"goal": f"≤ {bound.goal:,.0f} {bound.unit}", "met": met})
    return table(rows)
