"""A step of refining in one call: what `refining.py` does by an engine's other calls, to the same bits.

The state of the run at the clustering that a step begins from is kept. If the step fails, the next one begins from
there, too.

Lloyd's algorithm computes only the means of clusters whose sums or counts have changed since their last mean. All
others have the same means as before. A centroid that does not move adds 0 to the shift.
"""

from __future__ import annotations

from steinhaus import arithmetic
from steinhaus.engines.compact.choosing_kernels import (
    choose_stays,
    draw_rows,
    find_movable,
    find_worst,
    sum_errors,
    sum_utilities,
)
from steinhaus.engines.compact.following_kernels import (
    complete_tiles,
    follow_tiles,
    forget_moves,
    measure_moved,
    renumber_points,
)
from steinhaus.engines.compact.kernels import put
from steinhaus.engines.compact.records import GROUP, TILE, Lanes, Stepping
from steinhaus.engines.exact.exchanging import move
from steinhaus.jit.build import apart, inlined, kernel
from steinhaus.jit.operations import load, store
from steinhaus.jit.types import Array, Point, boolean, f64, i64

ADDED, CLUSTERS, STOP = 0, 1, 2  # places of `told`
CONVERGED, TOLERANCE, MAX_ITER = 0, 1, 2  # reasons to stop
IMPOSSIBLE = -1  # a cluster became empty, or the random words do not suffice


@kernel
def step(
    x: Lanes,
    values: Array[Point],
    work: Stepping,
    known: i64,
    added: i64,
    tried: i64,
    around: f64,
    tolerance: f64,
    most: i64,
    below: f64,
) -> i64:
    """Make a step; return its iterations, 0 if no cluster has an error, or `IMPOSSIBLE`.

    values: (n, d) the points as rows. known: 1: the clustering to begin from is kept; 0: the run is in that state.
    below: points are exchanged if the inertia is less. The other parameters are those of `breathing.Trial`.
    """
    k, d, tiles = work.k, x.d, (x.n + TILE - 1) // TILE
    work.told[CLUSTERS] = k
    if known == 0:
        _keep(work, tiles, d)
        sum_errors(x, work, k)
    many = find_worst(work, k, added, tried)
    work.told[ADDED] = many
    if many == 0:
        return 0
    if not draw_rows(x, work, many):
        return IMPOSSIBLE
    if known != 0:
        _bring_back(work, tiles)
    work.told[CLUSTERS] = k + many
    _grow(values, work, many, d)
    grown = _converge(x, work, k + many, tolerance, most)
    if grown < 0:
        return IMPOSSIBLE
    complete_tiles(x, work.run, work.near, 0, tiles, work.sites, k + many)
    sum_utilities(x, work, k + many)
    choose_stays(work, k + many, d, many, around * _inertia(work, k + many, d) / work.weight)
    work.told[CLUSTERS] = k
    _shrink(work, k + many, TILE * tiles, d)
    found = _converge(x, work, k, tolerance, most)
    if found < 0:
        return IMPOSSIBLE
    work.cost[0] = _inertia(work, k, d)
    further = 0
    if work.cost[0] < below and _exchange(x, values, work, k):
        further = _converge(x, work, k, tolerance, most)
        if further < 0:
            return IMPOSSIBLE
        work.cost[0] = _inertia(work, k, d)
    return grown + found + further


@apart
def _inertia(work: Stepping, k: i64, d: i64) -> f64:
    """The inertia of the run, weighted."""
    steps = work.steps
    return work.unit * arithmetic.cost(
        steps.squares,
        work.run.sums,
        work.limbs,
        k,
        d,
        work.run.counts,
        work.sites.rows,
        steps.offset,
        steps.step,
        steps.table,
    )


# The clustering to begin from


@apart
def _keep(work: Stepping, tiles: i64, d: i64) -> None:
    """Keep the state of the run."""
    run, near, kept, size = work.run, work.near, work.kept, work.k * d
    for at in range(0, TILE * tiles, TILE):
        store(kept.labels, at, load(run.labels, at, TILE))
        store(kept.others, at, load(near.others, at, TILE))
        store(kept.firsts, at, load(near.firsts, at, TILE))
        store(kept.seconds, at, load(near.seconds, at, TILE))
        store(kept.rest, at, load(near.rest, at, TILE))
    for at in range(work.limbs * size):
        kept.sums[at] = run.sums[at]
    for at in range(size):
        kept.centroids[at] = work.sites.rows[at]
    for j in range(work.k):
        kept.counts[j] = run.counts[j]


@apart
def _bring_back(work: Stepping, tiles: i64) -> None:
    """Bring the labels and distances of the kept clustering back. `_grow` brings its centroids and sums."""
    run, near, kept = work.run, work.near, work.kept
    for at in range(0, TILE * tiles, TILE):
        store(run.labels, at, load(kept.labels, at, TILE))
        store(near.others, at, load(kept.others, at, TILE))
        store(near.firsts, at, load(kept.firsts, at, TILE))
        store(near.seconds, at, load(kept.seconds, at, TILE))
        store(near.rest, at, load(kept.rest, at, TILE))


# More and fewer centroids


@apart
def _grow(values: Array[Point], work: Stepping, many: i64, d: i64) -> None:
    """Add the rows that were drawn, `many` of them, to the kept centroids. values: (n, d)."""
    run, near, kept, k, size = work.run, work.near, work.kept, work.k, work.k * d
    for at in range(size):
        work.places[at] = kept.centroids[at]
    for m in range(many):
        for t in range(d):
            work.places[size + m * d + t] = f64(values[work.rows[m] * d + t])
    put(work.places, k + many, d, work.sites)
    for limb in range(work.limbs):
        sums = run.sums + limb * (size + many * d)
        for at in range(size):
            sums[at] = kept.sums[limb * size + at]
        for at in range(many * d):
            sums[size + at] = 0
    forget_moves(near)
    for j in range(k + many):
        run.counts[j] = kept.counts[j] if j < k else 0
    for m in range(many):
        near.moved[m] = k + m
        near.moves[k + m + 1] = 1
    near.many[0] = many
    measure_moved(near, work.sites, d)


@apart
def _shrink(work: Stepping, k: i64, n: i64, d: i64) -> None:
    """Keep the centroids in `names`, of k, for n places."""
    run, stays = work.run, work.k
    for at in range(work.limbs * k * d):
        work.before[at] = run.sums[at]
    for limb in range(work.limbs):
        for i in range(stays):
            for t in range(d):
                run.sums[(limb * stays + i) * d + t] = work.before[(limb * k + work.names[i]) * d + t]
    for i in range(stays):
        j = work.names[i]  # at least i
        run.counts[i] = run.counts[j]
        for t in range(d):
            work.places[i * d + t] = work.sites.rows[j * d + t]
    put(work.places, stays, d, work.sites)
    renumber_points(run, work.near, work.renamed, n)


# Exchanges


@apart
def _exchange(x: Lanes, values: Array[Point], work: Stepping, k: i64) -> boolean:
    """Move the centroids as `exchanges.exchanged` does; return whether any point moves. values: (n, d)."""
    near, sites, wide, moved = work.near, work.sites, (k + GROUP - 1) // GROUP * GROUP, 0
    find_movable(x, work, k)
    for row in range(x.n):
        w = work.missed[row]
        if w > 0.0:
            j = i64(work.owners[row])
            to = move(values + row * x.d, x.d, j, w, sites.across, k, wide, work.utilities, work.distances)
            if to != j:
                near.moves[j + 1], near.moves[to + 1] = 1, 1
    for j in range(k):
        if near.moves[j + 1] != 0:
            near.moved[moved] = j
            moved += 1
            for t in range(x.d):
                sites.rows[j * x.d + t] = sites.across[t * wide + j]
    near.many[0] = moved
    if moved:
        measure_moved(near, sites, x.d)
    return moved != 0


# Lloyd's algorithm


@apart
def _converge(x: Lanes, work: Stepping, k: i64, tolerance: f64, most: i64) -> i64:
    """Run Lloyd's algorithm, as `lloyd` does; return its iterations, or `IMPOSSIBLE` if a cluster becomes empty."""
    run, near, d, tiles = work.run, work.near, x.d, (x.n + TILE - 1) // TILE
    for j in range(k):
        work.counted[j] = -1
    ended = False
    for done in range(most + 1):
        follow_tiles(x, run, near, work.limbs, 0, tiles, work.sites, k)
        forget_moves(near)
        if ended:
            return done
        many = _changed(work, k, d)
        if many < 0:
            return IMPOSSIBLE
        _means(work, many, k, d)
        shift = arithmetic.moved(work.places, work.steps.following, many * d)
        if _move(work, many, k, d) == 0:
            work.told[STOP] = CONVERGED
            return done + 1
        if shift <= tolerance or done + 1 == most:
            work.told[STOP] = TOLERANCE if shift <= tolerance else MAX_ITER
            ended = True
        measure_moved(near, work.sites, d)
    return most


@apart
def _changed(work: Stepping, k: i64, d: i64) -> i64:
    """List the clusters whose sums or counts changed; return their number, or `IMPOSSIBLE` if one is empty."""
    sums, many = work.run.sums, 0
    for j in range(k):
        count = work.run.counts[j]
        if count == 0:
            return IMPOSSIBLE
        if _differs(work, j, k, d):
            work.names[many] = j
            many += 1
            work.counted[j] = count
            for limb in range(work.limbs):
                for at in range((limb * k + j) * d, (limb * k + j + 1) * d):
                    work.before[at] = sums[at]
    return many


@inlined
def _differs(work: Stepping, j: i64, k: i64, d: i64) -> boolean:
    """Whether the sums or the count of a cluster are not those of its last mean."""
    if work.run.counts[j] != work.counted[j]:
        return True
    bits = 0
    for limb in range(work.limbs):
        for at in range((limb * k + j) * d, (limb * k + j + 1) * d):
            bits = bits | (work.run.sums[at] ^ work.before[at])
    return bits != 0


@apart
def _means(work: Stepping, many: i64, k: i64, d: i64) -> None:
    """Compute the means of the clusters in `names` into `following`, and list their centroids in `places`."""
    for i in range(many):
        j = work.names[i]
        work.counts[i] = work.run.counts[j]
        for t in range(d):
            work.places[i * d + t] = work.sites.rows[j * d + t]
        for limb in range(work.limbs):
            for t in range(d):
                work.changed[(limb * many + i) * d + t] = work.run.sums[(limb * k + j) * d + t]
    steps = work.steps
    arithmetic.mean_rows(work.changed, work.limbs, many, d, work.counts, steps.offset, steps.step, steps.following)


@apart
def _move(work: Stepping, many: i64, k: i64, d: i64) -> i64:
    """Move the centroids in `names` to `following`; record those that change, and return their number.

    Half norms are not kept up, because points that follow centroids do not use them.
    """
    near, sites, wide, moved = work.near, work.sites, (k + GROUP - 1) // GROUP * GROUP, 0
    for i in range(many):
        j, same = work.names[i], True
        for t in range(d):
            value = work.steps.following[i * d + t]
            if value != work.places[i * d + t]:
                same = False
            sites.rows[j * d + t] = value
            sites.across[t * wide + j] = value
        if not same:
            near.moved[moved] = j
            near.moves[j + 1] = 1
            moved += 1
    near.many[0] = moved
    return moved
