"""Compare points with centroids by sketches first (`bounds.sketches`), and by all features for pairs that are left.

Four tiles are screened together, as in `halved`. A centroid is set aside for a tile if its upper bound reaches the
limit of any lane. Limits follow from the best lower bounds so far. Sketches alone give no good lower bounds. So each
lane is multiplied with the centroid of its greatest upper bound, whenever that changes. In the end, the pairs that are
left are multiplied one by one (`pairs`).
"""

from __future__ import annotations

from steinhaus.engines.bounds.bytes import WIDER
from steinhaus.engines.bounds.neighbours import limit
from steinhaus.engines.bounds.sketches import ceiling_of, floor_of
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.group_records import Group, Sketched
from steinhaus.engines.dense.halved import byte_sums
from steinhaus.engines.dense.pairs import multiply
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
    lowest_one,
    maximum,
    minimum,
    select,
    splat,
    store,
    vector,
    word,
    words,
)
from steinhaus.jit.short import shortened
from steinhaus.jit.target import BYTE_LANES, BYTE_TILES
from steinhaus.jit.types import Array, boolean, f32, i8, i32, i64, literal, u8, u32

INFINITY = float("inf")
_BLOCK = 32  # centroids


@apart
def screen_by_sketches(
    s: Source,
    view: View,
    group: Group,
    many: i64,
    number: i64,
    sketched: Sketched,
    first: i64,
    share: f32,
    grows: boolean,
) -> i64:
    """Set aside the rows, of centroids that may be nearest to a lane or within its skin, for `many` tiles of a group.

    A tile is compared with `upto` rows of `sketched` from `first` on. Lower bounds must have been begun. number: of the
    first tile; share: of the skin, see `bounds.neighbours.limit`; grows: whether lower bounds grow by products with
    single points; then rows are centroids. Returns the number of these products.
    """
    m, most, singles = view.sketches.m, 0, 0
    for slot in range(many):
        most = max(most, group.upto[slot])
        for side in range(TILE * slot, TILE * (slot + 1), 16):
            store(group.top, side, splat(-INFINITY, f32, 16))
            store(group.best, side, splat(-1, i32, 16))
    for c in range(0, most, _BLOCK):
        high = sketched.factors.high + (first + c) * m
        for slot in range(many):
            if c < group.upto[slot]:
                rows, sums = min(_BLOCK, group.upto[slot] - c), group.sums + slot * (TILE * _BLOCK)
                _bias(view, group, slot, number + slot, sketched, first + c, rows, share)
                quads = view.sketches.quads + TILE * m * (number + slot)
                reached = _reached(quads, m, high, group.biases + _BLOCK * slot, group.needed, rows, sums)
                group.reached[slot] = i64(reached)
        for slot in range(many):
            if c < group.upto[slot] and group.reached[slot] != 0:
                sums = group.sums + slot * (TILE * _BLOCK)
                changed = _set_aside(view, group, slot, number + slot, sketched, first + c, sums, share)
                while grows and changed:
                    lane = lowest_one(changed)
                    changed = changed & (changed - 1)
                    multiply(s, view, group, TILE * slot + lane, i64(group.best[TILE * slot + lane]))
                    singles += 1
    return singles


@inner
def _bias(
    view: View, group: Group, slot: i64, number: i64, sketched: Sketched, first: i64, rows: i64, share: f32
) -> None:
    """Write what the sums of products of `rows` centroids, from `first` on, need as integers: biases and limits.

    With them come the largest errors of any lane but for its lag, less `half`. number: of the tile.
    """
    sketches, at, base = view.sketches, TILE * slot, TILE * number
    size = largest(maximum(load(group.sizes, at, 16), load(group.sizes, at + 16, 16)))
    off = largest(maximum(load(sketches.offs, base, 16), load(sketches.offs, base + 16, 16)))
    rest = largest(maximum(load(sketches.rests, base, 16), load(sketches.rests, base + 16, 16)))
    per_scale = f32(1.0) / sketched.factors.scales[first]
    for g in range(0, TILE, 16):
        low = limit(load(group.least, at + g, 16), load(group.sizes, at + g, 16), share)
        store(group.needed, g, floor_of(low, per_scale))
    for e in range(0, rows, 16):  # tables have room for sixteen more
        j = first + e
        error = fma(load(sketched.slope, j, 16), size, fma(load(sketched.ext, j, 16), off, load(sketched.floor, j, 16)))
        raised = minimum(error * WIDER - load(sketched.half, j, 16), splat(INFINITY, f32, 16))
        store(group.raised, _BLOCK * slot + e, raised)  # infinity, too, for 0 times infinity
        store(group.biases, _BLOCK * slot + e, ceiling_of(raised, load(sketched.lag, j, 16) * rest, per_scale))


@apart
def _reached(
    quads: Array[u8], m: i64, high: Array[i8], biases: Array[i32], needed: Array[i32], rows: i64, sums: Array[i32]
) -> u32:
    """Find the rows whose sums of products, with their biases, reach the limit of any lane: bits, and `sums`, (32, 32).

    quads: (2, m / 4, 16, 4), the sketches of a tile; high: (32, m); biases: (32,); needed: (32,).
    """
    c, reached = 0, u32(0)
    if BYTE_TILES and rows == _BLOCK:
        byte_sums(quads, m, high, _BLOCK, sums)
        low0, low1 = load(needed, 0, 16), load(needed, 16, 16)
        for e in range(_BLOCK):
            bias = splat(biases[e], i32, 16)
            sum0, sum1 = load(sums, TILE * e, 16) + bias, load(sums, TILE * e + 16, 16) + bias
            if (bits_of(sum0 >= low0) | bits_of(sum1 >= low1)) != u32(0):
                store(sums, TILE * e, sum0)
                store(sums, TILE * e + 16, sum1)
                reached = reached | u32(1) << u32(e)
        return reached
    for size in unroll(12, 0, -1):
        if size % 4 == 0 or size <= 2:  # 12, 8, 4, 2, 1
            while rows - c >= size:
                some = _few_reached(size, quads, m, high + c * m, biases + c, needed, sums + TILE * c)
                reached, c = reached | some << u32(c), c + size
    return reached


@apart
def _few_reached(
    size: literal, quads: Array[u8], m: i64, high: Array[i8], biases: Array[i32], needed: Array[i32], out: Array[i32]
) -> u32:
    """See `_reached`, for `size` rows. out: (size, 32)."""
    reached, sums = u32(0), local(vector(i32, 16), 2 * size)
    if BYTE_LANES > 0:
        for s in unroll(size):
            sums[2 * s], sums[2 * s + 1] = splat(biases[s], i32, 16), splat(biases[s], i32, 16)
        for q in range(m // 4):
            a, b = words(quads, 64 * q, 16), words(quads, 16 * m + 64 * q, 16)
            for s in unroll(size):
                factor = splat(word(high, s * m + 4 * q), i32, 16)
                sums[2 * s] = add_byte_products(sums[2 * s], a, factor)
                sums[2 * s + 1] = add_byte_products(sums[2 * s + 1], b, factor)
        low0, low1 = load(needed, 0, 16), load(needed, 16, 16)
        for s in unroll(size):
            if (bits_of(sums[2 * s] >= low0) | bits_of(sums[2 * s + 1] >= low1)) != u32(0):
                store(out, TILE * s, sums[2 * s])
                store(out, TILE * s + 16, sums[2 * s + 1])
                reached = reached | u32(2**s)
    return reached


@apart
def _set_aside(
    view: View, group: Group, slot: i64, number: i64, sketched: Sketched, first: i64, sums: Array[i32], share: f32
) -> u32:
    """Set aside those of the rows that `_reached` has found whose own upper bounds reach the limit of any lane.

    number: of the tile; first: of the rows; sums: (32, 32); share: see `screen_by_sketches`. Returns the lanes, as
    bits, whose greatest upper bound has changed.
    """
    at, base, most, nears = TILE * slot, TILE * number, group.most, group.nears[slot]
    skin, top, rest = local(vector(f32, 16), 2), local(vector(f32, 16), 2), local(vector(f32, 16), 2)
    best, before = local(vector(i32, 16), 2), local(vector(i32, 16), 2)
    for g in unroll(2):
        skin[g] = limit(load(group.least, at + 16 * g, 16), load(group.sizes, at + 16 * g, 16), share)
        top[g], rest[g] = load(group.top, at + 16 * g, 16), load(view.sketches.rests, base + 16 * g, 16)
        best[g] = load(group.best, at + 16 * g, 16)
        before[g] = best[g]
    scale, reached = splat(sketched.factors.scales[first], f32, 16), u32(group.reached[slot])
    while reached:
        e = lowest_one(reached)
        reached = reached & (reached - 1)
        bias, lag = group.biases[_BLOCK * slot + e], splat(sketched.lag[first + e], f32, 16)
        raised = splat(group.raised[_BLOCK * slot + e], f32, 16)
        product0, product1 = load(sums, TILE * e, 16) - bias, load(sums, TILE * e + 16, 16) - bias
        upper0 = fma(convert(product0, f32), scale, fma(rest[0], lag, raised))
        upper1 = fma(convert(product1, f32), scale, fma(rest[1], lag, raised))
        if (bits_of(skin[0] > upper0) & bits_of(skin[1] > upper1)) != u32(0xFFFF):
            store(group.short, TILE * (slot * most + nears), shortened(upper0))
            store(group.short, TILE * (slot * most + nears) + 16, shortened(upper1))
            group.near[slot * most + nears] = i32(first + e)
            nears += 1
            here = splat(i32(first + e), i32, 16)
            best[0], top[0] = select(upper0 > top[0], here, best[0]), maximum(top[0], upper0)
            best[1], top[1] = select(upper1 > top[1], here, best[1]), maximum(top[1], upper1)
    group.nears[slot] = nears
    for g in unroll(2):
        store(group.top, at + 16 * g, top[g])
        store(group.best, at + 16 * g, best[g])
    return bits_of(best[0] != before[0]) | bits_of(best[1] != before[1]) << u32(16)
