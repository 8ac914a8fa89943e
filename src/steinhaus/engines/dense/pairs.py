"""Pairs of a point and a centroid that sketches have left: multiplied one by one, then labelled and listed.

Points are multiplied as bytes, by one byte a feature of a centroid. See `sketched`, and `bounds.bytes`.
"""

from __future__ import annotations

from steinhaus.engines.bounds.neighbours import SKIN, THINNEST, limit
from steinhaus.engines.dense.certifying import decide
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.group_records import Group
from steinhaus.engines.dense.neighbours import spread_pairs, within
from steinhaus.engines.dense.records import View
from steinhaus.engines.dense.slices import RunSlice, Single, Source, Tile
from steinhaus.jit.build import apart, inner
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    add_byte_products,
    fold,
    local,
    splat,
    store,
    transpose,
    vector,
    words,
)
from steinhaus.jit.target import BYTE_LANES
from steinhaus.jit.types import Array, boolean, f32, i8, i32, i64, u8, u32

INFINITY = float("inf")


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
