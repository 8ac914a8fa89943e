"""Iterations that workers make before anybody asks for them.

If there are few points, messages between iterations take longer than the iterations. Then each worker gets a copy of
all points and some of the runs. One task advances these runs by several iterations, with `lloyd` itself, and returns
the tally of each iteration.

These tallies are a cache. The caller may ask for other centroids than `lloyd` would use next, because it projects the
means or stops a run. Then the cached tally is not used, and the workers compute the one that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from distributed import Future

from steinhaus.engines.cluster import tasks
from steinhaus.engines.cluster.connection import Cluster
from steinhaus.engines.cluster.tasks import Asked, Speed
from steinhaus.points import Run, Tally

_FEW = 64 * 2**20  # bytes: if the points take more, workers get no copies of them
_RATE = 5e10  # products a second and core, in a pass without screens
_MESSAGE = 0.02  # seconds that the messages of one iteration take
_STRETCH = 0.5  # seconds of work in one task, about; the caller sees progress this often
_ANSWER = 16 * 2**20  # bytes: the most that the tallies of one task may take
_FIRST = 4  # iterations of the first task; the number doubles as long as every tally is used


class Ahead:
    """The runs that workers advance by themselves.

    Parameters
    ----------
    cluster
        The cluster that holds the points.
    blocks
        The parts of the points, one future each.
    shape, nbytes
        (n, d) of all points, and their size in bytes.
    asked
        Makes the argument of a task, from the request and the number of tasks that share a worker's memory.
    speeds
        Worker -> its speed; updated after each task.
    """

    def __init__(
        self,
        cluster: Cluster,
        blocks: Sequence[Future],
        *,
        shape: tuple[int, int],
        nbytes: int,
        asked: Callable[[Any, int], Asked],
        speeds: dict[str, Speed],
    ) -> None:
        self._cluster = cluster
        self._blocks = blocks
        self._shape = shape
        self._few = nbytes <= _FEW
        self._asked = asked
        self._copies: list[Future] = []  # of all points, each on a different worker
        self._groups: dict[Hashable, int] = {}  # run -> its group; one task advances one group
        self._known: dict[Hashable, dict[bytes, Tally]] = {}  # run -> centroids -> tally
        self._steps = _FIRST
        self._pays = False
        self._speeds = speeds

    def pays(self, runs: Sequence[Run]) -> bool:
        """Whether to advance these runs here. The runs keep their groups until a new run comes."""
        if not self._few or all(run.key in self._groups for run in runs):
            return self._few and self._pays
        threads = self._cluster.threads
        groups = [0] * min(len(runs), threads)  # centroids in each group
        self._groups, self._known, self._steps = {}, {}, _FIRST
        for run in sorted(runs, key=lambda run: -len(run.centroids)):
            self._groups[run.key] = groups.index(min(groups))
            groups[self._groups[run.key]] += len(run.centroids)
        seconds = self._shape[0] * self._shape[1] / _RATE  # for one centroid
        self._pays = max(groups) * seconds <= _MESSAGE + sum(groups) * seconds / threads
        return self._pays

    def tallies(self, runs: Sequence[Run]) -> list[Tally]:
        """The tallies of these runs. Cached tallies of other runs are kept."""
        digests = [tasks.digest(run.centroids) for run in runs]
        missing = [run for run, of in zip(runs, digests, strict=True) if of not in self._known.get(run.key, {})]
        if missing:
            self._advance(missing)
        return [self._known[run.key].pop(of) for run, of in zip(runs, digests, strict=True)]

    def forget(self, key: Hashable) -> None:
        """Drop the cached tallies of a run."""
        self._groups.pop(key, None)
        self._known.pop(key, None)

    def close(self) -> None:
        """Release the copies of the points."""
        for copy in self._copies:
            copy.release()
        self._copies = []

    def _copy(self) -> None:
        """Copy all points to one worker a group. If a worker dies, Dask makes its copy anew on another one."""
        submit = self._cluster.client.submit
        addresses = self._cluster.workers[len(self._copies) : 1 + max(self._groups.values())]
        more = [
            submit(tasks.together, self._blocks, workers=[address], allow_other_workers=True, pure=False)
            for address in addresses
        ]
        if not self._copies + more:  # all workers are gone; the next one that comes gets the copy
            more = [submit(tasks.together, self._blocks, pure=False)]
        self._copies += more
        self._cluster.kept = [*self._cluster.kept, *more]

    def _advance(self, runs: Sequence[Run]) -> None:
        """Have the workers advance these runs."""
        if len(self._copies) <= max(self._groups.values()):
            self._copy()
        if any(self._known.get(run.key) for run in runs):  # there were cached tallies, but for other centroids
            self._steps = 1
        answer = sum(run.centroids.nbytes for run in runs)
        steps = max(1, min(self._steps, _ANSWER // answer))
        groups: dict[int, list[Run]] = {}
        for run in runs:
            groups.setdefault(self._groups[run.key], []).append(run)
        slowest = 0.0
        for found in self._cluster.results(lambda: self._tasks(groups, steps)):
            self._known.update(found.ahead)
            tasks.add_speeds(self._speeds, {found.worker: found.speed})
            slowest = max(slowest, found.speed.seconds / steps)
        self._steps = max(1, min(2 * steps, int(_STRETCH / slowest)))

    def _tasks(self, groups: dict[int, list[Run]], steps: int) -> list[Future]:
        sharing = -(-len(groups) // len(self._copies))
        return [
            self._cluster.client.submit(
                tasks.advance,
                self._copies[group % len(self._copies)],
                -1 - group,
                asked=self._asked((some, steps), sharing),
                pure=False,
            )
            for group, some in groups.items()
        ]
