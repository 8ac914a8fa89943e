"""Points in plain NumPy: slow, and obviously right. For tests of the code above them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from steinhaus.points import Float64, Grid, Int32, Int64, Run, Tally, Totals


class NaivePoints:
    """Whole numbers 0..255 in memory. One `Points`, as `engines.choose` would give."""

    def __init__(self, X: NDArray[np.uint8], *, threads: int | None = None) -> None:
        assert X.dtype == np.uint8
        self.X = X.astype(np.int64)
        self.n, self.d = X.shape
        self.grid = Grid(np.zeros(self.d), np.ones(self.d))
        squares = float((self.X**2).sum())  # below 2^53: exact
        sums = self.X.sum(axis=0)[np.newaxis, np.newaxis]
        self.totals = Totals(sums, np.array([squares, 0.0]), self.n)
        self._labels: dict[Hashable, Int32] = {}
        self.passes = 0
        self.closed = False

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        self.passes += 1
        return [self._assign(run) for run in runs]

    def _assign(self, run: Run) -> Tally:
        distances = np.stack([self._to(centroid) for centroid in run.centroids])
        labels = distances.argmin(axis=0).astype(np.int32)  # the first of equals: the lowest cluster
        k = len(run.centroids)
        counts = np.bincount(labels, minlength=k).astype(np.int64)
        sums = np.stack([self.X[labels == cluster].sum(axis=0) for cluster in range(k)])
        self._labels[run.key] = labels
        far = np.argsort(-distances.min(axis=0), kind="stable")[: int((counts == 0).sum())]
        far = far[distances.min(axis=0)[far] > 0]
        farthest = np.stack([far, labels[far]], axis=1).astype(np.int64)
        return Tally(sums[np.newaxis], counts, farthest)

    def _to(self, point: Float64) -> Float64:
        return np.square(self.X - point).sum(axis=1)

    def rows(self, indices: Int64) -> Float64:
        return self.X[indices].astype(np.float64)

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        return np.stack([self._to(row) for row in self.rows(indices)])

    def labels(self, key: Hashable) -> Int32:
        return self._labels[key]

    def explain(self, k: int, runs: int = 1) -> str:
        return "Every distance is measured."

    def forget(self, key: Hashable) -> None:
        self._labels.pop(key, None)

    def close(self) -> None:
        self.closed = True
