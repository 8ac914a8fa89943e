"""Lists of the points that candidates improve, or may improve: as workers find them, and then by candidate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus.engines.dense.factors import TILE
from steinhaus.jit.annotations import Array, f64, i32, i64
from steinhaus.jit.build import inlined, kernel
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64

_ROOM = 2**16  # the least number of points in a piece of memory


class Found(NamedTuple):
    """Pairs of a candidate and a point that it improves, or may improve, as one worker finds them."""

    candidates: Array[i32]  # (room,)
    positions: Array[i32]  # (room,)
    distances: Array[f64]  # (room,) squared; not written if they are measured later
    room: i64  # the most pairs
    many: Array[i64]  # (1,) the number of pairs
    excess: Array[f64]  # (m,) of each candidate, over its points: see `bounds.seeding.most_gained`


class Improved(NamedTuple):
    """The points that each of c candidates improves, or may improve: m pairs in all."""

    ends: Array[i64]  # (c,) the end of each candidate's points
    positions: Array[i32]  # (m,)
    distances: Array[f64]  # (m,) squared
    excess: Array[f64]  # (c,) see `Found`


class Finds:
    """The pairs that one worker finds, in as many pieces of memory as they take.

    Parameters
    ----------
    m
        The most candidates.
    """

    def __init__(self, m: int) -> None:
        self._room = max(_ROOM, TILE * m + 1)  # all pairs of a tile, and one more
        self._excess = np.zeros(m)
        self._pieces: list[Found] = []
        self.handed: list[Handed] = []
        self._used = 0

    def begin(self) -> None:
        """Remove all pairs."""
        for piece in self._pieces:
            piece.many[0] = 0
        self._excess[:] = 0.0
        self._used = 0
        self.add()

    def add(self) -> None:
        """Begin another piece of memory."""
        if self._used == len(self._pieces):
            room = self._room
            arrays = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room)
            self._pieces.append(Found(*arrays, room, np.zeros(1, np.int64), self._excess))
            self.handed.append(Handed(self._pieces[-1]))
        self._used += 1

    @property
    def piece(self) -> Handed:
        """The current piece of memory."""
        return self.handed[self._used - 1]

    @property
    def excess(self) -> Float64:
        """See `Found`."""
        return self._excess

    @property
    def many(self) -> int:
        """The number of pairs."""
        return sum(int(piece.many[0]) for piece in self._pieces)


def improved_by(finds: list[Finds], many: int, *, measured: bool) -> Handed:
    """The pairs of all workers, sorted by candidate: `Improved`.

    many: the number of candidates; measured: whether distances are known.
    """
    total = sum(each.many for each in finds)
    excess = np.sum([each.excess[:many] for each in finds], axis=0)
    record = Improved(np.zeros(many, np.int64), np.empty(total, np.int32), np.empty(total), excess)
    improved, pieces = Handed(record), [piece for each in finds for piece in each.handed]
    for piece in pieces:
        _count(piece, improved)
    record.ends[:] = np.cumsum(record.ends) - record.ends
    for piece in pieces:
        _sort(piece, improved, int(measured))
    return improved


@inlined
def first_of(improved: Improved, j: i64) -> i64:
    """The place of the first point of candidate j."""
    return improved.ends[j - 1] if j > 0 else 0


@kernel
def _count(found: Found, improved: Improved) -> None:
    """Add the number of points of each candidate to its end."""
    for at in range(found.many[0]):
        improved.ends[found.candidates[at]] += 1


@kernel
def _sort(found: Found, improved: Improved, measured: i64) -> None:
    """Write the points in the order of candidates. An end is the first free place of its candidate, and moves on."""
    for at in range(found.many[0]):
        j = found.candidates[at]
        to = improved.ends[j]
        improved.positions[to] = found.positions[at]
        if measured:
            improved.distances[to] = found.distances[at]
        improved.ends[j] = to + 1
