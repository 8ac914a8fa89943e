"""Points in a Dask collection: every worker assigns its own parts, and the workers add up the integer tallies.

It uses only tasks and futures of dask.distributed. `tasks` holds the functions that run on workers, `connection`
recovers from lost workers, and `arrays` turns collections into parts.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Any

import dask
import dask.array as da
import numpy as np
from distributed import Client, Future, futures_of

from steinhaus.engines.cluster import tasks
from steinhaus.engines.cluster.ahead import Ahead
from steinhaus.engines.cluster.arrays import collected, grouped, stretches
from steinhaus.engines.cluster.connection import Cluster
from steinhaus.engines.cluster.tasks import Speed
from steinhaus.engines.dense.points import few_points
from steinhaus.engines.dense.policy import Policy
from steinhaus.engines.exact import parts
from steinhaus.engines.exact.grid import Ranges, are_integers, grid_of
from steinhaus.engines.exact.held import no_labels
from steinhaus.engines.exact.weighing import Weights
from steinhaus.jit.target import takes_bytes
from steinhaus.points import Float64, Grid, Int32, Int64, Nearest, Points, Run, Tally, Totals

_FAN = 8  # tallies that one task adds up, or this process
_LARGE = {"distributed.admin.large-graph-warning-threshold": "1 TB"}  # for graphs that carry data on purpose
_LIGHT = 2**20  # bytes: arguments that would take more in all tasks of a pass are sent once, and shared by workers


class DaskPoints:
    """The rows of a Dask array, (n, d). See `Points` for the contract.

    Parameters
    ----------
    x
        (n, d) Dask array of a real type. Small chunks, and chunks that split features, are put together; `notes` says
        so. The array is computed once and stays on the workers.
    layout
        Which points the chunks hold, if x is made of parts of a source; None: the points are the rows of x.
    weights
        The weights of the points; None: 1 each. Each worker gets those of its parts.
    client
        The cluster; None: the current `distributed.Client`.

    Raises
    ------
    DataError
        A point is not finite, or too large to be squared.
    ClusterError
        There is no client; or workers, or the scheduler, are lost and don't come back.
    """

    def __init__(
        self,
        x: Any,
        *,
        layout: parts.Layout | None = None,
        weights: Weights | None = None,
        client: Client | None = None,
    ) -> None:
        self._cluster = Cluster(client)
        self._client = self._cluster.client
        self.notes: list[str] = []
        self.speeds: dict[str, Speed] = {}  # worker -> its points and seconds so far
        x = collected(x)
        if layout is None:
            x, self.notes = grouped(x, self._cluster.threads)
            layout = parts.Layout(np.cumsum([0, *x.chunks[0]]))
        self._layout = layout
        self.n, self.d = self._layout.n, int(x.shape[1])
        self.kind = np.dtype(x.dtype)
        self._token = f"steinhaus-{uuid.uuid4().hex[:12]}"
        self._asked = 0
        self._last: dict[Hashable, Run] = {}
        persisted = self._client.persist(x.map_blocks(np.ascontiguousarray, dtype=x.dtype))
        self._blocks, weights = _futures(persisted, self._client), weights or Weights(None)
        if weights.counts is not None:
            self._blocks = self._weighed(weights)
        self._cluster.kept = self._blocks
        self._share = -(-len(self._blocks) // max(1, len(self._cluster.workers)))
        self._grid: Grid | None = None  # until it is known
        self.grid = self._grid = grid_of(x.dtype, self._ranges(x.dtype), self.d)
        self.totals: Totals = parts.totals(self.results(tasks.measure, None), self.grid, weights)
        self._ahead = Ahead(
            self._cluster,
            self._blocks,
            shape=(self.n, self.d),
            nbytes=self.n * self.d * x.dtype.itemsize,
            asked=self._given,
            speeds=self.speeds,
        )

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        runs = [replace(run, history=()) for run in runs]
        self._last.update((run.key, run) for run in runs)
        tallies = self._ahead.tallies(runs) if self._ahead.pays(runs) else self._tallies(runs)
        wanted = parts.empties(tallies)
        if wanted:
            asked = [(runs[place], empty) for place, empty in wanted.items()]
            of_parts = self.results(tasks.farthest, asked)
            for row, (place, empty) in enumerate(wanted.items()):
                far = [self._whole(part, *of_part[row]) for part, of_part in enumerate(of_parts)]
                tallies[place] = replace(tallies[place], farthest=parts.farthest(far, empty))
        return tallies

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        indices = np.asarray(indices)
        out = np.empty((len(indices), self.d))
        located = list(self._layout.locate(indices))
        found = self._cluster.results(
            lambda: [
                self._client.submit(tasks.pick, self._blocks[part], places, pure=False) for part, _, places in located
            ]
        )
        for (_, which, _), rows in zip(located, found, strict=True):
            out[which] = rows
        return out

    def squared_distances(self, indices: Int64, below: Float64 | None = None) -> Float64:
        """See `Points.squared_distances`. The whole table is brought to this process."""
        out = np.empty((len(indices), self.n))
        for part, found in enumerate(self.results(tasks.distances, self.rows(indices))):
            out[:, self._layout.members(part)] = found
        return out

    def nearest(self, weights: Int64 | None) -> Nearest:
        """See `Sampling.nearest`. The workers have the weights already."""
        return _NearestRows(self)

    def spans(self) -> list[Any]:
        """The numbers of each part's points, (m,); or the first one and the end, if they are consecutive."""
        members = [self._layout.members(part) for part in range(len(self._layout))]
        return [span if len(span) < int(span[-1] - span[0]) + 1 else (span[0], span[-1] + 1) for span in members]

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`. They are brought to this process; `labels_array` leaves them on the workers."""
        out = np.empty(self.n, np.int32)
        for part, found in enumerate(self.results(tasks.labels, self._run(key))):
            out[self._layout.members(part)] = found
        return out

    def labels_array(self, key: Hashable) -> Any:
        """The labels of the last assignment of a run as a Dask array, (n,) int32, on the workers.

        The chunks are the parts, in their order. If the points are the rows of a collection, this is the order of the
        points. Workers can write the labels with Dask's own methods, as `rechunk(...).to_zarr` and
        `to_dask_dataframe().to_parquet`.
        """
        futures = self._each(tasks.labels, self._run(key))
        self._cluster.finish(futures)  # now, while workers remember them; Dask computes labels anew that are lost later
        sizes = self._layout.sizes.tolist()
        pieces = [da.from_delayed(future, (size,), np.int32) for future, size in zip(futures, sizes, strict=True)]
        return da.concatenate(pieces)

    def with_labels(
        self, runs: Sequence[Run], work: Callable[[Int32, Any], Any], own: Callable[[int, Int64], Any]
    ) -> list[Any]:
        """Call a function with the labels of each part, on the worker that holds them.

        Parameters
        ----------
        runs
            The runs of the last assignment.
        work
            The function: `work(labels, argument)`, with labels (runs, m) int32 and the part's argument.
        own
            Makes the argument of a part: `own(part, points)`, with the number of the part and its points, (m,).

        Returns
        -------
        list
            The results of `work`, part by part.
        """
        owns = [own(part, self._layout.members(part)) for part in range(len(self._layout))]
        with dask.config.set(_LARGE):  # a few bytes a point
            return self._cluster.results(lambda: self._each(tasks.with_labels, (runs, work), owns))

    def explain(self, k: int, runs: int = 1) -> str:
        """See `Points.explain`."""
        largest, kind = int(self._layout.sizes.max()), self.kind
        policy = Policy(largest, self.d, 2**62, "auto", takes_bytes(kind), are_integers(kind))
        return (
            f"{len(self._blocks)} parts on {len(self._cluster.workers)} workers. Each worker labels its own parts, "
            f"within its memory, and the tallies are added up. The largest part: "
            f"{policy.explain(k, runs, pays=True, shapeless=False)}"
        )

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`. The workers forget the run in the next pass."""
        self._last.pop(key, None)
        self._ahead.forget(key)

    def close(self) -> None:
        """See `Points.close`. The cluster stays."""
        blocks, self._blocks = self._blocks, []
        if self._client.status == "running":
            self._ahead.close()
            for future in blocks:
                future.release()
            with suppress(OSError, TimeoutError, ValueError):  # a cluster that is closing needs no clearing
                self._client.run(tasks.drop, self._token, on_error="ignore")

    def _tallies(self, runs: Sequence[Run]) -> list[Tally]:
        """The tallies of all parts."""
        weight = sum(run.centroids.nbytes for run in runs)
        found = tasks.add(self._cluster.results(lambda: self._summed(self._each(tasks.assign, runs, weight=weight))))
        tasks.add_speeds(self.speeds, found.speeds)
        return list(found.tallies)

    def _ranges(self, dtype: np.dtype[Any]) -> Ranges | None:
        if are_integers(dtype):
            return None
        return parts.checked(self.results(tasks.spread, None), self._layout, "row")

    def _whole(self, part: int, pairs: Int64, distances: Float64) -> parts.Far:
        """Replace places in a part, in pairs (e, 2), by the numbers of the points; distances: (e,)."""
        return np.stack([self._layout.members(part)[pairs[:, 0]], pairs[:, 1]], axis=1), distances

    def _run(self, key: Hashable) -> Run:
        if key not in self._last:
            raise no_labels(key)
        return self._last[key]

    def results(self, task: Callable[..., Any], what: Any, *own: Sequence[Any]) -> list[Any]:
        """The results of a task on every part."""
        return self._cluster.results(lambda: self._each(task, what, *own))

    def _weighed(self, weights: Weights) -> list[Future]:
        """The parts with their weights, on the workers."""
        of_parts = [weights.of(self._layout.members(part)) for part in range(len(self._layout))]
        with dask.config.set(_LARGE):
            return self._client.map(tasks.weighed, self._blocks, of_parts, pure=False)  # type: ignore[no-any-return]

    def _each(self, task: Callable[..., Any], what: Any, *own: Sequence[Any], weight: int = _LIGHT) -> list[Future]:
        """Start a task on every part, on the worker that holds it.

        own: sequences with one argument a part. what: an argument for all parts, of `weight` bytes; if it is small, it
        is sent with each task.
        """
        self._asked += 1
        name = f"{self._token}-{task.__name__}-{self._asked}"
        asked: Any = self._given(what, self._share)
        if weight * len(self._blocks) > _LIGHT:
            asked = self._client.submit(tasks.given, asked, key=f"{name}-given")
        keys = [f"{name}-{part}" for part in range(len(self._blocks))]
        return self._client.map(task, self._blocks, range(len(keys)), *own, key=keys, asked=asked)  # type: ignore[no-any-return]

    def _given(self, what: Any, share: int) -> tasks.Asked:
        """The argument of tasks; share: how many of them share a worker's memory."""
        return tasks.Asked(self._token, self._grid, share, tuple(self._last), what)

    def _summed(self, futures: list[Future]) -> list[Future]:
        """Have the workers add up the tallies of the parts, until at most `_FAN` are left."""
        while len(futures) > _FAN:
            groups = [futures[first : first + _FAN] for first in range(0, len(futures), _FAN)]
            futures = [self._client.submit(tasks.add, group, pure=False) for group in groups]
        return futures


class _NearestRows:
    """Implements `Nearest`. The workers keep the distances.

    A worker that has lost them, or that takes over a part, starts again from all rows.
    """

    def __init__(self, points: DaskPoints) -> None:
        self._points, self._key = points, uuid.uuid4().hex
        self._rows = np.empty((0, points.d))

    def add(self, indices: Int64) -> Fraction:
        """See `Nearest.add`."""
        self._rows = np.concatenate([self._rows, self._points.rows(indices)])
        return sum(self._points.results(tasks.near, (self._key, self._rows)), Fraction(0))

    def draw(self, factor: float, seed: int) -> Int64:
        """See `Nearest.draw`."""
        asked = (self._key, self._rows, factor, seed)
        return np.sort(np.concatenate(self._points.results(tasks.draw, asked, self._points.spans())))

    def sizes(self) -> Int64:
        """See `Nearest.sizes`."""
        return np.sum(self._points.results(tasks.sizes, (self._key, self._rows)), axis=0)  # type: ignore[no-any-return]

    def few(self) -> Points:
        """See `Nearest.few`. These points are in this process, not on the workers."""
        return few_points(self._points.kind, None, self._rows)


def spread(rows: Any, client: Client | None = None, weights: Weights | None = None) -> DaskPoints:
    """Bring points to the workers of a cluster, a part at a time.

    Parameters
    ----------
    rows
        (n, d) pixels on disk, which the workers read themselves from the same paths; or an array, which is sent to
        them.
    client
        The cluster; None: the current `distributed.Client`.
    weights
        The weights of the rows; None: 1 each.
    """
    cluster = Cluster(client)
    x, layout = stretches(rows, cluster.threads)
    with dask.config.set(_LARGE):  # the graph carries the array
        return DaskPoints(x, layout=layout, weights=weights, client=cluster.client)


def _futures(persisted: Any, client: Client) -> list[Future]:
    """The futures of a persisted array of one column of chunks, in order."""
    by_key = {future.key: future for future in futures_of(persisted, client=client)}
    return [by_key[key] for (key,) in persisted.__dask_keys__()]
