"""The clusters and rows that a step of refining chooses, in kernels: what `refining.py` and `costs.py` say, to the bit.

Values that are summed in the order of the points stand in the order of rows here.
"""

from __future__ import annotations

import numpy as np

from steinhaus.engines.compact.following_kernels import NOBODY, complete_lanes, distances_across
from steinhaus.engines.compact.lanes import row_at
from steinhaus.engines.compact.records import TILE, Lanes, Stepping
from steinhaus.jit.build import apart, inlined
from steinhaus.jit.operations import bits_of, from_bits
from steinhaus.jit.types import boolean, f64, i32, i64, u64

WORDS = 64  # random words for a step
_OTHER, _PASSED = -1, -2  # slots of clusters that are not chosen
_GOES, _STAYS = 1, 2  # slots when clusters are removed
_BITS = 62  # of a sum of integers, at most; see `seeding.integers_of`


@inlined
def _times(x: Lanes, place: i64) -> f64:
    """The count of the point at a place."""
    return f64(x.weights[place]) if x.weighted != 0 else 1.0


@apart
def sum_errors(x: Lanes, work: Stepping, k: i64) -> None:
    """The labels, distances and errors of the run's clustering; see `costs.Errors`."""
    for place in range(x.n):
        row = row_at(x, place)
        work.labels[row] = work.run.labels[place]
        work.nearest[row] = work.near.firsts[place] * _times(x, place)
    for j in range(k):
        work.errors[j] = 0.0
    for row in range(x.n):
        work.errors[i64(work.labels[row])] += work.nearest[row]


@apart
def sum_utilities(x: Lanes, work: Stepping, k: i64) -> None:
    """The utilities of the run's centroids; see `costs.by_utility`. All seconds are the second nearest."""
    for place in range(x.n):
        row = row_at(x, place)
        work.owners[row] = work.run.labels[place]
        work.missed[row] = (work.near.seconds[place] - work.near.firsts[place]) * _times(x, place)
    for j in range(k):
        work.utilities[j] = 0.0
    for row in range(x.n):
        work.utilities[i64(work.owners[row])] += work.missed[row]


@apart
def find_movable(x: Lanes, work: Stepping, k: i64) -> None:
    """Find the points that may be exchanged; see `exchanges.exchanged`.

    `missed` holds their counts, and 0 for all other points. `utilities` holds the counts of clusters. The second
    nearest centroid is found for a point only if bounds of its distance leave open whether the point may be exchanged.
    """
    counts, least, near = work.utilities, np.inf, work.near
    for j in range(k):
        counts[j] = f64(work.run.counts[j])
        if counts[j] > 0.0:
            least = min(least, counts[j])
    for tile in range((x.n + TILE - 1) // TILE):
        opened, end = 0, min(TILE * (tile + 1), x.n)
        for place in range(TILE * tile, end):
            nearest = min(near.seconds[place], near.rest[place])
            if _may_move(x, work, place, least, nearest):
                opened = opened | (1 << (place - TILE * tile))
        if opened != 0:
            complete_lanes(x, work.run, near, tile, work.sites, k, opened)
        for place in range(TILE * tile, end):
            row = row_at(x, place)
            moves = opened >> (place - TILE * tile) & 1 != 0 and _may_move(x, work, place, least, near.seconds[place])
            work.owners[row] = work.run.labels[place]
            work.missed[row] = _times(x, place) if moves else 0.0


@inlined
def _may_move(x: Lanes, work: Stepping, place: i64, least: f64, second: f64) -> boolean:
    """Whether a point may be exchanged if the second nearest centroid is at this squared distance.

    least: the least count of a cluster.
    """
    w, count = _times(x, place), work.utilities[i64(work.run.labels[place])]
    left = count - w
    lost = work.near.firsts[place] * count / left if left > 0.0 and w > 0.0 else 0.0
    return lost > second * (least / (least + w))


@apart
def find_worst(work: Stepping, k: i64, added: i64, tried: i64) -> i64:
    """Choose the clusters that get another centroid; return their number. See `refining._worst`.

    The slot of a chosen cluster is its place among them.
    """
    many, slots = 0, work.slots
    for j in range(k):
        slots[j] = _OTHER
    for place in range(min(tried + added, k)):
        worst = -1
        for j in range(k):
            if slots[j] == _OTHER and (worst < 0 or work.errors[j] > work.errors[max(worst, 0)]):
                worst = j
        slots[worst] = _PASSED
        if place >= tried and work.errors[worst] > 0.0:
            slots[worst] = many
            many += 1
    return many


@apart
def draw_rows(x: Lanes, work: Stepping, many: i64) -> boolean:
    """Draw a row of each chosen cluster into `rows`; return whether the words suffice. See `refining._drawn`."""
    members, slots = _count_members(x, work, many), work.slots
    for at in range(members):
        row = work.members[at]
        m = slots[i64(work.labels[row])]
        work.spans[m] += _integer(work, m, work.nearest[row])
    if not _draw_numbers(work, many):
        return False
    for at in range(members):
        row = work.members[at]
        m = slots[i64(work.labels[row])]
        if work.numbers[m] >= 0:
            work.numbers[m] -= _integer(work, m, work.nearest[row])
            if work.numbers[m] < 0:
                work.rows[m] = row
    return True


@inlined
def _integer(work: Stepping, m: i64, distance: f64) -> i64:
    """The integer of a distance in the cluster of a slot; see `seeding.integers_of`."""
    return i64(np.floor(distance * work.scales[2 * m] * work.scales[2 * m + 1]))


@apart
def _count_members(x: Lanes, work: Stepping, many: i64) -> i64:
    """List the rows of the chosen clusters, and find the scales of their integers. Returns the number of rows."""
    members, largest = 0, work.scales
    for m in range(many):
        largest[2 * m], work.spans[m], work.numbers[m] = 0.0, 0, 0
    for row in range(x.n):
        m = work.slots[i64(work.labels[row])]
        if m >= 0:
            work.members[members] = row
            members += 1
            work.numbers[m] += 1
            largest[2 * m] = max(largest[2 * m], work.nearest[row])
    for m in range(many):
        bits = 0
        while work.numbers[m] >> bits != 0:
            bits += 1
        exponent = (_BITS - bits) - 1 - _exponent(largest[2 * m])
        work.scales[2 * m], work.scales[2 * m + 1] = _power(exponent >> 1), _power(exponent - (exponent >> 1))
    return members


@inlined
def _exponent(value: f64) -> i64:
    """The exponent that `frexp` gives for a positive number."""
    small = bits_of(value) >> 52 == 0  # with fewer digits
    return (bits_of(value * 2.0**64 if small else value) >> 52) - (1022 + 64 if small else 1022)


@inlined
def _power(exponent: i64) -> f64:
    """A power of two. Two of them are enough for any scale, where one may overflow."""
    return from_bits((exponent + 1023) << 52)


@apart
def _draw_numbers(work: Stepping, many: i64) -> boolean:
    """Draw a number below each span, as `Stream.below` does; return whether the words suffice.

    Words at or above the largest multiple of the span are rejected, and drawn again after all others.
    """
    used, waiting, last = 0, many, u64(0) - u64(1)
    for m in range(many):
        work.numbers[m] = -1
    while waiting > 0:
        if used + waiting > WORDS:
            return False
        waiting = 0
        for m in range(many):
            if work.numbers[m] < 0:
                word, span = work.words[used], u64(work.spans[m])
                used += 1
                if word > last - (last % span + u64(1)) % span:
                    waiting += 1
                else:
                    work.numbers[m] = i64(word % span)
    return True


@apart
def choose_stays(work: Stepping, k: i64, d: i64, many: i64, around: f64) -> i64:
    """Choose which of k clusters stay when `many` are removed; return their number. See `refining._missed`.

    names: the clusters that stay, ascending. renamed: the new number of each, or `NOBODY`.
    """
    slots, kept = work.slots, 0
    for j in range(k):
        slots[j] = _OTHER
    for removed in range(many):
        least = -1
        for j in range(k):
            if slots[j] == _OTHER and (least < 0 or work.utilities[j] < work.utilities[max(least, 0)]):
                least = j
        slots[least] = _GOES
        if removed + 1 < many:
            kept += _keep_near(work, k, d, least, around, k - kept - many)
    stays = 0
    for j in range(k):
        work.renamed[j] = i32(NOBODY)
        if slots[j] != _GOES:
            work.names[stays], work.renamed[j] = j, i32(stays)
            stays += 1
    return stays


@apart
def _keep_near(work: Stepping, k: i64, d: i64, gone: i64, around: f64, spare: i64) -> i64:
    """Let the clusters near one that goes stay, at most `spare`, nearest first; return their number."""
    slots, distances, near = work.slots, work.distances, 0
    distances_across(work.sites.rows + gone * d, work.sites, k, d, distances)  # summed in order
    for j in range(k):
        near += 1 if slots[j] == _OTHER and distances[j] < around else 0
    for _ in range(min(near, spare)):
        nearest = -1
        for j in range(k):
            if slots[j] == _OTHER and (nearest < 0 or distances[j] < distances[max(nearest, 0)]):
                nearest = j
        slots[nearest] = _STAYS
    return min(near, spare)
