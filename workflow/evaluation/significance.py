"""Is it a gain or noise? Intervals, corrections and verdicts for differences of accuracy."""

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

LEVEL = 0.05  # of the verdicts; the intervals cover 1 - LEVEL
POWER = 0.8  # the probability that enough seeds find a difference
MIN_SEEDS = 3  # with one degree of freedom, intervals are too wide to tell anything
ROUNDING = 1e-9  # share of a variance that counts as zero
MAX_SEEDS = 1000  # that params.yaml allows
CANNOT_TELL = "~"

Key = TypeVar("Key", bound=Hashable)


class Difference(NamedTuple):
    """Accuracy of one recipe minus that of another, with its uncertainty; NaN where unknown."""

    mean: float
    wins: int  # seeds in which the first scores higher; -1 if the seeds are not paired
    seeds: int
    low: float = math.nan  # of the 95% interval
    high: float = math.nan
    p_value: float = math.nan  # of no difference
    seed_part: float = math.nan  # variance of the mean that shrinks with more seeds
    review_part: float = math.nan  # and that does not
    freedom: float = math.nan  # degrees of freedom of Student's t

    @property
    def deviation(self) -> float:
        """The standard error of the mean."""
        return math.sqrt(self.seed_part + self.review_part)


def difference(
    ours: NDArray[np.bool_], theirs: NDArray[np.bool_], *, paired: bool = True
) -> Difference:
    """Compare two recipes by what they got right, (seeds, reviews) each, on the same reviews.

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

    With `paired=False` the seeds of the two sides have nothing to do with each other, and their
    numbers may differ: each side has a seed effect and an error of its own, the reviews are
    still the same.

    Why not a bootstrap: resampling six seeds loses a sixth of their variance and knows nothing of
    the heavy tails of so few, so that its intervals are too narrow.

    Assumed: seed effects near normal (they are means over thousands of reviews), reviews drawn
    independently. With fewer than two seeds on a side nothing is known of the chance, nor where
    the estimate of the variance is zero although the reviews or seeds differ.
    """
    if paired:
        sides = [ours.astype(np.int8) - theirs.astype(np.int8)]
        of_seeds, of_reviews = sides[0].mean(axis=1), sides[0].mean(axis=0)
        mean, wins, seeds = float(of_seeds.mean()), int((of_seeds > 0).sum()), len(of_seeds)
    else:
        sides = [ours.astype(np.int8), theirs.astype(np.int8)]
        of_reviews = ours.mean(axis=0) - theirs.mean(axis=0)
        mean, wins, seeds = float(of_reviews.mean()), -1, min(map(len, sides))
    if seeds < 2:
        return Difference(mean, wins, seeds)
    seed_parts, error_parts = zip(*map(seed_and_error, sides), strict=True)
    reviews = len(of_reviews)
    raw_review_part = float(of_reviews.var(ddof=1)) / reviews if reviews > 1 else 0.0
    review_part = raw_review_part - sum(error_parts)
    if review_part < ROUNDING * raw_review_part:
        review_part = 0.0
    by_part = sum(part**2 / (len(side) - 1) for part, side in zip(seed_parts, sides, strict=True))
    by_part += review_part**2 / max(reviews - 1, 1)
    seed_part = sum(seed_parts)
    if seed_part + review_part == 0:
        if any(error_parts) or raw_review_part:
            return Difference(mean, wins, seeds)
        p_value = 1.0 if mean == 0 else 0.0  # every seed and every review says the same
        return Difference(mean, wins, seeds, mean, mean, p_value, 0.0, 0.0, 1.0)
    freedom = (seed_part + review_part) ** 2 / by_part
    return with_interval(mean, wins, seeds, (seed_part, review_part), freedom)


def seed_and_error(d: NDArray[np.int8]) -> tuple[float, float]:
    """Of (S, R) values: var(seed means) / S, and var(error) / (S R)."""
    seeds, reviews = d.shape
    seed_part = float(d.sum(axis=1).var(ddof=1)) / (seeds * reviews**2)  # of integers: no rounding
    if reviews == 1:
        return seed_part, 0.0
    review_part = float(d.mean(axis=0).var(ddof=1)) / reviews
    explained = seed_part * (seeds - 1) + review_part * (reviews - 1)
    return seed_part, max(0.0, float(d.var()) - explained) / ((seeds - 1) * (reviews - 1))


def with_interval(
    mean: float, wins: int, seeds: int, parts: tuple[float, float], freedom: float
) -> Difference:
    """A mean with its interval, given the two parts of its variance, not both 0."""
    # scipy.special has Student's t too, and is imported ten times as fast as scipy.stats.
    deviation = math.sqrt(sum(parts))
    half = float(special.stdtrit(freedom, 1 - LEVEL / 2)) * deviation
    p_value = 2 * float(special.stdtr(freedom, -abs(mean) / deviation))
    return Difference(mean, wins, seeds, mean - half, mean + half, p_value, *parts, freedom)


def difference_of_means(
    ours: NDArray[Any], theirs: NDArray[Any], *, paired: bool = True
) -> Difference:
    """Compare (seeds,) values that no review has a part in: Student's t, paired by seed.

    With `paired=False` the seeds have nothing to do with each other: Welch, Biometrika 34 (1947).
    """
    if not paired:
        mean, seeds = float(ours.mean() - theirs.mean()), min(len(ours), len(theirs))
        if seeds < 2:
            return Difference(mean, -1, seeds)
        parts = [float(side.var(ddof=1)) / len(side) for side in (ours, theirs)]
        if not any(parts):
            return Difference(mean, -1, seeds)
        of_sides = zip(parts, (ours, theirs), strict=True)
        freedom = sum(parts) ** 2 / sum(part**2 / (len(side) - 1) for part, side in of_sides)
        return with_interval(mean, -1, seeds, (sum(parts), 0.0), freedom)
    d = ours - theirs
    mean, wins, seeds = float(d.mean()), int((d > 0).sum()), len(d)
    if seeds < 2 or (d == d[0]).all():
        return Difference(mean, wins, seeds)
    return with_interval(mean, wins, seeds, (float(d.var(ddof=1)) / seeds, 0.0), seeds - 1)


def holm(p_values: list[float]) -> list[float]:
    """Adjust p-values for their number: Holm, Scandinavian Journal of Statistics 6 (1979).

    One that is NaN, where nothing is known, counts as 1.
    """
    p = np.nan_to_num(np.asarray(p_values, np.float64), nan=1.0)
    order = np.argsort(p)
    steps = np.minimum(1, p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted.tolist()


def p_value_of_equivalence(d: Difference, min_effect: float) -> float:
    """That the difference is `min_effect` or more, either way.

    It is below LEVEL exactly where the whole interval lies within ± `min_effect`: two one-sided
    tests, Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987), each at half of
    LEVEL, so that the interval that is shown is the one that decides.
    """
    if math.isnan(d.p_value):
        return math.nan
    gap = min_effect - abs(d.mean)
    if d.deviation == 0:
        return 0.0 if gap > 0 else 1.0
    return min(1.0, 2 * float(special.stdtr(d.freedom, -gap / d.deviation)))


def verdicts(
    differences: Mapping[Key, Difference], min_effect: float, tried: int = 1
) -> dict[Key, str]:
    """A word for each difference, as one among so many (Holm).

    Where these are of the best of several tries, each counts as so many (Bonferroni).

    better, worse  shown to differ, by `min_effect` or more as far as one can see
    trivial        shown to differ, but by less
    same           not shown to differ, and shown to be less than `min_effect` apart
    ~              cannot tell
    """
    found = differences.values()
    of_difference = holm([tried * d.p_value for d in found])
    of_equivalence = holm([tried * p_value_of_equivalence(d, min_effect) for d in found])
    words = {}
    for (key, d), p, p_same in zip(differences.items(), of_difference, of_equivalence, strict=True):
        if d.seeds < MIN_SEEDS:
            words[key] = f"too few seeds ({d.seeds} of {MIN_SEEDS})"
        elif p < LEVEL and abs(d.mean) >= min_effect:
            words[key] = "better" if d.mean > 0 else "worse"
        elif p < LEVEL:
            words[key] = "trivial"
        else:
            words[key] = "same" if p_same < LEVEL else CANNOT_TELL
    return words


def enough_seeds(d: Difference, min_effect: float, tried: int = 1) -> int | None:
    """With how many seeds, more than there are, a verdict is had four times in five, as one of so
    many, if the difference is what it seems to be: that it is one, or, of one below `min_effect`,
    that it is below. None where no number that params.yaml allows would do, or nothing is known.
    """
    if math.isnan(d.p_value):
        return None
    seeds = np.arange(max(d.seeds + 1, MIN_SEEDS), MAX_SEEDS + 1)
    deviation = np.sqrt(d.seed_part * d.seeds / seeds + d.review_part)
    # As many degrees of freedom as the seeds have: a few too little where the reviews count too.
    reach = special.stdtrit(seeds - 1, 1 - LEVEL / tried / 2)
    found = (reach + special.ndtri(POWER)) * deviation <= abs(d.mean)
    # The interval can leave ± `min_effect` on either side, and must on none.
    found |= (reach + special.ndtri((1 + POWER) / 2)) * deviation <= min_effect - abs(d.mean)
    found &= deviation > 0
    return int(seeds[found.argmax()]) if found.any() else None


def expected_max_of_normals(tried: int) -> float:
    """The expected largest of so many standard normal values: what the best of identical recipes
    seems to be better by, in standard deviations of their means.
    """
    x = np.linspace(-10, 10, 20_001)
    return float(np.sum((x[1:] + x[:-1]) / 2 * np.diff(special.ndtr(x) ** tried)))


def luck(differences: Iterable[Difference], tried: int) -> float:
    """What the best of so many recipes, all as good as the base, seems to be better by.

    Of two means, each varies by the deviation of their difference / sqrt(2). That alone counts:
    where the base happened to end up moves all differences alike, and on average not at all. As
    each deviation is estimated from few seeds, and a recipe that diverges has a huge one, the
    median of them is taken. It has both parts, for recipes that are as good may be so in other
    reviews; of identical ones, the part of the reviews is near zero. NaN where nothing is known.
    """
    known = [d.deviation for d in differences if not math.isnan(d.deviation)]
    return (
        float(np.median(known)) / math.sqrt(2) * expected_max_of_normals(tried)
        if known
        else math.nan
    )
