"""Greedy k-means++ on points of many features in lanes: as `seeding_kernels`, with scores before distances.

Four candidates at a time are compared with a tile by scores in float64. Distances are measured only if the scores allow
a point to be nearer to a candidate than to all rows chosen so far: see `bounds.doubles`. They are kept, so the
candidate that is chosen need not be compared again.
"""

from __future__ import annotations

from steinhaus.engines.bounds.doubles import score_floor, score_stretch
from steinhaus.engines.compact.lanes import F64x16, I64x16, many_distances, square_of
from steinhaus.engines.compact.records import BOX, GROUP, TILE, TOGETHER, Draw, Lanes
from steinhaus.engines.compact.seeding_kernels import count, draw_candidates, pick, read, times
from steinhaus.jit.build import apart, inlined, inner, kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    bits_of,
    convert,
    fma,
    fold,
    largest,
    load,
    local,
    maximum,
    minimum,
    splat,
    store,
    vector,
)
from steinhaus.jit.types import Array, Point, f64, i64


@kernel
def choose(x: Lanes, values: Array[Point], draw: Draw, k: i64, trials: i64, bits: i64, words: i64) -> i64:
    """See `seeding_kernels.choose`."""
    groups = (x.n + TILE * BOX * GROUP - 1) // (TILE * BOX * GROUP)
    known = 0.0
    for place in range(draw.state[0]):
        read(values, x.d, draw.chosen[place], draw.rows)
        _take_first(x, draw)
    while draw.state[0] < k:
        many, scale = draw_candidates(x, draw, groups, trials, bits, words, known)
        if many <= 0:
            return -many
        known = scale
        _choose_among(x, values, draw, groups, many, k, trials, scale)
    return 0


@inner
def _choose_among(
    x: Lanes, values: Array[Point], draw: Draw, groups: i64, many: i64, k: i64, trials: i64, scale: f64
) -> None:
    """Choose rows while enough of the candidates are valid. values: (n, d) the points as rows."""
    first, tiles = pick(draw, 0, many, trials), (x.n + TILE - 1) // TILE
    while draw.state[0] < k and first >= 0:
        for m in range((trials + TOGETHER - 1) // TOGETHER * TOGETHER):
            row, square = draw.rows + m * x.d, 0.0
            read(values, x.d, draw.candidates[draw.picked[min(m, trials - 1)]], row)
            for t in range(x.d):
                square += row[t] * row[t]
            draw.halves[m] = square / 2.0
        for m in range(trials):
            draw.gains[m] = 0
        for tile in range(tiles):
            _look(x, draw, tile, tiles, trials, scale)
        best = 0
        for m in range(1, trials):
            if draw.gains[m] < draw.gains[best]:
                best = m
        draw.chosen[draw.state[0]] = draw.candidates[draw.picked[best]]
        draw.state[0] += 1
        _take(x, draw, best, tiles)
        count(x, draw, groups, scale, False)
        first = pick(draw, first, many, trials)


@apart
def _look(x: Lanes, draw: Draw, tile: i64, tiles: i64, trials: i64, scale: f64) -> None:
    """Add the changes of a tile's integers to the gains of all candidates."""
    d, values = x.d, x.values + TILE * x.d * tile
    square, closest = load(draw.squares, TILE * tile, TILE), load(draw.closest, TILE * tile, TILE)
    for first in range(0, trials, TOGETHER):
        row = draw.rows + first * d
        products = local(vector(f64, 16), 4)
        for s in unroll(TOGETHER):
            products[s] = splat(0.0, f64, TILE)
        for t in range(d):
            value = convert(load(values, TILE * t, TILE), f64)
            for s in unroll(TOGETHER):
                products[s] = fma(value, row[s * d + t], products[s])
        for s in unroll(TOGETHER):
            half = draw.halves[first + s]
            margin = (square + 2.0 * half) * score_stretch(d) + score_floor(d)
            least = (square + 2.0 * (half - products[s])) - margin
            draw.nearer[(first + s) * tiles + tile] = 0xFFFF & ~i64(bits_of(least >= closest))
    for m in range(trials):
        if draw.nearer[m * tiles + tile] != 0:
            _measure(x, draw, tile, tiles, m, scale)


@inner
def _measure(x: Lanes, draw: Draw, tile: i64, tiles: i64, m: i64, scale: f64) -> None:
    """Measure one candidate's distances to the points that may be nearer to it, and add to its gain."""
    values, row, left = x.values + TILE * x.d * tile, draw.rows + m * x.d, draw.nearer[m * tiles + tile]
    near, before = draw.away + TILE * (m * tiles + tile), load(draw.closest, TILE * tile, TILE)
    store(near, 0, before)
    for half in unroll(2):
        if (left >> (8 * half)) & 0xFF != 0:
            measured = many_distances(values + 8 * half, row, x.d)
            store(near, 8 * half, minimum(measured, load(near, 8 * half, 8)))
    after = load(near, 0, TILE)
    draw.nearer[m * tiles + tile] = i64(bits_of(after < before))
    draw.gains[m] += fold(_integers(draw, after, tile, scale) - _integers(draw, before, tile, scale))


@inlined
def _integers(draw: Draw, closest: F64x16, tile: i64, scale: f64) -> I64x16:
    return convert(times(draw, closest, tile) * scale, i64)


@inner
def _take(x: Lanes, draw: Draw, m: i64, tiles: i64) -> None:
    """Choose a candidate: its distances, which are kept, update the nearest ones."""
    for box in range((x.n + TILE * BOX - 1) // (TILE * BOX)):
        changed, most = 0, splat(0.0, f64, TILE)
        for tile in range(BOX * box, min(BOX * (box + 1), tiles)):
            if draw.nearer[m * tiles + tile] != 0:
                store(draw.closest, TILE * tile, load(draw.away, TILE * (m * tiles + tile), TILE))
                changed += 1
            most = maximum(most, times(draw, load(draw.closest, TILE * tile, TILE), tile))
        if changed != 0:
            draw.most[box] = largest(most)
            draw.inside[box] = -1


@inner
def _take_first(x: Lanes, draw: Draw) -> None:
    """Choose the first of `rows`: measure its distances, and the points' squared norms."""
    tiles = (x.n + TILE - 1) // TILE
    for box in range((x.n + TILE * BOX - 1) // (TILE * BOX)):
        most = splat(0.0, f64, TILE)
        for tile in range(BOX * box, min(BOX * (box + 1), tiles)):
            values, at = x.values + TILE * x.d * tile, TILE * tile
            for half in unroll(2):
                measured = many_distances(values + 8 * half, draw.rows, x.d)
                store(draw.closest, at + 8 * half, minimum(load(draw.closest, at + 8 * half, 8), measured))
            store(draw.squares, at, square_of(values, x.d))
            most = maximum(most, times(draw, load(draw.closest, at, TILE), tile))
        draw.far[box], draw.most[box], draw.inside[box] = 0.0, largest(most), -1
