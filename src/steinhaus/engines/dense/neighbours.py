"""Neighbours: the centroids near each point. A full pass lists them, and later passes begin from them.

See `bounds.neighbours`. A later pass multiplies each point with the centroid of its last label. This leaves of its list
only what may be nearer by now. Of all other centroids, only those that have moved far need products. These are about
the same for all points. So they stand side by side, in the order of their moves. Each tile is screened by as many of
them as any of its points needs.
"""

from __future__ import annotations

from steinhaus.engines.bounds.neighbours import SKIN, THINNEST, limit, needed, risen, whole
from steinhaus.engines.dense.certifying import decide
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.group_records import Group, Neighbours
from steinhaus.engines.dense.records import View
from steinhaus.engines.dense.slices import RunSlice, Single, Source, Tile
from steinhaus.jit.build import apart, inner
from steinhaus.jit.operations import bits_of, count_ones, load, lowest_one, maximum, splat, store
from steinhaus.jit.short import lengthened, shortened
from steinhaus.jit.types import Array, f32, f64, i32, i64, u32

INFINITY = float("inf")


@apart
def list_neighbours(s: Source, view: View, group: Group, slot: i64, run: RunSlice, taken: i64) -> None:
    """List the neighbours of a tile's points, after a full pass.

    taken: number of the tile's candidates; `settle` may have found sharper bounds of these. If the lists have no room,
    the skin gets thinner. If this does not help, nothing is listed, and the next pass is a full one for this tile.
    """
    neighbours, room, share = view.neighbours, view.sizes.room, f32(SKIN)
    rest, ends = neighbours.rest + TILE * run.at_tile, neighbours.ends + TILE * run.at_tile
    names, upper = neighbours.names + room * run.at_tile, neighbours.upper + room * run.at_tile
    for g in range(0, TILE, 16):
        store(rest, g, splat(-INFINITY, f32, 16))
    many, pairs = within(s, group, slot, share, rest)
    while pairs > room and share > THINNEST:
        share *= f32(0.5)
        many, pairs = within(s, group, slot, share, rest)
    if pairs > room:
        many = 0
        for g in range(0, TILE, 16):
            store(rest, g, splat(INFINITY, f32, 16))
    spread_pairs(s, group, slot, many, taken, names, upper, ends)
    for p in range(i64(ends[TILE - 1])):
        names[p] -= i32(run.first)


@apart
def spread_pairs(
    s: Source,
    group: Group,
    slot: i64,
    many: i64,
    taken: i64,
    names: Array[i32],
    upper: Array[f32],
    ends: Array[i32],
) -> None:
    """Write the centroids that `within` has found, and their upper bounds, lane by lane.

    many: what it returned; taken: number of candidates in `scratch`, whose upper bounds may be sharper; names, upper:
    of as many pairs as there are; ends: (32,) the end of each lane's pairs.
    """
    scratch, t = s.scratch, 0
    _begin(s, many, ends)
    for o in range(many):
        c, reached = scratch.others[o], u32(scratch.kept[o])
        j = i64(group.near[c])
        sharper = t < taken and scratch.chosen[t] == j  # both are in the same order
        for g in range(0, TILE, 16):
            if sharper:
                store(scratch.near, g, load(scratch.upper, TILE * t + g, 16))
            else:
                store(scratch.near, g, whole(lengthened(load(group.short, TILE * c + g, 16))))
        if sharper:
            t += 1
        while reached:
            lane = lowest_one(reached)
            reached = reached & (reached - 1)
            to = i64(ends[lane])
            names[to], upper[to], ends[lane] = i32(j), scratch.near[lane], i32(to + 1)


@apart
def within(s: Source, group: Group, slot: i64, share: f32, rest: Array[f32]) -> tuple[i64, i64]:
    """Find the centroids within a skin: numbers in the group in `others`, and the lanes in `kept`, as bits.

    rest: (32,) R_i, which is raised. Returns how many there are, and how many lanes they have together.
    """
    scratch, many, pairs, start = s.scratch, 0, 0, group.most * slot
    for g in range(0, TILE, 16):
        at = TILE * slot + g
        store(rest, g, maximum(limit(load(group.least, at, 16), load(group.sizes, at, 16), share), load(rest, g, 16)))
    short0, short1 = shortened(load(rest, 0, 16)), shortened(load(rest, 16, 16))
    for c in range(start, start + group.nears[slot]):
        reached = bits_of(load(group.short, TILE * c, 16) >= short0)
        reached = reached | bits_of(load(group.short, TILE * c + 16, 16) >= short1) << u32(16)
        if reached:
            scratch.others[many], scratch.kept[many] = c, i64(reached)
            many += 1
            pairs += count_ones(reached)
    return many, pairs


@inner
def _begin(s: Source, many: i64, ends: Array[i32]) -> None:
    """Write where each lane's list begins into `ends`, (32,), for the lanes of `many` centroids in `kept`."""
    for lane in range(TILE):
        ends[lane] = i32(0)
    for o in range(many):
        reached = u32(s.scratch.kept[o])
        while reached:
            ends[lowest_one(reached)] += i32(1)
            reached = reached & (reached - 1)
    at = i32(0)
    for lane in range(TILE):
        length = ends[lane]
        ends[lane] = at
        at += length


@inner
def moved_far(s: Source, view: View, group: Group, slot: i64, number: i64, r: i64) -> i64:
    """How many centroids of a run, in the order of their moves, may be nearest to a point that does not list them.

    number: of the tile.
    """
    neighbours, k, least = view.neighbours, view.firsts[r + 1] - view.firsts[r], f64(INFINITY)
    most, rest = neighbours.most + view.firsts[r], neighbours.rest + TILE * (number * view.sizes.runs + r)
    for lane in range(min(TILE, s.x.rows.n - TILE * number)):
        least = min(least, needed(group.least[TILE * slot + lane], rest[lane]))
    low, high = 0, k
    while low < high:
        middle = (low + high) // 2
        if most[middle] < least:
            high = middle
        else:
            low = middle + 1
    return low


@apart
def label_by_neighbours(s: Source, view: View, group: Group, slot: i64, tile: Tile, run: RunSlice) -> i64:
    """Label the points of a tile, from their lists and what moved far; return the number of products of points.

    The tile must have been screened by what `moved_far` counts.
    """
    scratch, neighbours, labels, products = s.scratch, view.neighbours, view.labels + TILE * run.at_tile, 0
    single = Single(view.exact, view.factors, view.single)
    if view.sketches.m > 0:
        many, start = _take_up_sketched(s, neighbours, group, slot), 0
    else:
        many, start = _take_up_far(s, neighbours, group, slot), 0
    for lane in range(TILE):
        end, own = i64(neighbours.ends[TILE * run.at_tile + lane]), run.first + i64(labels[lane])
        if (tile.present >> u32(lane)) & u32(1):
            found = _open(s, view, group, slot, run, lane, own, start, end)
            for o in range(many):
                if (scratch.kept[o] >> lane) & 1 and scratch.others[o] != own:
                    scratch.chosen[found], scratch.near[found] = scratch.others[o], scratch.upper[TILE * o + lane]
                    found += 1
            if found > 1:
                for c in range(found):
                    scratch.own[c] = c
                low = group.least[TILE * slot + lane]
                own, more = decide(s, tile.base + lane, single, found, 1, low, scratch.chosen, scratch.near, 1)
                products += more
            scratch.found[lane] = i32(own - run.first)
        start = end
    return products


@inner
def _open(
    s: Source, view: View, group: Group, slot: i64, run: RunSlice, lane: i64, own: i64, start: i64, end: i64
) -> i64:
    """List the centroid of a lane's last label, and those of its neighbours that may be nearer: `chosen`, and bounds in
    `near`. Returns how many there are. start, end: of the lane's list. Neighbours that moved far are left out.
    """
    scratch, neighbours, found = s.scratch, view.neighbours, 1
    names, upper = neighbours.names + view.sizes.room * run.at_tile, neighbours.upper + view.sizes.room * run.at_tile
    low, length = group.least[TILE * slot + lane], group.sizes[TILE * slot + lane]
    scratch.chosen[0], scratch.near[0] = own, f32(INFINITY)
    for p in range(start, end):
        j = run.first + i64(names[p])
        if j != own and neighbours.place[j] >= group.upto[slot]:
            bound = risen(upper[p], length, neighbours.size[j], neighbours.rise[j])
            if not bound < low:
                scratch.chosen[found], scratch.near[found] = j, bound
                found += 1
    return found


@inner
def _take_up_far(s: Source, neighbours: Neighbours, group: Group, slot: i64) -> i64:
    """List what moved far and may be nearest to a lane: `others`, upper bounds in `upper`, and the lanes in `kept`."""
    scratch, many, start = s.scratch, 0, group.most * slot
    low0, low1 = load(group.least, TILE * slot, 16), load(group.least, TILE * slot + 16, 16)
    for c in range(start, start + group.listed[slot]):
        upper0, upper1 = load(group.upper, TILE * c, 16), load(group.upper, TILE * c + 16, 16)
        reached = ~(bits_of(low0 > upper0) | bits_of(low1 > upper1) << u32(16))
        if reached:
            store(scratch.upper, TILE * many, upper0)
            store(scratch.upper, TILE * many + 16, upper1)
            scratch.others[many], scratch.kept[many] = neighbours.order[group.chosen[c]], i64(reached)
            many += 1
    return many


@inner
def _take_up_sketched(s: Source, neighbours: Neighbours, group: Group, slot: i64) -> i64:
    """See `_take_up_far`, for centroids that were compared by sketches."""
    scratch, rest = s.scratch, group.top + TILE * slot
    for g in range(0, TILE, 16):
        store(rest, g, splat(-INFINITY, f32, 16))
    many, _pairs = within(s, group, slot, f32(0.0), rest)
    for o in range(many):
        c = scratch.others[o]
        for g in range(0, TILE, 16):
            store(scratch.upper, TILE * o + g, whole(lengthened(load(group.short, TILE * c + g, 16))))
        scratch.others[o] = neighbours.order[group.near[c]]
    return many
