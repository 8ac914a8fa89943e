"""Screen the candidates of a tile by products of all features: bounds, then the lanes and candidates left open.

It does what `certifying.bounds` and `certifying.list_open` do, in two sweeps that cost less for many candidates. The
first one takes a block of candidates at a time, so that products are turned into bounds while they are in the cache.
Notation as in `bounds`.
"""

from __future__ import annotations

from steinhaus.engines.dense.factors import TILE, Factors, Scores
from steinhaus.engines.dense.products import full_products
from steinhaus.engines.dense.slices import RunSlice, Source, Tile
from steinhaus.jit.build import apart
from steinhaus.jit.operations import bits_of, fma, load, maximum, select, splat, store
from steinhaus.jit.types import Array, boolean, f32, i32, i64, u32

INFINITY = float("inf")
_BLOCK = 128  # candidates


@apart
def bound_by_features(
    s: Source, tile: Tile, factors: Factors, scores: Scores, norms: Array[f32], count: i64, keeps: boolean
) -> None:
    """Compute the products of a gathered tile with the candidates, and from them `upper` and `least`.

    norms: (N,) the norms by which slopes are multiplied. keeps: whether `out` gets all products; else it is work space.
    """
    scratch, base = s.scratch, tile.base
    for side in range(0, TILE, 16):
        store(scratch.least, side, splat(-INFINITY, f32, 16))
    for c in range(0, count, _BLOCK):
        many, out = min(_BLOCK, count - c), scratch.out
        if keeps:
            out = scratch.out + TILE * c
        full_products(s.x, scratch, factors, scratch.chosen + c, many, out)
        _bound(scores, norms + base, scratch.chosen + c, many, out, scratch.upper + TILE * c, scratch.least)
    for side in range(0, TILE, 16):
        size = load(s.tiles.norms, base + side, 16) + s.tiles.reach
        store(scratch.least, side, load(scratch.least, side, 16) - size * size * s.tiles.floor)


@apart
def _bound(
    scores: Scores,
    norms: Array[f32],
    chosen: Array[i64],
    count: i64,
    out: Array[f32],
    upper: Array[f32],
    least: Array[f32],
) -> None:
    """Turn products into upper bounds, and raise `least` to the best lower bounds.

    norms: (32,); chosen: (count,); out, upper: (32 count,); least: (32,). The lag of these scores is 0.
    """
    norm0, norm1 = load(norms, 0, 16), load(norms, 16, 16)
    low0, low1 = load(least, 0, 16), load(least, 16, 16)
    for c in range(count):
        j = chosen[c]
        half, slope, floor = scores.half[j], scores.slope[j], splat(scores.floor[j], f32, 16)
        score0, score1 = load(out, TILE * c, 16) - half, load(out, TILE * c + 16, 16) - half
        error0, error1 = fma(norm0, slope, floor), fma(norm1, slope, floor)
        store(upper, TILE * c, score0 + error0)
        store(upper, TILE * c + 16, score1 + error1)
        low0, low1 = maximum(score0 - error0, low0), maximum(score1 - error1, low1)
    store(least, 0, low0)
    store(least, 16, low1)


@apart
def certify(s: Source, run: RunSlice, count: i64, measured: boolean) -> tuple[u32, i64]:
    """Certify the lanes in which one candidate's upper bound reaches `least`: `found` gets it, less the run's first.

    Returns the other lanes, as bits, and the number of their candidates, which `others` and `kept` list as
    `certifying.list_open` does. measured: whether `near` holds the gaps. Candidates with a gap reach no lane's `least`.
    """
    scratch, many, once, twice = s.scratch, 0, u32(0), u32(0)
    need0, need1 = load(scratch.least, 0, 16), load(scratch.least, 16, 16)
    for c in range(count):
        if not measured or not scratch.near[c] > 0.0:
            below0 = need0 > load(scratch.upper, TILE * c, 16)
            below1 = need1 > load(scratch.upper, TILE * c + 16, 16)
            reached = ~(bits_of(below0) | bits_of(below1) << u32(16))
            if reached:
                label = splat(i32(scratch.chosen[c] - run.first), i32, 16)
                store(scratch.found, 0, select(below0, load(scratch.found, 0, 16), label))
                store(scratch.found, 16, select(below1, load(scratch.found, 16, 16), label))
                twice = twice | once & reached
                once = once | reached
                scratch.others[many] = c
                scratch.kept[many] = i64(reached)
                many += 1
    left = 0
    for o in range(many):
        lanes = scratch.kept[o] & i64(twice)
        if lanes:
            scratch.others[left], scratch.kept[left] = scratch.others[o], lanes
            left += 1
    return twice, left
