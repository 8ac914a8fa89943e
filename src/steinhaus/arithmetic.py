"""Sums in two-float arithmetic: the few numbers of a run that must come out the same everywhere.

A two-float is an unevaluated sum high + low of two float64, 106 bits. `two_sum` is Knuth's, `two_product` is Dekker's
(T. J. Dekker, A floating-point technique for extending the available precision, Numer. Math. 18, 1971). The compiler
fuses and reorders nothing, and every sum runs in one fixed order. Features are taken eight at a time, then one by one.

Integer sums come as limbs, (limbs, k, d) int64: value = sum over l of limbs[l] * 2^(32 (limbs - 1 - l)).
"""

from __future__ import annotations

import numpy as np

from steinhaus.jit.build import inlined, kernel, shared_kernel
from steinhaus.jit.operations import convert, load, splat, store
from steinhaus.jit.types import Array, Number, f64, i64, literal
from steinhaus.points import Float64, Int64

_SPLITTER = 2.0**27 + 1.0
_LIMB = 2.0**32


def means(limbs: Int64, counts: Int64, offset: Float64, step: Float64, centroids: Float64) -> None:
    """Write the means of the clusters that have points into `centroids`, in the units of the points.

    The quotient sum / count is rounded once (division with one correction); scaling by the step is exact; adding the
    offset rounds once more where there is one.

    limbs (l, k, d) int64, counts (k,) int64, offset and step (d,) float64 -> centroids (k, d) float64, in place.
    """
    k, d = centroids.shape
    mean_rows(limbs, len(limbs), k, d, counts, offset, step, centroids)


def inertia(squares: Float64, limbs: Int64, counts: Int64, centroids: Float64, offset: Float64, step: Float64) -> float:
    """Add up the squared distances of all points to their centroids.

    Measured from the offset, this is sum |x|^2 + sum_j c_j . (n_j c_j - 2 S_j).

    squares (2,) float64, high and low; limbs (l, k, d) int64, counts (k,) int64, centroids (k, d), offset, step (d,)
    float64 -> float.
    """
    k, d = centroids.shape
    table = np.empty((2, d))
    return float(cost(squares, limbs, len(limbs), k, d, counts, centroids, offset, step, table))


def shift(old: Float64, new: Float64) -> float:
    """Sum of squared differences of two sets of centroids, (k, d) float64 each, in order."""
    return float(moved(old, new, old.size))


def mean_variance(squares: Float64, limbs: Int64, n: int, step: Float64) -> float:
    """The variance of each feature, averaged over the features: what scikit-learn's relative tolerance is relative to.

    squares (2,) float64, limbs (l, 1, d) int64 sums of all points, n their number, step (d,) float64 -> float. What is
    left of equal points is the rounding of two floats, and counts as 0.
    """
    return float(_mean_variance(squares, limbs, len(limbs), len(step), n, step))


@inlined
def two_sum(a: Number, b: Number) -> tuple[Number, Number]:
    """A sum and its rounding error, exactly."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@inlined
def _halves(a: Number) -> tuple[Number, Number]:
    t = _SPLITTER * a
    high = t - (t - a)
    return high, a - high


@inlined
def two_product(a: Number, b: Number) -> tuple[Number, Number]:
    """A product and its rounding error, exactly."""
    p = a * b
    a1, a2 = _halves(a)
    b1, b2 = _halves(b)
    return p, (((a1 * b1 - p) + a1 * b2) + a2 * b1) + a2 * b2


@inlined
def _value(lanes: literal, sums: Array[i64], upper: i64, at: i64, like: Number) -> tuple[Number, Number]:
    """Integer sums as two-floats, as many as `like` has lanes; `upper` is how far before them the limb above is, or 0.

    Past 2^53 a high limb is rounded: a single one once, eight with their halves apart.
    """
    last = load(sums, at, lanes)
    high = convert(last >> 32, f64)
    if upper > 0:
        above = load(sums, at - upper, lanes)
        if lanes == 1:
            high = f64((last >> 32) + above)
        else:
            high = high + (convert(above >> 32, f64) * _LIMB + convert(above & 0xFFFFFFFF, f64))
    return two_sum(high * _LIMB, convert(last & 0xFFFFFFFF, f64))


@shared_kernel
def mean_rows(
    limbs: Array[i64],
    many: i64,
    k: i64,
    d: i64,
    counts: Array[i64],
    offset: Array[f64],
    step: Array[f64],
    centroids: Array[f64],
) -> None:
    """See `means`: (many, k, d) limbs."""
    upper, whole = (many - 1) * k * d, d - d % 8
    for j in range(k):
        if counts[j] == 0:
            continue
        n, sums, out = f64(counts[j]), limbs + (upper + j * d), centroids + j * d
        for t in range(0, whole, 8):
            _mean(8, sums, upper, t, splat(n, f64, 8), offset, step, out)
        for t in range(whole, d):
            _mean(1, sums, upper, t, n, offset, step, out)


@inlined
def _mean(
    lanes: literal,
    sums: Array[i64],
    upper: i64,
    t: i64,
    n: Number,
    offset: Array[f64],
    step: Array[f64],
    out: Array[f64],
) -> None:
    s, r = _value(lanes, sums, upper, t, n)
    q = s / n
    p, e = two_product(q, n)
    q = q + (((s - p) - e) + r) / n
    store(out, t, load(offset, t, lanes) + load(step, t, lanes) * q)


@shared_kernel
def cost(
    squares: Array[f64],
    limbs: Array[i64],
    many: i64,
    k: i64,
    d: i64,
    counts: Array[i64],
    centroids: Array[f64],
    offset: Array[f64],
    step: Array[f64],
    table: Array[f64],
) -> f64:
    """See `inertia`; table: (2, d) to work in."""
    upper, whole = (many - 1) * k * d, d - d % 8
    sums = limbs + upper
    for t in range(0, whole, 8):
        _costs(8, sums, upper, k, d, t, counts, centroids, offset, step, table)
    for t in range(whole, d):
        _costs(1, sums, upper, k, d, t, counts, centroids, offset, step, table)
    total, rest = squares[0], squares[1]
    for t in range(d):
        scale = step[t] * step[t]
        m, f = two_sum(total, table[t] * scale)
        total, rest = two_sum(m, (f + rest) + table[d + t] * scale)
    return max(total, 0.0)


@inlined
def _costs(
    lanes: literal,
    sums: Array[i64],
    upper: i64,
    k: i64,
    d: i64,
    t: i64,
    counts: Array[i64],
    centroids: Array[f64],
    offset: Array[f64],
    step: Array[f64],
    table: Array[f64],
) -> None:
    """Write the sums over the clusters of c (n c - 2 S), in steps, for a feature or eight into `table`, (2, d)."""
    high, low = splat(0.0, f64, lanes), splat(0.0, f64, lanes)
    for j in range(k):
        n, at = splat(f64(counts[j]), f64, lanes), j * d + t
        c = (load(centroids, at, lanes) - load(offset, t, lanes)) / load(step, t, lanes)
        high, low = _cost(lanes, high, low, sums, upper, at, n, c)
    store(table, t, high)
    store(table, d + t, low)


@inlined
def _cost(
    lanes: literal, high: Number, low: Number, sums: Array[i64], upper: i64, at: i64, n: Number, c: Number
) -> tuple[Number, Number]:
    """Add c (n c - 2 S) to two-floats."""
    s, r = _value(lanes, sums, upper, at, n)
    p, e = two_product(n, c)
    m, f = two_sum(p, 0.0 - 2.0 * s)
    m, f = two_sum(m, f + (e - 2.0 * r))
    p, e = two_product(m, c)
    e = e + f * c
    m, f = two_sum(high, p)
    return two_sum(m, f + (low + e))


@shared_kernel
def moved(old: Array[f64], new: Array[f64], size: i64) -> f64:
    """See `shift`; size: k * d."""
    total = 0.0
    for t in range(size):
        difference = new[t] - old[t]
        total += difference * difference
    return total


@kernel
def _mean_variance(squares: Array[f64], limbs: Array[i64], many: i64, d: i64, points: i64, step: Array[f64]) -> f64:
    upper, n = (many - 1) * d, f64(points)
    total, rest = squares[0], squares[1]
    for t in range(d):
        s, r = _value(1, limbs + upper, upper, t, n)
        q = s / n
        near, off = two_product(q, n)
        left = ((s - near) - off) / n  # of the quotient, past its rounding
        p, e = two_product(q, s)  # (sum q)^2 / n
        scale = step[t] * step[t]
        m, f = two_sum(total, -p * scale)
        total, rest = two_sum(m, (f + rest) - ((e + left * s) + 2.0 * q * r) * scale)
    return total / f64(points * d) if total > squares[0] * 2.0**-96 else 0.0
