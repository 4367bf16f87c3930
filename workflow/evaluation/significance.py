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

    def probability_above(self, limit: float) -> float:
        """That the true difference is above a limit; NaN if unknown."""
        if self.deviation == 0:
            return float(np.heaviside(self.mean - limit, 0.5))
        return float(tail((limit - self.mean) / self.deviation, self.seed_share, self.freedom))

    def probabilities(self, min_effect: float) -> dict[str, float]:
        """That the true difference is below -min_effect, between, and above min_effect.

        With flat priors the reference distribution around the mean is the posterior: Benavoli et
        al., "Time for a change", Journal of Machine Learning Research 18 (2017).
        """
        better, not_worse = (self.probability_above(limit) for limit in (min_effect, -min_effect))
        return {"worse": 1 - not_worse, "same": abs(not_worse - better), "better": better}


NODES = np.linspace(-7.5, 7.5, 301)
WEIGHTS = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()


def tail(errors: Any, seed_share: Any, freedom: float) -> Any:
    """How often chance alone makes a difference of more standard errors: p-value / 2.

    The reference distribution is that of Behrens and Fisher: Student's t for the seeds, which are
    few, plus a normal variable for the reviews, which are thousands, each weighted by the root of
    its share in the variance (Kim and Cohen, Journal of Educational and Behavioral Statistics 23,
    1998). Chance exceeds it at most as often as it says. In the tail that one of 30 comparisons
    reaches, chance exceeds Satterthwaite's t up to 2.5 times as often with six seeds, 11 times with
    three, and Cochran's weighted critical value 1.9 times with three.

    Args:
        errors: a number or an array.
        seed_share: the share of the seeds in the variance, 0 to 1, of the same shape.
        freedom: the degrees of freedom of the seeds.
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


def difference(
    ours: NDArray[np.bool_], theirs: NDArray[np.bool_], *, paired: bool = True
) -> Difference:
    """Compare two recipes by what they got right, (seeds, reviews) each, on the same reviews.

    Two things are random: the seeds and the reviews. With d[s, r] the difference of the two in
    seed s and review r (-1, 0 or 1), the model is that of two crossed random effects,

        d[s, r] = mean + seed[s] + review[r] + error[s, r],

    and the variance of the mean over S seeds and R reviews is estimated from the variances of the
    means over each of the two, without counting the error twice:

        V = var(seed means) / S + max(0, var(review means) / R - var(error) / (S R)).

    This is the analysis of variance that compares diagnostic tests over readers and cases, with
    seeds for readers: Hillis, Obuchowski and Berbaum, Academic Radiology 18 (2011). mean / sqrt(V)
    is distributed as in `tail`. (A bootstrap of six seeds loses a sixth of their variance and
    ignores their heavy tails: its intervals are too narrow.)

    With `paired=False` the seeds of the two sides, of which there may be other numbers, have
    nothing in common: each side has seed effects and errors of its own, on the same reviews.

    Assumed: seed effects near normal (they are means over thousands of reviews), reviews drawn
    independently. The uncertainty is unknown with fewer than two seeds on a side, and where the
    estimate of the variance is zero although the reviews or seeds differ.
    """
    sides: list[NDArray[Any]]
    if paired:
        sides = [np.subtract(ours, theirs, dtype=np.int8)]
        of_seeds, of_reviews = sides[0].mean(axis=1), sides[0].mean(axis=0)
        mean, wins, seeds = float(of_seeds.mean()), int((of_seeds > 0).sum()), len(of_seeds)
    else:
        sides = [ours, theirs]
        of_reviews = ours.mean(axis=0) - theirs.mean(axis=0)
        mean, wins, seeds = float(of_reviews.mean()), -1, min(map(len, sides))
    unknown = Difference(mean, wins, seeds)
    if seeds < 2:
        return unknown
    seed_parts, error_parts = zip(*map(seed_and_error, sides), strict=True)
    reviews = len(of_reviews)
    raw_review_part = float(of_reviews.var(ddof=1)) / reviews if reviews > 1 else 0.0
    review_part = raw_review_part - sum(error_parts)
    if review_part < ROUNDING * raw_review_part:
        review_part = 0.0
    d = unknown._replace(
        seed_part=sum(seed_parts),
        review_part=review_part,
        freedom=welch(seed_parts, [len(side) for side in sides]),
        own_part=float(ours.mean(axis=1).var(ddof=1)) / len(ours),
    )
    if d.deviation > 0:
        return with_interval(d)
    if any(error_parts) or raw_review_part:
        return unknown
    return d._replace(low=mean, high=mean, p_value=float(mean == 0))  # all seeds and reviews agree


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
    review_part = float(d.mean(axis=0).var(ddof=1)) / reviews
    explained = seed_part * (seeds - 1) + review_part * (reviews - 1)
    return seed_part, max(0.0, float(d.var()) - explained) / ((seeds - 1) * (reviews - 1))


def with_interval(d: Difference) -> Difference:
    """`d` with its interval and p-value, from the two parts of its variance, not both 0."""
    half = critical_value(LEVEL, d.seed_share, d.freedom) * d.deviation
    p_value = 2 * float(tail(abs(d.mean) / d.deviation, d.seed_share, d.freedom))
    return d._replace(low=d.mean - half, high=d.mean + half, p_value=p_value)


def difference_of_means(
    ours: NDArray[Any], theirs: NDArray[Any], *, paired: bool = True
) -> Difference:
    """Compare (seeds,) values in which reviews play no part: Student's t, paired by seed.

    With `paired=False` the seeds have nothing in common: Welch's t.
    """
    sides = [ours - theirs] if paired else [ours, theirs]
    mean, seeds = float(ours.mean() - theirs.mean()), min(map(len, sides))
    wins = int((sides[0] > 0).sum()) if paired else -1
    unknown = Difference(mean, wins, seeds)
    if seeds < 2 or all(np.ptp(side) == 0 for side in sides):
        return unknown
    parts = [float(side.var(ddof=1)) / len(side) for side in sides]
    freedom = welch(parts, [len(side) for side in sides])
    return with_interval(unknown._replace(seed_part=sum(parts), review_part=0.0, freedom=freedom))


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
    """Of a difference of `min_effect` or more, either way.

    It is below LEVEL exactly where the whole interval lies within ± `min_effect`: two one-sided
    tests (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987) at LEVEL / 2.
    """
    if math.isnan(d.p_value):
        return math.nan
    gap = min_effect - abs(d.mean)
    if d.deviation == 0:
        return 0.0 if gap > 0 else 1.0
    return min(1.0, 2 * float(tail(gap / d.deviation, d.seed_share, d.freedom)))


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
    found = differences.values()
    of_difference = holm([tried * d.p_value for d in found])
    of_equivalence = holm([tried * p_value_of_equivalence(d, min_effect) for d in found])
    words = {}
    for (key, d), p, p_same in zip(differences.items(), of_difference, of_equivalence, strict=True):
        if d.seeds < MIN_SEEDS:
            words[key] = too_few(d.seeds)
        elif p < LEVEL and abs(d.mean) >= min_effect:
            words[key] = "better" if d.mean > 0 else "worse"
        elif p < LEVEL:
            words[key] = "trivial"
        else:
            words[key] = "same" if p_same < LEVEL else CANNOT_TELL
    return words


def too_few(seeds: int) -> str:
    return f"too few seeds ({seeds} of {MIN_SEEDS})"


def detectable(differences: Iterable[Difference], comparisons: int) -> float:
    """The true difference that the present seeds and reviews show with a probability of POWER.

    As one of so many comparisons, with the standard errors found: their median. NaN if unknown.
    """
    found = []
    for d in differences:
        if d.deviation > 0:
            critical = critical_value(LEVEL / comparisons, d.seed_share, d.freedom)
            errors = float(special.nctdtrinc(d.freedom, 1 - POWER, critical))
            found.append(d.deviation * errors)
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
