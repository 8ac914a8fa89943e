"""Leading directions, coordinates of the points along them, and tiles of near points."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds.rounding import SLACK
from steinhaus.engines.bounds.scores import Basis, Frame, residuals
from steinhaus.engines.dense import direction_kernels as kernels
from steinhaus.engines.dense.direction_kernels import AXES, Places, Projection, halfway
from steinhaus.engines.dense.factors import TILE, Factors, factors_of
from steinhaus.engines.dense.lanes import Readers, gather_sample
from steinhaus.engines.dense.products import halve_rows
from steinhaus.engines.dense.records import Framed, Tiles, scratch_of
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int64

_SAMPLE = 512  # points from which the leading directions are computed
_SWEEPS = 2  # of subspace iteration
_SHARE = 0.4  # of the points' variance: leading directions that hold less are not used (uniform noise: 0.22)


class Projected(NamedTuple):
    """A basis, and the coordinates of the points along it, N of them in their own order."""

    basis: Basis
    coordinates: NDArray[np.float32]  # (N, p) b_i
    axes: NDArray[np.float32]  # (16, N) the first 16 of them once more; (0, N) if p is 0
    residuals: NDArray[np.float32]  # (N,) at least |y_i - P b_i|
    along_reference: Float64  # (N,) z_i . m, from products in float32
    rest: float  # distance by which the reference point was rounded for these products


class Reading(NamedTuple):
    """The points of an engine, in the records that kernels need."""

    points: Framed
    readers: Readers
    frame: Frame
    tiles: Tiles  # of the points in their own order
    workers: Workers


def projected(
    of: Reading, p: int, *, forced: bool = False, room: NDArray[np.float32] | None = None
) -> Projected | None:
    """Compute p leading directions, and project the points on them and on the reference point.

    Parameters
    ----------
    of
        The points.
    p
        The number of directions: a multiple of 16, or 0.
    forced
        Whether to use directions that hold little of the variance.
    room
        Work space of any shape, used if it is large enough. New memory would take longer than the computation.

    Returns
    -------
    Projected or None
        None if leading directions hold too little of the variance.
    """
    d, workers, tiles = of.points.rows.d, of.workers, len(of.tiles.order) // TILE
    if d <= p or p == 0:
        basis: Basis | None = Basis(np.eye(d, p, dtype=np.float32), 0.0)
    else:
        basis = leading_directions(of, p, forced=forced)
    if basis is None:
        return None
    basis, factors, rest = _factors(of.frame, basis)
    if room is None or room.size < tiles * TILE * p:
        room = np.empty(tiles * TILE * p, np.float32)
    coordinates = room.reshape(-1)[: tiles * TILE * p].reshape(tiles * TILE, p)
    along, squares = np.empty((2, tiles * TILE))
    # einsum does not call BLAS, whose threads would stay awake for a while
    shift = np.einsum("pd,d->p", factors.rows[:p], of.frame.reference).astype(np.float32)
    records = [Handed(record) for record in (of.points, of.readers, of.tiles, factors)]
    axes = np.empty((min(p, AXES), tiles * TILE), np.float32)
    to = Handed(Projection(shift, p, coordinates, axes, tiles * TILE, squares, along))
    scratch = [Handed(scratch_of(p + 1, d, of.frame.bytewise)) for _ in range(workers.count)]
    step = _step(tiles, workers)
    workers.each(lambda worker, first, end: kernels.project(*records, scratch[worker], to, first, end), tiles, step)
    rests = residuals(of.frame, basis, of.tiles.norms.astype(np.float64), along, rest, squares)
    return Projected(basis, coordinates, axes, rests, along, rest)


def arranged(of: Reading, found: Projected, *, bare: bool = False) -> Tiles:
    """The points in tiles of near ones; bare: without the projections."""
    n, tiles, p = of.points.rows.n, len(of.tiles.order) // TILE, found.basis.p
    order = near_order(found, n, of.workers)
    order = np.concatenate([order, np.repeat(order[-1:], tiles * TILE - n)])
    projections = np.empty((tiles, 2, 0 if bare else p, 16), np.float32)

    def regroup(_: int, first: int, end: int) -> None:
        kernels.regroup(found.coordinates, p, order, first, end, projections)

    if not bare:
        of.workers.each(regroup, tiles, _step(tiles, of.workers))
    norms, rests = of.tiles.norms[order], found.residuals[order]
    return of.tiles._replace(
        order=order, norms=norms, residuals=rests, projections=projections, p=p, rounded_norms=norms
    )


def _step(tiles: int, workers: Workers) -> int:
    """Tiles a task."""
    return max(1, min(512, tiles // (4 * workers.count)))


def _factors(frame: Frame, basis: Basis) -> tuple[Basis, Factors, float]:
    """The rows by which points are multiplied: the directions, and the reference point as the last row.

    Returns the basis as these rows have it after rounding, the rows, and the distance by which the last one was
    rounded.
    """
    d, p = basis.directions.shape
    factors = factors_of(p + 1, d, frame.bytewise)
    factors.rows[:p], factors.rows[p] = basis.directions.T, frame.reference
    if not frame.bytewise:
        return basis, factors, 0.0
    rests = np.empty(p + 1)
    halve_rows(factors.rows.astype(np.float64), p + 1, d, Handed(factors), rests)
    high, low = factors.high[:p, :d].astype(np.float32), factors.low[:p, :d]
    factors.rows[:p] = factors.scales[:p, np.newaxis] * (128 * high + low)
    return _basis_of(factors.rows[:p]), factors, float(rests[p])


def leading_directions(of: Reading, p: int, *, forced: bool = False) -> Basis | None:
    """Leading principal directions of a sample of y. None if they hold too little of another sample, unless forced.

    Better directions certify more points. They never change a label.
    """
    n, d = of.points.rows.n, of.points.rows.d
    tiles = max(-(-min(n, 2 * _SAMPLE) // (2 * TILE)), -(-p // TILE))  # at least one point for each direction
    sample = np.linspace(0, n - 1, 2 * TILE * tiles).astype(np.int64)
    taken, held = np.empty((2, tiles, 2, d, 16), np.float32)
    columns = np.zeros((-(-d // TILE), 2, TILE * tiles, 16), np.float32)
    points, some, others = Handed(of.points), sample[::2].copy(), sample[1::2].copy()
    gather = gather_sample[of.points.rows.values.dtype]

    def take(_: int, first: int, end: int) -> None:
        gather(points, some, first, end, TILE * tiles, taken, columns)
        gather(points, others, first, end, 0, held, columns)

    of.workers.each(take, TILE * tiles, TILE)
    directions = np.ascontiguousarray(columns.transpose(2, 0, 1, 3)[:p]).reshape(p, -1)
    work = np.arange(p), np.empty(TILE * p, np.float32), np.empty((p, TILE * tiles), np.float32)
    kernels.lead(taken, columns, directions, p, d, tiles, _SWEEPS, *work)
    explained = kernels.energy(held, directions, p, d, tiles, *work)
    if not forced and explained < _SHARE * float(
        np.einsum("i,i->", held.reshape(-1), held.reshape(-1), dtype=np.float64)
    ):
        return None
    return _basis_of(directions[:, :d])


def near_order(found: Projected, n: int, workers: Workers) -> Int64:
    """An order of n points in which tiles hold near points, (n,)."""
    order, parts = np.arange(n), [(0, n)]
    places = Handed(
        Places(found.coordinates, found.axes, found.basis.p, len(found.coordinates), order, np.empty(n, np.float32))
    )

    def split(_: int, first: int, end: int) -> None:
        for a, b in parts[first:end]:
            kernels.split(places, a, halfway(a, b), b)

    def sort(_: int, first: int, end: int) -> None:
        for a, b in parts[first:end]:
            kernels.near_order(places, a, b, np.empty(64, np.int64), np.empty(64, np.int64))

    while len(parts) < 4 * workers.count and n > 4 * TILE * len(parts):
        workers.each(split, len(parts), 1)
        halves = [(a, halfway(a, b), b) for a, b in parts]
        parts = [part for a, middle, b in halves for part in ((a, middle), (middle, b))]
    workers.each(sort, len(parts), 1)
    return order


def _basis_of(directions: NDArray[Any]) -> Basis:
    """The basis of directions, (p, d), and its skew."""
    rows = np.ascontiguousarray(directions)
    return Basis(np.ascontiguousarray(rows.T), float(kernels.skew(rows, *rows.shape)) * SLACK)
