"""A Dask cluster that may lose workers: lost work is started again, and a lost cluster is an error after 20 s."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from distributed import Client, Future, KilledWorker, wait
from distributed.comm import CommClosedError

from steinhaus.errors import ClusterError

T = TypeVar("T")
PATIENCE = 20.0  # seconds without a worker, or without an answer of the scheduler, until we give up
_TICK = 1.0  # seconds between two checks of the cluster while waiting
_ANSWER = 5.0  # seconds that the scheduler has to answer a check
_TRIES = 20  # times that a pass is started before we give up


def current() -> Client:
    """The current client; ClusterError if there is none."""
    try:
        return Client.current()
    except ValueError:
        raise ClusterError(
            "Points in a Dask collection need a cluster: make a distributed.Client first, as in Client(n_workers=4)."
        ) from None


class Cluster:
    """A client's cluster.

    Parameters
    ----------
    client
        None: the current `distributed.Client`.

    Raises
    ------
    ClusterError
        Workers, or the scheduler, are lost and don't come back. Every method that waits can raise it.
    """

    def __init__(self, client: Client | None = None) -> None:
        self.client = client or current()
        self.kept: Sequence[Future] = ()  # persisted data; what a dead worker held is computed anew
        self._last: Sequence[Future] = ()
        self._where = f"at {self.client.scheduler.address}"

    @property
    def workers(self) -> list[str]:
        """The addresses of the workers."""
        return sorted(map(str, self.client.nthreads()))

    @property
    def threads(self) -> int:
        """The number of threads of all workers, at least 1."""
        return max(1, sum(map(int, self.client.nthreads().values())))

    def results(self, ask: Callable[[], list[Future]]) -> list[Any]:
        """Start tasks by `ask` and return their results. If workers die meanwhile, `ask` is called again."""
        for _ in range(_TRIES):
            try:
                return self._waited(self._done(ask))
            except (KilledWorker, concurrent.futures.CancelledError, CommClosedError):
                self._recover()
        raise ClusterError(
            f"Workers of the Dask cluster {self._where} died {_TRIES} times in one pass. Do they have enough memory? "
            "Look at their logs; a study goes on where it stopped when its command is given again."
        )

    def finish(self, futures: Sequence[Future]) -> None:
        """Wait for futures. Their results stay on the workers."""

        async def done() -> None:
            await wait(futures)

        self._waited(done())

    def _waited(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine on the client's event loop; ClusterError if the cluster is lost meanwhile."""
        pending = asyncio.run_coroutine_threadsafe(work, self.client.loop.asyncio_loop)
        left = PATIENCE
        try:
            while True:
                began = time.monotonic()
                concurrent.futures.wait([pending], timeout=_TICK)
                if pending.done():
                    return pending.result()
                left = self._look(left, began)
        finally:
            pending.cancel()

    async def _done(self, ask: Callable[[], list[Future]]) -> list[Any]:
        """Start tasks and gather their results.

        The last tasks are let go only now: Dask's client sends a message every 10 ms, and both fit in one.
        """
        self._last = futures = ask()
        await wait(futures)  # a cancelled wait leaves no error in the log; a cancelled gather does
        found: list[Any] = await self.client.gather(futures, asynchronous=True)
        return found

    def _recover(self) -> None:
        """Wait until there are workers again, and have them compute the persisted data that was lost."""
        left, began = PATIENCE, time.monotonic()
        while (left := self._look(left, began)) < PATIENCE:
            began = time.monotonic()
            time.sleep(_TICK)
        self.client.retry([future for future in self.kept if future.status in ("error", "lost")])

    def _look(self, left: float, began: float) -> float:
        """Check the cluster; return the seconds that it still has to recover, or raise ClusterError.

        With workers these are `PATIENCE`. Without, they are `left` less the time since `began`. That time is capped,
        so that a long sleep of this machine does not count.
        """
        workers = 0
        answered = False
        if self.client.status == "running":
            try:
                workers = len(self.client.sync(self._ask_workers))
                answered = True
            except (OSError, TimeoutError, AttributeError):  # the client is closing, or the scheduler is lost
                pass
        if workers:
            return PATIENCE
        left -= min(time.monotonic() - began, _TICK + _ANSWER)
        if left > 0 and self.client.status != "closed":
            return left
        logging.getLogger("asyncio").addFilter(_is_wanted)
        what = "has had no workers" if answered else "has not answered"
        raise ClusterError(
            f"The Dask cluster {self._where} {what} for {PATIENCE - left:.0f} s. Start it, or another one, and give "
            "the command again: a study goes on where it stopped."
        )

    async def _ask_workers(self) -> Any:
        return await asyncio.wait_for(self.client.scheduler.ncores(), _ANSWER)


def _is_wanted(record: logging.LogRecord) -> bool:
    """Whether to log a record: not the errors of gathers that were running when the cluster was lost."""
    return not (record.exc_info and getattr(record.exc_info[0], "__name__", "") == "AllExit")
