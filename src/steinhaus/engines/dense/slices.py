"""One tile and one run within a pass, as the phases of `labelling` hand them on."""

from __future__ import annotations

from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.records import Framed, Scratch, Tiles
from steinhaus.jit.types import Array, bundle, f32, i64, u32


@bundle
class Source:
    """The points, how they are read, and a worker's arrays."""

    x: Framed
    readers: Readers
    tiles: Tiles
    scratch: Scratch


@bundle
class Tile:
    """32 points near to each other."""

    number: i64
    base: i64  # position of its first point
    present: u32  # its lanes that hold points, as bits
    size: f32  # at least |y| of every lane


@bundle
class RunSlice:
    """A run's place in the tables of one tile."""

    run: i64
    first: i64  # its first centroid
    k: i64
    column: i64  # its first column among the H
    width: i64  # its columns
    at: i64  # its first column in tables of tiles by columns
    at_tile: i64  # its place in tables of runs by tiles
    room: i64  # how many products the tile keeps of it
    kept: Array[f32]  # these products
