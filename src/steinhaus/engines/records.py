"""What the kernels are handed: records of arrays, and the room they work in.

Shapes: n points, d features, R runs, K centroids of all runs together, T tiles, N = 32 T >= n, p directions. A tile is
32 consecutive points, in two groups of 16 lanes. Inside the kernels arrays are addresses, indexed like the flat array:
see `handing`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds.bytes import NO_GRAIN, Grain
from steinhaus.engines.bounds.scores import Rates

TILE = 32
MANY_SLOTS = 255  # anchors' products that a tile can keep of a run: their numbers are bytes
# Rows of `Change.work`: points that changed their label; pairs settled; tiles whose features were needed; rows of
# products computed from the features of a tile, and from the directions.
MOVED, PAIRS, SPREADS, COMPUTED, SCREENED = range(5)
WORKS = 5
# How a run is screened: not at all; from the features, taking new anchors; from its anchors; from the features alone.
BRUTE, PLAIN, DRIFT, FULL = 0, 1, 2, 3
_LINES = 128  # bytes that a processor fetches together, at most


class Rows(NamedTuple):
    """The points, and how to read them."""

    values: np.ndarray  # (n, d) of any real type, flat
    n: int
    d: int
    integers: bool  # small integers: their own grid and frame
    offset: np.ndarray  # (d,) of the points' type; the frame is (x - offset) * scale
    scale: float  # of the points' type
    grid_offset: np.ndarray  # (d,) float64; the grid is (x - grid_offset) * per_step
    per_step: np.ndarray  # (d,) float64
    line: int  # values in a line of the cache
    reference: np.ndarray  # (d,) float32, the reference point
    grain: Grain = NO_GRAIN  # how points that are not bytes are rounded to such


class Known(NamedTuple):
    """What the screens know of the points, in tiles: lane l of tile t is point order[32 t + l]; past the last, it
    stands again.
    """

    order: np.ndarray  # (N,) int64
    norms: np.ndarray  # (N,) float32, at least |z_i|
    residuals: np.ndarray  # (N,) float32, at least |y_i - P b_i|
    projections: np.ndarray  # (T, 2, p, 16) float32, b_i
    p: int
    reach: np.float32  # at least the norm of the reference point
    floor: np.float32  # float64's own rounding, relative to (|z_i| + reach)^2
    coarse: np.ndarray  # (N,) float32: in place of `norms` where points are rounded to bytes, once they were


class Scores(NamedTuple):
    """Turns products into scores with bounds: score = product - half[j], error <= n slope[j] + r lag[j] + floor[j]."""

    rows: np.ndarray  # (K, d or p) float32: what the points are multiplied with; all features as in `Factors`, too
    half: np.ndarray  # (K,) float32
    slope: np.ndarray  # (K,) float32
    lag: np.ndarray  # (K,) float32
    floor: np.ndarray  # (K,) float32


class Factors(NamedTuple):
    """Rows that points are multiplied with over all features: in float32, or in two signed bytes a feature.

    Of bytes, row j is scales[j] (128 high + low); W is d rounded up to a multiple of 64, or 0 where they are not used.
    """

    rows: np.ndarray  # (K, d) float32
    limbs: np.ndarray  # (K, 2, W) int8, high and low; 0 past d
    scales: np.ndarray  # (K,) float32, powers of two


class Anchors(NamedTuple):
    """Where each run's centroids stood at its last full pass, and the products of the tiles' candidates with them."""

    rows: np.ndarray  # (K, d) float64, a_j, in the frame
    factors: Factors  # a_j
    along: np.ndarray  # (K, p) float64, P'a_j
    norms: np.ndarray  # (K,) float64
    base: np.ndarray  # (K,) float64, what the products are more than y_i . a_j
    slopes: np.ndarray  # (K,) float64, of the products
    moved: np.ndarray  # (K,) float32, at least |e_j - a_j|
    apart: np.ndarray  # (K, S) float32, at least |a_j - a_k|, k counted from the run's first; S = 0: not known
    slots: np.ndarray  # (T, H) uint8: which product of the tile is that with a_j, from 1; 0: it is not kept
    used: np.ndarray  # (R, T) uint8: how many are kept
    products: np.ndarray  # (T, M, 32) float32, x_i . a_j


class Gaps(NamedTuple):
    """What is out of the question for whole tiles: see `bounds.gaps`.

    In tables of tiles by centroids a run's columns begin at a multiple of 16 (`columns` in `assign`) and fill it up:
    H in all. size, rise and fall are of the last step; travelled and risen are summed over all steps.
    """

    gaps: np.ndarray  # (T, H) float32; (0, H): none are kept
    present: np.ndarray  # (T, H) uint8: whether a point of the tile has this label
    sunk: np.ndarray  # (R, T) float32: how much the best score of any lane can have sunk over all steps
    size: np.ndarray  # (H,) float32
    fall: np.ndarray  # (H,) float32
    travelled: np.ndarray  # (H,) float32, sum of the sizes
    risen: np.ndarray  # (H,) float32, sum of the rises
    rows: np.ndarray  # (K, d) float64, e_j at the last step
    norms: np.ndarray  # (K,) float64


class Scratch(NamedTuple):
    """A worker's room to work in."""

    lanes: np.ndarray  # (32 d,) float32, a tile's features
    quads: np.ndarray  # (2, W / 4, 16, 4) uint8, flat, the same, of bytes; see `simd.byte_tile`
    out: np.ndarray  # (32 K,) float32, products
    upper: np.ndarray  # (32 K,) float32, upper bounds
    chosen: np.ndarray  # (K,) int64, candidates of a tile
    near: np.ndarray  # (K,) float32, their gaps now
    others: np.ndarray  # (K,) int64, candidates whose products are not kept
    kept: np.ndarray  # (K,) int64, and those whose are
    least: np.ndarray  # (32,) float32
    found: np.ndarray  # (32,) int32
    starts: np.ndarray  # (16,) int64


class Change(NamedTuple):
    """What one worker's part of an assignment changes in the tallies."""

    sums: np.ndarray  # (limbs, K, d) int64, or int32 where no sum of a pass can overflow it
    counts: np.ndarray  # (K,) int64
    touched: np.ndarray  # (K,) uint8
    work: np.ndarray  # (WORKS, R) int64, what was done: MOVED, PAIRS, SPREADS, COMPUTED, SCREENED


class Worker(NamedTuple):
    """What is one worker's own."""

    scratch: Scratch
    change: Change


class Sizes(NamedTuple):
    """How much there is of what."""

    runs: int  # R
    k: int  # K
    tiles: int  # T
    wide: int  # H
    apart: int  # S
    room: int  # M
    gapped: bool  # whether gaps and anchors are kept
    limit: np.float32  # pairs a candidate above which a tile's products are computed from the features after all


class View(NamedTuple):
    """What is remembered of the points and of a batch of runs, from pass to pass."""

    known: Known
    firsts: np.ndarray  # (R + 1,) int64, where each run's centroids begin among the K
    columns: np.ndarray  # (R + 1,) int64, where its columns begin among the H
    rooms: np.ndarray  # (R + 1,) int64, where its kept products begin among the M
    labels: np.ndarray  # (R, N) int32, by position; -1: none yet
    exact: np.ndarray  # (K, d) float64, the centroids of this pass
    factors: Factors  # the same in the frame
    plain: Scores
    fine: Scores
    drift: Scores
    far: Scores
    anchors: Anchors
    gaps: Gaps
    sizes: Sizes


class Orders(NamedTuple):
    """What is to be done in a pass."""

    queue: np.ndarray  # (3,) int64, the next tile that is free, how many there are, how many to take at once
    many: np.ndarray  # (1,) int64, how many runs are active
    active: np.ndarray  # (R,) int64, their rows, the first so many
    modes: np.ndarray  # (R,) int8
    spare: np.ndarray  # (R,) float32, how far centroids may go until the next anchors: products are kept of what may be
    # candidates by then
    straight: np.ndarray  # (R,) int64, how many candidates of a tile are computed from the features at once, in a full
    # pass, without a look at the directions first


class Lens(NamedTuple):
    """How centroids are seen: the frame and the leading directions of the points."""

    offset: np.ndarray  # (d,) float64
    scale: float
    reference: np.ndarray  # (d,) float64
    directions: np.ndarray  # (d, p) float64
    d: int
    p: int  # a multiple of 16
    width: int  # bytes of a row in products of bytes; 0 where they are not used
    step: float  # of the grain
    rates: Rates


class Within(NamedTuple):
    """Points and centroids whose distances are of interest where they are small."""

    k: int
    lengths: np.ndarray  # (n,) float64, |x'|^2
    below: np.ndarray  # (n,) float64, the limits, in the frame
    exact: np.ndarray  # (k, d) float64, the centroids
    factors: Factors  # the same in the frame
    norms: np.ndarray  # (k,) float64, their lengths there
    squares: np.ndarray  # (k,) float64
    slopes: np.ndarray  # (k,) float64, of the products
    floors: np.ndarray  # (k,) float64
    floor: float  # float64's, relative to (|x'| + |c'|)^2


def room_of(k: int, d: int, bytewise: bool, grained: bool = False) -> Scratch:
    """Room for one worker, for tiles and k rows; bytewise: points are bytes, grained: they are rounded to such."""
    return Scratch(
        lanes=apart(0 if bytewise else TILE * d, np.float32),
        quads=apart(TILE * width_of(d, bytewise or grained), np.uint8),
        out=apart(TILE * k, np.float32),
        upper=apart(TILE * k, np.float32),
        chosen=apart(k, np.int64),
        near=apart(k, np.float32),
        others=apart(k, np.int64),
        kept=apart(k, np.int64),
        least=apart(TILE, np.float32),
        found=apart(TILE, np.int32),
        starts=apart(16, np.int64),
    )


def change_of(limbs: int, k: int, d: int, runs: int, dtype: Any) -> Change:
    """No change yet, for one worker; the sums are of this type."""
    counts, touched = apart(k, np.int64), apart(k, np.uint8)
    return Change(apart((limbs, k, d), dtype), counts, touched, apart((WORKS, runs), np.int64))


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
    """Zeros for one worker alone: no line of the cache, nor the one beside it, is shared with what others write."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape)) * kind.itemsize
    room = np.zeros(size + 2 * _LINES, np.uint8)
    start = -room.ctypes.data % _LINES
    return room[start : start + size].view(kind).reshape(shape)
