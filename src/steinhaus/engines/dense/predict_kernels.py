"""Kernels for labels of points that are not fitted: they screen and settle tiles in the order of the points.

Products are summed with features in lanes, for four points and up to six centroids at a time. So points need not be
transposed, which would take longer than the products if there are few centroids.
"""

from __future__ import annotations

from typing import NamedTuple

from steinhaus.engines.bounds.rounding import CHAIN, norm_above
from steinhaus.engines.bounds.scores import FAR
from steinhaus.engines.dense.certifying import bounds, list_open, nearest, settle
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.records import TILE, Factors, Framed, Scores, Scratch, Tiles
from steinhaus.engines.dense.slices import RunSlice, Source, Tile
from steinhaus.jit.annotations import Array, f32, f64, i32, i64
from steinhaus.jit.build import apart, inner, kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import fma, fold, load, local, lowest_one, splat, vector
from steinhaus.jit.types import literal, u32


class Sought(NamedTuple):
    """The centroids, in the forms that the screens need."""

    k: i64
    width: i64  # d rounded up to a multiple of 16
    placed: Array[f32]  # (k, width) the centroids in the frame, filled up with zeros
    factors: Factors  # the same for single points
    plain: Scores  # bounds for products of tiles
    single: Scores  # bounds for products of single points
    exact: Array[f64]  # (k, d) the centroids
    stretch: f64  # factor that makes a computed norm an upper bound
    four: Array[f32]  # (4, width) work space


@kernel
def label(
    points: Framed, readers: Readers, tiles: Tiles, sought: Sought, scratch: Scratch, first: i64, end: i64,
    labels: Array[i32],
) -> i64:  # fmt: skip
    """Label the points first <= i < end: by products of all features, or by distances if these leave a point open.

    Returns the first point that is not finite, or n. tiles: a record for one tile, the worker's own. labels: (n,).
    """
    k, width, n = sought.k, sought.width, points.rows.n
    s = Source(points, readers, tiles, scratch)
    run = RunSlice(0, 0, k, 0, 0, 0, 0, 0, scratch.out)
    for j in range(k):
        scratch.chosen[j] = j
    for base in range(first, end, TILE):
        present = min(TILE, end - base)
        for lane in range(0, present, 4):
            for q in range(4):
                i = min(base + lane + q, n - 1)
                tiles.norms[lane + q] = readers.place(points, i, width, sought.four + q * width)
            _products(sought.four, sought.placed, width, k, scratch.out + lane)
        beyond = u32(0)
        for lane in range(present):
            tiles.order[lane] = base + lane
            norm = f32(norm_above(f64(tiles.norms[lane]), sought.stretch))
            if not norm < FAR:
                beyond = beyond | u32(1) << u32(lane)
                norm = 0.0
            tiles.norms[lane] = norm
        tile = Tile(0, 0, u32(0), f32(0.0))
        opened = bounds(s, tile, run, sought.plain, tiles.norms, scratch.chosen, k)
        many = list_open(s, k, opened)
        opened = (opened | beyond) & (u32(0xFFFFFFFF) >> u32(TILE - present))
        while opened:
            lane = lowest_one(opened)
            opened = opened & (opened - 1)
            if (beyond >> u32(lane)) & u32(1):
                if readers.is_finite(points, base + lane) == 0:
                    return base + lane
                scratch.found[lane] = i32(nearest(s, base + lane, sought.exact, 0, k))
            else:
                chosen, _pairs = settle(s, lane, lane, sought.exact, sought.factors, sought.single, many)
                scratch.found[lane] = i32(chosen)
        for lane in range(present):
            labels[base + lane] = scratch.found[lane]
    return n


@inner
def _products(points: Array[f32], rows: Array[f32], width: i64, k: i64, out: Array[f32]) -> None:
    """The products of four points with k rows. points: (4, width); rows: (k, width); out: row j's from 32 j on."""
    for j in range(k):
        for i in range(4):
            out[TILE * j + i] = 0.0
    tiles = (k + 5) // 6
    for first in range(0, width, CHAIN):
        end, j = min(first + CHAIN, width), 0
        for tile in range(tiles):
            size = (k - j) // (tiles - tile)
            at, to = rows + j * width, out + TILE * j
            for each in unroll(1, 7):
                if size == each:
                    _row_tile(each, points, at, width, first, end, to)
            j += size


@apart
def _row_tile(
    size: literal, points: Array[f32], rows: Array[f32], width: i64, first: i64, end: i64, out: Array[f32]
) -> None:
    """Add the products of four points with `size` rows over the features first <= t < end. Sums stay in registers.

    points: (4, width); rows: (size, width); out: row j's from 32 j on.
    """
    sums = local(vector(f32, 16), 4 * size)
    for s in unroll(4 * size):
        sums[s] = splat(0.0, f32, 16)
    here = local(vector(f32, 16), 4)
    for t in range(first, end, 16):
        for i in unroll(4):
            here[i] = load(points, i * width + t, 16)
        for j in unroll(size):
            row = load(rows, j * width + t, 16)
            for i in unroll(4):
                sums[4 * j + i] = fma(here[i], row, sums[4 * j + i])
    for j in unroll(size):
        for i in unroll(4):
            out[TILE * j + i] += fold(sums[4 * j + i])
