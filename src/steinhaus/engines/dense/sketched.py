"""Compare points with centroids by sketches first (`bounds.sketches`), and by all features where these leave a pair open.

Four tiles are screened together, as in `halved`. A centroid is set aside for a tile if its upper bound reaches the
limit of any lane. Limits follow from the best lower bounds so far. Sketches alone give no good lower bounds. So each
lane is multiplied with the centroid of its greatest upper bound, whenever that changes. In the end, the pairs that are
left are multiplied one by one: byte by byte, point by point.
"""

from __future__ import annotations

from steinhaus.engines.bounds.bytes import WIDER
from steinhaus.engines.bounds.neighbours import SKIN, THINNEST, limit
from steinhaus.engines.dense.certifying import decide
from steinhaus.engines.dense.halved import byte_sums
from steinhaus.engines.dense.neighbours import spread_pairs, within
from steinhaus.engines.dense.records import TILE, Group, Sketched, View
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
    words,
)
from steinhaus.jit.short import shortened
from steinhaus.jit.target import BYTE_LANES
from steinhaus.jit.types import Array, boolean, f32, f64, i8, i32, i64, u8, u32

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
    s: Source, view: View, group: Group, many: i64, number: i64, sketched: Sketched, first: i64, share: f32, grows: boolean
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
        for slot in range(many):
            if c < group.upto[slot]:
                rows, sums = min(_BLOCK, group.upto[slot] - c), group.sums + slot * (TILE * _BLOCK)
                quads = view.sketches.quads + TILE * m * (number + slot)
                byte_sums(quads, m, sketched.factors.high + (first + c) * m, rows, sums)
        for slot in range(many):
            if c < group.upto[slot]:
                rows, sums = min(_BLOCK, group.upto[slot] - c), group.sums + slot * (TILE * _BLOCK)
                changed = _set_aside(view, group, slot, number + slot, sketched, first + c, rows, sums, share)
                while grows and changed:
                    lane = lowest_one(changed)
                    changed = changed & (changed - 1)
                    multiply(s, view, group, TILE * slot + lane, i64(group.best[TILE * slot + lane]))
                    singles += 1
    return singles


@apart
def _set_aside(
    view: View,
    group: Group,
    slot: i64,
    number: i64,
    sketched: Sketched,
    first: i64,
    rows: i64,
    sums: Array[i32],
    share: f32,
) -> u32:
    """Set aside those of `rows` rows, from `first` on, whose upper bounds reach the limit of any lane.

    number: of the tile; sums: (32 rows,) products; share: see `screen_by_sketches`. Returns the lanes, as bits, whose
    greatest upper bound has changed.
    """
    at, base, most, nears = TILE * slot, TILE * number, group.most, group.nears[slot]
    skin, top, rest = local(vector(f32, 16), 2), local(vector(f32, 16), 2), local(vector(f32, 16), 2)
    best, before = local(vector(i32, 16), 2), local(vector(i32, 16), 2)
    for g in unroll(2):
        skin[g] = limit(load(group.least, at + 16 * g, 16), load(group.sizes, at + 16 * g, 16), share)
        top[g], rest[g] = load(group.top, at + 16 * g, 16), load(view.sketches.rests, base + 16 * g, 16)
        best[g] = load(group.best, at + 16 * g, 16)
        before[g] = best[g]
    _raise(view, group, at, base, sketched, first, rows)
    for e in range(rows):
        product0, product1 = convert(load(sums, TILE * e, 16), f32), convert(load(sums, TILE * e + 16, 16), f32)
        scale, raised = splat(group.scaled[e], f32, 16), splat(group.raised[e], f32, 16)
        lag = splat(sketched.lag[first + e], f32, 16)
        upper0 = fma(product0, scale, fma(rest[0], lag, raised))
        upper1 = fma(product1, scale, fma(rest[1], lag, raised))
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


@inner
def _raise(view: View, group: Group, at: i64, base: i64, sketched: Sketched, first: i64, rows: i64) -> None:
    """Write the largest error of any lane but for its lag, less `half`, and the scales, of each of `rows` centroids.

    at: of the tile's lanes in the group; base: of the tile.
    """
    offs = view.sketches.offs
    size = largest(maximum(load(group.sizes, at, 16), load(group.sizes, at + 16, 16)))
    off = largest(maximum(load(offs, base, 16), load(offs, base + 16, 16)))
    e = 0
    while rows - e >= 16:
        j = first + e
        error = fma(load(sketched.slope, j, 16), size, fma(load(sketched.ext, j, 16), off, load(sketched.floor, j, 16)))
        raised = error * WIDER - load(sketched.half, j, 16)
        store(group.raised, e, minimum(raised, splat(INFINITY, f32, 16)))  # infinity, too, for 0 times infinity
        store(group.scaled, e, load(sketched.factors.scales, j, 16))
        e += 16
    while e < rows:
        j = first + e
        most = sketched.slope[j] * size + sketched.ext[j] * off + sketched.floor[j]
        group.raised[e] = min(f32(INFINITY), most * f32(WIDER) - sketched.half[j])
        group.scaled[e] = sketched.factors.scales[j]
        e += 1


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
        rest[lane], least, found, top = low, group.least[at], 0, f32(-INFINITY)
        for p in range(start, end):
            if not bounds[p] < low:
                names[to], bounds[to] = names[p], bounds[p]
                to += 1
                if not bounds[p] < least:
                    scratch.chosen[found], scratch.near[found] = i64(names[p]), bounds[p]
                    if bounds[p] > top:  # the greatest upper bound first, so that few others need a product
                        scratch.chosen[found], scratch.near[found] = scratch.chosen[0], scratch.near[0]
                        scratch.chosen[0], scratch.near[0], top = i64(names[p]), bounds[p], bounds[p]
                    found += 1
        start, group.ends[lane] = end, i32(to)
        if (tile.present >> u32(lane)) & u32(1):
            label = scratch.chosen[0]
            if found > 1:
                for c in range(found):
                    scratch.own[c] = c
                label, more = decide(s, tile.base + lane, single, found, 0, least, scratch.chosen, scratch.near, 1)
                settled += more
            scratch.found[lane] = i32(label - run.first)
    return settled, singles


@apart
def keep_pairs(view: View, group: Group, slot: i64, run: RunSlice, rest: Array[f32]) -> None:
    """Make lists of neighbours of the pairs that `label_by_pairs` has left. If they have no room, the skin gets thinner.

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
