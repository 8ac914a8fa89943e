"""Records of the compact engine: what kernels know of points, centroids and runs, and the memory they work in."""

from __future__ import annotations

from typing import NamedTuple

from steinhaus.jit.annotations import Array, Point, f32, f64, i32, i64, u64

TILE = 16  # points
BOX = 4  # tiles that share a box
GROUP = 16  # boxes that are looked at at once
FEW = 16  # features below which a distance is summed in order
TOGETHER = 4  # centroids that few features are compared with at once: their number is rounded up to it
ROWS = 512  # rows whose sum is kept, so that one is found without a look at all


def centroid_rows(k: int) -> int:
    """Rows of a table for k centroids: the last one is repeated, which no tie ever goes to."""
    return -(-k // TOGETHER) * TOGETHER


class Lanes(NamedTuple):
    """The points, and their grid: the integers are (x - offset) * per_step.

    A box is what `BOX` tiles spread over: bounds of each feature. There are boxes where there are few features.
    """

    values: Array[Point]  # (tiles, d, 16); after the last point, copies of it
    n: i64
    d: i64
    offset: Array[f64]  # (d,)
    per_step: Array[f64]  # (d,)
    order: Array[i64]  # (n,) the row that stands at a place
    ordered: i64  # 0: each row stands at its own place, and there is no `order`
    weights: Array[i64]  # (n,) what the point at each place counts for, if `weighted`
    weighted: i64
    low: Array[f64]  # (groups, d, 16) the least value in each box
    high: Array[f64]  # (groups, d, 16) the greatest value


class Sites(NamedTuple):
    """Centroids, or some of them."""

    rows: Array[f64]  # (centroid_rows(k), d)
    names: Array[i64]  # (centroid_rows(k),) their numbers
    across: Array[f64]  # (d, k rounded up to 16); after the last one, copies of it
    halves: Array[f64]  # (centroid_rows(k),) of their squared norms; infinite after the last one
    longest: Array[f64]  # (1,) the greatest of their squared norms


class Labels(NamedTuple):
    """The labels of a run, and what one thread has added up by them."""

    labels: Array[i32]  # (16 tiles,), -1: none yet
    sums: Array[i64]  # (limbs, k, d)
    counts: Array[i64]  # (k,)
    added: Array[i64]  # (k, d) zeros between calls
    found: Array[i32]  # (16,) to work in
    whole: Array[i64]  # (d, 16) to work in
    some: Sites  # to work in: centroids that may be nearest
    bounds: Array[f64]  # (k rounded up to 16,) to work in


class Followed(NamedTuple):
    """What is known of each point besides its label, and which centroids moved since: see `following_kernels`."""

    firsts: Array[f64]  # (16 tiles,) the squared distance to the centroid of its label
    seconds: Array[f64]  # (16 tiles,) that to another one
    others: Array[i32]  # (16 tiles,) which one
    rest: Array[f64]  # (16 tiles,) at most that to any other centroid
    moved: Array[i64]  # (k,) centroids
    moves: Array[i64]  # (k + 1,) whether each centroid, counted from 1, is among them; 0 for that there is not
    many: Array[i64]  # (2,) how many moved, and how many centres there are
    centres: Array[f64]  # (m, d) rows that tiles lie around; they never change
    centre: Array[i64]  # (tiles,) which one a tile lies around
    radius: Array[f64]  # (tiles,) at least how far any of its points lies from it
    apart: Array[f64]  # (m, k) at most how far the centroids that moved are from each of these rows, in their order


class Gaps(NamedTuple):
    """What is known of tiles of points of many features, and what moved since: see `gap_kernels`.

    Distances are in units of their own, in which no point is longer than about 1.
    """

    gaps: Array[f32]  # (tiles, k rounded up to 16)
    moved: Array[f32]  # (k rounded up to 16,) at least how far each centroid moved since
    squares: Array[f64]  # (16 tiles,) squared norms of points
    state: Array[i64]  # (3,) passes left to rest, how many are the next rest, whether nothing is known
    scale: f64  # of squared distances, and of distances its root
    root: f64
    longest: f64  # at least the greatest of the squared norms


class Cells(NamedTuple):
    """Cells of a grid over the features, which is halved along one feature after the other."""

    low: Array[f64]  # (d,) where it begins
    scale: Array[f64]  # (d,) cells a unit
    most: Array[f64]  # (d,) the last cell
    feature: Array[i64]  # (bits,) which one is halved
    shift: Array[i64]  # (bits,) the bit of its cell that tells the halves apart


class Draw(NamedTuple):
    """What is known while rows are drawn.

    What a point costs is its squared distance to the nearest row chosen so far, times how often it counts; its integer
    is that, scaled.
    """

    closest: Array[f64]  # (16 tiles,) squared distances to the nearest chosen row: infinite at first; 0 after the last
    times: Array[f64]  # (16 tiles,) how often each point counts, if `weighted`
    weighted: i64
    far: Array[f64]  # (boxes,) the greatest `closest` in each box; -1 after the last box
    most: Array[f64]  # (boxes,) the greatest cost in each
    inside: Array[i64]  # (boxes,) the sum of the integers in each; -1: not known
    integers: Array[i64]  # (16 tiles,) of each row
    sums: Array[i64]  # (blocks,) of the integers of `ROWS` rows
    words: Array[u64]  # random ones
    rows: Array[f64]  # (trials rounded up to 4, d) candidates
    halves: Array[f64]  # (trials rounded up to 4,) of their squared norms; from here on, of many features
    squares: Array[f64]  # (16 tiles,) squared norms of the points
    nearer: Array[i64]  # (trials rounded up to 4, tiles) the points that are nearer to a candidate, a bit each
    away: Array[f64]  # (trials, 16 tiles) what `closest` is then, in tiles that have such points; up to here
    candidates: Array[i64]  # (trials AHEAD,) drawn at once
    ahead: Array[i64]  # (k,) for how many rows candidates are drawn at once, by how many are chosen
    within: Array[i64]  # (trials AHEAD,) where within their integers the numbers lie that they were drawn by
    picked: Array[i64]  # (trials,) which of them are compared
    chosen: Array[i64]  # (k,) rows
    state: Array[i64]  # (2,) how many rows are chosen, how many words are used
    gains: Array[i64]  # (trials,) what the sum of all changes by, if a candidate is chosen
    whole: Array[i64]  # (16,) to work in
