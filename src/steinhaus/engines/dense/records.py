"""Records of the dense engine: what kernels know of points, centroids and runs, and the memory they work in.

Shapes: n points, d features, R runs, K centroids of all runs together, T tiles, N = 32 T >= n, p directions. A tile is
32 consecutive points, in two groups of 16 lanes. Inside kernels arrays are addresses, indexed flat.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds.bytes import NOT_ROUNDED, Quantiser
from steinhaus.engines.bounds.scores import Basis, Frame, Rates, rates
from steinhaus.engines.exact.rows import DenseRows
from steinhaus.jit.annotations import Array, Origin, f32, f64, i8, i32, i64, u8

TILE = 32
MANY_SLOTS = 255  # anchors' products that a tile can keep of a run: their numbers are bytes
# Rows of `Change.work`: points that changed their label; pairs settled; tiles whose features were gathered; rows of
# products computed from the features of a tile, and from the directions.
MOVED, PAIRS, GATHERED, COMPUTED, SCREENED = range(5)
WORKS = 5
# How a run is screened: not at all; from the features, taking new anchors; from its anchors; from the features alone.
BRUTE, RENEW, ANCHORED, FEATURES = 0, 1, 2, 3
_LINES = 128  # bytes that a processor fetches together, at most


class Framed(NamedTuple):
    """The points, and how they are seen in the frame: z = (x - offset) * scale."""

    rows: DenseRows
    offset: Array[Origin]  # (d,)
    scale: Origin
    reference: Array[f32]  # (d,) the reference point
    bytewise: i64  # whether values are bytes that are multiplied as such
    row_bytes: i64  # bytes of a point
    quantiser: Quantiser = NOT_ROUNDED  # how points that are not bytes are rounded to such


class Tiles(NamedTuple):
    """What the screens know of the points, in tiles: lane l of tile t is point order[32 t + l]; past the last point, it
    stands again.
    """

    order: Array[i64]  # (N,)
    norms: Array[f32]  # (N,) at least |z_i|
    residuals: Array[f32]  # (N,) at least |y_i - P b_i|
    projections: Array[f32]  # (T, 2, p, 16) b_i
    p: i64
    reach: f32  # at least the norm of the reference point
    floor: f32  # float64's own rounding, relative to (|z_i| + reach)^2
    rounded_norms: Array[f32]  # (N,) in place of `norms` where points are rounded to bytes, once they were


class Factors(NamedTuple):
    """Rows that points are multiplied with over all features: in float32, or in two signed bytes a feature.

    Of bytes, row j is scales[j] (128 high + low); W is d rounded up to a multiple of 64, or 0 where they are not used.
    """

    rows: Array[f32]  # (K, d)
    limbs: Array[i8]  # (K, 2, W) high and low; 0 past d
    scales: Array[f32]  # (K,) powers of two


class Scores(NamedTuple):
    """Turns products into scores with bounds: score = product - half[j], error <= n slope[j] + r lag[j] + floor[j]."""

    rows: Array[f32]  # (K, d or p) what points are multiplied with; all features as in `Factors`, too
    half: Array[f32]  # (K,)
    slope: Array[f32]  # (K,)
    lag: Array[f32]  # (K,)
    floor: Array[f32]  # (K,)


class Anchors(NamedTuple):
    """Where each run's centroids stood at its last full pass, and the products of the tiles' candidates with them."""

    rows: Array[f64]  # (K, d) a_j, in the frame
    factors: Factors  # a_j
    along: Array[f64]  # (K, p) P'a_j
    norms: Array[f64]  # (K,)
    base: Array[f64]  # (K,) what the products are more than y_i . a_j
    slopes: Array[f64]  # (K,) of the products
    moved: Array[f32]  # (K,) at least |e_j - a_j|
    between: Array[f32]  # (K, S) at least |a_j - a_k|, k counted from the run's first; S = 0: not known
    slots: Array[u8]  # (T, H) which product of the tile is that with a_j, from 1; 0: it is not kept
    used: Array[u8]  # (R, T) how many are kept
    products: Array[f32]  # (T, M, 32) x_i . a_j


class Gaps(NamedTuple):
    """What is out of the question for whole tiles: see `bounds.gaps`.

    In tables of tiles by centroids a run's columns begin at a multiple of 16 (`View.columns`) and fill it up: H in all.
    size and fall are of the last step; travelled and risen are summed over all steps.
    """

    gaps: Array[f32]  # (T, H); (0, H): none are kept
    present: Array[u8]  # (T, H) whether a point of the tile has this label
    fallen: Array[f32]  # (R, T) how much the best score of any lane can have fallen over all steps
    size: Array[f32]  # (H,)
    fall: Array[f32]  # (H,)
    travelled: Array[f32]  # (H,) sum of the sizes
    risen: Array[f32]  # (H,) sum of the rises
    rows: Array[f64]  # (K, d) e_j at the last step
    norms: Array[f64]  # (K,)


class Scratch(NamedTuple):
    """One worker's arrays to work in."""

    lanes: Array[f32]  # (32 d,) a tile's features
    quads: Array[u8]  # (2, W / 4, 16, 4) the same as bytes: see `products.byte_products`
    out: Array[f32]  # (32 K,) products
    upper: Array[f32]  # (32 K,) upper bounds
    chosen: Array[i64]  # (K,) candidates of a tile
    near: Array[f32]  # (K,) their gaps now; filled up to sixteens
    others: Array[i64]  # (K,) candidates whose products are not kept; then candidates that are open
    kept: Array[i64]  # (K,) candidates whose products are kept; then the open ones' lanes, as bits
    least: Array[f32]  # (32,) what an upper bound must reach
    found: Array[i32]  # (32,) labels, less the run's first centroid
    starts: Array[i64]  # (16,)


class Change(NamedTuple):
    """One worker's part of what an assignment changes in the tallies."""

    sums: Array[i64]  # (limbs, K, d); empty where `narrow` is used
    narrow: Array[i32]  # (1, K, d) where no sum of a pass can overflow it; else empty
    is_narrow: i64
    counts: Array[i64]  # (K,)
    touched: Array[u8]  # (K,)
    work: Array[i64]  # (WORKS, R) MOVED, PAIRS, GATHERED, COMPUTED, SCREENED


class Worker(NamedTuple):
    """One worker's own records."""

    scratch: Scratch
    change: Change


class Sizes(NamedTuple):
    """Array sizes."""

    runs: i64  # R
    k: i64  # K
    tiles: i64  # T
    wide: i64  # H
    between: i64  # S
    kept: i64  # M
    gapped: i64  # whether gaps and anchors are kept
    limit: f32  # open pairs a candidate above which a tile is computed from all features


class View(NamedTuple):
    """Everything remembered of the points and of a batch of runs, from pass to pass."""

    tiles: Tiles
    firsts: Array[i64]  # (R + 1,) where each run's centroids begin among the K
    columns: Array[i64]  # (R + 1,) where its columns begin among the H
    kept_firsts: Array[i64]  # (R + 1,) where its kept products begin among the M
    labels: Array[i32]  # (R, N) by position; -1: none yet
    exact: Array[f64]  # (K, d) the centroids of this pass
    factors: Factors  # the same in the frame
    features: Scores  # from products of all features
    single: Scores  # from such products of single points
    anchored: Scores  # from anchors
    directed: Scores  # from the directions alone
    anchors: Anchors
    gaps: Gaps
    sizes: Sizes


class Orders(NamedTuple):
    """What is to be done in a pass."""

    queue: Array[i64]  # (3,) the next tile that is free, how many there are, how many to take at once
    many: Array[i64]  # (1,) how many runs are active
    active: Array[i64]  # (R,) their rows, the first so many
    modes: Array[i8]  # (R,)
    # (R,) how far centroids may go until the next anchors: products are kept of what may be candidates by then.
    spare: Array[f32]
    # (R,) up to so many candidates of a tile are computed from the features, in a full pass, without a look at the
    # directions.
    straight: Array[i64]


class CentroidFrame(NamedTuple):
    """How centroids are seen: the frame and the leading directions of the points."""

    offset: Array[f64]  # (d,)
    scale: f64
    reference: Array[f64]  # (d,)
    directions: Array[f64]  # (d, p)
    d: i64
    p: i64  # a multiple of 16
    width: i64  # bytes of a row in products of bytes; 0 where they are not used
    step: f64  # of the quantiser
    rates: Rates


class Limited(NamedTuple):
    """Centroids whose distances are of interest where they are below a limit."""

    k: i64
    lengths: Array[f64]  # (n,) |x'|^2
    below: Array[f64]  # (n,) the limits, in the frame
    exact: Array[f64]  # (k, d) the centroids
    factors: Factors  # the same in the frame
    norms: Array[f64]  # (k,) their lengths there
    squares: Array[f64]  # (k,)
    slopes: Array[f64]  # (k,) of the products
    floors: Array[f64]  # (k,)
    floor: f64  # float64's, relative to (|x'| + |c'|)^2


def centroid_frame_of(frame: Frame, basis: Basis, quantiser: Quantiser) -> CentroidFrame:
    """How centroids are seen for products of points in this frame, which are rounded by this quantiser."""
    d, step = len(frame.reference), float(quantiser.step)
    return CentroidFrame(
        frame.offset, frame.scale, frame.reference, basis.directions.astype(np.float64), d, basis.p,
        width_of(d, frame.bytewise or step > 0), step, rates(frame, basis, quantiser.rate),
    )  # fmt: skip


def scratch_of(k: int, d: int, bytewise: bool, quantised: bool = False) -> Scratch:
    """Arrays for one worker, for tiles and k rows; bytewise: points are bytes, quantised: they are rounded to such."""
    return Scratch(
        lanes=apart(0 if bytewise else TILE * d, np.float32),
        quads=apart(TILE * width_of(d, bytewise or quantised), np.uint8),
        out=apart(TILE * k, np.float32),
        upper=apart(TILE * k, np.float32),
        chosen=apart(k, np.int64),
        near=apart(-(-k // 16) * 16, np.float32),
        others=apart(k, np.int64),
        kept=apart(k, np.int64),
        least=apart(TILE, np.float32),
        found=apart(TILE, np.int32),
        starts=apart(16, np.int64),
    )


def change_of(limbs: int, k: int, d: int, runs: int, narrow: bool) -> Change:
    """No change yet, for one worker; narrow: sums are int32."""
    return Change(
        sums=apart((0 if narrow else limbs, k, d), np.int64),
        narrow=apart((1 if narrow else 0, k, d), np.int32),
        is_narrow=int(narrow),
        counts=apart(k, np.int64),
        touched=apart(k, np.uint8),
        work=apart((WORKS, runs), np.int64),
    )


def factors_of(k: int, d: int, bytewise: bool) -> Factors:
    """Room for k rows."""
    limbs = np.zeros((k, 2, width_of(d, bytewise)), np.int8)
    return Factors(np.zeros((k, d), np.float32), limbs, np.zeros(k, np.float32))


def scores_of(rows: NDArray[np.float32]) -> Scores:
    """Room for the scores of these rows."""
    return Scores(rows, *np.zeros((4, len(rows)), np.float32))


def width_of(d: int, bytewise: bool) -> int:
    """Bytes of a row in products of bytes; 0 where they are not used."""
    return -(-d // 64) * 64 if bytewise else 0


def apart(shape: int | tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros for one worker alone: no line of the cache, nor the one beside it, is shared with other writers."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape)) * kind.itemsize
    room = np.zeros(size + 2 * _LINES, np.uint8)
    start = -room.ctypes.data % _LINES
    return room[start : start + size].view(kind).reshape(shape)


def bytes_of(held: Any) -> int:
    """Bytes of the arrays in a record, and in the records within it."""
    return sum({id(array): array.nbytes for array in _arrays_of(held)}.values())


def _arrays_of(held: Any) -> Iterator[NDArray[Any]]:
    if isinstance(held, np.ndarray):
        yield held
    for part in held.values() if isinstance(held, dict) else held if isinstance(held, tuple | list) else ():
        yield from _arrays_of(part)
