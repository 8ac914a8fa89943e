"""Compare points with centroids by sketches first (`bounds.sketches`), and by all features for pairs that are left.

Four tiles are screened together, as in `halved`. A centroid is set aside for a tile if its upper bound reaches the
limit of any lane. Limits follow from the best lower bounds so far. Sketches alone give no good lower bounds. So each
lane is multiplied with the centroid of its greatest upper bound, whenever that changes. In the end, the pairs that are
left are multiplied one by one: byte by byte, point by point.
"""

from __future__ import annotations

from steinhaus.engines.bounds.bytes import WIDER
from steinhaus.engines.bounds.neighbours import SKIN, THINNEST, limit
from steinhaus.engines.bounds.sketches import ceiling_of, floor_of
from steinhaus.engines.dense.certifying import decide
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.group_records import Group, Sketched
from steinhaus.engines.dense.halved import byte_sums
from steinhaus.engines.dense.neighbours import spread_pairs, within
from steinhaus.engines.dense.records import View
from steinhaus.engines.dense.slices import RunSlice, Single, Source, Tile
from steinhaus.jit.build import apart, inner
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    add_byte_products,
    bits_of,
    convert,
    fma,
    fold,
    largest,
    load,
    local,
    lowest_one,
    maximum,
    minimum,
    select,
    splat,
    store,
    transpose,
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
def put_in_rows(group: Group, slot: i64, d: i64) -> None:
    """Bring the bytes of a tile, which were set aside in quads, into rows: one point after the other."""
    width = (d + 63) // 64 * 64
    turned = local(vector(i32, 16), 16)
    for side in range(0, TILE, 16):
        quads, rows = group.quads + width * (TILE * slot + side), group.rows + width * (TILE * slot + side)
        for t in range(0, width, 64):
            for lane in unroll(16):
                turned[lane] = words(quads, 16 * t + 64 * lane, 16)
            transpose(turned)
            for lane in unroll(16):
                store(rows, width * lane + t, turned[lane])


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


@apart
def multiply(s: Source, view: View, group: Group, at: i64, j: i64) -> f32:
    """Multiply a lane with centroid j, by one byte a feature; raise the lane's lower bound; return the upper bound.

    at: of the lane in the group.
    """
    width = (s.x.rows.d + 63) // 64 * 64
    product = _product(group.rows + width * at, view.factors.high + width * j, width)
    halved, size, rest = view.halved, group.sizes[at], group.rests[at]
    score = f32(product) * (view.factors.scales[j] * f32(128.0)) - halved.half[j]
    error = size * halved.slope[j] + (rest * halved.lag[j] + halved.floor[j])
    group.least[at] = max(group.least[at], score - error - group.margins[at])
    return min(f32(INFINITY), score + error)  # infinity, too, for 0 times infinity


@inner
def _product(left: Array[u8], right: Array[i8], width: i64) -> i32:
    """The sum of the products of two rows of bytes, (W,) each."""
    a, b, t = splat(0, i32, 16), splat(0, i32, 16), 0
    if BYTE_LANES > 0:
        while width - t >= 128:
            a = add_byte_products(a, words(left, t, 16), words(right, t, 16))
            b = add_byte_products(b, words(left, t + 64, 16), words(right, t + 64, 16))
            t += 128
        if t < width:
            a = add_byte_products(a, words(left, t, 16), words(right, t, 16))
    return fold(a + b)


@apart
def find_pairs(s: Source, group: Group, slot: i64, share: f32, rest: Array[f32]) -> boolean:
    """Bring the pairs that sketches have left into `names`, `bounds` and `ends`. Returns whether they have room.

    rest: (32,) gets the limits of the lanes.
    """
    for g in range(0, TILE, 16):
        store(rest, g, splat(-INFINITY, f32, 16))
    many, pairs = within(s, group, slot, share, rest)
    if pairs > group.room:
        return False
    spread_pairs(s, group, slot, many, 0, group.names, group.bounds, group.ends)
    return True


@apart
def label_by_pairs(
    s: Source, view: View, group: Group, slot: i64, tile: Tile, run: RunSlice, share: f32, rest: Array[f32]
) -> tuple[i64, i64]:
    """Label the points of a tile by the pairs of `find_pairs`, after products with these.

    Pairs below the limit of a lane, which goes to `rest`, (32,), are dropped. Returns the number of pairs settled, and
    of products of bytes.
    """
    names, bounds, scratch = group.names, group.bounds, s.scratch
    single, start, settled, singles, to = Single(view.exact, view.factors, view.single), 0, 0, 0, 0
    for lane in range(TILE):
        at, end = TILE * slot + lane, i64(group.ends[lane])
        low = limit(group.least[at], group.sizes[at], share)
        for p in range(start, end):
            if not bounds[p] < low:
                bounds[p] = multiply(s, view, group, at, i64(names[p]))
                low = limit(group.least[at], group.sizes[at], share)
                singles += 1
        rest[lane], least, found, best = low, group.least[at], 0, 0
        for p in range(start, end):
            if not bounds[p] < low:
                if not bounds[p] < least:
                    scratch.chosen[found], scratch.near[found], scratch.others[found] = i64(names[p]), bounds[p], to
                    if bounds[p] > scratch.near[best]:  # the greatest upper bound first, so that few need a product
                        best = found
                    found += 1
                names[to], bounds[to] = names[p], bounds[p]
                to += 1
        start, group.ends[lane] = end, i32(to)
        if (tile.present >> u32(lane)) & u32(1):
            label = scratch.chosen[0]
            if found > 1:
                for c in range(found):
                    scratch.own[c] = c
                scratch.own[0], scratch.own[best] = best, 0
                label, more = decide(s, tile.base + lane, single, found, 0, least, scratch.chosen, scratch.near, 1)
                settled += more
                for c in range(found):
                    bounds[scratch.others[c]] = scratch.near[c]  # which are sharper now
            scratch.found[lane] = i32(label - run.first)
    return settled, singles


@apart
def keep_pairs(view: View, group: Group, slot: i64, run: RunSlice, rest: Array[f32]) -> None:
    """List the pairs that `label_by_pairs` has left as neighbours. If they have no room, the skin gets thinner.

    rest: (32,) the limits of the lanes.
    """
    neighbours, room, share = view.neighbours, view.sizes.room, f32(SKIN)
    many = i64(group.ends[TILE - 1])
    while many > room and share > THINNEST:
        share *= f32(0.5)
        many, start = 0, 0
        for lane in range(TILE):
            rest[lane] = max(limit(group.least[TILE * slot + lane], group.sizes[TILE * slot + lane], share), rest[lane])
            for p in range(start, i64(group.ends[lane])):
                many += i64(not group.bounds[p] < rest[lane])
            start = i64(group.ends[lane])
    to, start, places = room * run.at_tile, 0, TILE * run.at_tile
    for lane in range(TILE):
        neighbours.rest[places + lane] = rest[lane] if many <= room else f32(INFINITY)
        for p in range(start, i64(group.ends[lane])):
            if many <= room and not group.bounds[p] < rest[lane]:
                neighbours.names[to], neighbours.upper[to] = group.names[p] - i32(run.first), group.bounds[p]
                to += 1
        start = i64(group.ends[lane])
        neighbours.ends[places + lane] = i32(to - room * run.at_tile)
