"""Distances between two distributions, and the p-values of tests.

In: counts by category or bin, weights, or the distance of two samples. Out: a number, or `Undefined` where
there is none. The numbers are those of SciPy and of Great Expectations, to nine digits and more; sums carry
their rounding errors along.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

MOST_EXACT = 10_000
"""The largest sample for which the p-value of Kolmogorov-Smirnov is exact."""

_EMPTY_SHARE = 1e-4
_MOST_TERMS = 10_000_000
_MOST_SMIRNOV_TERMS = 1_000_000


class Undefined(Exception):
    """There is no number."""


@dataclass(frozen=True)
class Distance:
    """A distance and, of a test, a way to its p-value, which may take a while."""

    value: float
    p_value: Callable[[], float] | None = None


@dataclass(frozen=True)
class Counted:
    """How many values are in each bin, and outside."""

    bins: list[int]
    below: int
    above: int

    @property
    def n(self) -> int:
        """All of them."""
        return sum(self.bins) + self.below + self.above


# Bins


def check_edges(edges: Sequence[float]) -> list[float]:
    """Edges of at least one bin, strictly ascending."""
    if len(edges) < 2 or any(math.isnan(edge) for edge in edges):
        raise Undefined("no bins")
    if any(low >= high for low, high in pairwise(edges)):
        raise Undefined("the edges do not ascend")
    return list(edges)


def equal_width(n: int, least: float, most: float, n_bins: int) -> list[float]:
    """Edges of bins of equal width; of equal values, from half below to half above."""
    if n_bins == 0 or n == 0:
        raise Undefined("no values")
    _require_finite(least)
    _require_finite(most)
    low, high = (least, most) if least < most else (least - 0.5, most + 0.5)
    width = _require_finite((high - low) / n_bins)
    return check_edges([place * width + low for place in range(n_bins)] + [high])


def sturges(n: int, least: float, most: float) -> list[float]:
    """Edges by the rule of Sturges."""
    if n == 0:
        raise Undefined("no values")
    spread = _require_finite(most) - _require_finite(least)
    width = spread / (math.log2(n) + 1.0)
    return equal_width(n, least, most, math.ceil(spread / width) if width > 0.0 else 1)


def quantile_positions(n: int, n_bins: int) -> list[float]:
    """Where in `n` sorted values the edges of bins of equal shares lie, counted from 0."""
    if n == 0 or n_bins == 0:
        raise Undefined("no values")
    return [(n - 1) * (place / n_bins) for place in range(n_bins + 1)]


def quantile_bins(positions: Sequence[float], value_at: Callable[[int], float]) -> list[float]:
    """Edges of bins of equal shares, open to both sides; of one value alone three bins, below, at and above it."""
    edges: list[float] = []
    for position in positions:
        lower, higher = value_at(math.floor(position)), value_at(math.ceil(position))
        share = position - math.floor(position)
        edge = lower + (higher - lower) * share if lower < higher else lower
        if math.isnan(edge):
            raise Undefined("a value is infinite")
        if not edges or edges[-1] != edge:
            edges.append(edge)
    _require_finite(edges[0])
    _require_finite(edges[-1])
    if len(edges) == 1:
        return check_edges([-math.inf, edges[0], math.nextafter(edges[0], math.inf), math.inf])
    return check_edges([-math.inf, *edges[1:-1], math.inf])


def count_in(edges: Sequence[float], counts: Iterable[tuple[float, int]]) -> Counted:
    """Counts values, given with how often they occur. The last bin has both its edges."""
    bins, below, above = [0] * (len(edges) - 1), 0, 0
    for value, n in counts:
        place = len(edges) - 1 if value == edges[-1] else bisect_right(edges, value)
        if place == 0:
            below += n
        elif place == len(edges):
            above += n
        else:
            bins[place - 1] += n
    return Counted(bins, below, above)


# Distances


def population_stability_index(reference: Sequence[int], current: Sequence[int]) -> float:
    """The sum of `(q - p) ln(q / p)` over the shares of the bins; an empty bin has a small share."""
    pairs = zip(_filled_shares(reference), _filled_shares(current))
    return _sum((q - p) * math.log(q / p) for p, q in pairs)


def relative_entropy(observed: Sequence[float], expected: Sequence[float]) -> float:
    """The divergence of Kullback and Leibler: infinite where something was observed that was not expected."""
    if any(weight < 0.0 for weight in observed):
        raise Undefined("a weight is negative")
    return _sum(_relative_term(p, q) for p, q in zip(_normalised(observed), _normalised(expected)))


def jensen_shannon(reference: Sequence[float], current: Sequence[float]) -> float:
    """The distance of Jensen and Shannon to base 2, from 0 to 1."""
    if any(weight < 0.0 for weight in (*reference, *current)):
        raise Undefined("a weight is negative")
    terms = []
    for p, q in zip(_normalised(reference), _normalised(current)):
        terms += [_relative_term(p, (p + q) / 2.0), _relative_term(q, (p + q) / 2.0)]
    return math.sqrt(max(_sum(terms) / math.log(2.0), 0.0) / 2.0)


def goodness_of_fit(observed: Sequence[int], expected: Sequence[float]) -> Distance:
    """Pearson's test of counts against expected counts with the same sum."""
    if any(_require_finite(count) < 0.0 for count in expected):
        raise Undefined("a count is negative")
    seen, wanted = float(sum(observed)), _sum(expected)
    if seen == 0.0 or wanted == 0.0:
        raise Undefined("no values")
    if abs(seen - wanted) / min(seen, wanted) > math.sqrt(2.0**-52):
        raise Undefined("the sums differ")
    if any(count == 0 and share == 0.0 for count, share in zip(observed, expected)):
        raise Undefined("nothing expected")
    if len(observed) < 2:
        raise Undefined("no degrees of freedom")
    statistic = _sum(_cell(count, share) for count, share in zip(observed, expected))
    return Distance(statistic, lambda: upper_gamma((len(observed) - 1) / 2.0, statistic / 2.0))


def against_reference(reference: Sequence[int], current: Sequence[int]) -> Distance:
    """Pearson's test of counts against the shares of a reference's counts."""
    n_reference, n_current = float(sum(reference)), float(sum(current))
    if n_reference == 0.0 or n_current == 0.0:
        raise Undefined("no values")
    present = [(known, seen) for known, seen in zip(reference, current) if known > 0 or seen > 0]
    return goodness_of_fit([seen for _, seen in present], [known / n_reference * n_current for known, _ in present])


def partition_divergence(
    edges: Sequence[float],
    weights: Sequence[float],
    tails: tuple[float, float] | None,
    holdouts: tuple[float, float],
    counted: Counted,
) -> float:
    """The divergence of counts in bins from weights, with the holdouts of the tail and of empty bins."""
    tail_holdout, internal_holdout = holdouts
    if len(edges) != len(weights) + 1:
        raise Undefined("one edge more than bins")
    _require_one((*weights, *(tails or ())))
    _require_shares(holdouts)
    open_ends = math.isinf(edges[0]), math.isinf(edges[-1])
    if (tails and (tail_holdout > 0.0 or any(open_ends))) or (tail_holdout > 0.0 and all(open_ends)):
        raise Undefined("the holdouts contradict the bins")
    kept = [weight * (1.0 - tail_holdout - internal_holdout) for weight in weights]
    if internal_holdout > 0.0:
        n_empty = sum(weight == 0.0 for weight in kept)
        kept = [internal_holdout / n_empty if weight == 0.0 else weight for weight in kept]
    share = 1.0 if any(open_ends) else 0.5
    below, above = tails or (tail_holdout * share, tail_holdout * share)
    if counted.n == 0:
        raise Undefined("no values")
    seen = [count / counted.n for count in counted.bins]
    expected = [*([] if open_ends[0] else [below]), *kept, *([] if open_ends[1] else [above])]
    observed = [
        *([] if open_ends[0] else [counted.below / counted.n]),
        *seen,
        *([] if open_ends[1] else [counted.above / counted.n]),
    ]
    return relative_entropy(observed, expected)


def category_divergence(
    weights: Sequence[float], holdouts: tuple[float, float], known: Sequence[int], new: Sequence[int]
) -> float:
    """The divergence of counts of categories from weights; `new` ones share the holdout of the tail."""
    tail_holdout, internal_holdout = holdouts
    if not weights or internal_holdout > 0.0:
        raise Undefined("no categories")
    _require_one(weights)
    _require_shares(holdouts)
    n = float(sum(known)) + float(sum(new))
    if n == 0.0:
        raise Undefined("no values")
    expected = list(weights)
    if new:
        expected = [weight * (1.0 - tail_holdout) for weight in weights] + [tail_holdout / len(new)] * len(new)
    return relative_entropy([count / n for count in (*known, *new)], expected)


def kolmogorov_smirnov(largest: int, n_reference: int, n_current: int) -> Distance:
    """The test of two samples whose distribution functions are at most so far apart, times both sizes."""
    if n_reference == 0 or n_current == 0:
        raise Undefined("no values")
    larger, smaller = max(n_reference, n_current), min(n_reference, n_current)
    statistic = float(largest) / (float(larger) * float(smaller))
    if larger <= MOST_EXACT:
        return Distance(statistic, lambda: _two_sample(largest, larger, smaller))
    effective = float(larger) * float(smaller) / (float(larger) + float(smaller))
    return Distance(statistic, lambda: one_sample(statistic, round(effective)))


# The distribution of two samples' distance


def _two_sample(distance: int, larger: int, smaller: int) -> float:
    """Source: J. L. Hodges, "The Significance Probability of the Smirnov Two-Sample Test" (1958)."""
    if distance == 0:
        return 1.0
    found = _reflections(larger, distance // larger) if larger == smaller else _paths(distance, larger, smaller)
    return min(max(found, 0.0), 1.0)


def _reflections(n: int, steps: int) -> float:
    ratio, total, sign = 1.0, 0.0, 1.0
    for j in range(n):
        ratio *= (n - j) / (n + j + 1)
        if (j + 1) % steps == 0:
            total += sign * ratio
            sign = -sign
    return 2.0 * total


def _paths(bound: int, larger: int, smaller: int) -> float:
    """The share of lattice paths that leave the strip around the diagonal, a column at a time."""
    outside = [0.0 if larger * y < bound else 1.0 for y in range(smaller + 1)]
    for x in range(1, larger + 1):
        centre = smaller * x
        low = 0 if centre < bound else (centre - bound) // larger + 1
        high = min((centre + bound - 1) // larger, smaller)
        left = 1.0
        for y in range(low, high + 1):
            left = (outside[y] * x + left * y) / (x + y)
            outside[y] = left
    return outside[-1]


# The distribution of one sample's distance


def one_sample(distance: float, n: int) -> float:
    """The probability that `n` values' distribution function is at least so far from the true one.

    Source: R. Simard and P. L'Ecuyer, "Computing the Two-Sided Kolmogorov-Smirnov Distribution" (2011).
    """
    scaled = n * distance
    if n == 0 or scaled <= 0.5:
        return 1.0
    if distance >= 1.0:
        return 0.0
    square = scaled * distance
    if distance >= 0.5 or square >= (4.0 if n <= 140 else 2.2):
        found = 2.0 * _one_sided(distance, n)
    elif n <= 140 or (n <= 100_000 and scaled * math.sqrt(distance) <= 1.4):
        found = 1.0 - _durbin(distance, n)
    else:
        found = 1.0 - _pelz_good(distance, n)
    return min(max(found, 0.0), 1.0)


def _one_sided(distance: float, n: int) -> float:
    if n > _MOST_SMIRNOV_TERMS:
        root = 6.0 * n * distance + 1.0
        return math.exp(-root * root / (18.0 * n))
    terms = []
    for j in range(1, n):
        p = distance + j / n
        if p >= 1.0:
            break
        terms.append(_binomial(j, n, p) / p)
    return math.exp(n * math.log1p(-distance)) + distance * _sum(terms)


def _durbin(distance: float, n: int) -> float:
    """Source: G. Marsaglia, W. W. Tsang and J. Wang, "Evaluating Kolmogorov's Distribution" (2003)."""
    scaled = n * distance
    k = math.ceil(scaled)
    h, size = k - scaled, 2 * k - 1
    inverse = [1.0]
    for i in range(1, size + 1):
        inverse.append(inverse[-1] / i)
    matrix = [[inverse[i + 1 - j] if i + 1 >= j else 0.0 for j in range(size)] for i in range(size)]
    for i in range(size):
        edge = (1.0 - h ** (i + 1)) * inverse[i + 1]
        matrix[i][0] = edge
        matrix[size - 1][size - 1 - i] = edge
    corner = 1.0 - 2.0 * h**size + max(2.0 * h - 1.0, 0.0) ** size
    matrix[size - 1][0] = corner * inverse[size]
    power, exponent = _power(matrix, n)
    value = power[k - 1][k - 1]
    for i in range(1, n + 1):
        value *= i / n
        if abs(value) < 2.0**-400:
            value *= 2.0**400
            exponent -= 400
    return math.ldexp(value, exponent)


def _power(matrix: list[list[float]], exponent: int) -> tuple[list[list[float]], int]:
    """A power of a matrix, and the power of two that it is to be multiplied by."""
    result, of_result = None, 0
    square, of_square = matrix, 0
    while True:
        if exponent % 2 == 1:
            result, of_result = (square, of_square) if result is None else _times(result, of_result, square, of_square)
        exponent //= 2
        if exponent == 0:
            assert result is not None
            return result, of_result
        square, of_square = _times(square, of_square, square, of_square)


def _times(
    left: list[list[float]], of_left: int, right: list[list[float]], of_right: int
) -> tuple[list[list[float]], int]:
    columns = list(zip(*right))
    product = [[sum(a * b for a, b in zip(row, column)) for column in columns] for row in left]
    if product[len(product) // 2][len(product) // 2] <= 2.0**400:
        return product, of_left + of_right
    return [[cell * 2.0**-400 for cell in row] for row in product], of_left + of_right + 400


def _pelz_good(distance: float, n: int) -> float:
    """Source: W. Pelz and I. J. Good, "Approximating the Lower Tail-Areas …" (1976)."""
    root = math.sqrt(n)
    z = distance * root
    z2 = z * z
    z4, z6 = z2 * z2, z2 * z2 * z2
    pi2, pi4, pi6 = math.pi**2, math.pi**4, math.pi**6
    n_terms = math.ceil(4.0 * z) + 2
    orders, whole = [0.0] * 4, [0.0] * 2
    for k in range(n_terms):
        half = k + 0.5
        h2, h4, h6 = half**2, half**4, half**6
        weight = 2.0 * math.exp(-pi2 * h2 / (2.0 * z2))
        orders[0] += weight
        orders[1] += weight * (pi2 * h2 - z2)
        orders[2] += weight * (6.0 * z6 + 2.0 * z4 + pi2 * (2.0 * z4 - 5.0 * z2) * h2 + pi4 * (1.0 - 2.0 * z2) * h4)
        orders[3] += weight * (
            pi6 * h6 * (5.0 - 30.0 * z2)
            + pi4 * h4 * (212.0 * z4 - 60.0 * z2)
            + pi2 * h2 * (135.0 * z4 - 96.0 * z6)
            - 30.0 * z6
            - 90.0 * z4 * z4
        )
    for k in range(1, n_terms + 1):
        k2 = float(k * k)
        weight = 2.0 * math.exp(-pi2 * k2 / (2.0 * z2))
        whole[0] += weight * pi2 * k2
        whole[1] += weight * (3.0 * pi2 * k2 * z2 - pi4 * k2 * k2)
    scale = math.sqrt(math.pi / 2.0)
    by_order = [
        scale * orders[0] / z,
        scale * orders[1] / (6.0 * z4),
        scale * (orders[2] / (72.0 * z6 * z) - whole[0] / (36.0 * z2 * z)),
        scale * (orders[3] / (6480.0 * z6 * z4) + whole[1] / (216.0 * z6)),
    ]
    return _sum(term / root**order for order, term in enumerate(by_order))


# Special functions


def upper_gamma(a: float, x: float) -> float:
    """The regularised upper incomplete gamma function, for `a` above 0.

    Source: NIST Digital Library of Mathematical Functions, 8.7.1 and 8.9.2.
    """
    if math.isnan(x):
        raise Undefined("a value is not a number")
    if x <= 0.0:
        return 1.0
    if math.isinf(x):
        return 0.0
    density = math.exp(-_stirling_error(a) - _deviance(a, x)) / math.sqrt(2.0 * math.pi * a)
    if x < a + 1.0:
        return min(max(1.0 - density * _lower_series(a, x), 0.0), 1.0)
    return density * a * _upper_fraction(a, x)


def _lower_series(a: float, x: float) -> float:
    term = total = 1.0
    for k in range(1, _MOST_TERMS):
        term *= x / (a + k)
        total += term
        if term < total * 1e-17:
            break
    return total


def _upper_fraction(a: float, x: float) -> float:
    tiny = 1e-300

    def nonzero(value: float) -> float:
        return tiny if abs(value) < tiny else value

    denominator = x + 1.0 - a
    c = 1.0 / tiny
    d = 1.0 / nonzero(denominator)
    fraction = d
    for k in range(1, _MOST_TERMS):
        numerator = k * (a - k)
        denominator += 2.0
        d = 1.0 / nonzero(numerator * d + denominator)
        c = nonzero(denominator + numerator / c)
        fraction *= c * d
        if abs(c * d - 1.0) < 1e-16:
            break
    return fraction


def _stirling_error(x: float) -> float:
    """Source: C. Loader, "Fast and Accurate Computation of Binomial Probabilities" (2000)."""
    below = 0.0
    while x < 16.0:
        below += (x + 0.5) * math.log1p(1.0 / x) - 1.0
        x += 1.0
    square = x * x
    series = 1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - (1 / 1188) / square) / square) / square) / square
    return below + series / x


def _deviance(x: float, mean: float) -> float:
    difference = x - mean
    if abs(difference) >= 0.1 * (x + mean):
        return x * math.log(x / mean) + mean - x
    ratio = difference / (x + mean)
    power, total = 2.0 * x * ratio, difference * ratio
    for term in range(1, 20):
        power *= ratio * ratio
        total += power / (2 * term + 1)
    return total


def _binomial(count: float, n: float, p: float) -> float:
    rest = n - count
    exponent = _stirling_error(n) - _stirling_error(count) - _stirling_error(rest)
    exponent -= _deviance(count, n * p) + _deviance(rest, n * (1.0 - p))
    return math.exp(exponent) * math.sqrt(n / (2.0 * math.pi * count * rest))


# Weights


def shares_of(counts: Sequence[int]) -> list[float]:
    """Counts as shares of their total."""
    total = _sum(map(float, counts))
    if total <= 0.0:
        raise Undefined("no values")
    return [count / total for count in counts]


def _filled_shares(counts: Sequence[int]) -> list[float]:
    total = _sum(map(float, counts))
    if total == 0.0:
        raise Undefined("no values")
    smallest = min(count for count in counts if count > 0) / total
    empty = smallest / 1e6 if smallest <= _EMPTY_SHARE else _EMPTY_SHARE
    return [empty if count == 0 else count / total for count in counts]


def _normalised(weights: Sequence[float]) -> list[float]:
    for weight in weights:
        _require_finite(weight)
    total = _require_finite(_sum(weights))
    if total == 0.0:
        raise Undefined("no values")
    return [weight / total for weight in weights]


def _relative_term(p: float, q: float) -> float:
    if p == 0.0 and q >= 0.0:
        return 0.0
    return p * math.log(p / q) if p > 0.0 and q > 0.0 else math.inf


def _cell(observed: float, expected: float) -> float:
    difference = observed - expected
    return difference * difference / expected if expected else math.inf


def _require_finite(value: float) -> float:
    if not math.isfinite(value):
        raise Undefined("a value is not a finite number")
    return value


def _require_one(weights: Iterable[float]) -> None:
    if abs(_sum(weights) - 1.0) > 1e-8 + 1e-5:
        raise Undefined("the weights do not add up to 1")


def _require_shares(holdouts: Sequence[float]) -> None:
    if any(not 0.0 <= share <= 1.0 for share in holdouts):
        raise Undefined("a holdout is no share")


def _sum(terms: Iterable[float]) -> float:
    """Source: A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen" (1974)."""
    total = lost = 0.0
    for term in terms:
        added = total + term
        lost += (total - added) + term if abs(total) >= abs(term) else (term - added) + total
        total = added
    return total + lost if math.isfinite(total) else total
