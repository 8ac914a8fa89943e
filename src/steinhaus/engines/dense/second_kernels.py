"""Kernels for the second nearest centroids of points: bounds by products of all features, and distances."""

from __future__ import annotations

from typing import NamedTuple

from steinhaus.engines.bounds.gaps import second_is_open
from steinhaus.engines.bounds.margins import half_margin_above, half_margin_below
from steinhaus.engines.dense.factors import TILE, Factors, Scores
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.products import full_products
from steinhaus.engines.dense.records import Framed, Gaps, Scratch, Tiles
from steinhaus.jit.annotations import Array, f32, f64, i32, i64
from steinhaus.jit.build import apart, inner, kernel
from steinhaus.jit.operations import fma, largest, load, maximum, select, splat, store
from steinhaus.jit.tiles import begin_tiles, end_tiles

INFINITY = float("inf")


class Sought(NamedTuple):
    """The centroids of a run, and what is known of them."""

    k: i64
    factors: Factors  # the centroids in the frame
    scores: Scores  # bounds for products of tiles
    gapped: i64  # whether gaps leave centroids out
    column: i64  # the run's first column of the gaps
    wide: i64  # columns of the gaps
    gaps: Gaps
    run: i64  # the run's row among the R
    runs: i64  # R
    beside: Array[i32]  # (k,) the nearest other centroid of each, if gaps are used
    labels: Array[i32]  # (N,) by position, the nearest centroids
    least: Array[f32]  # (N,) at most half of the margins, in the frame
    most: Array[f32]  # (N,) at least half of them
    guess: Array[i32]  # (N,) the second nearest centroids, or -1 if the bounds leave several


class Measured(NamedTuple):
    """Points whose distances to the nearest two centroids are measured."""

    k: i64
    centroids: Array[f64]  # (k, d)
    rows: Array[i64]  # (m,) the points
    labels: Array[i32]  # (n,) the nearest centroids
    guess: Array[i32]  # (n,) the second nearest, or -1: all are measured
    nearest: Array[f64]  # (m,) the squared distances
    second: Array[f64]  # (m,)


@kernel
def find(
    points: Framed, readers: Readers, tiles: Tiles, sought: Sought, scratch: Scratch, first: i64, end: i64
) -> None:
    """Bound half of the margin of each point of the tiles first <= tile < end, and guess its second centroid."""
    begin_tiles()
    for tile in range(first, end):
        readers.gather(points, tiles, TILE * tile, scratch)
        count = sought.k
        if sought.gapped != 0:
            count = _select(points, tiles, sought, scratch, tile)
        else:
            for j in range(count):
                scratch.chosen[j] = j
            full_products(points, scratch, sought.factors, scratch.chosen, count, scratch.out)
        _bound(tiles, sought, scratch, TILE * tile, count)
    end_tiles()


@inner
def _select(points: Framed, tiles: Tiles, sought: Sought, scratch: Scratch, tile: i64) -> i64:
    """List the centroids that can be nearest or second nearest in `chosen`, with their products; return their number.

    Labels and their nearest others give every lane a limit. Gaps leave out the centroids beyond it.
    """
    base, k, chosen, seen = TILE * tile, sought.k, scratch.chosen, scratch.kept
    for j in range(k):
        seen[j] = 0
    for lane in range(TILE):
        own = i64(sought.labels[base + lane])
        seen[own] = 1
        seen[i64(sought.beside[own])] = 1
    count = 0
    for j in range(k):
        if seen[j] != 0:
            chosen[count] = j
            count += 1
    full_products(points, scratch, sought.factors, chosen, count, scratch.out)
    _bound(tiles, sought, scratch, base, count)
    spared = 2.0 * f64(largest(maximum(load(sought.most, base, 16), load(sought.most, base + 16, 16))))
    size = f64(largest(maximum(load(tiles.norms, base, 16), load(tiles.norms, base + 16, 16))) + tiles.reach)
    gaps, at, few = sought.gaps, sought.column, count
    for j in range(k):
        if seen[j] == 0:
            since = size * f64(gaps.travelled[at + j]) + f64(gaps.risen[at + j])
            since += f64(gaps.fallen[tile * sought.runs + sought.run])
            if second_is_open(f64(gaps.gaps[sought.wide * tile + at + j]), since, spared):
                chosen[count] = j
                count += 1
    full_products(points, scratch, sought.factors, chosen + few, count - few, scratch.out + TILE * few)
    return count


@apart
def _bound(tiles: Tiles, sought: Sought, scratch: Scratch, base: i64, count: i64) -> None:
    """See `find`, for the tile at `base` and the first `count` of the centroids in `chosen`."""
    scores, out = sought.scores, scratch.out
    for group in range(2):
        side = 16 * group
        norm, own = load(tiles.norms, base + side, 16), load(sought.labels, base + side, 16)
        own_low = splat(-INFINITY, f32, 16)
        own_above = splat(-INFINITY, f32, 16)
        low = splat(-INFINITY, f32, 16)
        high = splat(-INFINITY, f32, 16)
        rest = splat(-INFINITY, f32, 16)
        label = splat(-1, i32, 16)
        nothing = splat(-INFINITY, f32, 16)
        for c in range(count):
            j = scratch.chosen[c]
            score = load(out, TILE * c + side, 16) - scores.half[j]
            error = fma(norm, scores.slope[j], scores.floor[j])
            lower, above = score - error, score + error
            ours = own == splat(i32(j), i32, 16)
            own_low, own_above = select(ours, lower, own_low), select(ours, above, own_above)
            lower, above = select(ours, nothing, lower), select(ours, nothing, above)
            better = lower > low
            rest = maximum(rest, select(better, high, above))
            high = select(better, above, high)
            low = select(better, lower, low)
            label = select(better, splat(i32(j), i32, 16), label)
        size = norm + tiles.reach
        floor = size * size * tiles.floor
        store(sought.least, base + side, half_margin_below(own_low, maximum(high, rest), floor))
        store(sought.most, base + side, half_margin_above(own_above, low, floor))
        store(sought.guess, base + side, select(low - floor > rest, label, splat(-1, i32, 16)))


@kernel
def measure(points: Framed, readers: Readers, wanted: Measured, first: i64, end: i64) -> None:
    """Measure the squared distances of the points rows[r], first <= r < end, to their nearest two centroids."""
    for r in range(first, end):
        i = wanted.rows[r]
        own, other = i64(wanted.labels[i]), i64(wanted.guess[i])
        wanted.nearest[r] = readers.distance(points, i, wanted.centroids, own)
        if other >= 0:
            wanted.second[r] = readers.distance(points, i, wanted.centroids, other)
        else:
            limit = f64(INFINITY)
            for j in range(wanted.k):
                if j != own:
                    limit = min(limit, readers.distance(points, i, wanted.centroids, j))
            wanted.second[r] = limit
