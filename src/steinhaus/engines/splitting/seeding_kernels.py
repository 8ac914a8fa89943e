"""Rows of a part to start from: k-means++ by rounds of sixteen candidates, by one thread.

A round draws sixteen candidates by their costs (squared distance to the nearest chosen row, times the weight). It takes
up to four of them, one after the other. Each is the one that lowers the potential most.
"""

from __future__ import annotations

from steinhaus.engines.splitting.kernels import arrange, copy_point
from steinhaus.engines.splitting.records import BLOCK, LANES, TAKEN, Room
from steinhaus.jit.build import apart, inner, kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import convert, fused, load, local, maximum, minimum, prefetch, splat, store, vector
from steinhaus.jit.types import Array, f32, f64, i64, u64

_FAR = 3e38  # above every squared distance
_FIRST = 1e300  # the gain of the first row


def words_for(k: int) -> int:
    """The random numbers that the choice of k rows takes at most."""
    return 1 + LANES * k


@kernel
def choose(room: Room, n: i64, k: i64, words: Array[u64]) -> None:
    """Choose k of the room's n points as its centroids, with their gains.

    If all costs are 0, the remaining rows are drawn evenly, and their gain is 0.

    words: (1 + 16 k,) random numbers, see `words_for`.
    """
    for i in range(n):
        room.closest[i] = f32(1.0)
    copy_point(room, _drawn(room, n, _add_up(room, n), words[0]), 0)
    for i in range(n):
        room.closest[i] = f32(_FAR)
    _measure(room, n, 0, 1)
    _take(room, n, 0)
    room.gains[0] = _FIRST
    used, chosen = 1, 1
    while chosen < k:
        total = _add_up(room, n)
        if total > 0.0:
            for c in range(LANES):
                copy_point(room, _drawn(room, n, total, words[used + c]), chosen + c)
            used += LANES
            _measure(room, n, chosen, LANES)
            chosen = _choose_among(room, n, chosen, min(k, chosen + min(chosen, TAKEN)), total)
        else:
            copy_point(room, i64(words[used] % u64(n)), chosen)
            room.gains[chosen] = 0.0
            used += 1
            chosen += 1


@inner
def _choose_among(room: Room, n: i64, chosen: i64, upto: i64, total: f64) -> i64:
    """Take candidates until `upto` rows are chosen. They stand behind the rows chosen so far. Returns `upto`."""
    width = room.width
    for place in range(chosen, upto):
        best = _best(room, n)
        room.gains[place] = total - room.potentials[best]
        total = room.potentials[best]
        _take(room, n, best)
        for t in range(0, width, LANES):
            store(
                room.picked,
                (place - chosen) * width + t,
                load(room.centroids, (chosen + best) * width + t, LANES),
            )
    for t in range(0, (upto - chosen) * width, LANES):
        store(room.centroids, chosen * width + t, load(room.picked, t, LANES))
    return upto


@inner
def _add_up(room: Room, n: i64) -> f64:
    """Add up the costs into `ends`; return their sum."""
    total = 0.0
    for i in range(n):
        total += f64(room.closest[i]) * room.weights[i]
        room.ends[i] = total
    return total


@inner
def _drawn(room: Room, n: i64, total: f64, word: u64) -> i64:
    """Draw a point by its cost: the first whose end is above a random share of the total."""
    share = f64(i64(word >> u64(11))) / 9007199254740992.0 * total
    low, high = 0, n - 1
    while low < high:
        middle = (low + high) // 2
        if room.ends[middle] > share:
            high = middle
        else:
            low = middle + 1
    return low


@inner
def _take(room: Room, n: i64, c: i64) -> None:
    """Update `closest` by candidate c."""
    for i in range(n):
        room.closest[i] = min(room.closest[i], room.table[LANES * i + c])


@inner
def _best(room: Room, n: i64) -> i64:
    """The candidate that leaves the least potential, ties to the first."""
    potential = splat(0.0, f64, 16)
    for i in range(n):
        nearer = minimum(load(room.table, LANES * i, LANES), splat(room.closest[i], f32, LANES))
        potential = potential + convert(nearer, f64) * splat(room.weights[i], f64, LANES)
    store(room.potentials, 0, potential)
    best = 0
    for c in range(1, LANES):
        if room.potentials[c] < room.potentials[best]:
            best = c
    return best


@inner
def _measure(room: Room, n: i64, first: i64, many: i64) -> None:
    """Measure the squared distances of all points to `many` candidates, which stand from row `first` on."""
    arrange(room, first, many)
    for i in range(0, n, BLOCK):
        _measure_block(room, i)


@apart
def _measure_block(room: Room, first: i64) -> None:
    """Measure the squared distances of eight points to sixteen candidates."""
    width, half = room.width, load(room.halves, 0, LANES)
    rows = room.rows + first * width
    sums = local(vector(f32, 16), BLOCK)
    for r in unroll(BLOCK):
        sums[r] = splat(0.0, f32, LANES)
    for start in range(0, width, LANES):
        for r in unroll(BLOCK):
            prefetch(rows, (BLOCK + r) * width + start)  # of the next eight points
        for t in range(start, start + LANES):
            column = load(room.lanes, LANES * t, LANES)
            for r in unroll(BLOCK):
                sums[r] = fused(column, splat(rows[r * width + t], f32, LANES), sums[r])
    for r in unroll(BLOCK):
        away = splat(room.norms[first + r], f32, LANES) - (sums[r] - half) * splat(2.0, f32, LANES)
        store(room.table, LANES * (first + r), maximum(away, splat(0.0, f32, LANES)))
