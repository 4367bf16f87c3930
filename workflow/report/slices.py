"""For whom a change is better: reviews fixed and broken, and slices of the held-out reviews."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.base.labels import CLASSES
from workflow.evaluation.significance import difference, difference_of_means, verdicts
from workflow.report.comparison import Change, paired_bits, shared_seeds
from workflow.report.error_analysis import quintiles
from workflow.report.revisions import Results

Bits = NDArray[np.bool_]


def fixed_and_broken(base: Results, ours: Results, variants: Iterable[str]) -> list[dict[str, Any]]:
    """What changed in the answers of `predict`, the seeds' average, on the test reviews.

    A row per variant: accuracy before and after; the difference with its interval, which is over
    reviews alone; the reviews fixed and broken, of which "broken" are known as negative flips (Yan
    et al., "Positive-Congruent Training", CVPR 2021); and, as a measure of noise, in how many
    reviews the majorities of two halves of the new seeds differ (churn: Fard et al., "Launch and
    Iterate", NeurIPS 2016).
    """
    rows = []
    for variant in variants:
        before, after = (side.correct[variant].average for side in (base, ours))
        if not len(before) or len(before) != len(after) or np.array_equal(before, after):
            continue
        d = difference_of_means(after.astype(float), before.astype(float))
        bits = ours.correct[variant].by_split["test"]
        half = len(bits) // 2
        halves = majority(bits[:half]), majority(bits[half : 2 * half])
        rows.append(
            {
                "variant": variant,
                "before": float(before.mean()),
                "after": float(after.mean()),
                "mean": d.mean,
                "low": d.low,
                "high": d.high,
                "fixed": int((after & ~before).sum()),
                "broken": int((before & ~after).sum()),
                "between_halves": int((halves[0] != halves[1]).sum()) if half else None,
            }
        )
    return rows


def majority(bits: Bits) -> Bits:
    """(reviews,): whether more than half of the seeds are right, of (seeds, reviews)."""
    return np.asarray(2 * bits.sum(axis=0) > len(bits))


def slices(reviews: pd.DataFrame) -> dict[tuple[str, str], Bits]:
    """Which reviews belong to each group of a kind: (reviews,) by both names."""
    unknown, words = (reviews[name].to_numpy() for name in ("unknown", "words"))
    kinds = {
        "label": pd.Categorical.from_codes(reviews["label"].to_numpy(), pd.Index(CLASSES)),
        "words": quintiles(words, "{:,}".format),
        "unknown words": quintiles(unknown / np.maximum(words, 1), "{:.1%}".format),
    }
    return {
        (kind, str(group)): np.asarray(groups == group)
        for kind, groups in kinds.items()
        for group in groups.categories
    }


def changes_by_slice(
    base: Results, ours: Results, variants: Iterable[str], min_effect: float, tried: int
) -> list[dict[str, Any]]:
    """A row per variant and slice of the validation reviews: before, after, and the verdict.

    All rows are one family. There is no slice by how much the seeds agree: reviews on which the
    base's own seeds disagree are those where any other networks look better.
    """
    if ours.held_out is None or base.facts.validation_reviews != ours.facts.validation_reviews:
        return []
    seeds, _ = shared_seeds(base, ours)
    found: dict[tuple[str, str, str], Change] = {}
    for variant in variants:
        before, after = paired_bits(base, ours, variant, "validation", seeds)
        for (kind, group), mask in slices(ours.held_out["validation"]).items():
            if mask.any() and not np.array_equal(before[:, mask], after[:, mask]):
                d = difference(after[:, mask], before[:, mask], paired=bool(seeds))
                sides = float(before[:, mask].mean()), float(after[:, mask].mean())
                found[variant, kind, group] = Change(*sides, d)
    differences = {key: change.difference for key, change in found.items()}
    words = verdicts(differences, min_effect, tried)
    return [
        {"variant": key[0], "slice": f"{key[1]}: {key[2]}", "verdict": words[key]}
        | change.row(min_effect)
        for key, change in found.items()
    ]
