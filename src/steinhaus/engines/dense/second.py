"""The second nearest centroids of points: bounds by products of all features, and exact distances where asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds.margins import LIMIT, in_units
from steinhaus.engines.dense.directions import Reading
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.predict import scores_of
from steinhaus.engines.dense.records import ANCHORED, RENEW, scratch_of
from steinhaus.engines.dense.second_kernels import Measured, Sought, find, measure
from steinhaus.engines.dense.state import Batch
from steinhaus.engines.exact.distances import nearest_others
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int32, Int64, Margins

_FEW = 128  # up to this many centroids, every tile is compared with all: gaps leave out too few
_POINTS = 1024  # points a task


class Seconds:
    """The second nearest centroids of the points of a run that was just assigned.

    Parameters
    ----------
    reading
        The points.
    batch, row
        The batch of the run, and its row in it.
    labels
        (n,) the labels of the points.
    centroids
        (k, d) C-contiguous, k >= 2.
    at_once
        Tiles a task.
    """

    def __init__(
        self, reading: Reading, batch: Batch, row: int, labels: Int32, centroids: Float64, at_once: int
    ) -> None:
        self._reading, self._labels, self._centroids = reading, labels, centroids
        self._points, self._readers = Handed(reading.points), Handed(reading.readers)
        tiles, workers = len(reading.tiles.order) // TILE, reading.workers
        k, d = centroids.shape
        with np.errstate(all="ignore"):  # points whose bounds overflow are compared with all centroids
            factors, scores, _ = scores_of(reading.frame, centroids)
        gapped = k > _FEW and len(batch.gaps.gaps) > 0 and batch.orders.modes[row] in (RENEW, ANCHORED)
        beside: Int32 = nearest_others(centroids, workers) if gapped else np.zeros(k, np.int32)
        self._sought = sought = Sought(
            k=k,
            factors=factors,
            scores=scores,
            gapped=int(gapped),
            column=int(batch.columns[row]),
            wide=batch.gaps.gaps.shape[1],
            gaps=batch.gaps,
            run=row,
            runs=batch.gaps.fallen.shape[1],
            beside=beside,
            labels=labels[reading.tiles.order],
            least=np.empty(tiles * TILE, np.float32),
            most=np.empty(tiles * TILE, np.float32),
            guess=np.empty(tiles * TILE, np.int32),
        )
        handed, shared = Handed(sought), Handed(reading.tiles)
        scratch = [Handed(scratch_of(k, d, reading.frame.bytewise)) for _ in range(workers.count)]
        workers.each(
            lambda worker, first, end: find(self._points, self._readers, shared, handed, scratch[worker], first, end),
            tiles,
            at_once,
        )

    def margins(self) -> Margins:
        """See `BoundedMargins.margins`."""
        scale = self._reading.frame.scale
        if not 1.0 / LIMIT < scale < LIMIT:
            n = len(self._labels)
            return Margins(np.zeros(n), np.full(n, np.inf), self._measured)
        least, most = in_units(self._by_point(self._sought.least), self._by_point(self._sought.most), scale)
        return Margins(least, most, self._measured)

    def distances(self, rows: Int64) -> tuple[Float64, Float64]:
        """The squared distances of points to their nearest and second nearest centroids: rows (m,) -> (m,) each."""
        first, second = np.empty((2, len(rows)))
        guess = self._by_point(self._sought.guess)
        wanted = Handed(Measured(self._sought.k, self._centroids, rows, self._labels, guess, first, second))
        self._reading.workers.each(
            lambda _, start, end: measure(self._points, self._readers, wanted, start, end), len(rows), _POINTS
        )
        return first, second

    def _measured(self, rows: Int64) -> Float64:
        first, second = self.distances(rows)
        return second - first

    def _by_point(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values by position, (N,), in the order of the points, (n,)."""
        out = np.empty(len(self._labels), values.dtype)
        out[self._reading.tiles.order[: len(out)]] = values[: len(out)]
        return out
