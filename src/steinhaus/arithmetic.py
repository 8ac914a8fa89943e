"""Sums in two-float arithmetic: the few numbers of a run that must come out the same everywhere.

A two-float is an unevaluated sum high + low of two float64, 106 bits. `two_sum` is Knuth's, `two_product` is Dekker's (T. J.
Dekker, A floating-point technique for extending the available precision, Numer. Math. 18, 1971). The loops are compiled
without fast-math, so no compiler fuses or reorders them, and every sum runs in one fixed order.

Integer sums come as limbs, (limbs, k, d) int64: value = sum over l of limbs[l] * 2^(32 (limbs - 1 - l)).
"""

from __future__ import annotations

import numpy as np
from steinhaus.compiled import compiled, inlined

_SPLITTER = 2.0**27 + 1.0
_LIMB = 2.0**32
_LOW = np.int64(2**32 - 1)


@inlined
def two_sum(a, b):
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@inlined
def two_product(a, b):
    p = a * b
    t = _SPLITTER * a
    a1 = t - (t - a)
    a2 = a - a1
    t = _SPLITTER * b
    b1 = t - (t - b)
    b2 = b - b1
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


@inlined
def _value(limbs, j, t):
    # One integer sum as a two-float, exactly: its parts above and below 2^32 are both exact floats.
    last = limbs[limbs.shape[0] - 1, j, t]
    high = last >> 32
    if limbs.shape[0] == 2:
        high += limbs[0, j, t]
    return two_sum(high * _LIMB, np.float64(last & _LOW))


@compiled
def means(limbs, counts, offset, step, centroids):
    """Write the means of the clusters that have points into `centroids`, in the units of the points.

    The quotient sum / count is rounded once (division with one correction); scaling by the step is exact; adding the offset
    rounds once more where there is one.

    limbs (l, k, d) int64, counts (k,) int64, offset and step (d,) float64 -> centroids (k, d) float64, in place.
    """
    for j in range(len(counts)):
        if counts[j] == 0:
            continue
        n = np.float64(counts[j])
        for t in range(len(step)):
            s, r = _value(limbs, j, t)
            q = s / n
            p, e = two_product(q, n)
            q += ((s - p) - e + r) / n
            centroids[j, t] = offset[t] + step[t] * q


@compiled
def inertia(squares, limbs, counts, centroids, offset, step):
    """Sum of squared distances of all points to their centroids: sum q^2 - 2 sum_j c_j . S_j + sum_j n_j |c_j|^2.

    squares (2, d) float64, limbs (l, k, d) int64, counts (k,) int64, centroids (k, d) float64 -> float.
    """
    k, d = centroids.shape
    high = squares[0].copy()
    low = squares[1].copy()
    for j in range(k):
        if counts[j] == 0:
            continue
        n = np.float64(counts[j])
        for t in range(d):
            c = (centroids[j, t] - offset[t]) / step[t]
            s, r = _value(limbs, j, t)
            p, e = two_product(n, c)  # c (n c - 2 S)
            m, f = two_sum(p, -2.0 * s)
            f += e - 2.0 * r
            m, f = two_sum(m, f)
            p, e = two_product(m, c)
            e += f * c
            m, f = two_sum(high[t], p)
            high[t], low[t] = two_sum(m, f + low[t] + e)
    total, rest = 0.0, 0.0
    for t in range(d):
        scale = step[t] * step[t]
        m, f = two_sum(total, high[t] * scale)
        total, rest = two_sum(m, f + rest + low[t] * scale)
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
def mean_variance(limbs, squares, n, step):
    """The variance of each feature, averaged over the features: what scikit-learn's relative tolerance is relative to.

    limbs (l, 1, d) int64 sums of all points, squares (2, d) float64, n their number, step (d,) float64 -> float.
    """
    total = 0.0
    for t in range(len(step)):
        s, r = _value(limbs, 0, t)
        q = s / n
        p, e = two_product(q, s)  # sum q^2 - (sum q)^2 / n
        m, f = two_sum(squares[0, t], -p)
        total += max((m + (f + squares[1, t] - e - 2.0 * q * r)) / n, 0.0) * (step[t] * step[t])
    return total / len(step)
