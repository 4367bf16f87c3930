"""Stage compare: sums up the seeds, and says where a variant differs from the reference.

reads   params.yaml (compare, variants, train), metrics/scores.csv, data/predictions/,
        data/multi_hot/ (labels, facts)
writes  metrics/metrics.json  per variant the mean over seeds and the standard deviation (_sd), and
                              its difference from the reference: interval, wins, verdict
"""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from stages.errors import reading, run
from stages.params import load_params
from stages.storage import (
    METRICS,
    MULTI_HOT,
    PREDICTIONS,
    REMEDY,
    MultiHotFacts,
    Reviews,
    read_json,
    read_scores,
    write_json,
)

LEVEL = 0.05  # of the verdicts; the intervals cover 1 - LEVEL
FEWEST_SEEDS = 3  # with two, the t distribution has one degree of freedom and reaches nothing


class Difference(NamedTuple):
    """Accuracy of one recipe minus that of another, with what is known of its chance."""

    mean: float
    low: float  # of the 95% interval
    high: float
    p_value: float
    wins: int  # seeds in which the first is better
    seeds: int


def difference(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> Difference:
    """Compare two recipes by what they got right, (seeds, reviews) each, same seeds and reviews.

    Two things are drawn by chance: the seeds and the reviews. With d[s, r] the difference of the
    two in seed s and review r (-1, 0 or 1), the model is that of two crossed random effects,

        d[s, r] = mean + seed[s] + review[r] + error[s, r],

    and the variance of the mean over S seeds and R reviews is estimated from the variances of the
    means over each of the two, without counting the error twice:

        V = var(seed means) / S + max(0, var(review means) / R - var(error) / (S R)).

    mean / sqrt(V) is held against Student's t with Satterthwaite's degrees of freedom. This is the
    analysis of variance that compares diagnostic tests over readers and cases, with seeds for
    readers: Hillis, Obuchowski and Berbaum, "Power estimation for multireader ROC methods",
    Academic Radiology 18 (2011); Satterthwaite, Biometrics Bulletin 2 (1946).

    Why not a bootstrap: resampling six seeds loses a sixth of their variance and knows nothing of
    the heavy tails of so few, so that its intervals are too narrow.

    Assumed: seed effects near normal (they are means over thousands of reviews), reviews drawn
    independently. With fewer than two seeds, interval and p-value are NaN.
    """
    d = ours.astype(np.int8) - theirs.astype(np.int8)
    seeds, reviews = d.shape
    of_seeds, of_reviews = d.mean(axis=1), d.mean(axis=0)
    if seeds == 1:
        return Difference(float(d.mean()), math.nan, math.nan, math.nan, int(d.mean() > 0), 1)
    seed_part = float(of_seeds.var(ddof=1)) / seeds
    review_part = float(of_reviews.var(ddof=1)) / reviews
    explained = seed_part * (seeds - 1) + review_part * (reviews - 1)
    error_part = max(0.0, float(d.var()) - explained) / ((seeds - 1) * (reviews - 1))
    review_part = max(0.0, review_part - error_part)
    variance = seed_part + review_part
    by_part = seed_part**2 / (seeds - 1) + review_part**2 / (reviews - 1)
    return with_interval(of_seeds, variance, variance**2 / by_part if by_part else 1.0)


def difference_of_scores(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], reviews: int
) -> Difference:
    """Compare two recipes by the accuracy of each seed alone, (seeds,) each.

    As `difference`, but with nothing known of the single reviews: the two are taken to have been
    tested on different ones, and t has the degrees of freedom of the seeds alone. Both make the
    interval wider.
    """
    of_seeds = ours - theirs
    if len(of_seeds) == 1:
        return Difference(float(of_seeds[0]), math.nan, math.nan, math.nan, int(of_seeds[0] > 0), 1)
    seed_part = float(of_seeds.var(ddof=1)) / len(of_seeds)
    review_part = sum(float(p * (1 - p)) for p in (ours.mean(), theirs.mean())) / reviews
    return with_interval(of_seeds, seed_part + review_part, len(of_seeds) - 1)


def with_interval(of_seeds: NDArray[np.float64], variance: float, freedom: float) -> Difference:
    """The mean of (seeds,) differences, given its variance and the degrees of freedom of that."""
    seeds, mean, wins = len(of_seeds), float(of_seeds.mean()), int((of_seeds > 0).sum())
    if variance == 0:  # every seed and every review gives the same difference
        return Difference(mean, mean, mean, 1.0 if mean == 0 else 0.0, wins, seeds)
    low, high = stats.t.interval(1 - LEVEL, freedom, loc=mean, scale=math.sqrt(variance))
    p_value = 2 * stats.t.sf(abs(mean) / math.sqrt(variance), freedom)
    return Difference(mean, float(low), float(high), float(p_value), wins, seeds)


def holm(p_values: list[float]) -> list[float]:
    """Adjust p-values for their number: Holm, Scandinavian Journal of Statistics 6 (1979)."""
    p = np.asarray(p_values)
    order = np.argsort(p)
    steps = np.minimum(1, p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted.tolist()


def verdict(difference: Difference, adjusted_p: float) -> str:
    """better, worse, ~ for no difference shown, or that there are too few seeds to say."""
    if difference.seeds < FEWEST_SEEDS:
        return f"too few seeds ({difference.seeds} of {FEWEST_SEEDS})"
    if adjusted_p >= LEVEL:
        return "~"
    return "better" if difference.mean > 0 else "worse"


def summarize(scores: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Per variant the mean over its seeds and, with two seeds or more, the standard deviation."""
    digits = {
        "train_accuracy": 4,
        "validation_accuracy": 4,
        "test_accuracy": 4,
        "test_loss": 4,
        "best_epoch": 1,
    }
    summary = {}
    for variant, of_seeds in scores.groupby("variant"):
        means = {name: round(of_seeds[name].mean(), n) for name, n in digits.items()}
        deviations = {f"{name}_sd": round(of_seeds[name].std(), n) for name, n in digits.items()}
        summary[str(variant)] = means | (deviations if len(of_seeds) > 1 else {})
    return summary


def with_verdicts(differences: dict[str, Difference]) -> dict[str, tuple[Difference, str]]:
    """Each difference with its verdict, as one among so many."""
    adjusted = holm([d.p_value for d in differences.values()])
    return {
        variant: (d, verdict(d, p))
        for (variant, d), p in zip(differences.items(), adjusted, strict=True)
    }


def main() -> None:
    params = load_params()
    reference = params.compare.reference
    seeds = params.train.all_seeds
    scores = read_scores(params.variants, seeds)
    summary = summarize(scores)
    print(f"{'accuracy minus that of ' + reference:<40}{'95% interval':>20}  seeds won")
    for split in ("validation", "test"):
        labels = Reviews.load(MULTI_HOT, split).labels
        correct = {
            variant: (load_predictions(variant, split, (len(seeds), len(labels))) > 0.5) == labels
            for variant in params.variants
        }
        differences = {
            variant: difference(correct[variant], correct[reference])
            for variant in params.variants
            if variant != reference
        }
        for variant, (d, verdict_) in with_verdicts(differences).items():
            summary[variant] |= {
                f"{split}_gain": round(d.mean, 4),
                f"{split}_gain_wins": d.wins,
                f"{split}_verdict": verdict_,
            }
            if d.seeds > 1:
                summary[variant] |= {
                    f"{split}_gain_low": round(d.low, 4),
                    f"{split}_gain_high": round(d.high, 4),
                }
            print(
                f"{split:<12}{variant:<20}{d.mean:>+8.4f}"
                f"  [{d.low:+.4f}, {d.high:+.4f}]  {d.wins}/{d.seeds}  {verdict_}"
            )
    facts = read_json(MULTI_HOT / "facts.json", MultiHotFacts).model_dump()
    del facts["num_words"]  # a parameter
    facts["sha256"] = facts["sha256"][:12]
    write_json(METRICS, {"data": facts} | summary)


def load_predictions(variant: str, split: str, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The (seeds, reviews) probabilities; InputError if they are missing or damaged."""
    path = PREDICTIONS / f"{variant}_{split}.npy"
    with reading(path, REMEDY):
        predictions: NDArray[np.float32] = np.load(path, allow_pickle=False)
        if predictions.shape != shape or predictions.dtype != np.float32:
            raise ValueError(f"{predictions.dtype} {predictions.shape}, not float32 {shape}")
        if not ((predictions >= 0) & (predictions <= 1)).all():
            raise ValueError("a probability is not between 0 and 1")
        return predictions


if __name__ == "__main__":
    run(main)
