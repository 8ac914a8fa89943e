"""Tallies: the exact sums and counts of clusters. A pass adds the points whose label has changed."""

from __future__ import annotations

from steinhaus.engines.dense.certifying import fetch
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.records import MOST_MOVES, MOVED, SPILLED, WORKS, Change, View
from steinhaus.engines.dense.slices import RunSlice, Source, Tile
from steinhaus.jit.build import apart, inner, shared_kernel
from steinhaus.jit.operations import bits_of, count_ones, load, lowest_one
from steinhaus.jit.types import Array, boolean, i32, i64, u8, u32


@apart
def move(s: Source, view: View, change: Change, tile: Tile, run: RunSlice, gapped: boolean, renewed: boolean) -> None:
    """Move the points of a tile whose label has changed. If gaps are kept, record the labels in the tile."""
    sizes, d, found = view.sizes, s.x.rows.d, s.scratch.found
    labels = view.labels + TILE * run.at_tile
    moved = bits_of(load(found, 0, 16) != load(labels, 0, 16))
    moved = moved | bits_of(load(found, 16, 16) != load(labels, 16, 16)) << u32(16)
    moved = moved & tile.present
    fetch(s.x, s.tiles, tile.base, moved)
    left = moved
    while left:
        lane = lowest_one(left)
        left = left & (left - 1)
        i, old, new = s.tiles.order[tile.base + lane], i64(labels[lane]), i64(found[lane])
        if old >= 0:
            _add(s, change, i, -1, run.first + old, sizes.k * d)
        _add(s, change, i, 1, run.first + new, sizes.k * d)
        labels[lane] = i32(new)
    many = count_ones(moved)
    change.work[MOVED * sizes.runs + run.run] += many
    if gapped and (many > 0 or renewed):
        for q in range(run.width):
            view.gaps.present[run.at + q] = u8(0)
        for lane in range(TILE):
            view.gaps.present[run.at + i64(found[lane])] = u8(1)


@inner
def _add(s: Source, change: Change, i: i64, sign: i64, j: i64, other: i64) -> None:
    """Add a point to a tally (sign 1), or subtract it (sign -1); a low limb stands `other` places after its high limb.

    j: the cluster, among all centroids of the runs.
    """
    d = s.x.rows.d
    change.touched[j] = max(change.touched[j], u8(1))
    change.counts[j] += sign
    if change.is_narrow:
        s.readers.add_row_narrow(s.x, i, sign, change.narrow, j * d)
    else:
        s.readers.add_row(s.x, i, sign, change.sums, j * d)
        change.moves[j] += 1
        if change.limbs == 2 and change.moves[j] == MOST_MOVES:
            _split(change.sums + j * d, d, change.spilled + j * d, other)
            change.touched[j], change.moves[j] = u8(SPILLED), 0


@apart
def _split(sums: Array[i64], d: i64, to: Array[i64], other: i64) -> None:
    """Add sums, (d,), to sums in two limbs, and clear them. to: (d,) high limbs; `other` places after, low ones."""
    for t in range(d):
        to[t] += sums[t] >> 32
        to[other + t] += sums[t] & 0xFFFFFFFF
        sums[t] = 0


@shared_kernel
def collect(
    view: View, change: Change, d: i64, limbs: i64, sums: Array[i64], counts: Array[i64], work: Array[i64]
) -> None:
    """Add a worker's changes to the sums, counts and work of all workers, and clear them.

    sums: (limbs, K, d); counts: (K,); work: (WORKS, R).
    """
    k = view.sizes.k
    for j in range(k):
        if change.touched[j]:
            counts[j] += change.counts[j]
            if change.is_narrow:
                for t in range(j * d, (j + 1) * d):
                    sums[t] += i64(change.narrow[t])
                    change.narrow[t] = 0
            elif limbs == 1:
                for t in range(j * d, (j + 1) * d):
                    sums[t] += change.sums[t]
                    change.sums[t] = 0
            else:
                _split(change.sums + j * d, d, sums + j * d, k * d)
            if change.touched[j] == SPILLED:
                for limb in range(limbs):
                    at = (limb * k + j) * d
                    for t in range(at, at + d):
                        sums[t] += change.spilled[t]
                        change.spilled[t] = 0
            change.counts[j], change.moves[j], change.touched[j] = 0, 0, u8(0)
    for what in range(WORKS * view.sizes.runs):
        work[what] += change.work[what]
        change.work[what] = 0
