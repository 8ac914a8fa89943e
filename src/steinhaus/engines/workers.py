"""A few threads that share out ranges of a task; the calling thread is one of them."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread

from steinhaus.resources import available_cores

_MOST = 1024  # threads, whoever asks for more: each needs memory of its own

Task = Callable[[], None]


class Workers:
    """Threads for kernels that release the interpreter's lock; they start when there is something to share.

    They wait at a queue that is written in C. `ThreadPoolExecutor` takes locks in Python, and an interrupt that is
    raised there, between taking one and the block that gives it back, leaves a thread waiting for ever.

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
        self._process = 0  # the one that has the threads: none yet
        self._threads: list[Thread] = []

    def _start(self) -> None:
        self._process = os.getpid()
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._threads = []
        self._end = weakref.finalize(self, _dismiss, self._tasks, self.count)

    def each(self, work: Callable[[int, int, int], None], end: int, step: int) -> None:
        """Call `work(worker, first, end)` on consecutive ranges of 0..end, each at most `step` long.

        Whichever thread is free takes the next range. The first exception of any thread is raised here, after all have
        stopped.
        """
        step = max(1, step // self._finer)
        if end <= step or self.count == 1:
            for first in range(0, end, step):
                work(0, first, min(first + step, end))
            return
        if self._process != os.getpid():  # the first time, or after a fork: the threads stayed with the parent
            if self._process:
                self._end.detach()
            self._start()
        starts = itertools.count(0, step)

        def loop(worker: int) -> None:
            while (first := next(starts)) < end:
                work(worker, first, min(first + step, end))

        ended: SimpleQueue[BaseException | None] = SimpleQueue()
        helpers = min(self.count, -(-end // step)) - 1
        self._grow(helpers)
        sent = 0
        try:
            for worker in range(helpers):
                self._tasks.put(partial(_tried, partial(loop, worker + 1), ended))
                sent += 1
            loop(0)
        finally:
            errors = [ended.get() for _ in range(sent)]
        for error in errors:
            if error is not None:
                raise error

    def _grow(self, helpers: int) -> None:
        """Have so many threads, which begin when they are first needed."""
        while len(self._threads) < helpers:
            name = f"steinhaus_{len(self._threads)}"
            thread = Thread(target=_serve, args=(self._tasks,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """End the threads, and wait for them."""
        if self._process == os.getpid():
            self._end()
            for thread in self._threads:
                if thread.ident is not None:  # an interrupt may have come before it began
                    thread.join()


def _serve(tasks: SimpleQueue[Task | None]) -> None:
    while (task := tasks.get()) is not None:
        task()
        del task  # what it holds is not this thread's while it waits


def _tried(task: Task, ended: SimpleQueue[BaseException | None]) -> None:
    try:
        task()
    except BaseException as error:
        ended.put(error)
    else:
        ended.put(None)


def _dismiss(tasks: SimpleQueue[Task | None], count: int) -> None:
    for _ in range(count):
        tasks.put(None)
