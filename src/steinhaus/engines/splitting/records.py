"""The memory in which one thread clusters a part of the points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.jit.annotations import Array, f32, f64, i32, i64

LANES = 16
BLOCK = 8  # points that are multiplied at once
TAKEN = 4  # the most candidates that are taken of a round's sixteen


class Room(NamedTuple):
    """Memory for a part of up to m points and k clusters. Rows are padded with zeros to `width` features."""

    rows: Array[f32]  # (m, width) the points, less the centre of the part
    norms: Array[f32]  # (m,) their squared norms
    weights: Array[f64]  # (m,)
    closest: Array[f32]  # (m,) the squared distance to the nearest row or centroid
    ends: Array[f64]  # (m,) sums of `closest` times weight up to each point
    labels: Array[i32]  # (m,)
    table: Array[f32]  # (m, 16) the squared distances to sixteen candidates
    centroids: Array[f32]  # (k + 16, width)
    lanes: Array[f32]  # (k / 16, width, 16) the same, sixteen side by side
    halves: Array[f32]  # (k,) half their squared norms
    gains: Array[f64]  # (k,) by how much each row that was chosen lowered the potential
    sums: Array[f64]  # (k, width)
    totals: Array[f64]  # (k,) the weight of each cluster
    potentials: Array[f64]  # (16,) the potential that each candidate leaves
    picked: Array[f32]  # (16, width) the candidates that were taken
    best: Array[f32]  # (8, 16) the best scores of eight points, in lanes
    which: Array[f32]  # (8, 16) their centroids
    numbers: Array[f32]  # (16,) 0 to 15
    d: i64
    width: i64


def room_for(m: int, k: int, d: int) -> Room:
    """The memory for m points of d features and k clusters."""
    m, k, width = _above(m, BLOCK), _above(k, LANES), _above(d, LANES)
    sums = np.zeros

    def floats(*shape: int) -> NDArray[np.float32]:
        return np.zeros(shape, np.float32)

    return Room(
        rows=floats(m, width),
        norms=floats(m),
        weights=np.ones(m),
        closest=floats(m),
        ends=sums(m),
        labels=np.zeros(m, np.int32),
        table=floats(m, LANES),
        centroids=floats(k + LANES, width),
        lanes=floats(k, width),
        halves=floats(k),
        gains=sums(k),
        sums=sums((k, width)),
        totals=sums(k),
        potentials=sums(LANES),
        picked=floats(LANES, width),
        best=floats(BLOCK, LANES),
        which=floats(BLOCK, LANES),
        numbers=np.arange(LANES, dtype=np.float32),
        d=d,
        width=width,
    )


def _above(size: int, step: int) -> int:
    """The least multiple of a step that is not below a size."""
    return -(-size // step) * step
