"""The candidates of a tile: centroids that gaps and directions leave open. Their gaps are recorded for the next pass.

See `bounds.gaps`. Notation as in `bounds`.
"""

from __future__ import annotations

from steinhaus.engines.bounds.gaps import accumulated, gap, recorded
from steinhaus.engines.dense.certifying import bounds, uppers
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.products import products
from steinhaus.engines.dense.records import RENEW, SCREENED, Change, Gaps, Tiles, View
from steinhaus.engines.dense.slices import RunSlice, Source, Tile
from steinhaus.jit.build import apart, inlined, inner
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    bits_of,
    count_ones,
    fma,
    largest,
    least,
    least_of_each,
    load,
    local,
    lowest_one,
    maximum,
    minimum,
    prefetch,
    select,
    splat,
    store,
    vector,
)
from steinhaus.jit.types import Array, F32x16, boolean, f32, i64, u8, u32

INFINITY = float("inf")


@apart
def select_candidates(
    s: Source, view: View, change: Change, tile: Tile, run: RunSlice, mode: i64
) -> tuple[i64, boolean, u32]:
    """List a tile's candidates in `chosen`, ascending.

    Returns their number, and whether the work space holds their bounds from anchors; if so, also the lanes that are not
    certified.
    """
    gaps, chosen = view.gaps, s.scratch.chosen
    gaps.fallen[run.at_tile] = accumulated(gaps.fallen[run.at_tile], _fall(gaps, tile, run))
    count = _open_gaps(gaps, tile, run, gaps.fallen[run.at_tile], chosen)
    if mode == RENEW:
        view.anchors.used[run.at_tile] = 0
        for q in range(run.width):
            view.anchors.slots[run.at + q] = 0
    if count > 1 and count < view.sizes.direct:
        return _screen_by_directions(s, view, change, tile, run, count)
    return count, False, u32(0)


@inner
def _fall(gaps: Gaps, tile: Tile, run: RunSlice) -> f32:
    """The most that the best score of any lane fell in the last step: the largest fall among the tile's labels."""
    most = splat(0.0, f32, 16)
    for q in range(0, run.width, 16):
        now = fma(load(gaps.size, run.column + q, 16), splat(tile.size, f32, 16), load(gaps.fall, run.column + q, 16))
        here = load(gaps.present, run.at + q, 16) != u8(0)
        most = maximum(most, select(here, now, most))
    return largest(most)


@inner
def _open_gaps(gaps: Gaps, tile: Tile, run: RunSlice, since: f32, chosen: Array[i64]) -> i64:
    """List the centroids whose gap may have closed in `chosen`, (K,), ascending; return their number."""
    found = 0
    for q in range(0, run.k, 16):
        risen = fma(load(gaps.travelled, run.column + q, 16), tile.size, load(gaps.risen, run.column + q, 16))
        opened = u32(0xFFFF) & ~bits_of(load(gaps.gaps, run.at + q, 16) > risen + since)
        if q + 16 > run.k:
            opened = opened & (u32(0xFFFF) >> u32(q + 16 - run.k))
        while opened:
            chosen[found] = run.first + q + lowest_one(opened)
            found += 1
            opened = opened & (opened - 1)
    return found


@apart
def fetch_kept(view: View, number: i64, r: i64, size: f32) -> None:
    """Prefetch what the next visit to a tile needs for a run: labels, and the products of its likely candidates.

    These lie apart in memory, so that the processor does not foresee them. size: about the greatest |y| of the tile.
    """
    gaps, sizes, column = view.gaps, view.sizes, view.columns[r]
    place, at, k = number * sizes.runs + r, number * sizes.wide + column, view.firsts[r + 1] - view.firsts[r]
    kept = TILE * (number * sizes.kept + view.kept_firsts[r] - 1)
    prefetch(view.labels, TILE * place)
    prefetch(view.labels, TILE * place + 16)
    for q in range(0, k, 16):
        risen = fma(load(gaps.travelled, column + q, 16), size, load(gaps.risen, column + q, 16))
        opened = u32(0xFFFF) & ~bits_of(load(gaps.gaps, at + q, 16) > risen + gaps.fallen[place])
        if q + 16 > k:
            opened = opened & (u32(0xFFFF) >> u32(q + 16 - k))
        while opened:
            slot = i64(view.anchors.slots[at + q + lowest_one(opened)])
            opened = opened & (opened - 1)
            if slot:
                prefetch(view.anchors.products, kept + TILE * slot)
                prefetch(view.anchors.products, kept + TILE * slot + 16)


@apart
def _screen_by_directions(
    s: Source, view: View, change: Change, tile: Tile, run: RunSlice, count: i64
) -> tuple[i64, boolean, u32]:
    """Drop candidates without an anchor in this tile by the directions. For the results see `select_candidates`."""
    scratch, tiles = s.scratch, s.tiles
    many, ours = split_by_anchors(view, run, scratch.chosen, count, scratch.others, scratch.kept)
    if not many:
        return count, False, u32(0)
    change.work[SCREENED * view.sizes.runs + run.run] += count
    if not ours:
        directed_products(tiles, tile, view.directed.rows, scratch.others, many, scratch.out)
        bounds(s, tile, run, view.directed, tiles.norms, scratch.others, many)
        return _drop(s, view.gaps, tile, run, count, many, 0), False, u32(0)
    anchored_products(s, view, tile, run, scratch.kept, ours)
    opened = bounds(s, tile, run, view.anchored, tiles.rounded_norms, scratch.kept, ours)
    directed_products(tiles, tile, view.directed.rows, scratch.others, many, scratch.out + TILE * ours)
    uppers(s, tile, view.directed, tiles.norms, scratch.others, many, ours)
    stay = _drop(s, view.gaps, tile, run, count, many, ours)
    return stay, stay == ours, opened


@inner
def split_by_anchors(
    view: View, run: RunSlice, chosen: Array[i64], count: i64, others: Array[i64], kept: Array[i64]
) -> tuple[i64, i64]:
    """Split the candidates, chosen[c], c < count: those without a kept product in this tile, and those with one.

    others, kept: (K,) the two lists. Returns their lengths.
    """
    many, ours = 0, 0
    for c in range(count):
        if view.anchors.slots[run.at + chosen[c] - run.first] == u8(0):
            others[many] = chosen[c]
            many += 1
        else:
            kept[ours] = chosen[c]
            ours += 1
    return many, ours


@inner
def _drop(s: Source, gaps: Gaps, tile: Tile, run: RunSlice, count: i64, many: i64, place: i64) -> i64:
    """Drop those of the `others` from the candidates whose upper bounds reach no lane's `least`.

    The `others` are a part of the candidates. place: of the first one's upper bound. Returns the number of candidates
    that stay.
    """
    scratch, chosen = s.scratch, s.scratch.chosen
    low0, low1 = load(scratch.least, 0, 16), load(scratch.least, 16, 16)
    stay, o = 0, 0
    for c in range(count):
        j = chosen[c]
        drops = False
        if o < many and scratch.others[o] == j:
            now = _gap(scratch.upper, place + o, low0, low1)
            o += 1
            if now > 0.0:
                _record(now, j - run.first, gaps, tile, run)
                drops = True
        if not drops:
            chosen[stay] = j
            stay += 1
    return stay


@apart
def measure_gaps(s: Source, gaps: Gaps, tile: Tile, run: RunSlice, count: i64) -> None:
    """Record the gaps of the candidates; `near` gets the gaps of this step."""
    scratch = s.scratch
    low0, low1 = load(scratch.least, 0, 16), load(scratch.least, 16, 16)
    whole = count - count % 16
    for c in range(0, whole, 16):
        _sixteen_gaps(scratch.upper + TILE * c, low0, low1, scratch.near + c)
        first = scratch.chosen[c]
        if scratch.chosen[c + 15] == first + 15:
            _record_sixteen(load(scratch.near, c, 16), first - run.first, gaps, tile, run)
        else:
            for o in range(c, c + 16):
                _record(scratch.near[o], scratch.chosen[o] - run.first, gaps, tile, run)
    for c in range(whole, count):
        scratch.near[c] = _gap(scratch.upper, c, low0, low1)
        _record(scratch.near[c], scratch.chosen[c] - run.first, gaps, tile, run)


@inlined
def _gap(upper: Array[f32], c: i64, low0: F32x16, low1: F32x16) -> f32:
    """At most the gap of candidate c: every lane's `least`, low0 and low1, less the upper bound. upper: (32 K,)."""
    return gap(least(_differences(upper, c, low0, low1)))


@inlined
def _differences(upper: Array[f32], c: i64, low0: F32x16, low1: F32x16) -> F32x16:
    """`least` less the upper bounds of candidate c: the lower of lanes i and 16 + i. upper: (32 K,)."""
    return minimum(low0 - load(upper, TILE * c, 16), low1 - load(upper, TILE * c + 16, 16))


@inner
def _sixteen_gaps(upper: Array[f32], low0: F32x16, low1: F32x16, out: Array[f32]) -> None:
    """The gaps of the first 16 candidates. upper: (32 K,); out: (16,) or more."""
    differences = local(vector(f32, 16), 16)
    for c in unroll(16):
        differences[c] = _differences(upper, c, low0, low1)
    store(out, 0, gap(least_of_each(differences)))


@inlined
def _record(now: f32, q: i64, gaps: Gaps, tile: Tile, run: RunSlice) -> None:
    """Write a gap of this step into the table, relative to the sums of all steps."""
    column = run.column + q
    gaps.gaps[run.at + q] = recorded(
        now, tile.size, gaps.travelled[column], gaps.risen[column], gaps.fallen[run.at_tile]
    )


@inlined
def _record_sixteen(now: F32x16, q: i64, gaps: Gaps, tile: Tile, run: RunSlice) -> None:
    """Record the gaps of 16 adjacent columns."""
    column = run.column + q
    travelled, risen = load(gaps.travelled, column, 16), load(gaps.risen, column, 16)
    store(gaps.gaps, run.at + q, recorded(now, tile.size, travelled, risen, gaps.fallen[run.at_tile]))


# Products with the directions, and from anchors


@inlined
def directed_products(
    tiles: Tiles, tile: Tile, rows: Array[f32], chosen: Array[i64], count: i64, out: Array[f32]
) -> None:
    """Write the products of a tile's projections with the rows chosen[c], c < count. rows: (K, p); out: (32 K,)."""
    p = tiles.p
    low = tiles.projections + tile.number * TILE * p
    products(low, low + 16 * p, rows, p, chosen, count, p, out, p > 0)


@apart
def anchored_products(s: Source, view: View, tile: Tile, run: RunSlice, chosen: Array[i64], count: i64) -> None:
    """Write the products of a tile with centroids from their anchors, x . a + b . P'delta, into `out`.

    chosen: (K,), of which the first `count` are the centroids.
    """
    out = s.scratch.out
    directed_products(s.tiles, tile, view.anchored.rows, chosen, count, out)
    for c in range(count):
        slot = TILE * (i64(view.anchors.slots[run.at + chosen[c] - run.first]) - 1)
        store(out, TILE * c, load(out, TILE * c, 16) + load(run.kept, slot, 16))
        store(out, TILE * c + 16, load(out, TILE * c + 16, 16) + load(run.kept, slot + 16, 16))


@apart
def keep_products(s: Source, view: View, run: RunSlice, count: i64) -> i64:
    """Keep the products of the nearest candidates, as many as fit; return their number."""
    near, out, room = s.scratch.near, s.scratch.out, run.room - view.sizes.reserve
    whole = (count + 15) // 16 * 16
    limit = _nearest_limit(near, count, room)
    kept = 0
    for at in range(0, whole, 16):
        within = _within(near, at, count, limit)
        while within != u32(0) and kept < room:
            c = at + lowest_one(within)
            within = within & (within - 1)
            kept += 1
            view.anchors.slots[run.at + s.scratch.chosen[c] - run.first] = u8(kept)
            store(run.kept, TILE * (kept - 1), load(out, TILE * c, 16))
            store(run.kept, TILE * (kept - 1) + 16, load(out, TILE * c + 16, 16))
    return kept


@inlined
def _within(near: Array[f32], at: i64, count: i64, limit: f32) -> u32:
    """Which of the gaps at, ..., at + 15 are at most `limit`, as bits. near: (K,), K rounded up to a multiple of 16."""
    within = bits_of(load(near, at, 16) <= limit)
    return within if at + 16 <= count else within & (u32(0xFFFF) >> u32(at + 16 - count))


@inner
def _nearest_limit(near: Array[f32], count: i64, room: i64) -> f32:
    """A limit such that at most `room` gaps, of near[c], c < count, are not above it. near: (K,).

    It is found by halving the range.
    """
    limit = f32(INFINITY)
    if count > room:
        high, below = f32(0.0), f32(0.0)
        for c in range(count):
            high = max(high, near[c])
        for _ in range(20):
            limit = 0.5 * (below + high)
            found = 0
            for at in range(0, (count + 15) // 16 * 16, 16):
                found += count_ones(_within(near, at, count, limit))
            if found > room:
                high = limit
            else:
                below = limit
        limit = below
    return limit
