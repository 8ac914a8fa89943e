"""What is done with points in lanes: they are brought there, added up, and labelled, for as many iterations as wanted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus import arithmetic
from steinhaus.engines.compact.lanes import TILE, TOGETHER, Lanes, distances, integers, nearest
from steinhaus.jit.build import inlined, inner, kernel
from steinhaus.jit.operations import (
    bits_of,
    convert,
    floating,
    fold,
    load,
    lowest_one,
    maximum,
    minimum,
    select,
    small_integer,
    splat,
    store,
)
from steinhaus.jit.types import Array, Point, boolean, f64, i32, i64

BLOCK = 512  # tiles that can be added up before a sum may overflow: 2^13 points of 2^48 each, in and out


class Labels(NamedTuple):
    """The labels of a run, and what one thread has added up by them."""

    labels: Array[i32]  # (16 tiles,), -1: none yet
    sums: Array[i64]  # (limbs, k, d)
    counts: Array[i64]  # (k,)
    added: Array[i64]  # (k, d) zeros between calls
    found: Array[i32]  # (16,) to work in
    whole: Array[i64]  # (d, 16) to work in


class Steps(NamedTuple):
    """What the update of the centroids needs besides."""

    squares: Array[f64]  # (2,) of all points
    step: Array[f64]  # (d,) of the grid
    centroids: Array[f64]  # (centroid_rows(k), d)
    following: Array[f64]  # (k, d) to work in
    table: Array[f64]  # (2, d) to work in
    history: Array[f64]  # one an iteration


@kernel
def turn(rows: Array[Point], x: Lanes, first: i64, end: i64, least: Array[f64], most: Array[f64]) -> i64:
    """Bring tiles into lanes, and note the least and greatest value of each feature, (d, 16); 1 where a value is not
    finite, else 0.
    """
    d, bad = x.d, splat(0.0, f64, TILE)
    for tile in range(first, end):
        to = x.values + TILE * d * tile
        for lane in range(TILE):
            row = rows + min(TILE * tile + lane, x.n - 1) * d
            for t in range(d):
                to[TILE * t + lane] = row[t]
        if not small_integer(Point):
            for t in range(d):
                value = convert(load(to, TILE * t, TILE), f64)
                store(least, TILE * t, minimum(load(least, TILE * t, TILE), value))
                store(most, TILE * t, maximum(load(most, TILE * t, TILE), value))
                if floating(Point):
                    bad = bad + (value - value)
    return 0 if fold(bad) == 0.0 else 1


@kernel
def totals(x: Lanes, first: i64, end: i64, inside: Array[i64], sums: Array[i64], squares: Array[i64]) -> None:
    """Add up the grid's integers q of some tiles, at most `BLOCK`, and their squares, in three parts: a^2, 2ab, b^2, q =
    a 2^24 + b. sums: (2, d), in two limbs; squares: (3, 2, d), in two limbs each; inside: (16,) a mask of the last
    tile's points.
    """
    d = x.d
    for t in range(d):
        total, upper, across, lower = splat(0, i64, TILE), splat(0, i64, TILE), splat(0, i64, TILE), splat(0, i64, TILE)
        for tile in range(first, end):
            q = integers(x, x.values + TILE * d * tile, t)
            if TILE * (tile + 1) > x.n:
                q = q & load(inside, 0, TILE)
            a, b = q >> 24, q & 0xFFFFFF
            total = total + q
            upper = upper + a * a
            across = across + 2 * a * b
            lower = lower + b * b
        _add(sums, 0, d, t, fold(total >> 32), fold(total & 0xFFFFFFFF))
        _add(squares, 0, d, t, fold(upper >> 32), fold(upper & 0xFFFFFFFF))
        _add(squares, 2, d, t, fold(across >> 32), fold(across & 0xFFFFFFFF))
        _add(squares, 4, d, t, fold(lower >> 32), fold(lower & 0xFFFFFFFF))


@inlined
def _add(sums: Array[i64], part: i64, d: i64, t: i64, high: i64, low: i64) -> None:
    sums[part * d + t] += high
    sums[(part + 1) * d + t] += low


@kernel
def label(x: Lanes, run: Labels, limbs: i64, first: i64, end: i64, centroids: Array[f64], k: i64) -> None:
    """Label the points of some tiles, and move those whose label has changed from cluster to cluster.

    centroids: (centroid_rows(k), d).
    """
    d, waiting = x.d, 0
    for tile in range(first, end):
        values = x.values + TILE * d * tile
        nearest(values, centroids, k, d, run.found)
        new = load(run.found, 0, TILE)
        changed = i64(bits_of(new != load(run.labels, TILE * tile, TILE)))
        if TILE * (tile + 1) > x.n:
            changed = changed & ((1 << (x.n - TILE * tile)) - 1)
        if changed != 0:
            _move(x, values, run, tile, changed)
            store(run.labels, TILE * tile, new)
            waiting += 1
            if waiting == BLOCK:
                _put_down(run, limbs, k * d)
                waiting = 0
    if waiting > 0:
        _put_down(run, limbs, k * d)


@inner
def _move(x: Lanes, values: Array[Point], run: Labels, tile: i64, changed: i64) -> None:
    """Move the points of these lanes to the clusters of the labels that were found."""
    d, left = x.d, changed
    for t in range(d):
        store(run.whole, TILE * t, integers(x, values, t))
    while left != 0:
        lane = lowest_one(left)
        left = left & (left - 1)
        old, new = i64(run.labels[TILE * tile + lane]), i64(run.found[lane])
        if old >= 0:
            run.counts[old] -= 1
            for t in range(d):
                run.added[old * d + t] -= run.whole[TILE * t + lane]
        run.counts[new] += 1
        for t in range(d):
            run.added[new * d + t] += run.whole[TILE * t + lane]


@inner
def _put_down(run: Labels, limbs: i64, size: i64) -> None:
    """Add what is waiting to the sums, in their limbs."""
    for at in range(size):
        waiting = run.added[at]
        run.added[at] = 0
        if limbs == 1:
            run.sums[at] += waiting
        else:
            run.sums[at] += waiting >> 32
            run.sums[size + at] += waiting & 0xFFFFFFFF


@kernel
def advance(x: Lanes, run: Labels, limbs: i64, k: i64, steps: Steps, tolerance: f64, most: i64) -> i64:
    """Do complete iterations, `most` of them or as many as there are before one that would end the run or that has an
    empty cluster: that one is begun, so that labels and sums are those of the centroids. Returns how many.
    """
    d, tiles = x.d, (x.n + TILE - 1) // TILE
    for done in range(most):
        label(x, run, limbs, 0, tiles, steps.centroids, k)
        for j in range(k):
            if run.counts[j] == 0:
                return done
        if not _update(x, run, limbs, k, steps, tolerance, done):
            return done
        for j in range(k, (k + TOGETHER - 1) // TOGETHER * TOGETHER):
            for t in range(d):
                steps.centroids[j * d + t] = steps.centroids[(k - 1) * d + t]
    return most


@inner
def _update(x: Lanes, run: Labels, limbs: i64, k: i64, steps: Steps, tolerance: f64, done: i64) -> boolean:
    """Replace the centroids by the means; no, where that would end the run."""
    d = x.d
    arithmetic.mean_rows(run.sums, limbs, k, d, run.counts, x.offset, steps.step, steps.following)
    same = True
    for at in range(k * d):
        if steps.following[at] != steps.centroids[at]:
            same = False
            break
    if same or arithmetic.moved(steps.centroids, steps.following, k * d) <= tolerance:
        return False
    steps.history[done] = arithmetic.cost(
        steps.squares, run.sums, limbs, k, d, run.counts, steps.following, x.offset, steps.step, steps.table
    )
    for at in range(k * d):
        steps.centroids[at] = steps.following[at]
    return True


@kernel
def to_rows(x: Lanes, first: i64, end: i64, rows: Array[f64], m: i64, out: Array[f64], wide: i64) -> None:
    """Squared distances of the points of some tiles to m rows, (m, d): out (m, wide), wide >= 16 tiles."""
    for tile in range(first, end):
        for j in range(m):
            distances(x.values + TILE * x.d * tile, rows + j * x.d, x.d, out + (j * wide + TILE * tile))
