"""Read rows part by part. The next parts are read while the current one is worked on."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.exact.parts import Layout
from steinhaus.points import Int64

_Loaded = tuple[NDArray[Any], NDArray[Any] | None]  # (m, d) the rows of a part, and the buffer that holds them

_AHEAD = 2  # parts that are read before they are needed
IN_FLIGHT = _AHEAD + 2  # buffers at once: those, the part that is worked on, and one from which rows are picked


class Source(Protocol):
    """A source of rows, as a file."""

    shape: tuple[int, int]  # (n, d)
    dtype: np.dtype[Any]
    bounds: Int64  # (b + 1,) the first row of each piece that is read as a whole, and the end of the last piece

    def read(self, first: int, end: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Read the rows first <= i < end, (end - first, d) in C order, into `out`, of that shape, if given."""
        ...

    def view(self, first: int, end: int) -> NDArray[Any] | None:
        """The rows first <= i < end as a read-only view of the mapped file; None if they have to be read."""
        ...

    def pick(self, rows: Int64) -> NDArray[Any]:
        """Read a few rows, (m,) -> (m, d)."""
        ...


@dataclass
class Reading:
    """Times of reading and of work, which tell whether the disk or the processor is the limit."""

    read: int = 0  # bytes
    passes: int = 0
    reading: float = 0.0  # seconds of reading, during work or not
    waiting: float = 0.0  # seconds in which the work waited for data
    working: float = 0.0  # seconds of work

    def text(self) -> str:
        """A sentence about the speed and the limit."""
        speed = self.read / 1e6 / self.reading if self.reading else 0.0
        bound = "reading" if self.waiting > self.working / 4 else "computing"
        return (
            f"{self.passes} passes read {self.read / 1e9:.2f} GB at {speed:,.0f} MB/s; {self.working:.1f} s of work, "
            f"{self.waiting:.1f} s of waiting for data: {bound} is the limit."
        )


class Reader:
    """Reads the parts of a source, on a thread of its own.

    Parameters
    ----------
    source
        The source of the rows.
    layout
        Which part holds which rows.
    """

    def __init__(self, source: Source, layout: Layout) -> None:
        self.times = Reading()
        self._source = source
        self._layout = layout
        self._buffer = int((layout.ends - layout.firsts).max()), source.shape[1]
        self._free: deque[NDArray[Any]] = deque()  # used buffers; new memory a part would take as long as reading
        self._done: deque[NDArray[Any]] = deque()
        self._backwards = False
        self._thread = ThreadPoolExecutor(1, "steinhaus-reading")

    def parts(self, chosen: Iterable[int] | None = None) -> Iterator[tuple[int, NDArray[Any]]]:
        """Parts and their rows, (m, d). The rows are valid until the next part is asked for.

        Without `chosen` these are all parts, in ascending and descending order by turns: the system may still hold the
        rows that were read last.
        """
        if chosen is None:
            self._backwards = not self._backwards
            everything = range(len(self._layout))
            chosen = everything if self._backwards else reversed(everything)
            self.times.passes += 1
        order = iter(chosen)
        waiting: deque[tuple[int, Future[_Loaded]]] = deque()
        try:
            for part in itertools.islice(order, _AHEAD):
                waiting.append((part, self._thread.submit(self._load, part)))
            while waiting:
                part, future = waiting.popleft()
                began = time.perf_counter()
                x, buffer = future.result()
                ready = time.perf_counter()
                if (following := next(order, None)) is not None:
                    waiting.append((following, self._thread.submit(self._load, following)))
                yield part, x
                self._give_back(buffer)
                self._done.append(x)
                del x, future
                self.times.waiting += ready - began
                self.times.working += time.perf_counter() - ready
        finally:
            for _, future in waiting:
                future.cancel()

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(cancel_futures=True)
        self._free.clear()
        self._done.clear()

    def _load(self, part: int) -> _Loaded:
        began = time.perf_counter()
        while len(self._done) > 1:  # mappings are closed on this thread, because closing takes long
            self._done.popleft()
        first, end = int(self._layout.firsts[part]), int(self._layout.ends[part])
        buffer = None
        if (x := self._source.view(first, end)) is None:
            buffer = self._taken()
            x = self._source.read(first, end, buffer[: end - first])
        self.times.read += x.nbytes
        if (picks := self._layout.picks(part)) is not None:
            stretch, buffer = buffer, self._taken()
            x = np.take(x, picks, axis=0, out=buffer[: len(picks)], mode="clip")  # "raise" makes one more copy
            self._give_back(stretch)
        self.times.reading += time.perf_counter() - began
        return x, buffer

    def _taken(self) -> NDArray[Any]:
        try:
            return self._free.pop()
        except IndexError:
            return np.empty(self._buffer, self._source.dtype)

    def _give_back(self, buffer: NDArray[Any] | None) -> None:
        # buffer: (largest part, d).
        if buffer is not None:
            self._free.append(buffer)
