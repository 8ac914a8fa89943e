"""Records of the dense engine: points, centroids and runs as kernels read them, and work space.

Shapes: n points, d features, R runs, K centroids of all runs together, T tiles, N = 32 T >= n positions, p directions.
A tile is 32 consecutive positions, in two groups of 16 lanes. Inside kernels arrays are addresses, indexed flat.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds.bytes import NOT_ROUNDED, Quantiser
from steinhaus.engines.bounds.scores import Basis, Frame, Rates, rates
from steinhaus.engines.dense.factors import TILE, Factors, Scores, apart, width_of
from steinhaus.engines.dense.group_records import Group, Neighbours, Sketched, Sketches
from steinhaus.engines.exact.rows import DenseRows
from steinhaus.jit.annotations import Array, Origin, f32, f64, i8, i32, i64, u8

MANY_SLOTS = 255  # the most products that a tile can keep of a run, since their numbers are bytes
# Rows of `Change.work`: points whose label changed; pairs settled; tiles gathered; rows of products of a tile computed
# from all features; and from directions or sketches; products of one point's bytes.
MOVED, PAIRS, GATHERED, COMPUTED, SCREENED, SINGLES = range(6)
WORKS = 6
# Modes of a run in a pass: no screen; all features, with new anchors or lists of neighbours; from anchors; all
# features, without new anchors or lists; from lists of neighbours.
BRUTE, RENEW, ANCHORED, FEATURES, LISTED = 0, 1, 2, 3, 4
# A sum of so many integers of up to 2^48 fits into an int64. After so many, it is spilled into limbs.
MOST_MOVES = 2**14
SPILLED = 2


class Framed(NamedTuple):
    """The points and their frame: z = (x - offset) * scale."""

    rows: DenseRows
    offset: Array[Origin]  # (d,)
    scale: Origin
    reference: Array[f32]  # (d,) the reference point
    bytewise: i64  # whether values are bytes and are multiplied as bytes
    row_bytes: i64  # bytes of a point
    quantiser: Quantiser = NOT_ROUNDED  # the rounding of floats to bytes


class Tiles(NamedTuple):
    """The points in tiles, with their bounds. Lane l of tile t is point order[32 t + l].

    Copies of the last point fill the last tile.
    """

    order: Array[i64]  # (N,)
    norms: Array[f32]  # (N,) at least |z_i|
    residuals: Array[f32]  # (N,) at least |y_i - P b_i|
    projections: Array[f32]  # (T, 2, p, 16) b_i
    p: i64
    reach: f32  # at least the norm of the reference point
    floor: f32  # float64's own rounding, relative to (|z_i| + reach)^2
    rounded_norms: Array[f32]  # (N,) n' of `bounds.bytes` for points rounded to bytes, infinite before; else `norms`


class Anchors(NamedTuple):
    """The centroids of each run at its last full pass, and the products of tiles with some of them."""

    rows: Array[f64]  # (K, d) a_j, in the frame
    factors: Factors  # a_j
    along: Array[f64]  # (K, p) P'a_j
    norms: Array[f64]  # (K,)
    base: Array[f64]  # (K,) the difference of the products and y_i . a_j
    slopes: Array[f64]  # (K,) of the products
    slots: Array[u8]  # (T, H) the number of the tile's product with a_j, from 1; 0: it is not kept
    used: Array[u8]  # (T, R) the number of products kept
    products: Array[f32]  # (T, M, 32) x_i . a_j


class Gaps(NamedTuple):
    """The gaps of tiles and centroids, and the steps of the centroids: see `bounds.gaps`.

    In tables of tiles by centroids the columns of a run are filled up to a multiple of 16 (`View.columns`): H in all.
    size and fall are those of the last step. travelled and risen are sums over all steps.
    """

    gaps: Array[f32]  # (T, H); (0, H): no gaps are kept
    present: Array[u8]  # (T, H) whether a point of the tile has this label
    fallen: Array[f32]  # (T, R) at most the fall of any lane's best score over all steps
    size: Array[f32]  # (H,)
    fall: Array[f32]  # (H,)
    travelled: Array[f32]  # (H,) sum of the sizes
    risen: Array[f32]  # (H,) sum of the rises
    rows: Array[f64]  # (K, d) e_j at the last step
    norms: Array[f64]  # (K,)


class Scratch(NamedTuple):
    """The work space of one worker."""

    lanes: Array[f32]  # (2, d, 16) the features of a tile
    quads: Array[u8]  # (2, W / 4, 16, 4) the features as bytes: see `products.byte_products`
    out: Array[f32]  # (32 K,) products
    upper: Array[f32]  # (32 K,) upper bounds
    chosen: Array[i64]  # (K,) candidates of a tile
    near: Array[f32]  # (K,) the gaps of the candidates in this step; K rounded up to a multiple of 16, at least 32
    others: Array[i64]  # (K,) candidates whose products are not kept; later, open candidates
    kept: Array[i64]  # (K,) candidates whose products are kept; later, the lanes of open candidates, as bits
    own: Array[i64]  # (K,) the open candidates of the lane that is settled
    least: Array[f32]  # (32,) the bound that an upper bound must reach
    rests: Array[f32]  # (32,) at least |rho| of `bounds.bytes`, if the points of the tile were rounded to bytes
    found: Array[i32]  # (32,) labels, less the run's first centroid
    starts: Array[i64]  # (16,) flat indices of points


class Change(NamedTuple):
    """The changes of the tallies by one worker in a pass."""

    sums: Array[i64]  # (1, K, d) sums of whole integers; empty if `narrow` is used
    spilled: Array[i64]  # (2, K, d) the same in limbs, of clusters that many points entered or left; empty for one limb
    moves: Array[i64]  # (K,) of points into or out of a cluster since it was last spilled
    limbs: i64
    narrow: Array[i32]  # (1, K, d), used if no sum of a pass can overflow; else empty
    is_narrow: i64
    counts: Array[i64]  # (K,)
    touched: Array[u8]  # (K,) whether a cluster has changed; `SPILLED`: it was spilled
    work: Array[i64]  # (WORKS, R) MOVED, PAIRS, GATHERED, COMPUTED, SCREENED, SINGLES


class Worker(NamedTuple):
    """The records of one worker."""

    scratch: Scratch
    group: Group
    change: Change


class Sizes(NamedTuple):
    """Array sizes."""

    runs: i64  # R
    k: i64  # K
    tiles: i64  # T
    wide: i64  # H
    kept: i64  # M
    reserve: i64  # of these, the products of a run that a full pass keeps free
    gapped: i64  # whether gaps and anchors are kept
    direct: i64  # candidates from which on a tile is screened by all features at once
    room: i64  # places for the lists of a tile and a run; 0: no lists are kept


class View(NamedTuple):
    """The tables of the points and of a batch of runs."""

    tiles: Tiles
    firsts: Array[i64]  # (R + 1,) the first centroid of each run among the K
    columns: Array[i64]  # (R + 1,) the first column of each run among the H
    kept_firsts: Array[i64]  # (R + 1,) the first kept product of each run among the M
    labels: Array[i32]  # (T, R, 32); -1: no label yet
    exact: Array[f64]  # (K, d) the centroids of this pass
    factors: Factors  # the same in the frame
    features: Scores  # for products of all features
    halved: Scores  # for products of all features, of points rounded to bytes with the high bytes of `factors` alone
    single: Scores  # for products of all features, of single points
    anchored: Scores  # for products from anchors
    directed: Scores  # for products along the directions alone
    anchors: Anchors
    gaps: Gaps
    neighbours: Neighbours
    sketches: Sketches
    sketched: Sketched
    sizes: Sizes


class Orders(NamedTuple):
    """The work of a pass."""

    queue: Array[i64]  # (3,) the next free tile, the number of tiles, the number that a worker takes at once
    many: Array[i64]  # (1,) the number of active runs
    active: Array[i64]  # (R,) rows of the active runs
    modes: Array[i8]  # (R,)


class CentroidFrame(NamedTuple):
    """The frame and the leading directions of the points, for centroids."""

    offset: Array[f64]  # (d,)
    scale: f64
    reference: Array[f64]  # (d,)
    directions: Array[f64]  # (d, p)
    d: i64
    p: i64  # a multiple of 16
    width: i64  # bytes of a row in products of bytes; 0 if bytes are not used
    step: f64  # of the quantiser
    rates: Rates


class Limited(NamedTuple):
    """Rows, and for each point the limit below which its distances to the rows must be measured."""

    k: i64
    lengths: Array[f64]  # (n,) |x'|^2
    below: Array[f64]  # (n,) the limits, in the frame
    exact: Array[f64]  # (k, d) the rows
    factors: Factors  # the same in the frame
    norms: Array[f64]  # (k,) at least the norms of the rows in the frame
    squares: Array[f64]  # (k,) the squared norms in the frame
    slopes: Array[f64]  # (k,) of the products
    floors: Array[f64]  # (k,)
    floor: f64  # float64's, relative to (|x'| + |c'|)^2


def centroid_frame_of(frame: Frame, basis: Basis, quantiser: Quantiser) -> CentroidFrame:
    """The record for centroids, if points are in this frame and are rounded by this quantiser."""
    d, step = len(frame.reference), float(quantiser.step)
    return CentroidFrame(
        frame.offset, frame.scale, frame.reference, basis.directions.astype(np.float64), d, basis.p,
        width_of(d, frame.bytewise or step > 0), step, rates(frame, basis, quantiser.rate),
    )  # fmt: skip


def scratch_of(k: int, d: int, bytewise: bool, quantised: bool = False) -> Scratch:
    """Work space of one worker, for k rows. bytewise: points are bytes; quantised: points are rounded to bytes."""
    return Scratch(
        lanes=apart(0 if bytewise else TILE * d, np.float32),
        quads=apart(TILE * width_of(d, bytewise or quantised), np.uint8),
        out=apart(TILE * k, np.float32),
        upper=apart(TILE * k, np.float32),
        chosen=apart(k, np.int64),
        near=apart(max(-(-k // 16) * 16, TILE), np.float32),
        others=apart(k, np.int64),
        kept=apart(k, np.int64),
        own=apart(k, np.int64),
        least=apart(TILE, np.float32),
        rests=apart(TILE, np.float32),
        found=apart(TILE, np.int32),
        starts=apart(16, np.int64),
    )


def change_of(limbs: int, k: int, d: int, runs: int, narrow: bool) -> Change:
    """An empty record of changes for one worker; narrow: sums are int32."""
    return Change(
        sums=apart((0 if narrow else 1, k, d), np.int64),
        spilled=apart((0 if limbs == 1 else limbs, k, d), np.int64),
        moves=apart(k, np.int64),
        limbs=limbs,
        narrow=apart((1 if narrow else 0, k, d), np.int32),
        is_narrow=int(narrow),
        counts=apart(k, np.int64),
        touched=apart(k, np.uint8),
        work=apart((WORKS, runs), np.int64),
    )


def bytes_of(held: Any) -> int:
    """Bytes of all arrays in a record and in the records within it."""
    return sum({id(array): array.nbytes for array in _arrays_of(held)}.values())


def _arrays_of(held: Any) -> Iterator[NDArray[Any]]:
    if isinstance(held, np.ndarray):
        yield held
    for part in held.values() if isinstance(held, dict) else held if isinstance(held, tuple | list) else ():
        yield from _arrays_of(part)
