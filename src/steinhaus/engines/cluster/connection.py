"""A Dask cluster that may lose workers, or be lost: work that is asked again, and an error in time."""

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
PATIENCE = 20.0  # seconds without a worker, or without a word from the scheduler, until we give up
_TICK = 1.0  # seconds between two looks at the cluster while waiting
_ANSWER = 5.0  # seconds that its scheduler has to answer one
_TRIES = 20  # times that a pass is asked for whose workers died


def current() -> Client:
    """The client that there is; ClusterError where there is none."""
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
        By every method that waits: workers, or the scheduler, are lost and don't come back.
    """

    def __init__(self, client: Client | None = None) -> None:
        self.client = client or current()
        self.kept: Sequence[Future] = ()  # what was persisted: computed anew where it died with its worker
        self._last: Sequence[Future] = ()
        self._where = f"at {self.client.scheduler.address}"

    @property
    def workers(self) -> list[str]:
        """The addresses of the workers."""
        return sorted(map(str, self.client.nthreads()))

    @property
    def threads(self) -> int:
        """How many threads they have together, at least 1."""
        return max(1, sum(map(int, self.client.nthreads().values())))

    def results(self, ask: Callable[[], list[Future]]) -> list[Any]:
        """The results of what `ask` starts; asked again where workers died of it or under it."""
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
        """Wait for futures whose results stay where they are."""

        async def done() -> None:
            await wait(futures)

        self._waited(done())

    def _waited(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of work on the client's event loop; ClusterError if the cluster is lost meanwhile."""
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
        """Start tasks, and let go of the last ones, in one message (Dask's clients send one every 10 ms); gather."""
        self._last = futures = ask()
        await wait(futures)  # which can be cancelled without a trace, as gathering can not
        found: list[Any] = await self.client.gather(futures, asynchronous=True)
        return found

    def _recover(self) -> None:
        """Wait until there are workers again, and have them compute what died with others."""
        left, began = PATIENCE, time.monotonic()
        while (left := self._look(left, began)) < PATIENCE:
            began = time.monotonic()
            time.sleep(_TICK)
        self.client.retry([future for future in self.kept if future.status in ("error", "lost")])

    def _look(self, left: float, began: float) -> float:
        """The patience that is left: all of it where there are workers, else less than before, by the time since
        `began`, but for a long sleep of this machine; ClusterError where there is none.
        """
        workers = 0
        answered = False
        if self.client.status == "running":
            try:
                workers = len(self.client.sync(self._ask_workers))
                answered = True
            except (OSError, TimeoutError, AttributeError):  # it is closing, or lost
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
    """Whether a message is to be seen: not of gathers that were going on when the cluster was lost."""
    return not (record.exc_info and getattr(record.exc_info[0], "__name__", "") == "AllExit")
