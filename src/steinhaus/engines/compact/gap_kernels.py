"""Label points of many features by the gaps of tiles, which leave out most centroids.

The gap of a tile and a centroid is a lower bound: every point of the tile is farther from that centroid than from its
own by at least as much. The centroid's own points do not count. A step of the centroids lowers the gap by the
centroid's step and by the longest step of the clusters that have points in the tile. While the gap is positive, the
centroid is no candidate. This is Elkan's lower bound, for tiles (C. Elkan, Using the triangle inequality to accelerate
k-means, ICML 2003). `bounds.doubles` derives the slack. Points are compared with the candidates and with the centroids
of the tile's clusters. If there is no candidate, no label of the tile changes.
"""

from __future__ import annotations

from math import inf

from steinhaus.engines.bounds.doubles import (
    FARTHEST,
    gap,
    lowered,
    own_distance,
    step_length,
    surely_farther,
)
from steinhaus.engines.compact.kernels import put, put_down, take_over
from steinhaus.engines.compact.lanes import F64x16, label_by_scores, nearest, pick, square_of
from steinhaus.engines.compact.records import GROUP, TILE, TOGETHER, Gaps, Labels, Lanes, Sites
from steinhaus.engines.exact import updating
from steinhaus.engines.exact.updating import Steps
from steinhaus.jit.build import apart, inlined, kernel
from steinhaus.jit.operations import bits_of, least, load, lowest_one, select, splat, store
from steinhaus.jit.types import Array, F32x16, Point, f32, f64, i32, i64

RESTING, REST, ANEW = 0, 1, 2  # of `Gaps.state`
NOTED = 24  # recording a gap costs as much as this many features


@kernel
def label(x: Lanes, run: Labels, gaps: Gaps, limbs: i64, first: i64, end: i64, sites: Sites, k: i64) -> i64:
    """Label the points of some tiles; return the number of comparisons of a tile with a centroid."""
    return _label(x, run, gaps, limbs, first, end, sites, k)


@kernel
def advance(
    x: Lanes,
    run: Labels,
    gaps: Gaps,
    limbs: i64,
    k: i64,
    sites: Sites,
    steps: Steps,
    tolerance: f64,
    most: i64,
    labelled: i64,
) -> i64:
    """Do complete iterations, as `kernels.advance` does. labelled: whether labels are those of the centroids."""
    tiles = (x.n + TILE - 1) // TILE
    for done in range(most):
        if done > 0 or labelled == 0:
            _end_pass(gaps, _label(x, run, gaps, limbs, 0, tiles, sites, k), tiles, k, x.d)
        if updating.update(run.sums, limbs, k, x.d, run.counts, sites.rows, steps, tolerance, done) == 0:
            return done
        _step(steps.following, k, x.d, sites, gaps)
    return most


@kernel
def step(following: Array[f64], k: i64, d: i64, sites: Sites, gaps: Gaps) -> None:
    """Set the centroids, (k, d), and add up the lengths of their steps."""
    _step(following, k, d, sites, gaps)


@kernel
def end_pass(gaps: Gaps, compared: i64, tiles: i64, k: i64, d: i64) -> None:
    """Account for a pass with so many comparisons of a tile with a centroid. If gaps do not pay, they rest."""
    _end_pass(gaps, compared, tiles, k, d)


@apart
def _step(following: Array[f64], k: i64, d: i64, sites: Sites, gaps: Gaps) -> None:
    for j in range(k):
        square = 0.0
        for t in range(j * d, (j + 1) * d):
            difference = following[t] - sites.rows[t]
            square += difference * difference
        gaps.moved[j] = step_length(square, d, gaps.root, gaps.moved[j])
    put(following, k, d, sites)


@apart
def _end_pass(gaps: Gaps, compared: i64, tiles: i64, k: i64, d: i64) -> None:
    wide, state = (k + GROUP - 1) // GROUP * GROUP, gaps.state
    for j in range(k):
        gaps.moved[j] = f32(0.0)
    if state[RESTING] > 0:
        state[RESTING] -= 1
        if state[RESTING] == 0:
            state[ANEW] = 1
            for at in range(0, tiles * wide, GROUP):
                store(gaps.gaps, at, splat(-inf, f32, GROUP))
    elif state[ANEW] != 0:
        state[ANEW] = 0
    elif compared * (d + NOTED) > tiles * k * d:
        state[RESTING] = state[REST]
        state[REST] = 2 * state[REST] + 1
    else:
        state[REST] = 1


@apart
def _label(x: Lanes, run: Labels, gaps: Gaps, limbs: i64, first: i64, end: i64, sites: Sites, k: i64) -> i64:
    d, waiting, compared = x.d, 0, 0
    wide, resting = (k + GROUP - 1) // GROUP * GROUP, gaps.state[RESTING] > 0
    floor = surely_farther(gaps.longest + sites.longest[0], d, gaps.root)
    for tile in range(first, end):
        values = x.values + TILE * d * tile
        if resting:
            nearest(values, sites, k, d, run.found)
        else:
            found = _left(run, gaps, tile, sites, k, d, floor)
            if found == 0:
                continue
            compared += found
            at = gaps.gaps + tile * wide
            if found == k:
                square = square_of(values, d)
                store(gaps.squares, TILE * tile, square)
                _compare(values, run, gaps, at, square, sites, k, d)
            else:
                _compare(values, run, gaps, at, load(gaps.squares, TILE * tile, TILE), run.some, found, d)
        waiting = take_over(x, values, run, tile, limbs, k, waiting)
    if waiting > 0:
        put_down(run, limbs, k * d)
    return compared


@apart
def _left(run: Labels, gaps: Gaps, tile: i64, sites: Sites, k: i64, d: i64, floor: f32) -> i64:
    """Lower a tile's gaps by the last steps, and gather its candidates in `some`, unless all are. Returns their number.

    If there are any, the centroids of the tile's clusters are among them.
    """
    wide, labels = (k + GROUP - 1) // GROUP * GROUP, run.labels + TILE * tile
    at, one = gaps.gaps + tile * wide, labels[0]
    alike = i64(bits_of(load(labels, 0, TILE) == splat(one, i32, TILE))) == 0xFFFF and one >= 0
    lanes = 1 if alike else TILE  # with the labels of the tile
    own = f32(0.0)
    for lane in range(lanes):
        if labels[lane] >= 0:
            own = max(own, gaps.moved[i64(labels[lane])])
    left, common = 0, splat(own + floor, f32, GROUP)
    for j in range(0, wide, GROUP):
        low = lowered(load(at, j, GROUP), load(gaps.moved, j, GROUP) + common)
        store(at, j, low)
        left = left | _open(low, floor, j, k)
    if left == 0:
        return 0
    for lane in range(lanes):
        if labels[lane] >= 0:
            at[i64(labels[lane])] = -inf
    found = 0
    for j in range(0, wide, GROUP):
        left = _open(load(at, j, GROUP), floor, j, k)
        while left != 0:
            name = j + lowest_one(left)
            left = left & (left - 1)
            run.some.names[found] = name
            found += 1
    if found < k:
        _gather(sites, run.some, found, d)
    return found


@inlined
def _open(low: F32x16, floor: f32, j: i64, k: i64) -> i64:
    """The candidates among the 16 centroids from j on, a bit each."""
    farther = i64(bits_of(low > splat(floor, f32, GROUP)))
    valid = (1 << min(GROUP, k - j)) - 1
    return valid & ~farther


@inlined
def _gather(sites: Sites, some: Sites, found: i64, d: i64) -> None:
    """Copy the named centroids next to each other. Copies of the last one, never nearest, fill up the last group."""
    for place in range(found):
        name = some.names[place]
        pick(sites, name, some, place, d)
        some.halves[place] = sites.halves[name]
    for again in range(found, (found + TOGETHER - 1) // TOGETHER * TOGETHER):
        pick(some, found - 1, some, again, d)
        some.halves[again] = inf
    some.longest[0] = sites.longest[0]


@apart
def _compare(
    tile: Array[Point], run: Labels, gaps: Gaps, at: Array[f32], square: F64x16, sites: Sites, k: i64, d: i64
) -> None:
    """Label the points of a tile, (d, 16), and record the gaps of the centroids that it is compared with.

    at: (k rounded up to 16,), the tile's gaps.
    """
    scores = run.bounds
    best, margin = label_by_scores(1, tile, square, sites, k, d, run.found, scores)
    own = own_distance(square + 2.0 * best, margin, gaps.scale)
    label, far = load(run.found, 0, TILE), splat(FARTHEST, f32, TILE)
    for place in range(k):
        name = sites.names[place]
        farther = gap(square + 2.0 * load(scores, TILE * place, TILE), margin, gaps.scale, own)
        at[name] = least(select(label == i32(name), far, farther))
