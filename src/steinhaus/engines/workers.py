"""A few threads that share out ranges of a task; the calling thread is one of them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from steinhaus.resources import available_cores

_MOST = 1024  # threads, whoever asks for more: each needs memory of its own


class Workers:
    """Threads for kernels that release the interpreter's lock; they start when there is something to share.

    Parameters
    ----------
    threads
        How many work at once, the caller included; None: as many as this process has cores.
    finer
        Into how many each range is cut. Where the cores have other work to do besides, the others wait less long for
        the thread that was held up last.
    """

    def __init__(self, threads: int | None = None, *, finer: int = 1) -> None:
        self.count = min(threads or available_cores(), _MOST)
        self._finer = finer
        self._process = os.getpid()
        self._pool: ThreadPoolExecutor | None = None

    def each(self, work: Callable[[int, int, int], None], end: int, step: int) -> None:
        """Call `work(worker, first, end)` on consecutive ranges of 0..end, each at most `step` long, on whichever
        thread is free.

        The first exception of any thread is raised here, after all have stopped.
        """
        step = max(1, step // self._finer)
        if end <= step or self.count == 1:
            for first in range(0, end, step):
                work(0, first, min(first + step, end))
            return
        starts = itertools.count(0, step)

        def loop(worker: int) -> None:
            while (first := next(starts)) < end:
                work(worker, first, min(first + step, end))

        helpers = min(self.count, -(-end // step)) - 1
        pool = self._threads()
        others = [pool.submit(loop, worker + 1) for worker in range(helpers)]
        try:
            loop(0)
        finally:
            for other in others:
                other.exception()
        for other in others:
            other.result()

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None or self._process != os.getpid():  # after a fork, the threads stayed with the parent
            self._process = os.getpid()
            self._pool = ThreadPoolExecutor(self.count - 1, "steinhaus")
        return self._pool

    def close(self) -> None:
        """End the threads."""
        if self._pool and self._process == os.getpid():
            self._pool.shutdown()
