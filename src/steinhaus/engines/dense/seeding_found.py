"""The points that candidates improve: as workers find them, then by candidate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus.jit.annotations import Array, f64, i32, i64
from steinhaus.jit.build import inlined, kernel
from steinhaus.jit.handed import Handed

_ROOM = 2**16  # points in a piece of memory, at least


class Found(NamedTuple):
    """Points that candidates improve, in the order in which one worker finds them."""

    candidates: Array[i32]  # (room,)
    positions: Array[i32]  # (room,)
    distances: Array[f64]  # (room,)
    room: i64
    many: Array[i64]  # (1,) how many there are


class Improved(NamedTuple):
    """The points that each of c candidates improves, by candidate."""

    ends: Array[i64]  # (c,) where those of each candidate end
    positions: Array[i32]
    distances: Array[f64]


class Finds:
    """One worker's finds: as many pieces of memory as they take.

    Parameters
    ----------
    most
        How many points there may be in a tile, for all candidates.
    """

    def __init__(self, most: int) -> None:
        self._room = max(_ROOM, most)
        self._pieces: list[Found] = []
        self.handed: list[Handed] = []
        self._used = 0

    def begin(self) -> None:
        """Forget what was found."""
        for piece in self._pieces:
            piece.many[0] = 0
        self._used = 0
        self.add()

    def add(self) -> None:
        """Go on to another piece of memory."""
        if self._used == len(self._pieces):
            room = self._room
            arrays = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room)
            self._pieces.append(Found(*arrays, room, np.zeros(1, np.int64)))
            self.handed.append(Handed(self._pieces[-1]))
        self._used += 1

    @property
    def piece(self) -> Handed:
        """Where finds go."""
        return self.handed[self._used - 1]

    @property
    def many(self) -> int:
        """How many there are."""
        return sum(int(piece.many[0]) for piece in self._pieces)


def improved_by(finds: list[Finds], many: int) -> Handed:
    """What all workers found, sorted by the many candidates: `Improved`."""
    total = sum(each.many for each in finds)
    record = Improved(np.zeros(many, np.int64), np.empty(total, np.int32), np.empty(total))
    improved, pieces = Handed(record), [piece for each in finds for piece in each.handed]
    for piece in pieces:
        _count(piece, improved)
    record.ends[:] = np.cumsum(record.ends) - record.ends
    for piece in pieces:
        _sort(piece, improved)
    return improved


@inlined
def first_of(improved: Improved, j: i64) -> i64:
    """Where the points of candidate j begin."""
    return improved.ends[j - 1] if j > 0 else 0


@kernel
def _count(found: Found, improved: Improved) -> None:
    """Add to the candidates' ends how many points there are of each."""
    for at in range(found.many[0]):
        improved.ends[found.candidates[at]] += 1


@kernel
def _sort(found: Found, improved: Improved) -> None:
    """Bring the points to where they belong: an end is its candidate's first free place, and moves on."""
    for at in range(found.many[0]):
        j = found.candidates[at]
        to = improved.ends[j]
        improved.positions[to], improved.distances[to] = found.positions[at], found.distances[at]
        improved.ends[j] = to + 1
