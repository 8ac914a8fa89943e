"""The oracle: k-means in slow and plain code that is obviously right. Fast paths are compared with it, bit for bit."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def squared_distances(x, centroids):
    """(n, d), (k, d) -> (n, k) float64: sixteen running sums over the features, folded by halves, then the rest in
    order.
    """
    x = np.asarray(x).astype(np.float64)
    n, d = x.shape
    out = np.empty((n, len(centroids)))
    for j, centroid in enumerate(np.asarray(centroids, np.float64)):
        squares = (x - centroid) ** 2
        lanes = np.zeros((n, 16))
        whole = d - d % 16
        for t in range(0, whole, 16):
            lanes = lanes + squares[:, t : t + 16]
        while lanes.shape[1] > 1:
            half = lanes.shape[1] // 2
            lanes = lanes[:, :half] + lanes[:, half:]
        total = lanes[:, 0]
        for t in range(whole, d):
            total = total + squares[:, t]
        out[:, j] = total
    return out


def labels(x, centroids):
    """Nearest centroid of each point, ties to the lowest."""
    return squared_distances(x, centroids).argmin(1).astype(np.int32)


def grid(x):
    """Offset and step of each column; pixels are their own grid."""
    x = np.asarray(x)
    d = x.shape[1]
    if x.dtype.kind in "ui" and x.dtype.itemsize <= 2:
        return np.zeros(d), np.ones(d)
    low, high = x.min(0).astype(np.float64), x.max(0).astype(np.float64)
    offset = low / 2 + high / 2
    if x.dtype.kind == "f":
        offset = offset.astype(x.dtype).astype(np.float64)
    step = np.ones(d)
    for t in range(d):
        half = max(high[t] - offset[t], offset[t] - low[t])
        step[t] = 2.0 ** max(int(np.frexp(half)[1]) - 48, -500) if half > 0 else 2.0**-48
    return offset, step


def sparse_grid(x):
    """Offset 0, so that what is 0 stays 0, and the step of each column."""
    reach = np.abs(x.astype(np.float64)).max(0)
    steps = [2.0 ** max(int(np.frexp(most)[1]) - 48, -500) if most > 0 else 2.0**-48 for most in reach]
    small = x.dtype.kind in "ui" and x.dtype.itemsize <= 2
    return np.zeros(x.shape[1]), np.ones(x.shape[1]) if small else np.array(steps)


def integers(x, placed=None):
    """The points on their grid, (n, d) of Python integers."""
    offset, step = placed or grid(x)
    return np.rint((np.asarray(x).astype(np.float64) - offset) / step).astype(np.int64).astype(object)


def lloyd(x, centroids, max_iter=300, tol=0.0, weights=None, placed=None):
    """One run: labels, centroids, history, inertia, name of the stop. Sums and inertia are exact rationals, rounded
    once.

    weights: (n,) whole numbers; None: 1 each. placed: offset and step; None: `grid`'s.
    """
    x = np.asarray(x)
    offset, step = placed or grid(x)
    q = integers(x, (offset, step))
    n, d = q.shape
    weights = np.array([1] * n if weights is None else [int(w) for w in weights], object)
    steps = [Fraction(float(s)) for s in step]
    centroids = np.array(centroids, np.float64)
    mean = [Fraction(int(q[:, t].sum()), n) for t in range(d)]
    variance = sum(
        (Fraction(int((q[:, t] ** 2).sum()), n) - mean[t] ** 2) * steps[t] ** 2 for t in range(d)
    ) / d  # fmt: skip
    history = []
    stop = None
    while True:
        distances = squared_distances(x, centroids)
        found = distances.argmin(1)
        if stop:
            return found, centroids, history, cost(q, found, centroids, offset, step, weights), stop
        owners = refill(distances, found, len(centroids), weights)
        following = centroids.copy()
        for j in range(len(centroids)):
            members = owners == j
            if weights[members].sum():
                for t in range(d):
                    total = Fraction(int((q[members, t] * weights[members]).sum()), int(weights[members].sum()))
                    following[j, t] = offset[t] + step[t] * float(total)
        history.append(cost(q, owners, following, offset, step, weights))
        moved = ((following - centroids) ** 2).sum()
        same = np.array_equal(following, centroids)
        centroids = following
        if same:
            return found, centroids, history, history[-1], "CONVERGED"
        if moved <= tol * float(variance):
            stop = "TOLERANCE"
        elif len(history) >= max_iter:
            stop = "MAX_ITER"


def refill(distances, found, k, weights):
    """Labels after each empty cluster, in ascending order, has taken the point that is farthest from its centroid."""
    own = distances[np.arange(len(found)), found]
    owners = found.copy()
    empty = [j for j in range(k) if not weights[found == j].sum()]
    farthest = [i for i in sorted(range(len(own)), key=lambda i: (-own[i], i)) if own[i] > 0 and weights[i]]
    for j, i in zip(empty, farthest, strict=False):
        owners[i] = j
    return owners


def cost(q, owners, centroids, offset, step, weights=None):
    """Inertia, exactly, then rounded."""
    weights = np.array([1] * len(q), object) if weights is None else weights
    total = Fraction(0)
    for j, centroid in enumerate(centroids):
        members, w = q[owners == j], weights[owners == j]
        if len(members):
            for t in range(q.shape[1]):
                c = Fraction(float((centroid[t] - offset[t]) / step[t]))
                column = members[:, t]
                spread = int((w * column**2).sum()) - 2 * c * int((w * column).sum()) + int(w.sum()) * c * c
                total += spread * Fraction(float(step[t])) ** 2
    return float(total)


def same(found, wanted, squares):
    """Equal bits of two outcomes: labels, centroids, history, inertia, stop.

    Costs here are rationals, rounded; the engine's are two-float sums, which are off by some 2^-98 of `squares`, the
    points' own, before they are rounded: so where that decides a rounding, the last bit may differ.
    """
    *first, history, inertia, stop = found
    *second, wanted_history, wanted_inertia, wanted_stop = wanted
    costs = zip((*history, inertia), (*wanted_history, wanted_inertia), strict=True)
    return (first, stop) == (second, wanted_stop) and all(
        abs(a - b) <= 2.0**-98 * squares + 2.0**-52 * a for a, b in costs
    )
