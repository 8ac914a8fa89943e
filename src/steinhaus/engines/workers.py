"""A few threads that share the ranges of a task. The calling thread is one of them."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread

from steinhaus.resources import available_cores

_MOST = 1024  # threads at most, since each needs memory of its own

Task = Callable[[], None]


class Workers:
    """Threads for kernels that release the interpreter's lock. They start when there is work to share.

    The threads wait at a `SimpleQueue`, which is written in C. `ThreadPoolExecutor` takes locks in Python. If an
    interrupt came just after it took one, the lock would never be released, and a thread would wait for ever.

    Parameters
    ----------
    threads
        The number of threads, the calling one included; None: one for each core of this process.
    finer
        Each range is cut into this many. If other processes use the cores, the threads then wait less for the last one.
    """

    def __init__(self, threads: int | None = None, *, finer: int = 1) -> None:
        self.count = min(threads or available_cores(), _MOST)
        self._finer = finer
        self._process = 0  # id of the process that owns the threads; 0: none yet
        self._threads: list[Thread] = []

    def _start(self) -> None:
        self._process = os.getpid()
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._threads = []
        self._end = weakref.finalize(self, _dismiss, self._tasks, self.count)

    def each(self, work: Callable[[int, int, int], None], end: int, step: int) -> None:
        """Call `work(worker, first, end)` on consecutive ranges of 0..end, each at most `step` long.

        A free thread takes the next range. After all threads have stopped, the first exception of any thread is raised
        here.
        """
        step = max(1, step // self._finer)
        if end <= step or self.count == 1:
            for first in range(0, end, step):
                work(0, first, min(first + step, end))
            return
        if self._process != os.getpid():  # the first call, or after a fork, which leaves the threads to the parent
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
        """Start threads until there are `helpers`."""
        while len(self._threads) < helpers:
            name = f"steinhaus_{len(self._threads)}"
            thread = Thread(target=_serve, args=(self._tasks,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Stop the threads, and wait until they have ended."""
        if self._process == os.getpid():
            self._end()
            for thread in self._threads:
                if thread.ident is not None:  # None: an interrupt came before it started
                    thread.join()


def _serve(tasks: SimpleQueue[Task | None]) -> None:
    while (task := tasks.get()) is not None:
        task()
        del task  # so that a waiting thread holds no memory of the last task


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
