"""The squared distance that decides every label, and the distances of many points to centroids."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.exact.grid import unit_grid
from steinhaus.engines.exact.rows import DenseRows, dense_rows
from steinhaus.engines.workers import Workers
from steinhaus.jit.build import inner, kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.handed import Handed
from steinhaus.jit.operations import convert, fold, load, local, splat, vector
from steinhaus.jit.types import Array, Point, f64, i32, i64
from steinhaus.points import Float64, Int32, Int64

_STEP = 4096  # points a task


@inner
def squared_distance(x: Array[Point], c: Array[f64], d: i64) -> f64:
    """The squared distance of two rows of d features: the function that decides every label.

    Sum t of sixteen takes the features t, t + 16, t + 32, ... in this order. The sixteen sums are folded by halves.
    The last d mod 16 features are then added in order. No product is fused with a sum.

    x: (d,) of any real type; c: (d,).
    """
    low = splat(0.0, f64, 8)
    high = splat(0.0, f64, 8)
    whole = d - d % 16
    for t in range(0, whole, 16):
        e = convert(load(x, t, 8), f64) - load(c, t, 8)
        low = low + e * e
        e = convert(load(x, t + 8, 8), f64) - load(c, t + 8, 8)
        high = high + e * e
    total = fold(low + high)
    for t in range(whole, d):
        r = f64(x[t]) - c[t]
        total += r * r
    return total


@inner
def four_squared_distances(x: Array[Point], rows: Array[f64], d: i64, out: Array[f64]) -> None:
    """The squared distances of a row to four others, with the bits of `squared_distance`.

    It is faster than four calls, because the four sums do not wait for each other. x: (d,); rows: (4, d); out: (4,).
    """
    low, high = local(vector(f64, 8), 4), local(vector(f64, 8), 4)
    for s in unroll(4):
        low[s], high[s] = splat(0.0, f64, 8), splat(0.0, f64, 8)
    whole = d - d % 16
    for t in range(0, whole, 16):
        lower, upper = convert(load(x, t, 8), f64), convert(load(x, t + 8, 8), f64)
        for s in unroll(4):
            e = lower - load(rows, s * d + t, 8)
            low[s] = low[s] + e * e
            e = upper - load(rows, s * d + t + 8, 8)
            high[s] = high[s] + e * e
    for s in unroll(4):
        total = fold(low[s] + high[s])
        for t in range(whole, d):
            r = f64(x[t]) - rows[s * d + t]
            total += r * r
        out[s] = total


@kernel
def own_distances(
    x: DenseRows, first: i64, end: i64, labels: Array[i32], centroids: Array[f64], out: Array[f64]
) -> None:
    """The squared distance of each point first <= i < end to the centroid of its label.

    labels: (n,); centroids: (k, d); out: (n,).
    """
    for i in range(first, end):
        out[i] = squared_distance(x.values + i * x.d, centroids + i64(labels[i]) * x.d, x.d)


@kernel
def all_distances(x: DenseRows, first: i64, end: i64, centroids: Array[f64], k: i64, out: Array[f64]) -> None:
    """The squared distances of the points first <= i < end to all centroids. centroids: (k, d); out: (k, n)."""
    for i in range(first, end):
        for j in range(k):
            out[j * x.n + i] = squared_distance(x.values + i * x.d, centroids + j * x.d, x.d)


@kernel
def distance_rows(x: DenseRows, first: i64, end: i64, centroids: Array[f64], k: i64, out: Array[f64]) -> None:
    """The squared distances of the points first <= i < end to all centroids. centroids: (k, d); out: (n, k)."""
    for i in range(first, end):
        for j in range(0, k - k % 4, 4):
            four_squared_distances(x.values + i * x.d, centroids + j * x.d, x.d, out + (i * k + j))
        for j in range(k - k % 4, k):
            out[i * k + j] = squared_distance(x.values + i * x.d, centroids + j * x.d, x.d)


def distances_of(rows: DenseRows, labels: Int32, centroids: Float64, workers: Workers) -> Float64:
    """The squared distance of each point to the centroid of its label, (n,): labels (n,), centroids (k, d)."""
    out, handed, measure = np.empty(rows.n), Handed(rows), own_distances[rows.values.dtype]
    workers.each(lambda _, first, end: measure(handed, first, end, labels, centroids, out), rows.n, _STEP)
    return out


def all_distances_to(rows: DenseRows, chosen: Float64, workers: Workers) -> Float64:
    """The squared distances of all points to any others, (m, d) -> (m, n) float64."""
    m, out = len(chosen), np.empty((len(chosen), rows.n))
    handed, measure = Handed(rows), all_distances[rows.values.dtype]
    workers.each(lambda _, first, end: measure(handed, first, end, chosen, m, out), rows.n, _STEP)
    return out


def table_of_distances(x: NDArray[Any], rows: Float64, workers: Workers) -> Float64:
    """The squared distances of points x, (n, d), to rows, (m, d) -> (n, m) float64."""
    out = np.empty((len(x), len(rows)))
    points = Handed(dense_rows(x, unit_grid(x.shape[1])))
    measure = distance_rows[x.dtype]
    workers.each(lambda _, first, end: measure(points, first, end, rows, len(rows), out), len(x), 1024)
    return out


def nearest_others(centroids: Float64, workers: Workers) -> Int32:
    """The nearest other centroid of each of the centroids, (k, d) -> (k,) int32."""
    distances = table_of_distances(centroids, centroids, workers)
    np.fill_diagonal(distances, np.inf)
    return distances.argmin(axis=1).astype(np.int32)


def farthest(
    distances: Float64, labels: Int32 | Int64, wanted: int, points: Int64 | None = None
) -> tuple[Int64, Float64]:
    """The points that lie farthest from their centroids, farthest first, ties to the lowest; none at distance 0.

    Parameters
    ----------
    distances
        (n,) squared distance of each point to its centroid.
    labels
        (n,) cluster of each point.
    wanted
        The most points to return.
    points
        (n,) the numbers of the points, ascending; None: 0 to n - 1.

    Returns
    -------
    (e, 2) int64, e <= wanted
        The points and their clusters.
    (e,) float64
        Their squared distances.
    """
    far = np.arange(len(distances))
    if 0 < wanted < len(distances):  # leave out points that are nearer than so many others
        far = np.flatnonzero(distances >= np.partition(distances, -wanted)[-wanted])
    order = far[np.argsort(-distances[far], kind="stable")[:wanted]]
    order = order[distances[order] > 0]
    numbers = order if points is None else points[order]
    return np.stack([numbers, labels[order].astype(np.int64)], axis=1), distances[order]
