"""Screen all centroids of a run with one byte a feature of each (`bounds.bytes`), for points rounded to bytes.

Products with the high bytes alone take half the time of products with both. More pairs stay open, which `settle` then
measures in float32.

A few tiles are screened together, so that the bytes of a block of centroids are read from the cache for all of them. A
centroid is listed for a tile if its upper bound reaches `least` of any lane: the best lower bound so far, less the
rounding of the distances that would settle the lane. `take_up` leaves those that reach it in the end. Centroids that
may become neighbours of a point (see `neighbours`) are set aside, with bounds of 16 bits.
"""

from __future__ import annotations

from steinhaus.engines.bounds.bytes import WIDER
from steinhaus.engines.bounds.neighbours import SKIN, limit
from steinhaus.engines.dense.factors import TILE, Factors, Scores
from steinhaus.engines.dense.group_records import Group
from steinhaus.engines.dense.records import View
from steinhaus.engines.dense.slices import Source
from steinhaus.jit.build import apart, inner
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    add_byte_products,
    bits_of,
    convert,
    fma,
    largest,
    load,
    local,
    maximum,
    minimum,
    splat,
    store,
    vector,
    word,
    words,
)
from steinhaus.jit.short import shortened
from steinhaus.jit.target import BYTE_LANES, BYTE_TILES
from steinhaus.jit.tiles import add_tile_products, load_tile, store_tile, zero_tile
from steinhaus.jit.types import Array, boolean, f32, i8, i32, i64, literal, u8, u32

INFINITY = float("inf")
_BLOCK = 32  # centroids


@inner
def enter(s: Source, group: Group, slot: i64, base: i64) -> None:
    """Make the tile at `base` number `slot` of the group."""
    for side in range(0, TILE, 16):
        size = load(s.tiles.norms, base + side, 16) + s.tiles.reach
        store(group.sizes, TILE * slot + side, size)
        store(group.margins, TILE * slot + side, size * size * s.tiles.floor)


@inner
def set_aside(s: Source, group: Group, slot: i64) -> None:
    """Keep what `gather` found of a tile that is number `slot` of the group."""
    quads, scratch = TILE * ((s.x.rows.d + 63) // 64 * 64), s.scratch
    for at in range(0, quads, 64):
        store(group.quads, slot * quads + at, load(scratch.quads, at, 64))
    for side in range(0, TILE, 16):
        store(group.rests, TILE * slot + side, load(scratch.rests, side, 16))


@apart
def begin_lists(s: Source, group: Group, slot: i64, base: i64, labels: Array[i32], view: View, first: i64) -> None:
    """Begin with an empty list, and with the lower bounds of the lanes' last labels.

    base: of the tile; labels: (32,), less the run's first centroid; -1: no label yet.
    """
    group.listed[slot], group.nears[slot] = 0, 0
    for lane in range(TILE):
        at, norm, low = TILE * slot + lane, s.tiles.norms[base + lane], f32(-INFINITY)
        if labels[lane] >= 0:
            j = first + i64(labels[lane])
            score = s.readers.product(s.x, s.tiles.order[base + lane], view.factors, j) - view.single.half[j]
            low = score - (norm * view.single.slope[j] + view.single.floor[j]) - group.margins[at]
        group.least[at] = max(f32(-INFINITY), low)  # which is not a number if 0 was multiplied with infinity


@apart
def bound_by_halves(
    d: i64, group: Group, many: i64, factors: Factors, scores: Scores, first: i64, keeps: boolean
) -> None:
    """List rows, of centroids that may be the nearest of a lane, for `many` tiles of a group.

    A tile is compared with `upto` rows from `first` on. The lists must have been begun. keeps: whether centroids that
    may become neighbours are set aside; then rows are centroids.
    """
    width, most = (d + 63) // 64 * 64, 0
    for slot in range(many):
        most = max(most, group.upto[slot])
    for c in range(0, most, _BLOCK):
        for slot in range(many):
            if c < group.upto[slot]:
                rows, sums = min(_BLOCK, group.upto[slot] - c), group.sums + slot * (TILE * _BLOCK)
                byte_sums(group.quads + TILE * width * slot, width, factors.high + (first + c) * width, rows, sums)
        for slot in range(many):
            if c < group.upto[slot]:
                rows, sums = min(_BLOCK, group.upto[slot] - c), group.sums + slot * (TILE * _BLOCK)
                _list(group, slot, factors.scales, scores, first + c, rows, sums, keeps)


@apart
def _list(
    group: Group, slot: i64, scales: Array[f32], scores: Scores, first: i64, rows: i64, sums: Array[i32], keeps: boolean
) -> None:
    """List those of `rows` rows, from `first` on, whose upper bounds reach the best lower bounds so far.

    Their upper bounds are first those of the largest error of any lane, which take less time. scales: (K,);
    sums: (32 rows,) products; keeps: see `bound_by_halves`.
    """
    at, most, number, nears = TILE * slot, group.most, group.listed[slot], group.nears[slot]
    low, skin = local(vector(f32, 16), 2), local(vector(f32, 16), 2)
    for g in unroll(2):
        low[g] = load(group.least, at + 16 * g, 16)
        skin[g] = limit(low[g], load(group.sizes, at + 16 * g, 16), SKIN)
    _raise(group, at, scales, scores, first, rows)
    for e in range(rows):
        product0, product1 = convert(load(sums, TILE * e, 16), f32), convert(load(sums, TILE * e + 16, 16), f32)
        scale, raised = splat(group.scaled[e], f32, 16), splat(group.raised[e], f32, 16)
        upper0, upper1 = fma(product0, scale, raised), fma(product1, scale, raised)
        if keeps and (bits_of(skin[0] > upper0) & bits_of(skin[1] > upper1)) != u32(0xFFFF):
            store(group.short, TILE * (slot * most + nears), shortened(upper0))
            store(group.short, TILE * (slot * most + nears) + 16, shortened(upper1))
            group.near[slot * most + nears] = i32(first + e)
            nears += 1
        if (bits_of(low[0] > upper0) & bits_of(low[1] > upper1)) != u32(0xFFFF):
            j, upper = first + e, TILE * (slot * most + number)
            half, slope, lag, floor = scores.half[j], scores.slope[j], scores.lag[j], scores.floor[j]
            for g in unroll(2):
                size, rest = load(group.sizes, at + 16 * g, 16), load(group.rests, at + 16 * g, 16)
                score = convert(load(sums, TILE * e + 16 * g, 16), f32) * scale - half
                error = fma(size, slope, fma(rest, lag, splat(floor, f32, 16)))
                store(group.upper, upper + 16 * g, score + error)
                low[g] = maximum(score - error - load(group.margins, at + 16 * g, 16), low[g])
                skin[g] = limit(low[g], size, SKIN)
            group.chosen[slot * most + number] = i32(j)
            number += 1
    group.listed[slot], group.nears[slot] = number, nears
    for g in unroll(2):
        store(group.least, at + 16 * g, low[g])


@inner
def _raise(group: Group, at: i64, scales: Array[f32], scores: Scores, first: i64, rows: i64) -> None:
    """Write the largest error of any lane, less `half`, and the scale of the products, of each of `rows` centroids.

    at: of the tile's lanes in the group; scales: (K,).
    """
    size = largest(maximum(load(group.sizes, at, 16), load(group.sizes, at + 16, 16)))
    rest = largest(maximum(load(group.rests, at, 16), load(group.rests, at + 16, 16)))
    e = 0
    while rows - e >= 16:
        j = first + e
        error = fma(load(scores.slope, j, 16), size, fma(load(scores.lag, j, 16), rest, load(scores.floor, j, 16)))
        raised = error * WIDER - load(scores.half, j, 16)
        store(group.raised, e, minimum(raised, splat(INFINITY, f32, 16)))  # infinity, too, for 0 times infinity
        store(group.scaled, e, load(scales, j, 16) * 128.0)
        e += 16
    while e < rows:
        j = first + e
        most = scores.slope[j] * size + scores.lag[j] * rest + scores.floor[j]
        group.raised[e] = min(f32(INFINITY), most * f32(WIDER) - scores.half[j])
        group.scaled[e] = scales[j] * f32(128.0)
        e += 1


@apart
def take_up(s: Source, group: Group, slot: i64) -> i64:
    """Make what is listed and may be nearest a tile's candidates: `chosen`, `upper`, `least`. Returns how many."""
    scratch, many, start = s.scratch, 0, slot * group.most
    need = local(vector(f32, 16), 2)
    for g in unroll(2):
        need[g] = load(group.least, TILE * slot + 16 * g, 16)
        store(scratch.least, 16 * g, need[g])
    for c in range(start, start + group.listed[slot]):
        upper0, upper1 = load(group.upper, TILE * c, 16), load(group.upper, TILE * c + 16, 16)
        if (bits_of(need[0] > upper0) & bits_of(need[1] > upper1)) != u32(0xFFFF):
            store(scratch.upper, TILE * many, upper0)
            store(scratch.upper, TILE * many + 16, upper1)
            scratch.chosen[many] = i64(group.chosen[c])
            many += 1
    return many


@apart
def byte_sums(quads: Array[u8], width: i64, rows: Array[i8], count: i64, out: Array[i32]) -> None:
    """Write the sums of products of bytes of a tile with `count` rows, 32 a row: exact for up to 2^15 features.

    quads: (2, W / 4, 16, 4); width: W, a multiple of 64; rows: (count, W); out: (32 count,).
    """
    c = 0
    if BYTE_TILES:
        while count - c >= 32:
            _thirty_two(quads, width, rows + c * width, out + TILE * c)
            c += 32
    if BYTE_LANES > 0:
        for size in unroll(12, 0, -1):
            if size % 4 == 0 or size <= 2:  # 12, 8, 4, 2, 1
                while count - c >= size:
                    _few(size, quads, width, rows + c * width, out + TILE * c)
                    c += size


@apart
def _thirty_two(quads: Array[u8], width: i64, rows: Array[i8], out: Array[i32]) -> None:
    """See `byte_sums`, for 32 rows. Tiles 0 to 3 hold the sums: of sixteen rows each, and both groups of points."""
    for tile in unroll(4):
        zero_tile(tile)
    for t in range(0, width, 64):
        load_tile(4, rows, t, width)
        load_tile(6, quads, 16 * t, 64)
        load_tile(7, quads, 16 * width + 16 * t, 64)
        add_tile_products(0, 4, 6)
        add_tile_products(1, 4, 7)
        load_tile(5, rows, 16 * width + t, width)
        add_tile_products(2, 5, 6)
        add_tile_products(3, 5, 7)
    store_tile(0, out, 0, 128)
    store_tile(1, out, 16, 128)
    store_tile(2, out, 512, 128)
    store_tile(3, out, 528, 128)


@apart
def _few(size: literal, quads: Array[u8], width: i64, rows: Array[i8], out: Array[i32]) -> None:
    """See `byte_sums`, for `size` rows."""
    sums = local(vector(i32, 16), 2 * size)
    for s in unroll(2 * size):
        sums[s] = splat(0, i32, 16)
    for q in range(width // 4):
        a = words(quads, 64 * q, 16)
        b = words(quads, 16 * width + 64 * q, 16)
        for s in unroll(size):
            factor = splat(word(rows, s * width + 4 * q), i32, 16)
            sums[2 * s] = add_byte_products(sums[2 * s], a, factor)
            sums[2 * s + 1] = add_byte_products(sums[2 * s + 1], b, factor)
    for s in unroll(2 * size):
        store(out, 16 * s, sums[s])
