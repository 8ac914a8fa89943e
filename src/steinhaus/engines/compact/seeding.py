"""Greedy k-means++ on points in lanes: the rows that `seeding.plus_plus` draws, from the same random numbers."""

from __future__ import annotations

from typing import NamedTuple

from steinhaus.engines.compact.lanes import TILE, Lanes, distances
from steinhaus.jit.build import inner, kernel
from steinhaus.jit.operations import bits_of, convert, fold, from_bits, largest, load, maximum, minimum, splat, store
from steinhaus.jit.types import Array, f64, i64, u64

BLOCK = 32  # tiles whose sum is kept, so that a row is found without a look at all
SMALLEST = 2.0**-900  # below, the scale of integers may overflow


class Draw(NamedTuple):
    """What is known while rows are drawn."""

    closest: Array[f64]  # (16 tiles,) squared distances to the nearest row chosen so far; infinite at first
    times: Array[f64]  # (16 tiles,) how often each point counts; 0 after the last
    sums: Array[i64]  # (blocks,) of the integers of `BLOCK` tiles
    words: Array[u64]  # random ones
    rows: Array[f64]  # (trials, d) candidates
    costs: Array[i64]  # (trials, 16) sums if a candidate is chosen, lane by lane
    candidates: Array[i64]  # (trials,)
    chosen: Array[i64]  # (k,) rows
    state: Array[i64]  # (2,) how many rows are chosen, how many words are used
    near: Array[f64]  # (16,) to work in


@kernel
def choose(x: Lanes, draw: Draw, k: i64, trials: i64, bits: i64, words: i64) -> i64:
    """Choose rows until there are k, at least the first of which is given; 1 where the words do not suffice.

    Rows may be left to choose where all distances are 0, or too small for integers.
    bits: of the sum of all integers.
    """
    tiles = (x.n + TILE - 1) // TILE
    for place in range(draw.state[0]):
        _take(x, draw, tiles, draw.chosen[place])
    while draw.state[0] < k:
        most = _largest(draw, tiles)
        if most < SMALLEST:
            return 0
        exponent = ((bits_of(most) >> 52) & 2047) - 1022  # frexp's
        scale = from_bits((bits - 1 - exponent + 1023) << 52)
        total = _sum_blocks(draw, tiles, scale)
        used = _draw(draw, trials, total, words)
        if used < 0:
            return 1
        draw.state[1] = used
        for m in range(trials):
            _find(x, draw, m, scale)
        best = _best(x, draw, tiles, trials, scale)
        draw.chosen[draw.state[0]] = draw.candidates[best]
        draw.state[0] += 1
        _take(x, draw, tiles, draw.candidates[best])
    return 0


@inner
def _row(x: Lanes, i: i64, row: Array[f64]) -> None:
    """Write a point's features."""
    for t in range(x.d):
        row[t] = f64(x.values[(i // TILE * x.d + t) * TILE + i % TILE])


@inner
def _take(x: Lanes, draw: Draw, tiles: i64, i: i64) -> None:
    """Choose a row: distances to it count from now on."""
    _row(x, i, draw.rows)
    for tile in range(tiles):
        distances(x.values + TILE * x.d * tile, draw.rows, x.d, draw.near)
        at = TILE * tile
        store(draw.closest, at, minimum(load(draw.near, 0, TILE), load(draw.closest, at, TILE)))


@inner
def _largest(draw: Draw, tiles: i64) -> f64:
    most = splat(0.0, f64, TILE)
    for at in range(0, TILE * tiles, TILE):
        most = maximum(most, load(draw.closest, at, TILE) * load(draw.times, at, TILE))
    return largest(most)


@inner
def _sum_blocks(draw: Draw, tiles: i64, scale: f64) -> i64:
    """Sum the integers of each block; the sum of all."""
    total = 0
    for block in range((tiles + BLOCK - 1) // BLOCK):
        inside = splat(0, i64, TILE)
        for at in range(TILE * BLOCK * block, TILE * min(BLOCK * (block + 1), tiles), TILE):
            cost = load(draw.closest, at, TILE) * load(draw.times, at, TILE)
            inside = inside + convert(cost * scale, i64)
        draw.sums[block] = fold(inside)
        total += draw.sums[block]
    return total


@inner
def _draw(draw: Draw, trials: i64, total: i64, words: i64) -> i64:
    """Draw an integer below a total for each trial into `candidates`, as `Stream.below` does: words at or above the
    largest multiple of it are drawn again, once all have been drawn. The number of words used in all; -1 where they do
    not suffice.
    """
    used, span = draw.state[1], u64(total)
    last = u64(0) - u64(1)
    rejected = (last % span + u64(1)) % span
    waiting = trials
    for m in range(trials):
        draw.candidates[m] = -1
    while waiting > 0:
        if used + waiting > words:
            return -1
        waiting = 0
        for m in range(trials):
            if draw.candidates[m] < 0:
                word = draw.words[used]
                used += 1
                if word > last - rejected:
                    waiting += 1
                else:
                    draw.candidates[m] = i64(word % span)
    return used


@inner
def _find(x: Lanes, draw: Draw, m: i64, scale: f64) -> None:
    """Replace what a trial drew by the first point up to which the integers add up to more."""
    left, block = draw.candidates[m], 0
    while left >= draw.sums[block]:
        left -= draw.sums[block]
        block += 1
    i = TILE * BLOCK * block
    while True:
        left -= i64(draw.closest[i] * draw.times[i] * scale)
        if left < 0:
            break
        i += 1
    draw.candidates[m] = i
    _row(x, i, draw.rows + m * x.d)


@inner
def _best(x: Lanes, draw: Draw, tiles: i64, trials: i64, scale: f64) -> i64:
    """The first of the candidates that leave the least sum."""
    for at in range(0, TILE * trials, TILE):
        store(draw.costs, at, splat(0, i64, TILE))
    for tile in range(tiles):
        closest, times = load(draw.closest, TILE * tile, TILE), load(draw.times, TILE * tile, TILE)
        for m in range(trials):
            distances(x.values + TILE * x.d * tile, draw.rows + m * x.d, x.d, draw.near)
            cost = minimum(load(draw.near, 0, TILE), closest) * times
            store(draw.costs, TILE * m, load(draw.costs, TILE * m, TILE) + convert(cost * scale, i64))
    best, least = 0, fold(load(draw.costs, 0, TILE))
    for m in range(1, trials):
        total = fold(load(draw.costs, TILE * m, TILE))
        if total < least:
            best, least = m, total
    return best
