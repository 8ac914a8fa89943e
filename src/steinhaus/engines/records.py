"""What the kernels are handed: records of arrays, and the room they work in.

Shapes: n points, d features, R runs, K centroids of all runs together, T tiles, N = 32 T >= n, p directions. A tile is
32 consecutive points, in two groups of 16 lanes.

Outer kernels take arrays; inner ones take addresses (`simd.pointer`), indexed like the flat array, because an array
passed between compiled functions costs two atomic updates of its reference count, more than the work on a tile:
`rows_at` and its like turn the one into the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus import simd as v
from steinhaus.compiled import inlined

TILE = 32
MANY_SLOTS = 255  # anchors' products that a tile can keep of a run: their numbers are bytes
# Rows of `Change.work`: points that changed their label; pairs settled; tiles whose features were needed; rows of
# products computed from the features of a tile, and from the directions.
MOVED, PAIRS, SPREADS, COMPUTED, SCREENED = range(5)
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
    slopes: np.ndarray  # (K,) float64, of the products
    slots: np.ndarray  # (T, H) uint8: which product of the tile is that with a_j, from 1; 0: it is not kept
    used: np.ndarray  # (R, T) uint8: how many are kept
    products: np.ndarray  # (T, M, 32) float32, x_i . a_j


class Gaps(NamedTuple):
    """What is out of the question for whole tiles: see `screening`, "Gaps".

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
    others: np.ndarray  # (2, K) int64, candidates whose products are not kept, and those whose are
    least: np.ndarray  # (32,) float32
    found: np.ndarray  # (32,) int32
    starts: np.ndarray  # (16,) int64


class Change(NamedTuple):
    """What one worker's part of an assignment changes in the tallies."""

    sums: np.ndarray  # (limbs, K, d) int64, or int32 where no sum of a pass can overflow it
    counts: np.ndarray  # (K,) int64
    touched: np.ndarray  # (K,) uint8
    work: np.ndarray  # (5, R) int64, what was done: MOVED, PAIRS, SPREADS, COMPUTED, SCREENED


def room_of(k: int, d: int, bytewise: bool) -> Scratch:
    """Room for one worker, for tiles and k rows."""
    return Scratch(
        lanes=apart(0 if bytewise else TILE * d, np.float32),
        quads=apart(TILE * width_of(d, bytewise), np.uint8),
        out=apart(TILE * k, np.float32),
        upper=apart(TILE * k, np.float32),
        chosen=apart(k, np.int64),
        near=apart(k, np.float32),
        others=apart((2, k), np.int64),
        least=apart(TILE, np.float32),
        found=apart(TILE, np.int32),
        starts=apart(16, np.int64),
    )


def change_of(limbs: int, k: int, d: int, runs: int, dtype: Any) -> Change:
    """No change yet, for one worker; the sums are of this type."""
    counts, touched = apart(k, np.int64), apart(k, np.uint8)
    return Change(apart((limbs, k, d), dtype), counts, touched, apart((5, runs), np.int64))


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


@inlined
def rows_at(x):
    """Rows by address."""
    return Rows(
        v.pointer(x.values), x.n, x.d, x.integers, v.pointer(x.offset), x.scale, v.pointer(x.grid_offset),
        v.pointer(x.per_step),
    )  # fmt: skip


@inlined
def known_at(known):
    """Known by address."""
    return Known(
        v.pointer(known.order), v.pointer(known.norms), v.pointer(known.residuals), v.pointer(known.projections),
        known.p, known.reach, known.floor,
    )  # fmt: skip


@inlined
def scores_at(scores):
    """Scores by address."""
    return Scores(
        v.pointer(scores.rows), v.pointer(scores.half), v.pointer(scores.slope), v.pointer(scores.lag),
        v.pointer(scores.floor),
    )  # fmt: skip


@inlined
def factors_at(factors):
    """Factors by address."""
    return Factors(v.pointer(factors.rows), v.pointer(factors.limbs), v.pointer(factors.scales))
