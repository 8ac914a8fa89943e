"""Certify the lanes of a tile, and settle the others.

Notation as in `bounds`: z_i is point x_i in the frame, in float32. c_j is centroid j of the concatenated centroids of
all runs, and e_j is c_j in the frame, less the reference point.
"""

from __future__ import annotations

from steinhaus.engines.dense.factors import TILE, Scores
from steinhaus.engines.dense.records import BRUTE, PAIRS, Change, Framed, Tiles, View
from steinhaus.engines.dense.slices import RunSlice, Single, Source, Tile
from steinhaus.jit.build import apart, inner
from steinhaus.jit.operations import (
    as_bytes,
    bits_of,
    fma,
    load,
    lowest_one,
    maximum,
    prefetch,
    select,
    splat,
    store,
)
from steinhaus.jit.types import Array, f32, f64, i32, i64, u32

INFINITY = float("inf")


@apart
def bounds(
    s: Source, tile: Tile, run: RunSlice, scores: Scores, norms: Array[f32], chosen: Array[i64], count: i64
) -> u32:
    """Turn the products of a tile into upper bounds; return the lanes that are not certified, as bits.

    A lane is certified if its best lower bound exceeds the upper bounds of all other centroids by more than the
    rounding of the distances that would settle it. `least` gets the bound that a candidate's upper bound must reach.
    `found` gets the centroid of the best lower bound, less the run's first.

    norms: (N,) the norms by which slopes are multiplied. chosen: (K,), of which the first `count` are candidates.
    """
    tiles, scratch, out = s.tiles, s.scratch, s.scratch.out
    opened = u32(0)
    for group in range(2):
        side = 16 * group
        norm = load(norms, tile.base + side, 16)
        residual = load(tiles.residuals, tile.base + side, 16)
        low = splat(-INFINITY, f32, 16)
        high = splat(-INFINITY, f32, 16)
        second = splat(-INFINITY, f32, 16)
        label = splat(0, i32, 16)
        for c in range(count):
            j, at = chosen[c], TILE * c + side
            score = load(out, at, 16) - scores.half[j]
            error = fma(norm, scores.slope[j], fma(residual, scores.lag[j], scores.floor[j]))
            lower, above = score - error, score + error
            store(scratch.upper, at, above)
            better = lower > low
            second = maximum(second, select(better, high, above))
            high = select(better, above, high)
            low = select(better, lower, low)
            label = select(better, splat(i32(j - run.first), i32, 16), label)
        size = load(tiles.norms, tile.base + side, 16) + tiles.reach
        need = low - size * size * tiles.floor
        store(scratch.least, side, need)
        store(scratch.found, side, label)
        opened = opened | (u32(0xFFFF) & ~bits_of(need > second)) << u32(side)
    return opened


@apart
def uppers(
    s: Source, tile: Tile, scores: Scores, norms: Array[f32], chosen: Array[i64], count: i64, place: i64
) -> None:
    """Turn the products of a tile, from number `place` on, into upper bounds alone.

    norms: (N,), chosen: (K,), as in `bounds`.
    """
    out, upper = s.scratch.out + TILE * place, s.scratch.upper + TILE * place
    for group in range(2):
        side = 16 * group
        norm, residual = load(norms, tile.base + side, 16), load(s.tiles.residuals, tile.base + side, 16)
        for c in range(count):
            j, at = chosen[c], TILE * c + side
            score = load(out, at, 16) - scores.half[j]
            error = fma(norm, scores.slope[j], fma(residual, scores.lag[j], scores.floor[j]))
            store(upper, at, score + error)


@apart
def list_open(s: Source, count: i64, opened: u32) -> i64:
    """List the candidates c whose upper bound reaches `least` in an open lane; return their number.

    `others` gets the candidates, and `kept` these lanes, as bits.
    """
    scratch, many = s.scratch, 0
    need0, need1 = load(scratch.least, 0, 16), load(scratch.least, 16, 16)
    for c in range(count):
        below = bits_of(need0 > load(scratch.upper, TILE * c, 16))
        below = below | bits_of(need1 > load(scratch.upper, TILE * c + 16, 16)) << u32(16)
        if opened & ~below:
            scratch.others[many] = c
            scratch.kept[many] = i64(opened & ~below)
            many += 1
    return many


# Single points


@inner
def fetch(x: Framed, tiles: Tiles, base: i64, lanes: u32) -> None:
    """Prefetch the features of the points in some lanes of the tile at `base`; lanes: as bits."""
    values = as_bytes(x.rows.values)
    while lanes:
        at = tiles.order[base + lowest_one(lanes)] * x.row_bytes
        lanes = lanes & (lanes - 1)
        for byte in range(0, x.row_bytes, 64):
            prefetch(values, at + byte)


@apart
def settle(s: Source, position: i64, lane: i64, single: Single, many: i64) -> tuple[i64, i64]:
    """Settle one point among the candidates that `list_open` listed for its lane.

    Returns the centroid, and the number of products.
    """
    scratch, own, pairs, top, bit = s.scratch, s.scratch.own, 0, f32(-INFINITY), i64(1) << lane
    upper = scratch.upper + lane
    for o in range(many):
        if scratch.kept[o] & bit:
            c = scratch.others[o]
            own[pairs] = c
            if upper[TILE * c] > top:  # the greatest upper bound first, so that few others need a product
                own[pairs], own[0], top = own[0], c, upper[TILE * c]
            pairs += 1
    return decide(s, position, single, pairs, 0, f32(-INFINITY), scratch.chosen, upper, TILE)


@apart
def decide(
    s: Source,
    position: i64,
    single: Single,
    pairs: i64,
    known: i64,
    low: f32,
    chosen: Array[i64],
    upper: Array[f32],
    step: i64,
) -> tuple[i64, i64]:
    """Settle one point among the candidates own[p], p < pairs: a sharper screen, then float64.

    Candidate c is centroid chosen[c], chosen (K,), with the upper bound upper[step c], upper (step K,). A sharper one
    replaces it. known: how many of the first candidates have had products. low: the best lower bound so far. Returns
    the centroid, and the number of products.
    """
    tiles, scores, own = s.tiles, single.scores, s.scratch.own
    i, norm, looked, left = tiles.order[position], tiles.norms[position], 0, 0
    margin = (norm + tiles.reach) * (norm + tiles.reach) * tiles.floor
    for p in range(known, pairs):
        c = own[p]
        if upper[step * c] >= low:
            j = chosen[c]
            looked += 1
            score = s.readers.product(s.x, i, single.factors, j) - scores.half[j]
            error = norm * scores.slope[j] + scores.floor[j]
            low = max(low, score - error - margin)
            upper[step * c] = score + error
    for p in range(pairs):
        if upper[step * own[p]] >= low:
            own[left] = own[p]
            left += 1
    label = chosen[own[0]]
    if left != 1:
        least = f64(INFINITY)
        for p in range(left):
            j = chosen[own[p]]
            distance = s.readers.distance(s.x, i, single.exact, j)
            if distance < least or (distance == least and j < label):
                least, label = distance, j
    return label, looked


@apart
def nearest(s: Source, i: i64, exact: Array[f64], first: i64, k: i64) -> i64:
    """The nearest of k centroids from `first` on, less `first`, by all distances. exact: (K, d)."""
    best, label = f64(INFINITY), 0
    for j in range(k):
        distance = s.readers.distance(s.x, i, exact, first + j)
        if distance < best:
            best, label = distance, j
    return label


@apart
def settle_lanes(
    s: Source, view: View, change: Change, tile: Tile, run: RunSlice, mode: i64, opened: u32, many: i64
) -> None:
    """Settle the open lanes: among their candidates, or among all centroids of the run if nothing was screened."""
    fetch(s.x, s.tiles, tile.base, opened)
    pairs, single = 0, Single(view.exact, view.factors, view.single)
    while opened:
        lane = lowest_one(opened)
        opened = opened & (opened - 1)
        if mode == BRUTE:
            label = nearest(s, s.tiles.order[tile.base + lane], view.exact, run.first, run.k)
            looked = run.k
        else:
            label, looked = settle(s, tile.base + lane, lane, single, many)
            label -= run.first
        s.scratch.found[lane] = i32(label)
        pairs += looked
    change.work[PAIRS * view.sizes.runs + run.run] += pairs
