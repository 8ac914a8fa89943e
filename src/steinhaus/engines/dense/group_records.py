"""Records of tiles that are labelled together: their group, lists of neighbours, and sketches. See `records`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus.engines.dense.factors import TILE, Factors, Scores, apart, factors_of, width_of
from steinhaus.jit.annotations import Array, f32, f64, i8, i16, i32, i64, u8

TOGETHER = 4  # tiles that are screened together, if points are rounded to bytes
SPARSE = 8  # sketches are of use to a tile if they leave at most one of so many pairs


class Sketches(NamedTuple):
    """The sketches of points rounded to bytes, along m directions: see `bounds.sketches`. m = 0: there are none."""

    m: i64  # a multiple of 64
    known: i64  # whether the sketches of all points have been computed
    quads: Array[u8]  # (T, 2, m / 4, 16, 4) z + 128
    rests: Array[f32]  # (N,) at least |r_i|
    offs: Array[f32]  # (N,) at least |a_i - a'_i| + |rho_i|
    sizes: Array[f32]  # (N,) at least |y_i|
    high: Array[i8]  # (m, W) b_t
    sums: Array[i32]  # (m,) 128 times the sum of b_t
    units: Array[f32]  # (m,) w s_t / sigma
    whole: f32  # (w / sigma)^2, enlarged
    step: f32  # sigma
    delta: f32
    along: Array[f64]  # (d, m) V'
    gram: Array[f64]  # (m, m) G


class Sketched(NamedTuple):
    """The sketches of centroids, and their bounds: see `bounds.sketches`."""

    factors: Factors  # high bytes h, and scales sigma gamma, which are the same for all centroids of a run
    half: Array[f32]  # (K + 16,), as the others, so that sixteen can be read from any on
    slope: Array[f32]
    lag: Array[f32]
    ext: Array[f32]
    floor: Array[f32]


class Neighbours(NamedTuple):
    """The centroids near each point at the last full pass of its run, and how far all have moved since.

    See `bounds.neighbours`. M places hold the lists of a tile's points, one after the other; M = 0: no lists
    are kept. The tables from `order` on are in the order of the most that any score has risen, for each run.
    """

    names: Array[i32]  # (T, R, M) listed centroids, less the run's first
    upper: Array[f32]  # (T, R, M) upper bounds of their scores at the full pass
    ends: Array[i32]  # (T, R, 32) the end of each lane's list
    rest: Array[f32]  # (T, R, 32) upper bound of the scores of all other centroids
    size: Array[f32]  # (K,) since then, scores have risen by at most |y| size + rise
    rise: Array[f32]  # (K,)
    place: Array[i64]  # (K,) of each centroid in the order, from 0 for each run
    order: Array[i64]  # (K,) the centroids
    most: Array[f64]  # (K,) at least |y| size + rise for all points
    factors: Factors  # high bytes and scales
    scores: Scores
    sketched: Sketched  # in place of these, if there are sketches


class Group(NamedTuple):
    """Tiles that one worker screens together, by `halved`: G = `TOGETHER`, or 0 if points are not rounded to bytes."""

    quads: Array[u8]  # (G, 2, W / 4, 16, 4) as in `Scratch`
    sizes: Array[f32]  # (G, 32) at least |y|
    rests: Array[f32]  # (G, 32) as in `Scratch`
    margins: Array[f32]  # (G, 32) at least the rounding of the distances that would settle a lane
    least: Array[f32]  # (G, 32) the best lower bounds so far, less the margins
    most: i64  # k
    upto: Array[i64]  # (G,) number of rows that the tile is compared with
    listed: Array[i64]  # (G,) number of rows that the tile lists
    chosen: Array[i32]  # (G, k) listed rows
    upper: Array[f32]  # (G, k, 32) their upper bounds
    nears: Array[i64]  # (G,) number of the centroids that may become neighbours
    near: Array[i32]  # (G, k) these centroids
    short: Array[i16]  # (G, k, 32) their upper bounds, `shortened`
    rows: Array[u8]  # (G, 32, W) the features as bytes, point by point
    top: Array[f32]  # (G, 32) the greatest upper bounds by sketches so far
    best: Array[i32]  # (G, 32) the centroids that have them
    room: i64  # the most pairs of a tile that sketches may leave
    names: Array[i32]  # (room,) the centroids of these pairs, lane by lane
    bounds: Array[f32]  # (room,) upper bounds of their scores
    ends: Array[i32]  # (32,) the end of each lane's pairs
    sums: Array[i32]  # (G, 32, 32) products of bytes
    raised: Array[f32]  # (G, 32) the largest errors of 32 centroids in a tile, less their `half`
    scaled: Array[f32]  # (32,) the scales of their products
    biases: Array[i32]  # (G, 32) see `bounds.sketches.ceiling_of`
    needed: Array[i32]  # (32,) see `bounds.sketches.floor_of`
    reached: Array[i64]  # (G,) of 32 centroids, those that may be nearest to any lane, as bits


def group_of(k: int, d: int, quantised: bool) -> Group:
    """A record for tiles of one worker that are screened together, for k rows. quantised: see `scratch_of`."""
    tiles, width = TOGETHER if quantised else 0, width_of(d, quantised)
    room = TILE * k // SPARSE if quantised else 0
    return Group(
        quads=apart(tiles * TILE * width, np.uint8),
        sizes=apart(tiles * TILE, np.float32),
        rests=apart(tiles * TILE, np.float32),
        margins=apart(tiles * TILE, np.float32),
        least=apart(tiles * TILE, np.float32),
        most=k,
        upto=apart(tiles, np.int64),
        listed=apart(tiles, np.int64),
        chosen=apart(tiles * k, np.int32),
        upper=apart(tiles * k * TILE, np.float32),
        nears=apart(tiles, np.int64),
        near=apart(tiles * k, np.int32),
        short=apart(tiles * k * TILE, np.int16),
        rows=apart(tiles * TILE * width, np.uint8),
        top=apart(tiles * TILE, np.float32),
        best=apart(tiles * TILE, np.int32),
        room=room,
        names=apart(room, np.int32),
        bounds=apart(room, np.float32),
        ends=apart(TILE, np.int32),
        sums=apart(tiles * TILE * TILE, np.int32),
        raised=apart(tiles * TILE, np.float32),
        scaled=apart(TILE, np.float32),
        biases=apart(tiles * TILE, np.int32),
        needed=apart(TILE, np.int32),
        reached=apart(tiles, np.int64),
    )


def neighbours_of(k: int, d: int, tiles: int, runs: int, room: int) -> Neighbours:
    """A record with memory for the neighbours of the points, and for k centroids; room 0: no lists are kept."""
    if not room:
        k = tiles = 0
    factors = factors_of(k, d, True)._replace(rows=np.empty((0, d), np.float32), low=np.empty((0, 0), np.int8))
    return Neighbours(
        names=np.empty((tiles, runs, room), np.int32),
        upper=np.empty((tiles, runs, room), np.float32),
        ends=np.empty((tiles, runs, TILE), np.int32),
        rest=np.empty((tiles, runs, TILE), np.float32),
        size=np.zeros(k, np.float32),
        rise=np.zeros(k, np.float32),
        place=np.zeros(k, np.int64),
        order=np.zeros(k, np.int64),
        most=np.zeros(k),
        factors=factors,
        scores=Scores(factors.rows, *np.zeros((4, k), np.float32)),
        sketched=sketched_of(0, 0),
    )


def sketched_of(k: int, m: int) -> Sketched:
    """A record with memory for the sketches of k centroids along m directions; m = 0: for none."""
    k = k if m else 0
    factors = factors_of(k, m, True)._replace(rows=np.empty((0, m), np.float32), low=np.empty((0, 0), np.int8))
    return Sketched(factors, *np.zeros((5, k + 16 if k else 0), np.float32))


NO_SKETCHES = Sketches(
    0, 0, *np.empty((1, 0), np.uint8), *np.empty((3, 0), np.float32), np.empty((0, 0), np.int8), np.empty(0, np.int32),
    np.empty(0, np.float32), np.float32(0), np.float32(0), np.float32(0), *np.empty((2, 0, 0)),
)  # fmt: skip
