"""Means, inertia, shift and variance of a run in two-float arithmetic, with the same bits on every machine.

A two-float is an unevaluated sum high + low of two float64, 106 bits. `two_sum` is Knuth's, `two_product` is Dekker's
(T. J. Dekker, A floating-point technique for extending the available precision, Numer. Math. 18, 1971). The compiler
fuses and reorders nothing, and every sum runs in one fixed order. Features are taken eight or sixteen at a time, the
rest one by one.

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

    The quotient sum / count is rounded once, by a division with one correction. Scaling by the step is exact. Adding an
    offset other than 0 rounds once more.

    limbs: (l, k, d); counts: (k,); offset, step: (d,); centroids: (k, d), in place.
    """
    k, d = centroids.shape
    mean_rows(limbs, len(limbs), k, d, counts, offset, step, centroids)


def inertia(squares: Float64, limbs: Int64, counts: Int64, centroids: Float64, offset: Float64, step: Float64) -> float:
    """Add up the squared distances of all points to their centroids.

    With points and centroids less the offset, this is sum |x|^2 + sum_j c_j . (n_j c_j - 2 S_j).

    squares: (2,), high + low; limbs: (l, k, d); counts: (k,); centroids: (k, d); offset, step: (d,).
    """
    k, d = centroids.shape
    table = np.empty((2, d))
    return float(cost(squares, limbs, len(limbs), k, d, counts, centroids, offset, step, table))


def shift(old: Float64, new: Float64) -> float:
    """The sum of squared differences of two sets of centroids, old and new (k, d), in order."""
    return float(moved(old, new, old.size))


def mean_variance(squares: Float64, limbs: Int64, n: int, step: Float64) -> float:
    """The mean over all features of their variances: the unit of scikit-learn's relative tolerance.

    If all points are equal, only the rounding of the two-floats is left. It counts as 0.

    squares: (2,); limbs: (l, 1, d) the sums of all points; n: the number of points; step: (d,).
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
    """Integer sums as two-floats, as many as `like` has lanes.

    sums: (limbs, k, d); the high limb stands `upper` places before the low limb at `at`, and 0 says that there is one
    limb. A high limb above 2^53 is rounded. With one lane it is rounded once, with more its halves are rounded apart.
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
    """See `means`. limbs: (many, k, d); counts: (k,); offset, step: (d,); centroids: (k, d), in place."""
    upper = (many - 1) * k * d
    for j in range(k):
        if counts[j]:
            mean_row(limbs + (upper + j * d), upper, d, f64(counts[j]), offset, step, centroids + j * d)


@shared_kernel
def mean_row(
    sums: Array[i64], upper: i64, d: i64, n: f64, offset: Array[f64], step: Array[f64], out: Array[f64]
) -> None:
    """See `means`, for one cluster of n points. sums: (d,), the low limbs, `upper` places after the high ones.

    offset, step, out: (d,).
    """
    whole = d - d % 8
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
    # sums: (limbs, k, d), from the low limb of a cluster on; offset, step, out: (d,).
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
    """See `inertia`. limbs: (many, k, d); table: (2, d), work space."""
    upper, most, whole = (many - 1) * k * d, d - d % 16, d - d % 8
    sums = limbs + upper
    for t in range(0, most, 16):  # so many, because each sum waits for the last one
        _costs(16, sums + t, upper, k, d, counts, centroids + t, offset + t, step + t, table + t)
    for t in range(most, whole, 8):
        _costs(8, sums + t, upper, k, d, counts, centroids + t, offset + t, step + t, table + t)
    for t in range(whole, d):
        _costs(1, sums + t, upper, k, d, counts, centroids + t, offset + t, step + t, table + t)
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
    counts: Array[i64],
    centroids: Array[f64],
    offset: Array[f64],
    step: Array[f64],
    table: Array[f64],
) -> None:
    """Write the sums over the clusters of c (n c - 2 S), for the first `lanes` features, in steps of the grid.

    table: (2, d), the sums as two-floats. sums: (limbs, k, d), from the low limbs on; counts: (k,); centroids: (k, d);
    offset, step: (d,).
    """
    high, low = splat(0.0, f64, lanes), splat(0.0, f64, lanes)
    for j in range(k):
        n, at = splat(f64(counts[j]), f64, lanes), j * d
        c = (load(centroids, at, lanes) - load(offset, 0, lanes)) / load(step, 0, lanes)
        high, low = _cost(lanes, high, low, sums, upper, at, n, c)
    store(table, 0, high)
    store(table, d, low)


@inlined
def _cost(
    lanes: literal, high: Number, low: Number, sums: Array[i64], upper: i64, at: i64, n: Number, c: Number
) -> tuple[Number, Number]:
    """Add c (n c - 2 S) to the two-float high + low. sums: (limbs, k, d), from the low limbs on."""
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
    """See `shift`. old, new: (k, d); size: k * d."""
    total = 0.0
    for t in range(size):
        difference = new[t] - old[t]
        total += difference * difference
    return total


@shared_kernel
def has_moved(old: Array[f64], new: Array[f64], size: i64, most: f64) -> i64:
    """Whether `moved` is above `most`. Its sums never fall, so the rest of them is left out once one is above.

    old, new: (k, d); size: k * d.
    """
    total = 0.0
    for t in range(size):
        difference = new[t] - old[t]
        total += difference * difference
        if total > most:
            return 1
    return 0


@kernel
def _mean_variance(squares: Array[f64], limbs: Array[i64], many: i64, d: i64, points: i64, step: Array[f64]) -> f64:
    # See `mean_variance`. squares: (2,); limbs: (many, 1, d); step: (d,).
    upper, n = (many - 1) * d, f64(points)
    total, rest = squares[0], squares[1]
    for t in range(d):
        s, r = _value(1, limbs + upper, upper, t, n)
        q = s / n
        near, off = two_product(q, n)
        left = ((s - near) - off) / n  # the rounding error of the quotient
        p, e = two_product(q, s)  # (sum q)^2 / n
        scale = step[t] * step[t]
        m, f = two_sum(total, -p * scale)
        total, rest = two_sum(m, (f + rest) - ((e + left * s) + 2.0 * q * r) * scale)
    return total / f64(points * d) if total > squares[0] * 2.0**-96 else 0.0
