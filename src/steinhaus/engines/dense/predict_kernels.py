"""Kernels for labels of points that are not fitted: they screen and settle tiles in the order of the points."""

from __future__ import annotations

from typing import NamedTuple

from steinhaus.engines.bounds.rounding import norm_above
from steinhaus.engines.bounds.scores import FAR
from steinhaus.engines.dense.certifying import nearest, settle
from steinhaus.engines.dense.factors import TILE, Factors, Scores
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.records import Framed, Scratch, Tiles
from steinhaus.engines.dense.screening import bound_by_features, certify
from steinhaus.engines.dense.slices import RunSlice, Single, Source, Tile
from steinhaus.jit.annotations import Array, f32, f64, i32, i64
from steinhaus.jit.build import kernel
from steinhaus.jit.operations import lowest_one
from steinhaus.jit.tiles import begin_tiles, end_tiles
from steinhaus.jit.types import u32


class Sought(NamedTuple):
    """The centroids, in the forms that the screens need."""

    k: i64
    factors: Factors  # the centroids in the frame
    plain: Scores  # bounds for products of tiles
    single: Scores  # bounds for products of single points
    exact: Array[f64]  # (k, d) the centroids
    stretch: f64  # factor that makes a computed norm an upper bound


@kernel
def label(
    points: Framed, readers: Readers, tiles: Tiles, sought: Sought, scratch: Scratch, first: i64, end: i64,
    labels: Array[i32],
) -> i64:  # fmt: skip
    """Label the points first <= i < end: by products of all features, or by distances if these leave a point open.

    Returns the first point that is not finite, or n. tiles: a record for one tile, the worker's own. labels: (n,).
    """
    k, n = sought.k, points.rows.n
    s = Source(points, readers, tiles, scratch)
    single = Single(sought.exact, sought.factors, sought.single)
    run = RunSlice(0, 0, k, 0, 0, 0, 0, 0, scratch.out)
    for j in range(k):
        scratch.chosen[j] = j
    begin_tiles()
    for base in range(first, end, TILE):
        present = min(TILE, end - base)
        for lane in range(TILE):
            tiles.order[lane] = min(base + lane, n - 1)
        readers.gather(points, tiles, 0, scratch)
        beyond = u32(0)
        for lane in range(present):
            norm = f32(norm_above(f64(readers.square(points, base + lane)), sought.stretch))
            if not norm < FAR:
                beyond = beyond | u32(1) << u32(lane)
                norm = 0.0
            tiles.norms[lane] = norm
        tile = Tile(0, 0, u32(0), f32(0.0))
        bound_by_features(s, tile, sought.factors, sought.plain, tiles.norms, k, False)
        opened, many = certify(s, run, k, False)
        opened = (opened | beyond) & (u32(0xFFFFFFFF) >> u32(TILE - present))
        while opened:
            lane = lowest_one(opened)
            opened = opened & (opened - 1)
            if (beyond >> u32(lane)) & u32(1):
                if readers.is_finite(points, base + lane) == 0:
                    end_tiles()
                    return base + lane
                scratch.found[lane] = i32(nearest(s, base + lane, sought.exact, 0, k))
            else:
                chosen, _pairs = settle(s, lane, lane, single, many)
                scratch.found[lane] = i32(chosen)
        for lane in range(present):
            labels[base + lane] = scratch.found[lane]
    end_tiles()
    return n
