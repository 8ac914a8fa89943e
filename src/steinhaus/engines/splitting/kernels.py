"""Lloyd's algorithm on a part of the points, by one thread.

All arithmetic is in float32 and float64 in one fixed order. Products of float32 are always fused with sums. So the bits
are the same on every processor. Scores are rounded: a point that is about as near to two centroids may get the label of
the farther one.
"""

from __future__ import annotations

from steinhaus.engines.splitting.records import BLOCK, LANES, Room
from steinhaus.jit.build import apart, inlined, inner, kernel, shared_kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import convert, fold, fused, largest, least, load, local, select, splat, store, vector
from steinhaus.jit.types import Array, Point, f32, f64, i32, i64, literal

_PADDING = 1e30  # half the squared norm of centroids that do not exist
_NONE = -3e38  # below every score


@kernel
def bring(
    values: Array[Point], numbers: Array[i64], many: i64, centre: Array[f64], scale: f64, room: Room, to: i64
) -> None:
    """Copy rows into a room, less the centre and times the scale, as float32.

    values: (n, d); numbers: (many,) of the rows; centre: (d,); to: the place of the first one in the room.
    """
    d, width = room.d, room.width
    whole = d - d % LANES
    for i in range(many):
        at, row = numbers[i] * d, room.rows + (to + i) * width
        for t in range(0, whole, LANES):
            y = (convert(load(values, at + t, LANES), f64) - load(centre, t, LANES)) * scale
            store(row, t, convert(y, f32))
        for t in range(whole, d):
            row[t] = f32((f64(values[at + t]) - centre[t]) * scale)
        squares = splat(0.0, f32, LANES)
        for t in range(0, width, LANES):
            squares = fused(load(row, t, LANES), load(row, t, LANES), squares)
        room.norms[to + i] = fold(squares)


@kernel
def iterate(room: Room, n: i64, k: i64, iterations: i64) -> None:
    """Do some iterations of Lloyd's algorithm on the room's n points, from its k centroids."""
    for _ in range(iterations):
        arrange(room, 0, k)
        label(room, n, k)
        _update(room, n, k)


@shared_kernel
def arrange(room: Room, first: i64, k: i64) -> None:
    """Write k centroids, from row `first` on, into lanes, with half their squared norms."""
    width = room.width
    for j in range((k + LANES - 1) // LANES * LANES):
        row, lane = room.centroids + (first + j) * width, room.lanes + (j // LANES * width * LANES + j % LANES)
        if j < k:
            total = 0.0
            for t in range(width):
                lane[LANES * t] = row[t]
                total += f64(row[t]) * f64(row[t])
            room.halves[j] = f32(0.5 * total)
        else:
            for t in range(width):
                lane[LANES * t] = f32(0.0)
            room.halves[j] = f32(_PADDING)


@inlined
def copy_point(room: Room, i: i64, j: i64) -> None:
    """Make point i centroid j."""
    for t in range(0, room.width, LANES):
        store(room.centroids, j * room.width + t, load(room.rows, i * room.width + t, LANES))


@shared_kernel
def label(room: Room, n: i64, k: i64) -> None:
    """Label n points by the best score `x . c - |c|^2 / 2`, ties to the lowest, and measure `closest`.

    The k centroids must be arranged.
    """
    groups = (k + LANES - 1) // LANES
    for first in range(0, n, BLOCK):
        for r in range(BLOCK):
            store(room.best, LANES * r, splat(_NONE, f32, LANES))
        group = 0
        for size in unroll(3, 0, -1):
            while groups - group >= size:
                _compare(size, room, first, group)
                group += size
        for r in range(BLOCK):
            best = load(room.best, LANES * r, LANES)
            most = largest(best)
            which = select(
                best >= splat(most, f32, LANES), load(room.which, LANES * r, LANES), splat(_PADDING, f32, LANES)
            )
            room.labels[first + r] = i32(least(which))
            room.closest[first + r] = max(room.norms[first + r] - f32(2.0) * most, f32(0.0))


@apart
def _compare(size: literal, room: Room, first: i64, group: i64) -> None:
    """Update the best scores of eight points by `size` groups of sixteen centroids."""
    width = room.width
    sums = local(vector(f32, 16), BLOCK * size)
    for s in unroll(BLOCK * size):
        sums[s] = splat(0.0, f32, LANES)
    rows, lanes, step = room.rows + first * width, room.lanes + group * width * LANES, width * LANES
    for t in range(width):
        for r in unroll(BLOCK):
            x = splat(rows[r * width + t], f32, LANES)
            for g in unroll(size):
                sums[r * size + g] = fused(load(lanes, g * step + LANES * t, LANES), x, sums[r * size + g])
    for g in unroll(size):
        half = load(room.halves, LANES * (group + g), LANES)
        number = load(room.numbers, 0, LANES) + splat(f32(LANES * (group + g)), f32, LANES)
        for r in unroll(BLOCK):
            score = sums[r * size + g] - half
            better = score > load(room.best, LANES * r, LANES)
            store(room.best, LANES * r, select(better, score, load(room.best, LANES * r, LANES)))
            store(room.which, LANES * r, select(better, number, load(room.which, LANES * r, LANES)))


@inner
def _update(room: Room, n: i64, k: i64) -> None:
    """Replace the centroids by the means of their points. One without points takes the point that costs most."""
    width = room.width
    for j in range(k):
        room.totals[j] = 0.0
        for t in range(width):
            room.sums[j * width + t] = 0.0
    for i in range(n):
        j, weight = i64(room.labels[i]), room.weights[i]
        room.totals[j] += weight
        for t in range(0, width, LANES):
            y = convert(load(room.rows, i * width + t, LANES), f64) * weight
            store(room.sums, j * width + t, load(room.sums, j * width + t, LANES) + y)
    for j in range(k):
        if room.totals[j] > 0.0:
            for t in range(0, width, LANES):
                mean = load(room.sums, j * width + t, LANES) / splat(room.totals[j], f64, LANES)
                store(room.centroids, j * width + t, convert(mean, f32))
        else:
            _refill(room, n, j)


@inner
def _refill(room: Room, n: i64, j: i64) -> None:
    """Make the point that costs most centroid j. It costs nothing from then on."""
    far, most = 0, -1.0
    for i in range(n):
        cost = f64(room.closest[i]) * room.weights[i]
        if cost > most:
            far, most = i, cost
    room.closest[far] = f32(0.0)
    copy_point(room, far, j)
