"""Iterations ahead of being asked for, where points are few and messages would take longer than the work.

Every worker then has all points, and the runs are shared out: a worker advances its runs by some iterations in one
task, by `lloyd` itself, and answers with all their tallies. A tally that is not the one that is asked for next (means
are projected, a run is stopped) is left aside, and the one that is wanted is worked out: tallies ahead are a cache.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from distributed import Future

from steinhaus.engines.cluster import tasks
from steinhaus.engines.cluster.connection import Cluster
from steinhaus.engines.cluster.tasks import Asked, Speed
from steinhaus.points import Run, Tally

_FEW = 64 * 2**20  # bytes of points of which every worker may have a copy
_RATE = 5e10  # products a second and core, in a pass without screens
_MESSAGE = 0.02  # seconds that an iteration takes without any work
_STRETCH = 0.5  # seconds of work in one task, about: progress is seen as often
_ANSWER = 16 * 2**20  # bytes of a task's tallies at most
_FIRST = 4  # iterations of the first task; twice as many each time, while all of them were of use


class Ahead:
    """The runs that workers advance by themselves.

    Parameters
    ----------
    cluster
        Where the points are.
    blocks
        Their parts.
    shape, nbytes
        (n, d) of all points, and their size.
    asked
        Makes what a task is given of what it is to do, and of how many tasks share a worker's memory.
    speeds
        Takes in what the workers did.
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
        self._copies: list[Future] = []  # of all points, each on another worker
        self._groups: dict[Hashable, int] = {}  # run -> the group that it is in; a group is a task
        self._known: dict[Hashable, dict[bytes, Tally]] = {}  # run -> centroids -> tally
        self._steps = _FIRST
        self._pays = False
        self._speeds = speeds

    def pays(self, runs: Sequence[Run]) -> bool:
        """Whether these runs are to be advanced here; as long as no new one comes, they stay where they are."""
        if not self._few or all(run.key in self._groups for run in runs):
            return self._few and self._pays
        threads = self._cluster.threads
        groups = [0] * min(len(runs), threads)  # centroids in each
        self._groups, self._known, self._steps = {}, {}, _FIRST
        for run in sorted(runs, key=lambda run: -len(run.centroids)):
            self._groups[run.key] = groups.index(min(groups))
            groups[self._groups[run.key]] += len(run.centroids)
        seconds = self._shape[0] * self._shape[1] / _RATE  # of a centroid
        self._pays = max(groups) * seconds <= _MESSAGE + sum(groups) * seconds / threads
        return self._pays

    def tallies(self, runs: Sequence[Run]) -> list[Tally]:
        """The tallies of these runs; what is known ahead of others stays."""
        digests = [tasks.digest(run.centroids) for run in runs]
        missing = [run for run, of in zip(runs, digests, strict=True) if of not in self._known.get(run.key, {})]
        if missing:
            self._advance(missing)
        return [self._known[run.key].pop(of) for run, of in zip(runs, digests, strict=True)]

    def forget(self, key: Hashable) -> None:
        """Drop what is known of a run."""
        self._groups.pop(key, None)
        self._known.pop(key, None)

    def close(self) -> None:
        """Give back the copies."""
        for copy in self._copies:
            copy.release()
        self._copies = []

    def _copy(self) -> None:
        """Bring all points to as many workers as there are groups; where one dies, Dask brings its copy to another."""
        submit = self._cluster.client.submit
        addresses = self._cluster.workers[len(self._copies) : 1 + max(self._groups.values())]
        more = [
            submit(tasks.together, self._blocks, workers=[address], allow_other_workers=True, pure=False)
            for address in addresses
        ]
        if not self._copies + more:  # all workers are gone; the next one gets it, if one comes
            more = [submit(tasks.together, self._blocks, pure=False)]
        self._copies += more
        self._cluster.kept = [*self._cluster.kept, *more]

    def _advance(self, runs: Sequence[Run]) -> None:
        """Have the workers advance these runs."""
        if len(self._copies) <= max(self._groups.values()):
            self._copy()
        if any(self._known.get(run.key) for run in runs):  # what was known was not what was wanted
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
