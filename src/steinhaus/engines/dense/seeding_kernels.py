"""Kernels of greedy k-means++ on tiles of points. One pass finds the points that several candidates improve.

A candidate improves a point if it is nearer to it than every row chosen so far. See `bounds.seeding`.
"""

from __future__ import annotations

from typing import NamedTuple

from steinhaus.engines.bounds.seeding import cannot_improve, threshold
from steinhaus.engines.dense.candidates import directed_products
from steinhaus.engines.dense.certifying import fetch, uppers
from steinhaus.engines.dense.factors import TILE, Scores
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.potentials import BLOCK, Potential, integer_of
from steinhaus.engines.dense.products import byte_products, full_products
from steinhaus.engines.dense.records import Framed, Scratch, Tiles, View
from steinhaus.engines.dense.seeding_found import Found, Improved, first_of
from steinhaus.engines.dense.seeding_screen import Packed, list_open
from steinhaus.engines.dense.slices import Source, Tile
from steinhaus.engines.exact.distances import squared_distance
from steinhaus.jit.annotations import Array, f32, f64, i32, i64, u8
from steinhaus.jit.build import apart, inner, kernel, shared_kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    as_bytes,
    bits_of,
    count_ones,
    fold,
    largest,
    load,
    lowest_one,
    maximum,
    prefetch,
    select,
    splat,
    store,
    words,
)
from steinhaus.jit.tiles import begin_tiles, end_tiles
from steinhaus.jit.types import u32

_NEVER = float("inf")  # the threshold of places without a point
_AHEAD, _FETCHED = 8, 1024  # so many points ahead, so many bytes of a point are prefetched
_FEW = 12  # above this many open lanes, products of the whole tile are computed from all features


class Search(NamedTuple):
    """The state of k-means++: at most m candidates in a pass, n points at N positions in T tiles."""

    potential: Potential
    m: i64
    lazily: i64  # whether distances are measured when they are needed
    closest: Array[f64]  # (N,) squared distance to the nearest chosen row, in the units of the points
    halves: Array[f64]  # (N,) from `bounds.seeding.halves_below`
    to_frame: f64  # the frame's scale, squared
    thresholds: Array[f32]  # (N,) a candidate whose score is lower does not improve the point
    owners: Array[i32]  # (T,) the chosen row that is nearest to all points of a tile; -1: there is none
    labels: Array[i32]  # (N,) the nearest chosen row of each point
    farthest: Array[f64]  # (T,) the largest `closest`
    heaviest: Array[f64]  # (T,) the largest `closest` times a weight
    owns: Array[u8]  # (k,) whether a chosen row is nearest to all points of some tile
    between: Array[f64]  # (k, m) squared distances of these chosen rows to the candidates
    leading: Packed  # coordinates along the directions
    packed: Packed  # all features


@kernel
def improve(
    points: Framed, readers: Readers, view: View, search: Search, scratch: Scratch, found: Found, first: i64, end: i64,
    count: i64,
) -> i64:  # fmt: skip
    """Find the points of the tiles first <= tile < end that each candidate improves, or may improve if `lazily`.

    The candidates are the first `count` centroids of the view. Returns `end`, or the tile to continue with if `found`
    is full.
    """
    tiles = view.tiles
    s = Source(points, readers, tiles, scratch)
    begin_tiles()
    for number in range(first, end):
        if found.many[0] + TILE * count >= found.room:
            end_tiles()
            return number
        left, present = 0, i64(_present(points, number))
        owner, farthest = i64(search.owners[number]), search.farthest[number]
        for c in range(count):
            if owner < 0 or not cannot_improve(search.between[owner * search.m + c], farthest):
                scratch.chosen[left], scratch.kept[left] = c, present
                left += 1
        if left > 0:
            tile = Tile(number, TILE * number, u32(present), f32(0.0))
            many = _list_open(s, view.directed, search, tile, left)
            if many > 0:
                _record_open(s, view, search, tile, many, found)
    end_tiles()
    return end


@kernel
def measure_between(search: Search, rows: Array[f64], chosen: i64, candidates: Array[f64], count: i64, d: i64) -> None:
    """Measure the distances of candidates, (count, d), from the chosen rows that are nearest to a whole tile.

    rows: (k, d) the chosen rows.
    """
    for number in range(chosen):
        if search.owns[number]:
            for c in range(count):
                between = squared_distance(rows + number * d, candidates + c * d, d)
                search.between[number * search.m + c] = between


@kernel
def pack(
    points: Framed, readers: Readers, tiles: Tiles, search: Search, scratch: Scratch, first: i64, end: i64
) -> None:
    """Write the tiles first <= tile < end as bytes. Points of floats are rounded."""
    size = TILE * search.packed.width
    for number in range(first, end):
        readers.gather(points, tiles, TILE * number, scratch)
        for byte in range(0, size, 64):
            store(search.packed.quads, size * number + byte, words(scratch.quads, byte, 16))
        for lane in range(TILE):
            search.packed.sizes[3 * TILE * number + lane] = tiles.norms[TILE * number + lane]
            search.packed.sizes[3 * TILE * number + TILE + lane] = tiles.rounded_norms[TILE * number + lane]


@inner
def _present(points: Framed, number: i64) -> u32:
    """The lanes of a tile that hold points, as bits."""
    return u32(0xFFFFFFFF) >> u32(TILE - min(TILE, points.rows.n - TILE * number))


@apart
def _list_open(s: Source, directed: Scores, search: Search, tile: Tile, count: i64) -> i64:
    """List the candidates, of `chosen`, that may improve a point of the tile; return their number.

    `others` gets the candidates, and `kept` the lanes of such points; it must hold all lanes before. Points kept as
    bytes are screened by these, along the directions if possible.
    """
    scratch = s.scratch
    if search.leading.width > 0:
        return list_open(search.leading, search.thresholds, tile, scratch.chosen, count, scratch)
    if search.packed.width > 0:
        return list_open(search.packed, search.thresholds, tile, scratch.chosen, count, scratch)
    if s.tiles.p == 0:
        for c in range(count):
            scratch.others[c] = scratch.chosen[c]
        return count
    directed_products(s.tiles, tile, directed.rows, scratch.chosen, count, scratch.out)
    uppers(s, tile, directed, s.tiles.norms, scratch.chosen, count, 0)
    return _list_above(s, search, tile, scratch.chosen, count)


@inner
def _list_above(s: Source, search: Search, tile: Tile, chosen: Array[i64], count: i64) -> i64:
    """List the candidates chosen[c], c < count, whose upper bounds reach the threshold of a lane, and such lanes.

    chosen: (K,).
    """
    scratch, many = s.scratch, 0
    need0, need1 = load(search.thresholds, tile.base, 16), load(search.thresholds, tile.base + 16, 16)
    for c in range(count):
        above0, above1 = load(scratch.upper, TILE * c, 16), load(scratch.upper, TILE * c + 16, 16)
        below = bits_of(need0 > above0) | bits_of(need1 > above1) << u32(16)
        j, lanes = chosen[c], u32(scratch.kept[c]) & ~below
        if lanes:
            excess = select(need0 > above0, 0.0, above0 - need0) + select(need1 > above1, 0.0, above1 - need1)
            scratch.others[many] = j
            scratch.kept[many] = i64(lanes)
            scratch.near[many] = fold(excess)
            many += 1
    return many


@inner
def _lanes(scratch: Scratch, many: i64) -> u32:
    """The lanes that are open for any of the listed candidates, as bits."""
    lanes = u32(0)
    for o in range(many):
        lanes = lanes | u32(scratch.kept[o])
    return lanes


@apart
def _record_open(s: Source, view: View, search: Search, tile: Tile, many: i64, found: Found) -> None:
    """Record the open lanes of a tile, after one more screen by all features. They are measured first, unless `lazily`.

    This screen takes the whole tile if many lanes are open, and else single points.
    """
    scratch, packed, lanes = s.scratch, search.packed, _lanes(s.scratch, many)
    screened = packed.width > 0 and search.leading.width == 0
    if packed.width > 0 and not screened and count_ones(lanes) > 0:
        many, screened = list_open(packed, search.thresholds, tile, scratch.others, many, scratch), True
        lanes = _lanes(scratch, many)
    if count_ones(lanes) > _FEW:
        if packed.width > 0:
            quads = packed.quads + TILE * packed.width * tile.number
            byte_products(
                quads, packed.width, view.factors, 0, scratch.others, many, packed.width // 4, scratch.out, True
            )
        else:
            s.readers.gather(s.x, s.tiles, tile.base, scratch)
            full_products(s.x, scratch, view.factors, scratch.others, many, scratch.out)
        uppers(s, tile, view.features, s.tiles.rounded_norms, scratch.others, many, 0)
        many, screened = _list_above(s, search, tile, scratch.others, many), True
        lanes = _lanes(scratch, many)
    if search.lazily == 0:
        fetch(s.x, s.tiles, tile.base, lanes)
    for o in range(many):
        lanes, j = u32(scratch.kept[o]), scratch.others[o]
        if screened:
            found.excess[j] += f64(scratch.near[o])
        while lanes:
            position = tile.base + lowest_one(lanes)
            lanes = lanes & (lanes - 1)
            if not screened:
                excess = _excess(s, view, search, position, j)
                if excess < 0.0:
                    continue
                found.excess[j] += f64(excess)
            if search.lazily:
                at = found.many[0]
                found.candidates[at], found.positions[at] = i32(j), i32(position)
                found.many[0] = at + 1
            else:
                _note(s, view, search, position, j, found)


@inner
def _excess(s: Source, view: View, search: Search, position: i64, j: i64) -> f32:
    """How far candidate j's upper bound is above the point's threshold, by the product of this single point."""
    single = view.single
    score = s.readers.product(s.x, s.tiles.order[position], view.factors, j) - single.half[j]
    error = s.tiles.norms[position] * single.slope[j] + single.floor[j]
    return score + error - search.thresholds[position]


@inner
def _note(s: Source, view: View, search: Search, position: i64, j: i64, found: Found) -> None:
    """Measure a point's distance to candidate j, and record it if it improves the point.

    It is written in any case: a branch would often be mispredicted.
    """
    distance, at = s.readers.distance(s.x, s.tiles.order[position], view.exact, j), found.many[0]
    found.candidates[at], found.positions[at], found.distances[at] = i32(j), i32(position), distance
    found.many[0] = at + i64(distance < search.closest[position])


@kernel
def measure(points: Framed, readers: Readers, view: View, improved: Improved, j: i64, first: i64, end: i64) -> None:
    """Measure the distances of candidate j to the points first <= at < end of those that it may improve."""
    values, most = as_bytes(points.rows.values), min(points.row_bytes, _FETCHED)
    for at in range(first, end):
        ahead = view.tiles.order[i64(improved.positions[min(at + _AHEAD, end - 1)])] * points.row_bytes
        for byte in range(0, most, 64):  # these points lie apart, so that the processor does not foresee them
            prefetch(values, ahead + byte)
        improved.distances[at] = readers.distance(points, view.tiles.order[i64(improved.positions[at])], view.exact, j)


@kernel
def gain_of(tiles: Tiles, search: Search, improved: Improved, j: i64) -> i64:
    """The change of the sum of all integers if candidate j, whose distances are known, is chosen.

    A point's integer is computed again: in the order of positions, that takes less time than reading it.
    """
    potential, gain = search.potential, 0
    for at in range(first_of(improved, j), improved.ends[j]):
        position, distance = i64(improved.positions[at]), improved.distances[at]
        before = search.closest[position]
        if distance < before:
            i = tiles.order[position] if potential.weighted else 0
            gain += integer_of(potential, i, distance) - integer_of(potential, i, before)
    return gain


@shared_kernel
def choose(tiles: Tiles, search: Search, improved: Improved, j: i64, number: i64) -> None:
    """Choose candidate j as the row with this number, and update the state of the points that it improves."""
    last = -1
    for at in range(first_of(improved, j), improved.ends[j]):
        position, distance = i64(improved.positions[at]), improved.distances[at]
        if distance < search.closest[position]:
            if position // TILE != last and last >= 0:
                _sum_up(tiles, search, last)
            last, i = position // TILE, tiles.order[position]
            search.closest[position] = distance
            search.labels[position] = i32(number)
            search.thresholds[position] = threshold(search.halves[position], distance * search.to_frame)
            value = integer_of(search.potential, i, distance)
            search.potential.blocks[i // BLOCK] += value - search.potential.values[i]
            search.potential.values[i] = value
    if last >= 0:
        _sum_up(tiles, search, last)


@kernel
def begin(tiles: Tiles, search: Search) -> None:
    """Compute thresholds and largest distances after the first row was chosen."""
    n = search.potential.n
    for position in range((n + TILE - 1) // TILE * TILE):
        below = threshold(search.halves[position], search.closest[position] * search.to_frame)
        search.thresholds[position] = below if position < n else f32(_NEVER)
    for tile in range((n + TILE - 1) // TILE):
        _sum_up(tiles, search, tile)


@apart
def _sum_up(tiles: Tiles, search: Search, tile: i64) -> None:
    """Update the largest distances of a tile, and its owner."""
    first, end = tile * TILE, min(search.potential.n, (tile + 1) * TILE)
    farthest, owner = 0.0, search.labels[first]
    if end - first == TILE:
        labels, most = splat(owner, i32, 16), splat(0.0, f64, 8)
        same = bits_of(load(search.labels, first, 16) == labels) & bits_of(
            load(search.labels, first + 16, 16) == labels
        )
        for s in unroll(4):
            most = maximum(most, load(search.closest, first + 8 * s, 8))
        farthest = largest(most)
        if same != u32(0xFFFF):
            owner = -1
    else:
        for position in range(first, end):
            farthest = max(farthest, search.closest[position])
            if search.labels[position] != owner:
                owner = -1
    search.farthest[tile], search.owners[tile], search.heaviest[tile] = farthest, owner, farthest
    if search.potential.weighted:
        heaviest = 0.0
        for position in range(first, end):
            heaviest = max(heaviest, search.closest[position] * search.potential.times[tiles.order[position]])
        search.heaviest[tile] = heaviest


@kernel
def rescale(tiles: Tiles, search: Search) -> None:
    """Compute the integers of all points for a new scale, and their sums."""
    potential = search.potential
    for block in range((potential.n + BLOCK - 1) // BLOCK):
        potential.blocks[block] = 0
    for position in range(potential.n):
        i = tiles.order[position]
        value = integer_of(potential, i, search.closest[position])
        potential.values[i] = value
        potential.blocks[i // BLOCK] += value
