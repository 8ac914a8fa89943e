"""Sketches of points and centroids: their directions and memory, and what a pass needs before it begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds.rounding import SLACK
from steinhaus.engines.bounds.sketches import SKEWED, WIDEST, enlarged, fits, spread
from steinhaus.engines.dense import sketching as kernels
from steinhaus.engines.dense.direction_kernels import lead
from steinhaus.engines.dense.directions import Reading
from steinhaus.engines.dense.factors import TILE, width_of
from steinhaus.engines.dense.group_records import NO_SKETCHES, Sketches
from steinhaus.engines.dense.policy import sketches_pay
from steinhaus.engines.dense.records import COMPUTED, SCREENED, SINGLES, scratch_of
from steinhaus.engines.dense.state import Batch
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int64

_SAMPLE = 1024  # centroids from which directions are computed
_SWEEPS = 1  # of subspace iteration
_TILES = 8  # tiles from which the step is found
_WIDER = 1.125  # the step covers coordinates that are greater than those of these tiles by this factor
_CLIPPED = 1.5  # times the median of the centroids' greatest coordinates: greater ones are clipped
_CENTROIDS = 64  # a task


class Sketching:
    """The sketches of the points of an engine: taken up, and given up where they are of no use."""

    def __init__(self) -> None:
        self._made = NO_SKETCHES
        self.pays = True  # until some tiles show otherwise

    @property
    def made(self) -> Sketches:
        """The sketches of the points, known or not."""
        return self._made

    def drop(self) -> None:
        """Forget the sketches, since points are rounded in another way."""
        self._made = NO_SKETCHES

    def of(self, batch: Batch) -> Sketches:
        """The sketches by which the points are compared with the centroids of a batch."""
        return self._made if batch.directions_sketched else NO_SKETCHES

    def are_new(self, batch: Batch) -> bool:
        """Whether the next pass computes the sketches of the points."""
        return batch.directions_sketched > 0 and not self._made.known

    def take_up(self, batch: Batch, of: Reading, m: int) -> bool:
        """Let a batch use sketches along m directions, if they pay; return whether its tables have changed.

        of: the points, which are rounded to bytes if m is not 0. `prepare` must have prepared the centroids.
        """
        m = m if self.pays else 0
        if m and not self._made.m:
            self._made = sketches_of(of, batch.factors.rows, m)
            self.pays = self._made.m > 0
        return batch.keep_sketches(self._made.m if m else 0)

    def have_been_computed(self) -> None:
        """Tell that a pass has computed the sketches of all points."""
        self._made = self._made._replace(known=1)

    def give_up(self, batch: Batch, work: Int64) -> bool:
        """Give up sketches if they left too many pairs; return whether they are given up.

        work: (WORKS, R) of the tiles that were labelled.
        """
        m, d = batch.directions_sketched, batch.exact.shape[1]
        computed, screened, singles = (int(work[row].sum()) for row in (COMPUTED, SCREENED, SINGLES))
        if not m or sketches_pay(computed, screened, singles, m, d):
            return False
        self._made, self.pays = NO_SKETCHES, False
        return batch.keep_sketches(0)


def sketches_of(of: Reading, rows: NDArray[np.float32], m: int) -> Sketches:
    """Sketches of points along m leading directions of centroids, not yet computed; `NO_SKETCHES` if nothing fits.

    Parameters
    ----------
    of
        The points, which are rounded to bytes.
    rows
        (K, d) centroids in the frame, less the reference point.
    m
        The number of directions: a multiple of 64.
    """
    d, tiles, step = of.points.rows.d, len(of.tiles.order) // TILE, float(of.points.quantiser.step)
    directions = _mixed(_directions(rows, m))
    most = np.abs(directions).max(axis=1, keepdims=True)
    whole = np.rint(directions * (127.0 / np.where(most > 0, most, 1.0))).astype(np.int8)
    squares = np.square(whole, dtype=np.int64).sum(axis=1)
    sizes = np.where(squares > 0, 1.0 / np.sqrt(np.maximum(squares, 1)), 0.0).astype(np.float32).astype(np.float64)
    along = sizes[:, np.newaxis] * whole
    gram, delta = _gram(along)
    high = np.zeros((m, width_of(d, True)), np.int8)
    high[:, :d] = whole
    found = NO_SKETCHES._replace(
        m=m,
        high=high,
        sums=128 * whole.sum(axis=1, dtype=np.int32),
        units=(step * sizes).astype(np.float32),
        delta=np.float32(delta * SLACK),
        along=np.ascontiguousarray(along.T),
        gram=gram,
    )
    sigma = np.float32(_extent(of, found) * _WIDER / 127.0)
    if not (fits(float(sigma)) and delta < WIDEST):
        return NO_SKETCHES
    return found._replace(
        quads=np.empty(tiles * TILE * m, np.uint8),
        **{name: np.empty(tiles * TILE, np.float32) for name in ("rests", "offs", "sizes")},
        units=(step / float(sigma) * sizes).astype(np.float32),
        whole=enlarged(step / float(sigma)),
        step=sigma,
    )


def place_sketches(batch: Batch, view: Handed, frame: Handed, active: Int64, workers: Workers) -> None:
    """Compute the sketches of centroids, which `prepare` has prepared. active: (m,) rows of the runs."""
    m = batch.directions_sketched
    for row in active.tolist():
        first, k = batch.part(row).start, len(batch.exact[batch.part(row)])
        along = np.empty((k, m))

        def project(_: int, start: int, end: int, first: int = first, along: Float64 = along) -> None:
            kernels.coordinates(view, frame, first + start, first + end, along[start:end])

        workers.each(project, k, _CENTROIDS)
        # Coordinates beyond the range of bytes stay in the rest, so one far centroid does not make all others coarse.
        most = np.float32(_CLIPPED * np.median(np.abs(along).max(axis=1)) / 127.0)
        unit = float(most) if fits(float(most)) else 1.0

        def place(_: int, start: int, end: int, first: int = first, along: Float64 = along, unit: float = unit) -> None:
            kernels.place_sketches(view, frame, first + start, first + end, along[start:end], unit, np.empty(m))

        workers.each(place, k, _CENTROIDS)


def _directions(rows: NDArray[np.float32], m: int) -> NDArray[np.float32]:
    """About m leading directions of some rows, (K, d) -> (m, d)."""
    d, tiles = rows.shape[1], max(min(len(rows), _SAMPLE), m) // TILE
    some = rows[np.linspace(0, len(rows) - 1, TILE * tiles).astype(np.int64)]
    lanes = np.ascontiguousarray(some.reshape(tiles, 2, 16, d).swapaxes(2, 3))
    columns = np.zeros((TILE * tiles, -(-d // TILE) * TILE), np.float32)
    columns[:, :d] = some
    directions = columns[:m].copy()
    columns = np.ascontiguousarray(columns.reshape(TILE * tiles, -1, 2, 16).transpose(1, 2, 0, 3))
    work = np.arange(m), np.empty(TILE * m, np.float32), np.empty((m, TILE * tiles), np.float32)
    lead(lanes, columns, directions, m, d, tiles, _SWEEPS, *work)
    rows, products = directions[:, :d].astype(np.float64), np.empty((m, m))
    kernels.gram_of(rows, m, d, products)
    rows[np.abs(np.tril(products, -1)).max(axis=1) > SKEWED] = 0.0  # rounding errors, if there are fewer directions
    return rows.astype(np.float32)


def _mixed(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn directions by Hadamard's matrix, (m, d) -> (m, d), so that coordinates along them have similar ranges.

    Nothing is turned if some rows are 0: the others would no longer be orthogonal.
    """
    half = 1
    if not rows.any(axis=1).all():
        return rows
    while len(rows) % (2 * half) == 0:
        pairs = rows.reshape(-1, 2, half, rows.shape[1])
        rows = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).reshape(rows.shape)
        half *= 2
    return rows / np.float32(np.sqrt(half))


def _gram(along: Float64) -> tuple[Float64, float]:
    """G of V, (m, d), and delta."""
    m, d = along.shape
    gram, off, squared, last = np.empty((4, m, m))
    kernels.gram_of(along, m, d, gram)
    off[:] = gram - np.diag(np.diag(gram) > 0.0)  # points and centroids are 0 along a direction of zeros
    kernels.square_of(off, m, squared)
    kernels.square_of(squared, m, last)
    return gram, spread(last)


def _extent(of: Reading, sketches: Sketches) -> float:
    """The greatest coordinate of the points of some tiles."""
    tiles = len(of.tiles.order) // TILE
    some = np.linspace(0, tiles - 1, min(_TILES, tiles)).astype(np.int64)
    scratch = Handed(scratch_of(1, of.points.rows.d, False, quantised=True))
    records = [Handed(record) for record in (of.points, of.readers, of.tiles, sketches)]
    return float(kernels.extent(*records, scratch, some, len(some), np.empty(TILE * TILE, np.int32)))
