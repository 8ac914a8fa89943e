"""Sums in two-float arithmetic: the few numbers of a run that must come out the same everywhere.

A two-float is an unevaluated sum high + low of two float64, 106 bits. `two_sum` is Knuth's, `two_product` is Dekker's
(T. J. Dekker, A floating-point technique for extending the available precision, Numer. Math. 18, 1971). The loops are
compiled without fast-math, so no compiler fuses or reorders them, and every sum runs in one fixed order.

Integer sums come as limbs, (limbs, k, d) int64: value = sum over l of limbs[l] * 2^(32 (limbs - 1 - l)).
"""

from __future__ import annotations

import numpy as np

from steinhaus import simd as v
from steinhaus.compiled import compiled, inner

_SPLITTER = 2.0**27 + 1.0
_LIMB = 2.0**32


@inner
def two_sum(a, b):
    """A sum and its rounding error, exactly."""
    s = v.add(a, b)
    t = v.subtract(s, a)
    return s, v.add(v.subtract(a, v.subtract(s, t)), v.subtract(b, t))


@inner
def _halves(a):
    t = v.multiply(v.constant(_SPLITTER, a), a)
    high = v.subtract(t, v.subtract(t, a))
    return high, v.subtract(a, high)


@inner
def two_product(a, b):
    """A product and its rounding error, exactly."""
    p = v.multiply(a, b)
    a1, a2 = _halves(a)
    b1, b2 = _halves(b)
    e = v.subtract(v.multiply(a1, b1), p)
    e = v.add(v.add(e, v.multiply(a1, b2)), v.multiply(a2, b1))
    return p, v.add(e, v.multiply(a2, b2))


@inner
def _joined(high, low):
    return two_sum(v.multiply(high, v.constant(_LIMB, high)), low)


@inner
def _value(sums, upper, at):
    # One integer sum as a two-float, exactly; `upper` is where the limb above is, from `at`, or 0.
    last = sums[at]
    high = last >> 32
    if upper:
        high += sums[at - upper]
    return _joined(np.float64(high), np.float64(last & 0xFFFFFFFF))


@inner
def _values(sums, upper, at):
    # Eight of them.
    high, low = v.load_halves(sums, at)
    if upper:
        top, bottom = v.load_halves(sums, at - upper)
        high = v.add(high, v.add(v.multiply(top, v.constant(_LIMB, top)), bottom))
    return _joined(high, low)


@inner
def _mean(s, r, n, offset, step):
    q = v.divide(s, n)
    p, e = two_product(q, n)
    q = v.add(q, v.divide(v.add(v.subtract(v.subtract(s, p), e), r), n))
    return v.add(offset, v.multiply(step, q))


@compiled
def means(limbs, counts, offset, step, centroids):
    """Write the means of the clusters that have points into `centroids`, in the units of the points.

    The quotient sum / count is rounded once (division with one correction); scaling by the step is exact; adding the
    offset rounds once more where there is one.

    limbs (l, k, d) int64, counts (k,) int64, offset and step (d,) float64 -> centroids (k, d) float64, in place.
    """
    k, d = centroids.shape
    upper = (limbs.shape[0] - 1) * k * d
    sums, out, offset, step = v.pointer(limbs), v.pointer(centroids), v.pointer(offset), v.pointer(step)
    whole = d - d % 8
    for j in range(k):
        if counts[j] == 0:
            continue
        n, at = np.float64(counts[j]), j * d
        for t in range(0, whole, 8):
            s, r = _values(sums, upper, upper + at + t)
            o, h = v.load_float64(offset, t), v.load_float64(step, t)
            v.store(out, at + t, _mean(s, r, v.constant(n, s), o, h))
        for t in range(whole, d):
            s, r = _value(sums, upper, upper + at + t)
            out[at + t] = _mean(s, r, n, offset[t], step[t])


@inner
def _cost(high, low, s, r, n, c):
    # Add c (n c - 2 S) to a two-float.
    two = v.constant(2.0, s)
    p, e = two_product(n, c)
    m, f = two_sum(p, v.subtract(v.constant(0.0, s), v.multiply(two, s)))
    m, f = two_sum(m, v.add(f, v.subtract(e, v.multiply(two, r))))
    p, e = two_product(m, c)
    e = v.add(e, v.multiply(f, c))
    m, f = two_sum(high, p)
    return two_sum(m, v.add(f, v.add(low, e)))


@compiled
def inertia(squares, limbs, counts, centroids, offset, step):
    """Sum of squared distances of all points to their centroids: sum |x|^2 + sum_j c_j . (n_j c_j - 2 S_j), from the
    offset.

    squares (2,) float64, high and low; limbs (l, k, d) int64, counts (k,) int64, centroids (k, d), offset, step (d,)
    float64 -> float.
    """
    k, d = centroids.shape
    upper = (limbs.shape[0] - 1) * k * d
    sums, rows = v.pointer(limbs), v.pointer(centroids)
    offsets, steps = v.pointer(offset), v.pointer(step)
    table = np.zeros((2, d))
    out = v.pointer(table)
    whole = d - d % 8
    for t in range(0, whole, 8):
        o, h = v.load_float64(offsets, t), v.load_float64(steps, t)
        high, low = v.zeros64(), v.zeros64()
        for j in range(k):
            s, r = _values(sums, upper, upper + j * d + t)
            c = v.divide(v.subtract(v.load_float64(rows, j * d + t), o), h)
            high, low = _cost(high, low, s, r, v.constant(np.float64(counts[j]), c), c)
        v.store(out, t, high)
        v.store(out, d + t, low)
    for t in range(whole, d):
        high = low = 0.0
        for j in range(k):
            s, r = _value(sums, upper, upper + j * d + t)
            high, low = _cost(high, low, s, r, np.float64(counts[j]), (rows[j * d + t] - offset[t]) / step[t])
        table[0, t], table[1, t] = high, low
    total, rest = squares[0], squares[1]
    for t in range(d):
        scale = step[t] * step[t]
        m, f = two_sum(total, table[0, t] * scale)
        total, rest = two_sum(m, f + rest + table[1, t] * scale)
    return max(total, 0.0)


@compiled
def shift(old, new):
    """Sum of squared differences of two sets of centroids, (k, d) float64 each, in order."""
    total = 0.0
    for j in range(old.shape[0]):
        for t in range(old.shape[1]):
            difference = new[j, t] - old[j, t]
            total += difference * difference
    return total


@compiled
def mean_variance(squares, limbs, n, step):
    """The variance of each feature, averaged over the features: what scikit-learn's relative tolerance is relative to.

    squares (2,) float64, limbs (l, 1, d) int64 sums of all points, n their number, step (d,) float64 -> float. What is
    left of equal points is the rounding of two floats, and counts as 0.
    """
    d = len(step)
    upper = (limbs.shape[0] - 1) * d
    sums = v.pointer(limbs)
    total, rest = squares[0], squares[1]
    for t in range(d):
        s, r = _value(sums, upper, upper + t)
        q = s / n
        near, off = two_product(q, np.float64(n))
        left = ((s - near) - off) / n  # of the quotient, past its rounding
        p, e = two_product(q, s)  # (sum q)^2 / n
        scale = step[t] * step[t]
        m, f = two_sum(total, -p * scale)
        total, rest = two_sum(m, f + rest - (e + left * s + 2.0 * q * r) * scale)
    return total / (n * d) if total > squares[0] * 2.0**-96 else 0.0
