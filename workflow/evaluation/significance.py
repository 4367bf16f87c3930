"""Is it a gain or noise? Intervals, corrections and verdicts for differences of accuracy."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

LEVEL = 0.05  # of the verdicts; the intervals cover 1 - LEVEL
POWER = 0.8  # with which a detectable difference is found
MIN_SEEDS = 3  # with one degree of freedom, intervals are too wide to tell anything
ROUNDING = 1e-9  # share of a variance that counts as zero
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
    freedom: float = math.nan  # degrees of freedom of the seed part
    own_part: float = math.nan  # variance of the first one's mean over seeds

    @property
    def deviation(self) -> float:
        """The standard error of the mean."""
        return math.sqrt(self.seed_part + self.review_part)

    @property
    def seed_share(self) -> float:
        """The share of the seeds in the variance."""
        return self.seed_part / (self.seed_part + self.review_part)

    def probability_above(self, distance: float) -> float:
        """That chance alone makes a difference larger than `distance`; NaN if unknown."""
        if self.deviation == 0:
            return float(np.heaviside(-distance, 0.5))
        return float(tail(distance / self.deviation, self.seed_share, self.freedom))

    def probabilities(self, min_effect: float) -> dict[str, float]:
        """That the true difference is below -min_effect, between, and above min_effect.

        With flat priors the reference distribution around the mean is the posterior: Benavoli et
        al., "Time for a change", Journal of Machine Learning Research 18 (2017).
        """
        better = self.probability_above(min_effect - self.mean)
        not_worse = self.probability_above(-min_effect - self.mean)
        return {"worse": 1 - not_worse, "same": abs(not_worse - better), "better": better}


NODES = np.linspace(-7.5, 7.5, 301)
WEIGHTS = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()


def tail(errors: Any, seed_share: Any, freedom: float) -> Any:
    """How often chance alone makes a difference of more standard errors: p-value / 2.

    The distribution of Behrens and Fisher: Student's t for the few seeds plus a normal variable for
    the thousands of reviews, each weighted by the root of its share in the variance (Kim and Cohen,
    Journal of Educational and Behavioral Statistics 23, 1998). In the tail that one of 30
    comparisons reaches, chance exceeds Satterthwaite's t up to 2.5 times as often as it says with
    six seeds, 11 times with three, and Cochran's weighted critical value 1.9 times with three.

    `errors` and `seed_share`, the share of the seeds in the variance, are numbers or arrays of one
    shape; `freedom` is the degrees of freedom of the seeds.
    """
    share = np.maximum(seed_share, 0.001)[..., None]  # so that the integrand is smooth
    distance = np.asarray(errors)[..., None] - np.sqrt(1 - share) * NODES
    return special.stdtr(freedom, -distance / np.sqrt(share)) @ WEIGHTS


def critical_value(level: float, seed_share: float, freedom: float) -> float:
    """A difference of more standard errors than this has a p-value below the level."""
    target = float(special.ndtri(level / 2))

    def excess(errors: float) -> float:  # nearly linear, which suits the secant method
        return float(special.ndtri(tail(errors, seed_share, freedom))) - target

    of_seeds_alone = -special.stdtrit(freedom, level / 2)
    return float(optimize.newton(excess, -target, x1=of_seeds_alone, tol=1e-9))


def difference(ours: NDArray[Any], theirs: NDArray[Any], *, paired: bool = True) -> Difference:
    """Compare two recipes by what they got right, (seeds, reviews) bool each, on the same reviews.

    With the model of docs/method.md, of seed effects, review effects and errors, the variance of
    the mean over S seeds and R reviews is

        V = var(seed means) / S + max(0, var(review means) / R - var(error) / (S R)),

    which does not count the error twice. This is the analysis of variance that compares diagnostic
    tests over readers and cases, with seeds for readers: Hillis, Obuchowski and Berbaum, Academic
    Radiology 18 (2011). mean / sqrt(V) is distributed as in `tail`.

    With `paired=False` the seeds of the two sides, of which there may be other numbers, have
    nothing in common: each side has seed effects and errors of its own, on the same reviews.

    The uncertainty is unknown with fewer than two seeds on a side, and where the estimate of the
    variance is zero although the reviews or seeds differ.
    """
    if paired:
        sides = [np.subtract(ours, theirs, dtype=float)]
        by_seed, by_review = sides[0].mean(axis=1), sides[0].mean(axis=0)
        mean, wins = by_seed.mean(), int((by_seed > 0).sum())
    else:
        sides, by_review = [ours, theirs], ours.mean(axis=0) - theirs.mean(axis=0)
        mean, wins = by_review.mean(), -1
    unknown = Difference(float(mean), wins, min(map(len, sides)))
    if unknown.seeds < 2:
        return unknown
    seed_parts, error_parts = zip(*map(seed_and_error, sides), strict=True)
    raw_review_part = variance_of_mean(by_review) if len(by_review) > 1 else 0.0
    review_part = raw_review_part - sum(error_parts)
    if review_part < ROUNDING * raw_review_part:
        review_part = 0.0
    d = unknown._replace(
        seed_part=sum(seed_parts),
        review_part=review_part,
        freedom=welch(seed_parts, [len(side) for side in sides]),
        own_part=variance_of_mean(ours.mean(axis=1)),
    )
    if d.deviation == 0 and (any(error_parts) or raw_review_part):
        return unknown
    return with_interval(d)


def variance_of_mean(values: NDArray[Any]) -> float:
    return float(values.var(ddof=1)) / len(values)


def welch(variances: Sequence[float], numbers: Sequence[int]) -> float:
    """Degrees of freedom of a sum of variances of means (Welch, Biometrika 34, 1947)."""
    weights = [part**2 / (n - 1) for part, n in zip(variances, numbers, strict=True)]
    return sum(variances) ** 2 / sum(weights) if any(weights) else float(min(numbers) - 1)


def seed_and_error(d: NDArray[Any]) -> tuple[float, float]:
    """Of (S, R) values: var(seed means) / S, and var(error) / (S R)."""
    seeds, reviews = d.shape
    seed_part = float(d.sum(axis=1).var(ddof=1)) / (seeds * reviews**2)  # of integers: no rounding
    if reviews == 1:
        return seed_part, 0.0
    review_part = variance_of_mean(d.mean(axis=0))
    explained = seed_part * (seeds - 1) + review_part * (reviews - 1)
    return seed_part, max(0.0, float(d.var()) - explained) / ((seeds - 1) * (reviews - 1))


def with_interval(d: Difference) -> Difference:
    """`d` with its interval and p-value, from the two parts of its variance."""
    half = 0.0  # all seeds and reviews agree
    if d.deviation > 0:
        half = critical_value(LEVEL, d.seed_share, d.freedom) * d.deviation
    p_value = 2 * d.probability_above(abs(d.mean))
    return d._replace(low=d.mean - half, high=d.mean + half, p_value=p_value)


def difference_of_means(
    ours: NDArray[Any], theirs: NDArray[Any], *, paired: bool = True
) -> Difference:
    """Compare (seeds,) values in which reviews play no part: Student's t, paired by seed.

    With `paired=False` the seeds have nothing in common: Welch's t. Equal values tell nothing.
    """
    d = difference(ours[:, None], theirs[:, None], paired=paired)
    sides = [ours - theirs] if paired else [ours, theirs]
    return Difference(*d[:3]) if all(np.ptp(side) == 0 for side in sides) else d


def holm(p_values: list[float]) -> list[float]:
    """Adjust p-values for their number: Holm, Scandinavian Journal of Statistics 6 (1979).

    One that is NaN, where nothing is known, counts as 1.
    """
    p = np.nan_to_num(p_values, nan=1.0)
    order = np.argsort(p)
    steps = np.minimum(1, p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted.tolist()


def p_value_of_equivalence(d: Difference, min_effect: float) -> float:
    """Of a difference of `min_effect` or more, either way; 1 if unknown.

    It is below LEVEL exactly where the whole interval lies within ± `min_effect`: two one-sided
    tests (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987) at LEVEL / 2.
    """
    return min(1.0, 2 * d.probability_above(min_effect - abs(d.mean)))


def verdicts(
    differences: Mapping[Key, Difference], min_effect: float, tried: int = 1
) -> dict[Key, str]:
    """A word for each difference, as one among so many (Holm).

    If these are of the best of several tries, each counts as so many (Bonferroni).

    better, worse  shown to differ from 0; the estimate is `min_effect` or more
    trivial        shown to differ from 0; the estimate is smaller
    same           not shown to differ, and shown to be within ± `min_effect`
    ~              cannot tell
    """
    values = differences.values()
    differ = holm([tried * d.p_value for d in values])
    equal = holm([tried * p_value_of_equivalence(d, min_effect) for d in values])
    words = {}
    for (key, d), p_differ, p_equal in zip(differences.items(), differ, equal, strict=True):
        if d.seeds < MIN_SEEDS:
            words[key] = f"too few seeds ({d.seeds} of {MIN_SEEDS})"
        elif p_differ >= LEVEL:
            words[key] = "same" if p_equal < LEVEL else CANNOT_TELL
        elif abs(d.mean) < min_effect:
            words[key] = "trivial"
        else:
            words[key] = "better" if d.mean > 0 else "worse"
    return words


def detectable(differences: Iterable[Difference], comparisons: int) -> float:
    """The true difference that the present seeds and reviews show with a probability of POWER.

    As one of so many comparisons, with the standard errors found: their median. NaN if unknown.
    """
    known = [d for d in differences if d.deviation > 0]
    critical = [critical_value(LEVEL / comparisons, d.seed_share, d.freedom) for d in known]
    found = [
        d.deviation * float(special.nctdtrinc(d.freedom, 1 - POWER, errors))
        for d, errors in zip(known, critical, strict=True)
    ]
    return float(np.median(found)) if found else math.nan


def expected_max_of_normals(tried: int) -> float:
    """The expected largest of so many standard normal values."""
    x = np.linspace(-10, 10, 20_001)
    return float(np.sum((x[1:] + x[:-1]) / 2 * np.diff(special.ndtr(x) ** tried)))


def best_by_chance(differences: Iterable[Difference], tried: int) -> float:
    """How much better than the base the best of so many equally good recipes looks on average.

    Only what the tries vary by counts, since the base's own luck is the same for all: their seeds,
    and half of the review part, as equally good recipes may be right in other reviews. The median,
    as each is estimated from few seeds and a recipe that diverges varies a lot. NaN if unknown.
    """
    parts = [d.own_part + d.review_part / 2 for d in differences]
    known = [math.sqrt(part) for part in parts if not math.isnan(part)]
    return float(np.median(known)) * expected_max_of_normals(tried) if known else math.nan
