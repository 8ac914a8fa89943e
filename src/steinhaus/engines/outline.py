"""The points in outline: leading directions, where points lie along them, and tiles of points near to each other."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines import ordering, products
from steinhaus.engines.bounds.rounding import SLACK
from steinhaus.engines.bounds.scores import Basis, Frame, residuals
from steinhaus.engines.records import TILE, Known, Rows, factors_of, room_of
from steinhaus.engines.workers import Workers
from steinhaus.handing import Handed
from steinhaus.points import Int32, Int64

_AXES = 16  # leading directions that points are ordered by
_SAMPLE = 512  # points that the leading directions are taken from
_SWEEPS = 2  # of subspace iteration
_SHARE = 0.4  # of the points' variance: leading directions that hold less of it tell too little (uniform noise: 0.22)


class Outline(NamedTuple):
    """What `known` of the points becomes with a basis."""

    basis: Basis
    known: Known


def outline(
    rows: Rows,
    frame: Frame,
    known: Known,
    p: int,
    workers: Workers,
    *,
    labels: Int32 | None = None,
    forced: bool = False,
    room: NDArray[np.float32],
) -> Outline | None:
    """Take leading directions, project the points on them, and order the points by them into tiles of near ones.

    Parameters
    ----------
    known
        Of the points in their own order.
    p
        How many directions: a multiple of 16.
    labels
        (n,) where one run is alone: points of a cluster stand together then, and near ones within it.
    forced
        Whether directions are taken though they tell little.
    room
        To work in, where it is large enough: memory that was never used costs more than what is computed in it.

    Returns
    -------
    Outline or None
        None where leading directions hold too little of the points.
    """
    d, tiles, step = rows.d, len(known.order) // TILE, max(1, min(512, len(known.order) // (4 * TILE * workers.count)))
    if d <= p:
        basis: Basis | None = Basis(np.eye(d, p, dtype=np.float32), 0.0)
    else:
        basis = leading_directions(rows, frame, p, workers, forced=forced)
    if basis is None:
        return None
    factors = factors_of(p + 1, d, frame.bytewise)
    handed = Handed(factors)
    factors.rows[:p], factors.rows[p] = basis.directions.T, frame.reference
    rest = 0.0
    if frame.bytewise:  # the directions are what bytes make of them
        rest = float(products.halved(factors.rows.astype(np.float64), handed)[p])
        high, low = factors.limbs[:p, 0, :d].astype(np.float32), factors.limbs[:p, 1, :d]
        factors.rows[:p] = factors.scales[:p, np.newaxis] * (128 * high + low)
        basis = _basis_of(factors.rows[:p])
    # not by BLAS, whose threads stay awake for a while
    shift = np.einsum("pd,d->p", factors.rows[:p], frame.reference).astype(np.float32)
    if room.size < tiles * TILE * p:
        room = np.empty(tiles * TILE * p, np.float32)
    coordinates = room.reshape(-1)[: tiles * TILE * p].reshape(-1, p)
    along, squares = np.empty((2, tiles * TILE))
    points, places = Handed(rows), Handed(known)
    rooms = [Handed(room_of(p + 1, d, frame.bytewise)) for _ in range(workers.count)]

    def project(worker: int, first: int, end: int) -> None:
        ordering.project(
            points, places, handed, shift, rooms[worker], first, end, coordinates, squares, along,
        )  # fmt: skip

    workers.each(project, tiles, step)
    rests = residuals(frame, basis, known.norms.astype(np.float64), along, rest, squares)
    order = near_order(coordinates[: rows.n], workers, labels)
    order = np.concatenate([order, np.repeat(order[-1:], tiles * TILE - rows.n)])
    projections = np.empty((tiles, 2, p, 16), np.float32)

    def regroup(_: int, first: int, end: int) -> None:
        ordering.regroup(coordinates, order, (first, end), projections)

    workers.each(regroup, tiles, step)
    return Outline(
        basis,
        known._replace(order=order, norms=known.norms[order], residuals=rests[order], projections=projections, p=p),
    )


def leading_directions(rows: Rows, frame: Frame, p: int, workers: Workers, *, forced: bool = False) -> Basis | None:
    """Leading principal directions of a sample of y; None where they hold too little of another one, unless forced.

    How good they are decides how much the screen certifies, never what it certifies.
    """
    n, d, reference = rows.n, rows.d, frame.reference.astype(np.float32)
    tiles = -(-min(n, 2 * _SAMPLE) // (2 * TILE))
    sample = np.linspace(0, n - 1, 2 * TILE * tiles).astype(np.int64)
    taken, held = np.empty((2, tiles, 2, d, 16), np.float32)
    columns = np.zeros((-(-d // TILE), 2, TILE * tiles, 16), np.float32)
    points, some, others = Handed(rows), sample[::2].copy(), sample[1::2].copy()

    def gather(_: int, first: int, end: int) -> None:
        ordering.gather(points, some, reference, first, end, taken, columns)
        ordering.gather(points, others, reference, first, end, held, columns[:0])

    workers.each(gather, TILE * tiles, TILE)
    directions = np.ascontiguousarray(columns.transpose(2, 0, 1, 3)[:p]).reshape(p, -1)
    ordering.lead(taken, columns, directions, _SWEEPS)
    if not forced and ordering.energy(held, directions) < _SHARE * float(np.square(held, dtype=np.float64).sum()):
        return None
    return _basis_of(directions[:, :d])


def near_order(coordinates: NDArray[np.float32], workers: Workers, labels: Int32 | None = None) -> Int64:
    """An order of the points (n, p) in which tiles hold points near to each other, (n,) int64.

    labels: (n,) clusters that shall stand together, as far as whole tiles allow.
    """
    n = len(coordinates)
    order, keys, parts = np.arange(n), np.empty(n, np.float32), [(0, n)]
    if labels is not None:
        order = np.argsort(
            labels.astype(np.min_scalar_type(labels.max())), kind="stable"
        )  # by digits, if there are few
        ends = (np.cumsum(np.bincount(labels)) + TILE // 2) // TILE * TILE
        parts = list(itertools.pairwise(np.unique([0, *ends[ends < n], n]).tolist()))

    def split(_: int, first: int, end: int) -> None:
        for a, b in parts[first:end]:
            ordering.split(coordinates, _AXES, order, keys, a, int(ordering.halfway(a, b)), b)

    def sort(_: int, first: int, end: int) -> None:
        for a, b in parts[first:end]:
            ordering.near_order(coordinates, _AXES, order, keys, a, b)

    while len(parts) < 4 * workers.count and n > 4 * TILE * len(parts):
        workers.each(split, len(parts), 1)
        halves = [(a, int(ordering.halfway(a, b)), b) for a, b in parts]
        parts = [part for a, middle, b in halves for part in ((a, middle), (middle, b))]
    workers.each(sort, len(parts), 1)
    return order


def _basis_of(directions: NDArray[Any]) -> Basis:
    """The basis of these rows, (p, d), with its skew measured."""
    rows = np.ascontiguousarray(directions)
    return Basis(np.ascontiguousarray(rows.T), float(ordering.skew(rows)) * SLACK)
