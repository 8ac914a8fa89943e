"""Bundles of arguments for the phases of a pass: the points, one tile, and one run."""

from __future__ import annotations

from steinhaus.engines.dense.factors import Factors, Scores
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.records import Framed, Scratch, Tiles
from steinhaus.jit.types import Array, bundle, f32, f64, i64, u32


@bundle
class Source:
    """The points, the functions that read them, and the work space of a worker."""

    x: Framed
    readers: Readers
    tiles: Tiles
    scratch: Scratch


@bundle
class Single:
    """The centroids by which single points are settled."""

    exact: Array[f64]  # (K, d)
    factors: Factors  # the same in the frame
    scores: Scores  # the bounds of `lanes.product`


@bundle
class Tile:
    """A tile of 32 near points."""

    number: i64
    base: i64  # position of its first point
    present: u32  # its lanes that hold points, as bits
    size: f32  # at least |y| of every lane


@bundle
class RunSlice:
    """The place of a run in the tables of one tile."""

    run: i64  # row of the run
    first: i64  # its first centroid
    k: i64  # its number of centroids
    column: i64  # its first column among the H
    width: i64  # its number of columns
    at: i64  # index of its first column in tables of tiles by columns
    at_tile: i64  # index in tables of tiles by runs
    room: i64  # the most products that the tile keeps
    kept: Array[f32]  # (room, 32) these products
