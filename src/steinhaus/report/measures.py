"""Measurements for display: distances to centroids, silhouettes, spreads, flows, a map.

Distances are float32, in the units of `ReportData.measured`. They are only shown; the study decides the clusters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.report.data import Float64, Int32, Int64, Part, ReportData

Float32 = NDArray[np.float32]
NEAREST = 3
BLOCK = 2**22  # values per block of images


@dataclass(frozen=True)
class Near:
    """The nearest centroids of every image, train then test. The centroid of its own cluster comes first."""

    clusters: NDArray[np.uint16]  # (n, up to 3)
    distances: Float32  # (n, up to 3)


@dataclass(frozen=True)
class Score:
    """The scores of one run of one K."""

    k: int
    restart: int
    silhouette: float | None  # None for one cluster
    train_accuracy: float | None
    test_accuracy: float | None


def measure(data: ReportData) -> tuple[dict[int, Near], list[Score]]:
    """The nearest centroids of every image for every K, and the scores of every run with known centroids.

    Both come from one pass over the images. Without images, they are empty.
    """
    if data.train is None:
        return {}, []
    n = data.n
    runs = [(k, r, c) for k, every in data.run_centroids.items() for r, c in enumerate(every)]
    every = [*(data.feature_centroids or data.centroids).values(), *(c for _, _, c in runs)]
    stacked, places = _stack([data.measured(c.reshape(len(c), -1)) for c in every])
    near = {
        k: Near(np.empty((n, min(k, NEAREST)), np.uint16), np.empty((n, min(k, NEAREST)), np.float32))
        for k in data.centroids
    }
    own = {k: data.clusters(k) for k in near}
    clusters = np.empty((len(runs), n), np.int32)
    widths = np.zeros(len(runs))
    for rows, distances in _distances(data, stacked):
        train = max(0, min(rows.stop, data.train.n) - rows.start)
        for (k, found), place in zip(near.items(), places[: len(near)], strict=True):
            ids, values = _own_first(distances[place], own[k][rows])
            found.clusters[rows], found.distances[rows] = ids.T, values.T
        for i, place in enumerate(places[len(near) :]):
            ids, values = _smallest(distances[place], 2)
            clusters[i, rows] = ids[0]
            if train and len(values) > 1:
                widths[i] += train * silhouette(values[0, :train], values[1, :train])
    scores = [
        Score(k, r, float(widths[i]) / data.train.n if k > 1 else None, *_accuracies(data, k, clusters[i]))
        for i, (k, r, _) in enumerate(runs)
    ]
    return near, scores


def _stack(centroids: Sequence[Float64]) -> tuple[Float32, list[slice]]:
    """Sets of centroids, stacked to (sum of K, d), with the slice of each."""
    stacked = np.concatenate([c.reshape(len(c), -1) for c in centroids]).astype(np.float32)
    ends = np.cumsum([len(c) for c in centroids]).tolist()
    return stacked, [slice(end - len(c), end) for c, end in zip(centroids, ends, strict=True)]


def _distances(data: ReportData, centroids: Float32) -> Iterator[tuple[slice, Float32]]:
    """Yield distances from blocks of images, train then test, to centroids: (rows, (number of centroids, m))."""
    c2 = np.square(centroids).sum(axis=1)[:, None]
    start = 0
    for part in data.parts:
        for block in _blocks(part, data):
            squared = (-2 * centroids) @ block.T
            squared += np.einsum("ij,ij->i", block, block)
            squared += c2
            rows = slice(start, start + len(block))
            yield rows, np.sqrt(np.maximum(squared, 0, out=squared), out=squared)
            start = rows.stop


def _own_first(distances: Float32, own: Int32) -> tuple[NDArray[np.uint16], Float32]:
    """Clusters and distances of the nearest centroids, (up to 3, m), own cluster first. distances (k, m), own (m,)."""
    at = own, np.arange(len(own))
    true = distances[at]
    distances[at] = -1.0
    ids, values = _smallest(distances, NEAREST)
    distances[at] = values[0] = true
    return ids, values


def _smallest(distances: Float32, count: int) -> tuple[NDArray[np.uint16], Float32]:
    """The smallest of each column of (k, m), ascending, ties to the lowest row: rows and values, (count or k, m).

    They are sorted as integers with the row in the low bits, because the bits of floats >= 0 have the order of their
    values.
    """
    k, m = distances.shape
    least = np.full((min(count, k), m), np.iinfo(np.int64).max)
    for j, bits in enumerate(distances.view(np.int32)):
        key = (bits.astype(np.int64) << 16) | j
        for rank in least:
            behind = np.maximum(rank, key)
            np.minimum(rank, key, out=rank)
            key = behind
    return (least & 0xFFFF).astype(np.uint16), (least >> 16).astype(np.int32).view(np.float32)


def rows_in_block(d: int) -> int:
    """The number of images with d values per block."""
    return max(1, BLOCK // d)


def _blocks(part: Part, data: ReportData) -> Iterator[Float32]:
    flat = part.pixels.reshape(part.n, -1) if part.points is None else part.points
    full_scale = data.record.data.full_scale if part.points is None else data.record.data.unit
    kind = np.float32 if data.measures_pixels else np.float64
    rows = rows_in_block(flat.shape[1])
    for start in range(0, part.n, rows):
        block: NDArray[Any] = flat[start : start + rows].astype(kind)
        block *= kind(1 / full_scale)
        yield data.measured(block).astype(np.float32, copy=False)


def silhouette(own: Float32, other: Float32) -> float:
    """The simplified silhouette: the mean of 1 - own / other, distances (n,) to the own and the next nearest centroid.

    Distances to centroids replace mean distances to members, so n K distances suffice instead of n^2. Source: Hruschka,
    de Castro and Campello, "Evolutionary algorithms for clustering gene-expression data", ICDM 2004.
    """
    return float(np.mean(1 - own / np.maximum(other, np.finfo(np.float32).tiny), dtype=np.float64))


def _accuracies(data: ReportData, k: int, clusters: Int32) -> tuple[float | None, float | None]:
    """Train and test accuracy by the majority mapping of the training part. clusters: (n,) int32."""
    names, train = data.record.data.label_names, data.train
    if names is None or train is None or train.labels is None:
        return None, None
    table = np.bincount(clusters[: train.n] * len(names) + train.labels, minlength=k * len(names))
    mapping = table.reshape(k, len(names)).argmax(axis=1)
    named = mapping[clusters]
    test = data.test
    held = None if test is None or test.labels is None else float(np.mean(named[train.n :] == test.labels))
    return float(np.mean(named[: train.n] == train.labels)), held


@dataclass(frozen=True)
class Plane:
    """Centroids projected to two dimensions, with some facts from all d dimensions."""

    at: Float64  # (k, 2), in units of distance
    share: float  # share of the variance between clusters that the plane shows
    neighbour: Int64  # (k,) nearest other centroid in d dimensions; -1 for one cluster
    distance: Float64  # (k,) distance to it in d dimensions
    middle: Float64  # (d,) the point at the origin
    axes: Float64  # (2, d) orthonormal


def plane(centroids: Float64, sizes: tuple[int, ...]) -> Plane:
    """The plane that shows most of the variance between clusters: principal components of (k, d), weighted by size.

    It is a projection, so no distance in it is longer than the real one. The share says how much variance is left.
    """
    k = len(centroids)
    flat = centroids.reshape(k, -1)
    weights = np.array(sizes, float) / max(sum(sizes), 1)
    middle = weights @ flat
    shifted = flat - middle
    weighted = np.sqrt(weights)[:, None] * shifted
    variances, vectors = np.linalg.eigh(
        weighted @ weighted.T
    )  # k x k, because there may be far more features than clusters
    axes = np.zeros((2, flat.shape[1]))
    for i, j in enumerate(np.argsort(-variances)[:2]):
        if variances[j] > 1e-12 * variances.max():
            axes[i] = vectors[:, j] @ weighted / np.sqrt(variances[j])
            axes[i] *= np.sign(axes[i, np.abs(axes[i]).argmax()])
    total = float(np.maximum(variances, 0).sum())
    squared = np.square(flat).sum(axis=1)
    gaps = np.sqrt(np.maximum(squared[:, None] + squared - 2 * flat @ flat.T, 0))
    np.fill_diagonal(gaps, np.inf)
    neighbour = gaps.argmin(axis=1) if k > 1 else np.array([-1])
    return Plane(
        shifted @ axes.T,
        float(np.sort(variances)[-2:].sum()) / total if total > 0 else 1.0,
        neighbour.astype(np.int64),
        gaps.min(axis=1),
        middle,
        axes,
    )


def project(data: ReportData, onto: Plane) -> Float64:
    """Every image, train then test, in the plane of the centroids: (n, 2)."""
    axes, middle = onto.axes.astype(np.float32), (onto.axes @ onto.middle).astype(np.float32)
    blocks = [block @ axes.T - middle for part in data.parts for block in _blocks(part, data)]
    return np.concatenate(blocks).astype(np.float64)
