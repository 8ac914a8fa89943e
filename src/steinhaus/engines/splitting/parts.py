"""Parts of the points, each clustered by itself. Threads share out the parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.exact.grid import GRID_BITS
from steinhaus.engines.splitting import kernels, seeding_kernels
from steinhaus.engines.splitting.records import Room, room_for
from steinhaus.engines.workers import Workers
from steinhaus.hierarchy import Seeds
from steinhaus.jit.handed import Handed
from steinhaus.points import Float32, Float64, Int64, Points

_VALUES = 2**22  # values that are brought from far at once
_LABELLED = 2**18  # values that a thread labels at once

Words = NDArray[np.uint64]


class PointsInParts:
    """See `hierarchy.Parts`.

    Parameters
    ----------
    points
        The engine of all points.
    x
        The points themselves, (n, d) C-contiguous, if they are an array in memory; None: the engine hands out rows.
    weights
        (n,) the count of each point; None: 1 each.
    threads
        Threads to use, the calling one included; None: one a core.
    """

    def __init__(self, points: Points, x: NDArray[Any] | None, weights: Int64 | None, threads: int | None) -> None:
        self._points, self._x, self._weights = points, x, weights
        self._scale = 2.0 ** -float(np.frexp(points.grid.step.max())[1] + GRID_BITS)  # by which values are about 1
        self._workers = Workers(threads)
        self._lock = Lock()  # engines hand out rows to one thread at a time

    def choose(
        self, parts: Sequence[Int64], centres: Float64, sizes: Sequence[int], words: Callable[[int], Words]
    ) -> list[Seeds]:
        """See `hierarchy.Parts.choose`."""
        found: list[Seeds] = [Seeds(np.empty((0, 0), np.float32), np.empty(0))] * len(parts)
        numbers = [words(seeding_kernels.words_for(k)) if k else np.empty(0, np.uint64) for k in sizes]

        def choose(room: Room, handed: Handed, part: int) -> None:
            k = sizes[part]
            seeding_kernels.choose(handed, len(parts[part]), k, numbers[part])
            found[part] = Seeds(room.centroids[:k].copy(), room.gains[:k].copy())

        self._each(parts, centres, sizes, choose)
        return found

    def label(self, numbers: Int64, centre: Float64, centroids: Float64) -> NDArray[np.uint16]:
        """See `hierarchy.Parts.label`."""
        many, k, d = len(numbers), len(centroids), self._points.d
        labels, step = np.empty(many, np.uint16), max(1, _LABELLED // d)
        rooms: dict[int, tuple[Room, Handed]] = {}

        def take(worker: int, first: int, end: int) -> None:
            if worker not in rooms:
                room = room_for(step, k, d)
                rooms[worker] = room, Handed(room)
                room.centroids[:k, :d] = (centroids - centre) * self._scale
                kernels.arrange(rooms[worker][1], 0, k)
            room, handed = rooms[worker]
            self._bring(room, handed, numbers[first:end], centre)
            kernels.label(handed, end - first, k)
            labels[first:end] = room.labels[: end - first]

        self._workers.each(take, many, step)
        return labels

    def iterate(self, parts: Sequence[Int64], centres: Float64, starts: Sequence[Float32], many: int) -> Float64:
        """See `hierarchy.Parts.iterate`."""
        sizes = [len(start) for start in starts]
        ends = np.cumsum(sizes)
        out = np.empty((int(ends[-1]), self._points.d))

        def iterate(room: Room, handed: Handed, part: int) -> None:
            k, end = sizes[part], int(ends[part])
            room.centroids[:k] = starts[part]
            kernels.iterate(handed, len(parts[part]), k, many)
            out[end - k : end] = room.centroids[:k, : room.d] / self._scale + centres[part]

        self._each(parts, centres, sizes, iterate)
        return out

    def close(self) -> None:
        """Stop the threads."""
        self._workers.close()

    def _each(
        self,
        parts: Sequence[Int64],
        centres: Float64,
        sizes: Sequence[int],
        work: Callable[[Room, Handed, int], None],
    ) -> None:
        """Bring each part that has clusters into the room of a thread, and call `work(room, its address, part)`.

        parts: numbers of points, (m,) each; centres: (p, d).
        """
        order = sorted((part for part, k in enumerate(sizes) if k), key=lambda part: -len(parts[part]) * sizes[part])
        most, largest, d = max(len(parts[part]) for part in order), max(sizes), self._points.d
        rooms: dict[int, tuple[Room, Handed]] = {}

        def take(worker: int, first: int, end: int) -> None:
            if worker not in rooms:
                room = room_for(most, largest, d)
                rooms[worker] = room, Handed(room)
            for part in order[first:end]:
                self._bring(*rooms[worker], parts[part], centres[part])
                work(*rooms[worker], part)

        self._workers.each(take, len(order), 1)

    def _bring(self, room: Room, handed: Handed, numbers: Int64, centre: Float64) -> None:
        """Copy points into a room, less a centre. numbers: (m,); centre: (d,)."""
        if self._weights is not None:
            room.weights[: len(numbers)] = self._weights[numbers]
        if self._x is not None:
            kernels.bring[self._x.dtype](self._x, numbers, len(numbers), centre, self._scale, handed, 0)
            return
        step = max(1, _VALUES // room.d)
        for first in range(0, len(numbers), step):
            with self._lock:
                rows = np.ascontiguousarray(self._points.rows(numbers[first : first + step]))
            places = np.arange(len(rows))
            kernels.bring[rows.dtype](rows, places, len(rows), centre, self._scale, handed, first)
