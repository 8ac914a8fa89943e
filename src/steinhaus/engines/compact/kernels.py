"""Kernels for points in lanes. They fill the lanes, add points up, and label them, also for many iterations at once."""

from __future__ import annotations

from math import inf

from steinhaus.engines.compact.lanes import candidates, distances, gather, integers, nearest, row_at
from steinhaus.engines.compact.records import BOX, GROUP, TILE, TOGETHER, Cells, Labels, Lanes, Sites
from steinhaus.engines.exact import limbs as wide
from steinhaus.engines.exact import updating
from steinhaus.engines.exact.rows import short
from steinhaus.engines.exact.updating import Steps
from steinhaus.jit.build import apart, inlined, inner, kernel
from steinhaus.jit.operations import (
    bits_of,
    convert,
    floating,
    fold,
    largest,
    least,
    load,
    local,
    lowest_one,
    maximum,
    minimum,
    small_integer,
    splat,
    store,
)
from steinhaus.jit.types import Array, Point, f64, i64

BLOCK = 512  # tiles that can be added up before a sum may overflow: 2^13 points of 2^48 each, in and out


@kernel
def turn(rows: Array[Point], x: Lanes, first: i64, end: i64, lowest: Array[f64], highest: Array[f64]) -> i64:
    """Bring some tiles into lanes, and find the range of each feature; return 1 if a value is not finite, else 0.

    rows: (n, d). lowest, highest: (d, 16), the least and greatest value of each feature in each lane, in place.
    """
    d, bad, starts = x.d, splat(0.0, f64, TILE), local(i64, 16)
    for tile in range(first, end):
        to = x.values + TILE * d * tile
        for lane in range(TILE):
            starts[lane] = row_at(x, TILE * tile + lane) * d
        gather(rows, starts, d, to)
        if not small_integer(Point):
            for t in range(d):
                value = convert(load(to, TILE * t, TILE), f64)
                store(lowest, TILE * t, minimum(load(lowest, TILE * t, TILE), value))
                store(highest, TILE * t, maximum(load(highest, TILE * t, TILE), value))
                if floating(Point):
                    bad = bad + (value - value)
    return 0 if fold(bad) == 0.0 else 1


@kernel
def totals(x: Lanes, first: i64, end: i64, inside: Array[i64], sums: Array[i64], squares: Array[i64]) -> None:
    """Add up the grid's integers q of some tiles, at most `BLOCK`, and their squares.

    sums: (2, d), high and low limbs. squares: (3, 2, d), the sums of a^2, 2ab and b^2 of q = a 2^24 + b, each as a high
    and a low limb. inside: (16,), a mask of the last tile's points.
    """
    d = x.d
    for t in range(d):
        total, upper = splat(0, i64, TILE), splat(0, i64, TILE)
        across, lower = splat(0, i64, TILE), splat(0, i64, TILE)
        for tile in range(first, end):
            q = integers(x, x.values + TILE * d * tile, t)
            if TILE * (tile + 1) > x.n:
                q = q & load(inside, 0, TILE)
            a, b = short(q >> 24), short(q & 0xFFFFFF)
            total = total + q
            upper = upper + a * a
            across = across + 2 * (a * b)
            lower = lower + b * b
        _add(sums, 0, d, t, fold(total >> 32), fold(total & 0xFFFFFFFF))
        _add(squares, 0, d, t, fold(upper >> 32), fold(upper & 0xFFFFFFFF))
        _add(squares, 2, d, t, fold(across >> 32), fold(across & 0xFFFFFFFF))
        _add(squares, 4, d, t, fold(lower >> 32), fold(lower & 0xFFFFFFFF))


@inlined
def _add(sums: Array[i64], part: i64, d: i64, t: i64, high: i64, low: i64) -> None:
    # sums: (parts, d); the low limb is in the part after that of the high limb.
    sums[part * d + t] += high
    sums[(part + 1) * d + t] += low


@kernel
def enclose(x: Lanes, first: i64, end: i64) -> None:
    """Find the bounds of some boxes. Boxes after the last one get bounds that no row is near."""
    d, tiles = x.d, (x.n + TILE - 1) // TILE
    for box in range(first, end):
        for t in range(d):
            low, high = splat(inf, f64, TILE), splat(-inf, f64, TILE)
            for tile in range(BOX * box, min(BOX * (box + 1), tiles)):
                value = convert(load(x.values, TILE * (d * tile + t), TILE), f64)
                low, high = minimum(low, value), maximum(high, value)
            at = (box // GROUP * d + t) * GROUP + box % GROUP
            x.low[at], x.high[at] = least(low), largest(high)


@kernel
def keys(x: Lanes, first: i64, end: i64, cells: Cells, bits: i64, out: Array[i64]) -> None:
    """Write the number of each point's cell, so that cells with near numbers are near. out: (16 tiles,)."""
    for tile in range(first, end):
        key = splat(0, i64, TILE)
        for b in range(bits):
            t = cells.feature[b]
            value = convert(load(x.values, TILE * (x.d * tile + t), TILE), f64)
            place = minimum((value - cells.low[t]) * cells.scale[t], splat(cells.most[t], f64, TILE))
            cell = convert(maximum(place, splat(0.0, f64, TILE)), i64)
            key = key + key + ((cell >> cells.shift[b]) & 1)
        store(out, TILE * tile, key)


@kernel
def label(x: Lanes, run: Labels, limbs: i64, first: i64, end: i64, sites: Sites, k: i64, boxes: i64) -> None:
    """Label the points of some boxes, and move those whose label has changed to their new clusters.

    boxes: 1: find the candidates of each box first; 0: compare points with all centroids.
    """
    _label(x, run, limbs, first, end, sites, k, boxes)


@apart
def _label(x: Lanes, run: Labels, limbs: i64, first: i64, end: i64, sites: Sites, k: i64, boxes: i64) -> None:
    d, waiting, tiles = x.d, 0, (x.n + TILE - 1) // TILE
    for box in range(first, end):
        found = k
        if boxes != 0:
            found = candidates(x, box, sites, k, run.bounds, run.some)
        for tile in range(BOX * box, min(BOX * (box + 1), tiles)):
            values = x.values + TILE * d * tile
            if boxes != 0:
                nearest(values, run.some, found, d, run.found)
            else:
                nearest(values, sites, k, d, run.found)
            waiting = take_over(x, values, run, tile, limbs, k, waiting)
    if waiting > 0:
        put_down(run, limbs, k * d)


@inlined
def take_over(x: Lanes, values: Array[Point], run: Labels, tile: i64, limbs: i64, k: i64, waiting: i64) -> i64:
    """Take over the labels in `found` for a tile, (d, 16), and move the points whose label changed.

    waiting: the number of tiles whose moves are not in the sums yet. Returns that number with this tile.
    """
    new = load(run.found, 0, TILE)
    changed = i64(bits_of(new != load(run.labels, TILE * tile, TILE)))
    if TILE * (tile + 1) > x.n:
        changed = changed & ((1 << (x.n - TILE * tile)) - 1)
    if changed != 0:
        move(x, values, run, tile, changed, limbs, k)
        store(run.labels, TILE * tile, new)
        waiting += 1
        if waiting == BLOCK:
            put_down(run, limbs, k * x.d)
            waiting = 0
    return waiting


@apart
def move(x: Lanes, values: Array[Point], run: Labels, tile: i64, changed: i64, limbs: i64, k: i64) -> None:
    """Move the points of some lanes to their new clusters. values: (d, 16) the tile; changed: a bit a lane."""
    left = changed
    for t in range(x.d):
        store(run.whole, TILE * t, integers(x, values, t))
    while left != 0:
        lane = lowest_one(left)
        left = left & (left - 1)
        place = TILE * tile + lane
        weight = x.weights[place] if x.weighted != 0 else 1
        old, new = i64(run.labels[place]), i64(run.found[lane])
        if old >= 0:
            run.counts[old] -= weight
            _add_point(x, run, lane, old, -1, weight, limbs, k)
        run.counts[new] += weight
        _add_point(x, run, lane, new, 1, weight, limbs, k)


@inlined
def _add_point(x: Lanes, run: Labels, lane: i64, j: i64, sign: i64, weight: i64, limbs: i64, k: i64) -> None:
    """Add a point to the sums of a cluster (sign 1), or subtract it (sign -1)."""
    d = x.d
    if x.weighted != 0:
        for t in range(d):
            wide.add(run.whole[TILE * t + lane], weight, sign, run.sums, j * d + t, (limbs - 1) * k * d)
    else:
        for t in range(d):
            run.added[j * d + t] += sign * run.whole[TILE * t + lane]


@apart
def put_down(run: Labels, limbs: i64, size: i64) -> None:
    """Add the pending sums to the limbs of the sums."""
    for at in range(size):
        waiting = run.added[at]
        run.added[at] = 0
        if limbs == 1:
            run.sums[at] += waiting
        else:
            run.sums[at] += waiting >> 32
            run.sums[size + at] += waiting & 0xFFFFFFFF


@kernel
def advance(
    x: Lanes, run: Labels, limbs: i64, k: i64, boxes: i64, sites: Sites, steps: Steps, tolerance: f64, most: i64
) -> i64:
    """Do complete iterations, and return their number: at most `most`.

    It stops before an iteration that would end the run or that has an empty cluster. The assignment of that iteration
    is done, so that labels and sums belong to the centroids. Its update is not.
    """
    count = (x.n + TILE * BOX - 1) // (TILE * BOX)
    for done in range(most):
        _label(x, run, limbs, 0, count, sites, k, boxes)
        if updating.update(run.sums, limbs, k, x.d, run.counts, sites.rows, steps, tolerance, done) == 0:
            return done
        place(steps.following, k, x.d, sites)
    return most


@kernel
def place(centroids: Array[f64], k: i64, d: i64, sites: Sites) -> None:
    """Write centroids, (k, d), into the record by which points are compared with them."""
    put(centroids, k, d, sites)


@inner
def put(centroids: Array[f64], k: i64, d: i64, sites: Sites) -> None:
    """See `place`. centroids: (k, d)."""
    columns, rows, longest = (k + GROUP - 1) // GROUP * GROUP, (k + TOGETHER - 1) // TOGETHER * TOGETHER, 0.0
    for j in range(columns):
        square = 0.0
        for t in range(d):
            value = centroids[min(j, k - 1) * d + t]
            square += value * value
            sites.across[t * columns + j] = value
            if j < rows:
                sites.rows[j * d + t] = value
        longest = max(longest, square)
        if j < rows:
            sites.halves[j] = square / 2.0 if j < k else inf
    sites.longest[0] = longest


@kernel
def to_rows(x: Lanes, first: i64, end: i64, rows: Array[f64], m: i64, out: Array[f64], wide: i64) -> None:
    """The squared distances of the points of some tiles to m rows. rows: (m, d); out: (m, wide), wide >= 16 tiles."""
    for tile in range(first, end):
        for j in range(m):
            distances(x.values + TILE * x.d * tile, rows + j * x.d, x.d, out + (j * wide + TILE * tile))


@kernel
def rows(values: Array[Point], d: i64, chosen: Array[i64], many: i64, to: Array[f64]) -> None:
    """Read rows. values: (n, d) the points; chosen: (many,) their numbers; to: (many, d)."""
    for m in range(many):
        for t in range(d):
            to[m * d + t] = f64(values[chosen[m] * d + t])
