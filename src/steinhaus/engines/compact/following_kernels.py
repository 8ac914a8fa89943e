"""Labels for centroids of which few move. The nearest two of each point are known, and a bound for the others.

Order the centroids of a point by their squared distance, ties by number. Two of them are kept for each point, with
their distances: the nearest, and another one, usually the second nearest. `rest` is at most the distance of every other
centroid. If some centroids move, the point is compared with these and its own two. The nearest of them is the nearest
of all if its distance is below `rest`, and the same holds for the second nearest. If it is not below, the point is
compared with all centroids again. All bounds are distances that were computed, so they need no slack for rounding.

Points of the same cluster stand next to each other. A tile of points lies around a centre, which is the centroid of the
cluster when the run began to follow. Let a centroid be farther from the centre than the sum of the tile's radius and
the greatest `rest` of its points. Then it cannot be one of the nearest two, and its distance is not below `rest`. If
all centroids that moved are this far, and none of them is one of the two of any point, the tile is passed over.
"""

from __future__ import annotations

from math import inf, sqrt

import numpy as np

from steinhaus.engines.bounds.doubles import FAR, far_stretch
from steinhaus.engines.compact.kernels import put, put_down, take_over
from steinhaus.engines.compact.lanes import F64x16, I64x16, few_distances, many_distances
from steinhaus.engines.compact.records import FEW, GROUP, TILE, Followed, Labels, Lanes, Sites
from steinhaus.engines.exact import updating
from steinhaus.engines.exact.distances import squared_distance
from steinhaus.engines.exact.updating import Steps
from steinhaus.jit.build import apart, inlined, kernel
from steinhaus.jit.operations import (
    bits_of,
    convert,
    count_ones,
    largest,
    load,
    lowest_one,
    minimum,
    select,
    splat,
    store,
)
from steinhaus.jit.types import Array, Point, boolean, f64, i32, i64

FEW_LANES = 6  # up to this many lanes of a tile are compared one by one
NOBODY = -1  # stands for no centroid, at an infinite distance


@kernel
def follow(x: Lanes, run: Labels, near: Followed, limbs: i64, first: i64, end: i64, sites: Sites, k: i64) -> None:
    """Label the points of some tiles after the recorded centroids have moved."""
    follow_tiles(x, run, near, limbs, first, end, sites, k)


@kernel
def advance(
    x: Lanes, run: Labels, near: Followed, limbs: i64, k: i64, sites: Sites, steps: Steps, tolerance: f64, most: i64
) -> i64:
    """Do complete iterations; see `kernels.advance`."""
    tiles = (x.n + TILE - 1) // TILE
    for done in range(most):
        follow_tiles(x, run, near, limbs, 0, tiles, sites, k)
        if updating.update(run.sums, limbs, k, x.d, run.counts, sites.rows, steps, tolerance, done) == 0:
            forget_moves(near)
            return done
        _note(steps.following, k, x.d, sites, near)
    return most


@kernel
def note(following: Array[f64], k: i64, d: i64, sites: Sites, near: Followed) -> None:
    """Replace the centroids by `following`, (k, d), and record those that move."""
    _note(following, k, d, sites, near)


@inlined
def forget_moves(near: Followed) -> None:
    """Record that no centroid has moved."""
    for place in range(near.many[0]):
        near.moves[near.moved[place] + 1] = 0
    near.many[0] = 0


@apart
def _note(following: Array[f64], k: i64, d: i64, sites: Sites, near: Followed) -> None:
    """Replace the centroids by `following`, (k, d), and record those that move."""
    forget_moves(near)
    many = 0
    for j in range(k):
        for t in range(d):
            if following[j * d + t] != sites.rows[j * d + t]:
                near.moved[many] = j
                near.moves[j + 1] = 1
                many += 1
                break
    near.many[0] = many
    put(following, k, d, sites)
    measure_moved(near, sites, d)


@kernel
def measure(near: Followed, sites: Sites, d: i64) -> None:
    """Measure the distances of the centroids that moved from the centres of tiles."""
    measure_moved(near, sites, d)


@apart
def measure_moved(near: Followed, sites: Sites, d: i64) -> None:
    """See `measure`."""
    many = near.many[0]
    wide = (many + GROUP - 1) // GROUP * GROUP
    for place in range(wide):
        row = sites.rows + near.moved[min(place, many - 1)] * d
        for t in range(d):
            near.across[t * wide + place] = row[t]
    for c in range(near.many[1]):
        for first in range(0, wide, GROUP):
            total = splat(0.0, f64, GROUP)
            for t in range(d):
                e = near.centres[c * d + t] - load(near.across, t * wide + first, GROUP)
                total = total + e * e
            store(near.apart, c * wide + first, np.sqrt(total) * (1.0 - far_stretch(d)))


@kernel
def surround(x: Lanes, run: Labels, near: Followed, first: i64, end: i64) -> None:
    """Choose the centre of each tile, that of its first point's cluster, and measure the tile's radius."""
    for tile in range(first, end):
        centre = i64(run.labels[TILE * tile])
        near.centre[tile] = centre
        squared = _distances(x.values + TILE * x.d * tile, near.centres + centre * x.d, x.d, run.bounds)
        near.radius[tile] = sqrt(largest(squared)) * (1.0 + far_stretch(x.d)) + FAR


@kernel
def match(sites: Sites, k: i64, others: Array[f64], many: i64, d: i64, names: Array[i64], numbers: Array[i32]) -> None:
    """Match the k centroids with others, (many, d), that are equal. Each of them is matched once.

    names: (many,) new number -> old number; -1: a new centroid. numbers: (k,) old number -> new number; `NOBODY`: gone.
    """
    for i in range(k):
        numbers[i] = i32(NOBODY)
    likely = 0
    for j in range(many):
        names[j] = -1
        for turn in range(k):
            i = likely + turn if likely + turn < k else likely + turn - k
            if i64(numbers[i]) == NOBODY:
                t = 0
                while t < d and sites.rows[i * d + t] == others[j * d + t]:
                    t += 1
                if t == d:
                    names[j], numbers[i], likely = i, i32(j), i + 1
                    break
        likely = likely if likely < k else 0


@kernel
def renumber(run: Labels, near: Followed, numbers: Array[i32], n: i64) -> None:
    """Give the centroids of n points their new numbers, (k,). Centroids that are gone are at an infinite distance."""
    renumber_points(run, near, numbers, n)


@apart
def renumber_points(run: Labels, near: Followed, numbers: Array[i32], n: i64) -> None:
    """See `renumber`. numbers: (k,)."""
    for i in range(n):
        label, other = i64(run.labels[i]), i64(near.others[i])
        label = i64(numbers[label]) if label != NOBODY else NOBODY
        other = i64(numbers[other]) if other != NOBODY else NOBODY
        run.labels[i], near.others[i] = i32(label), i32(other)
        if label == NOBODY:
            near.firsts[i] = inf
        if other == NOBODY:
            near.seconds[i] = inf
        if near.firsts[i] == near.seconds[i] and other < label:
            near.rest[i] = 0.0  # a tie goes to the lower number: compared with all again


@apart
def follow_tiles(x: Lanes, run: Labels, near: Followed, limbs: i64, first: i64, end: i64, sites: Sites, k: i64) -> None:
    """See `follow`."""
    d, waiting, many = x.d, 0, near.many[0]
    for tile in range(first, end):
        values, at = x.values + TILE * d * tile, TILE * tile
        if largest(load(near.rest, at, TILE)) == 0.0:
            _compare(values, run, near, at, sites, k, d)
        else:
            found = _near_ones(run, near, tile, many, d)
            if not _concerned(run, near, at) and found == 0 and _unsure(near, at) == 0:
                continue
            _compare_moved(values, run, near, at, sites, found, d)
            _compare_some(values, run, near, at, sites, k, d, _unsure(near, at))
        waiting = take_over(x, values, run, tile, limbs, k, waiting)
    if waiting > 0:
        put_down(run, limbs, k * d)


@kernel
def complete(x: Lanes, run: Labels, near: Followed, first: i64, end: i64, sites: Sites, k: i64) -> None:
    """Make sure that the second centroid kept for each point of some tiles is the second nearest."""
    complete_tiles(x, run, near, first, end, sites, k)


@apart
def complete_tiles(x: Lanes, run: Labels, near: Followed, first: i64, end: i64, sites: Sites, k: i64) -> None:
    """See `complete`."""
    for tile in range(first, end):
        complete_lanes(x, run, near, tile, sites, k, 0xFFFF)


@inlined
def complete_lanes(x: Lanes, run: Labels, near: Followed, tile: i64, sites: Sites, k: i64, which: i64) -> None:
    """See `complete`. which: the points of the tile, a bit a lane."""
    at = TILE * tile
    unsure = which & ~i64(bits_of(load(near.seconds, at, TILE) < load(near.rest, at, TILE)))
    if unsure != 0:
        _compare_some(x.values + TILE * x.d * tile, run, near, at, sites, k, x.d, unsure)


@apart
def _compare_some(
    tile: Array[Point], run: Labels, near: Followed, at: i64, sites: Sites, k: i64, d: i64, which: i64
) -> None:
    """Find the nearest two of all centroids for some lanes of a tile: one by one if they are few, else all lanes.

    tile: (d, 16); which: a bit a lane.
    """
    if count_ones(which) > FEW_LANES:
        _compare(tile, run, near, at, sites, k, d)
        return
    left = which
    while left != 0:
        lane = lowest_one(left)
        left = left & (left - 1)
        row, out = run.some.rows, run.bounds
        for t in range(d):
            row[t] = f64(tile[TILE * t + lane])
        if d < FEW:
            distances_across(row, sites, k, d, out)
        else:
            for j in range(k):
                out[j] = squared_distance(row, sites.rows + j * d, d)
        best, second, rest = inf, inf, inf
        label, other = NOBODY, NOBODY
        for j in range(k):
            total = out[j]
            if total < rest:
                if total < second:
                    rest = second
                    if total < best:
                        second, other = best, label
                        best, label = total, j
                    else:
                        second, other = total, j
                else:
                    rest = total
        near.firsts[at + lane], near.seconds[at + lane], near.rest[at + lane] = best, second, rest
        near.others[at + lane] = i32(other)
        run.found[lane] = i32(label)


@apart
def distances_across(row: Array[f64], sites: Sites, k: i64, d: i64, out: Array[f64]) -> None:
    """The squared distances of a row to all centroids, summed in order. row: (d,); out: (k rounded up to 16,)."""
    wide = (k + GROUP - 1) // GROUP * GROUP
    for j in range(0, wide, GROUP):
        total = splat(0.0, f64, GROUP)
        for t in range(d):
            e = row[t] - load(sites.across, t * wide + j, GROUP)
            total = total + e * e
        store(out, j, total)


@apart
def _compare(tile: Array[Point], run: Labels, near: Followed, at: i64, sites: Sites, k: i64, d: i64) -> None:
    """Find the nearest two of all centroids for a tile's points, and the distance of the third. tile: (d, 16)."""
    best, second, rest = splat(inf, f64, TILE), splat(inf, f64, TILE), splat(inf, f64, TILE)
    label, other = splat(NOBODY, i64, TILE), splat(NOBODY, i64, TILE)
    for j in range(k):
        total = _distances(tile, sites.rows + j * d, d, run.bounds)
        name = splat(j, i64, TILE)
        nearer, among_two = total < best, total < second  # at a tie the lower number stays, which came first
        rest = minimum(rest, select(among_two, second, total))
        second = select(nearer, best, select(among_two, total, second))
        other = select(nearer, label, select(among_two, name, other))
        best, label = select(nearer, total, best), select(nearer, name, label)
    store(near.rest, at, rest)
    _keep(run, near, at, best, second, label, other)


@inlined
def _unsure(near: Followed, at: i64) -> i64:
    """The points of a tile whose first centroid may not be the nearest of all, a bit a lane."""
    return 0xFFFF & ~i64(bits_of(load(near.firsts, at, TILE) < load(near.rest, at, TILE)))


@inlined
def _near_ones(run: Labels, near: Followed, tile: i64, many: i64, d: i64) -> i64:
    """Write the centroids that moved and may be near a tile's points into `run.some.names`; return their number."""
    found, wide = 0, (many + GROUP - 1) // GROUP * GROUP
    limit = (near.radius[tile] + sqrt(largest(load(near.rest, TILE * tile, TILE)))) * (1.0 + far_stretch(d)) + FAR
    for first in range(0, many, GROUP):
        left = i64(bits_of(load(near.apart, near.centre[tile] * wide + first, GROUP) <= splat(limit, f64, GROUP)))
        if first + GROUP > many:
            left = left & ((1 << (many - first)) - 1)
        while left != 0:
            run.some.names[found] = near.moved[first + lowest_one(left)]
            found += 1
            left = left & (left - 1)
    return found


@inlined
def _concerned(run: Labels, near: Followed, at: i64) -> boolean:
    """Whether one of the two centroids of a tile's points has moved. Its distance is then forgotten."""
    any_moved = False
    for lane in range(at, at + TILE):
        if near.moves[i64(run.labels[lane]) + 1] != 0:
            near.firsts[lane] = inf
            any_moved = True
        if near.moves[i64(near.others[lane]) + 1] != 0:
            near.seconds[lane] = inf
            any_moved = True
    return any_moved


@apart
def _compare_moved(tile: Array[Point], run: Labels, near: Followed, at: i64, sites: Sites, found: i64, d: i64) -> None:
    """Find the nearest two among a point's old two and the centroids that `_near_ones` found. tile: (d, 16)."""
    rest, chosen = load(near.rest, at, TILE), run.some.names
    best, second = load(near.firsts, at, TILE), load(near.seconds, at, TILE)
    label, other = convert(load(run.labels, at, TILE), i64), convert(load(near.others, at, TILE), i64)
    nowhere, nobody = splat(inf, f64, TILE), splat(NOBODY, i64, TILE)
    gone = best == nowhere
    label, other = select(gone, other, label), select(gone | (second == nowhere), nobody, other)
    best, second = select(gone, second, best), select(gone, nowhere, second)
    label = select(best == nowhere, nobody, label)
    for place in range(found):
        j = chosen[place]
        total = _distances(tile, sites.rows + j * d, d, run.bounds)
        name = splat(j, i64, TILE)
        nearer = (total < best) | ((total == best) & (name < label))
        among_two = (total < second) | ((total == second) & (name < other))
        rest = minimum(rest, select(among_two, second, total))
        second = select(nearer, best, select(among_two, total, second))
        other = select(nearer, label, select(among_two, name, other))
        best, label = select(nearer, total, best), select(nearer, name, label)
    store(near.rest, at, rest)
    _keep(run, near, at, best, second, label, other)


@inlined
def _distances(tile: Array[Point], row: Array[f64], d: i64, work: Array[f64]) -> F64x16:
    """The squared distances of a tile's points to a row. tile: (d, 16); row: (d,); work: (16,)."""
    if d < FEW:
        store(work, 0, few_distances(tile, row, d))
    else:
        store(work, 0, many_distances(tile, row, d))
        store(work, 8, many_distances(tile + 8, row, d))
    return load(work, 0, TILE)


@inlined
def _keep(run: Labels, near: Followed, at: i64, best: F64x16, second: F64x16, label: I64x16, other: I64x16) -> None:
    store(near.firsts, at, best)
    store(near.seconds, at, second)
    store(near.others, at, convert(other, i32))
    store(run.found, 0, convert(label, i32))
