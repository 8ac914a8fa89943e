"""Points in a Dask collection: every worker assigns the parts that lie with it, and integer tallies are added on the
way here.

Tasks and futures of dask.distributed, and nothing else. What a worker remembers of its parts between passes (labels,
anchors) is a cache: where a worker dies, Dask computes its parts again elsewhere, and they are assigned afresh, to
the same bits.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask import delayed
from distributed import Client, Future, KilledWorker, get_worker, wait
from distributed.comm import CommClosedError
from numpy.typing import NDArray

from steinhaus.engines import parts
from steinhaus.engines.memory import MemoryPoints
from steinhaus.engines.survey import Ranges, are_integers, grid_of, ranges
from steinhaus.engines.workers import Workers
from steinhaus.errors import ClusterError, DataError
from steinhaus.points import Float64, Grid, Int32, Int64, Run, Tally, Totals

_LARGEST = 256 * 2**20  # bytes of a part put together from chunks
_FAN = 8  # tallies that are added in one task
_CACHED = 4  # engines of which a worker remembers parts; older ones are dropped
_SHARE = 4  # of a worker's memory, one part in so many is for what screens know
PATIENCE = 20.0  # seconds without a worker, or without a word from the scheduler, until we give up
_TICK = 1.0  # seconds between two looks at the cluster while waiting
_TRIES = 20  # times that a pass is asked for whose workers died


class DaskPoints:
    """The rows of a Dask array, (n, d). See `Points` for the contract.

    Parameters
    ----------
    x
        (n, d) Dask array of a real type. Small chunks are put together, and chunks that split features; `notes` says
        so. The array is computed once and stays on the workers.
    layout
        Which points the chunks hold, where x is made of parts of a source already; None: the points are the rows.
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
        client: Client | None = None,
    ) -> None:
        self._client = client or _current()
        self.notes: list[str] = []
        self.speeds: dict[str, Speed] = {}  # worker -> what it did
        x = collected(x)
        if layout is None:
            x = self._rechunked(x)
            layout = parts.Layout(np.cumsum([0, *x.chunks[0]]))
        self._layout = layout
        self.n, self.d = self._layout.n, int(x.shape[1])
        self._token = f"steinhaus-{uuid.uuid4().hex[:12]}"
        self._asked = 0
        self._last: dict[Hashable, Run] = {}
        persisted = self._client.persist(x.map_blocks(np.ascontiguousarray, dtype=x.dtype))
        self._blocks = _futures(persisted, self._client)
        self._share = -(-len(self._blocks) // max(1, len(self._client.nthreads())))
        self.grid = grid_of(x.dtype, self._ranges(x.dtype), self.d)
        self.totals: Totals = parts.totals(self._results(_measure, None))

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        runs = [replace(run, history=()) for run in runs]
        self._last.update((run.key, run) for run in runs)
        found = self._settled(lambda: [self._sum(self._each(_assign, runs))])[0]
        for worker, speed in found.speeds.items():
            self.speeds[worker] = self.speeds.get(worker, Speed()) + speed
        tallies = list(found.tallies)
        wanted = parts.empties(tallies)
        if wanted:
            asked = [(runs[place], empty) for place, empty in wanted.items()]
            of_parts = self._results(_farthest, asked)
            for row, (place, empty) in enumerate(wanted.items()):
                far = [self._whole(part, *of_part[row]) for part, of_part in enumerate(of_parts)]
                tallies[place] = replace(tallies[place], farthest=parts.farthest(far, empty))
        return tallies

    def rows(self, indices: Int64) -> Float64:
        """See `Points.rows`."""
        indices = np.asarray(indices)
        out = np.empty((len(indices), self.d))
        located = list(self._layout.locate(indices))
        found = self._settled(
            lambda: [self._client.submit(_pick, self._blocks[part], places, pure=False) for part, _, places in located]
        )
        for (_, which, _), rows in zip(located, found, strict=True):
            out[which] = rows
        return out

    def squared_distances(self, indices: Int64) -> Float64:
        """See `Points.squared_distances`. All of them come here."""
        out = np.empty((len(indices), self.n))
        for part, found in enumerate(self._results(_distances, self.rows(indices))):
            out[:, self._layout.members(part)] = found
        return out

    def sample(self, run: Run, factor: float, seed: int) -> Int64:
        """See `seeding.Sampled`."""
        members = [self._layout.members(part) for part in range(len(self._layout))]
        spans = [span if len(span) < int(span[-1] - span[0]) + 1 else (span[0], span[-1] + 1) for span in members]
        asked = (self._run(run.key), factor, seed)
        drawn = self._settled(lambda: self._each(_sample, asked, spans))
        return np.sort(np.concatenate(drawn))

    def labels(self, key: Hashable) -> Int32:
        """See `Points.labels`. All of them come here; `labels_array` leaves them where they are."""
        out = np.empty(self.n, np.int32)
        for part, found in enumerate(self._results(_labels, self._run(key))):
            out[self._layout.members(part)] = found
        return out

    def labels_array(self, key: Hashable) -> Any:
        """The labels of the last assignment of a run as a Dask array, (n,) int32, on the workers."""
        futures = self._each(_labels, self._run(key))
        self._finished(futures)  # while the workers remember; where labels are lost later, Dask computes them anew
        sizes = self._layout.sizes.tolist()
        pieces = [
            da.from_delayed(future, (size,), np.int32) for future, size in zip(futures, sizes, strict=True)
        ]  # fmt: skip
        return da.concatenate(pieces)

    def forget(self, key: Hashable) -> None:
        """See `Points.forget`. The workers hear of it with the next pass."""
        self._last.pop(key, None)

    def close(self) -> None:
        """See `Points.close`. The cluster stays."""
        blocks, self._blocks = self._blocks, []
        if self._client.status == "running":
            for future in blocks:
                future.release()
            with suppress(OSError, TimeoutError, ValueError):  # a cluster that goes takes along what it remembered
                self._client.run(_drop, self._token, on_error="ignore")

    def _rechunked(self, x: Any) -> Any:
        """Chunks of whole rows, few enough that their messages don't weigh: consecutive ones are put together."""
        if x.numblocks[1] > 1:
            self.notes.append(f"The chunks split the {x.shape[1]} features; they are put together.")
        threads = max(1, sum(self._client.nthreads().values()))
        ends = np.cumsum(x.chunks[0])
        wanted = threads * -(-int(ends[-1]) * x.shape[1] * x.dtype.itemsize // (_LARGEST * threads))
        evenly = ends[-1] * np.arange(1, wanted) / wanted
        cuts = np.unique([0, *(ends[np.abs(ends - place).argmin()] for place in evenly), ends[-1]])
        grouped = np.diff(cuts).tolist()
        if len(grouped) < len(ends):
            self.notes.append(f"{len(ends)} chunks are put together into {len(grouped)}.")
        return x.rechunk((tuple(grouped), (x.shape[1],)))

    def _ranges(self, dtype: np.dtype[Any]) -> Ranges | None:
        if are_integers(dtype):
            return None
        return parts.checked(self._results(_spread, None), self._layout, "row")

    def _whole(self, part: int, pairs: Int64, distances: Float64) -> parts.Far:
        """What a part says of its own points, said of the whole's."""
        return np.stack([self._layout.members(part)[pairs[:, 0]], pairs[:, 1]], axis=1), distances

    def _run(self, key: Hashable) -> Run:
        if key not in self._last:
            raise KeyError(f"No labels of run {key!r} are remembered: it was never assigned, or has been forgotten.")
        return self._last[key]

    def _results(self, task: Callable[..., Any], what: Any) -> list[Any]:
        """What a task finds on every part."""
        return self._settled(lambda: self._each(task, what))

    def _each(self, task: Callable[..., Any], what: Any, *own: Sequence[Any]) -> list[Future]:
        """Start a task on every part, where it lies. What all of them are given travels once; `own` is each part's."""
        self._asked += 1
        name = f"{self._token}-{task.__name__.strip('_')}-{self._asked}"
        asked = Asked(self._token, getattr(self, "grid", None), self._share, tuple(self._last), what)
        given = self._client.submit(_given, asked, key=f"{name}-given")
        keys = [f"{name}-{part}" for part in range(len(self._blocks))]
        return self._client.map(task, self._blocks, range(len(keys)), *own, key=keys, asked=given)  # type: ignore[no-any-return]

    def _sum(self, futures: list[Future]) -> Future:
        """Add up what parts found, on the workers, a few at a time."""
        while len(futures) > 1:
            groups = [futures[first : first + _FAN] for first in range(0, len(futures), _FAN)]
            futures = [self._client.submit(_add, group, pure=False) for group in groups]
        return futures[0]

    def _settled(self, ask: Callable[[], list[Future]]) -> list[Any]:
        """The results of what `ask` starts; asked again where workers died of it or under it."""
        for _ in range(_TRIES):
            try:
                return [self._waited(future) for future in ask()]
            except (KilledWorker, CancelledError, CommClosedError):
                self._recover()
        raise ClusterError(
            f"Workers of {self._where} died {_TRIES} times in one pass. Do they have enough memory? Look at their "
            "logs; a study goes on where it stopped when its command is given again."
        )

    def _waited(self, future: Future) -> Any:
        """A result; ClusterError if the cluster is lost while we wait."""
        seen = time.monotonic()
        while True:
            try:
                return future.result(timeout=_TICK)
            except TimeoutError:
                seen = self._seen(seen)

    def _finished(self, futures: list[Future]) -> None:
        """Wait for futures whose results stay where they are."""
        seen = time.monotonic()
        while True:
            try:
                wait(futures, timeout=_TICK)
                return
            except TimeoutError:
                seen = self._seen(seen)

    def _recover(self) -> None:
        """Wait until there are workers again, and have them compute parts that died with others."""
        began = time.monotonic()
        while self._seen(began) == began:
            time.sleep(_TICK)
        self._client.retry([block for block in self._blocks if block.status in ("error", "lost")])

    def _seen(self, seen: float) -> float:
        """When workers were last seen: now, or as before; ClusterError if that is too long ago."""
        workers = 0
        answered = False
        if self._client.status == "running":
            try:
                workers = len(self._client.sync(self._ask_workers))
                answered = True
            except (OSError, TimeoutError, AttributeError):  # it is closing, or lost
                pass
        now = time.monotonic()
        if workers:
            return now
        if now - seen < PATIENCE and self._client.status != "closed":
            return seen
        what = "has had no workers" if answered else "has not answered"
        raise ClusterError(
            f"The Dask cluster {self._where} {what} for {now - seen:.0f} s. Start it, or another one, and give the "
            "command again: a study goes on where it stopped."
        )

    async def _ask_workers(self) -> Any:
        return await asyncio.wait_for(self._client.scheduler.ncores(), 5)

    @property
    def _where(self) -> str:
        scheduler = self._client.scheduler
        return f"at {scheduler.address}" if scheduler else "of this client"


def spread(rows: Any, client: Client | None = None) -> DaskPoints:
    """Bring points to the workers of a cluster, a part at a time.

    Parameters
    ----------
    rows
        (n, d) pixels that stay where they are stored, which the workers read themselves, under the same names; or an
        array, which travels to them.
    client
        The cluster; None: the current `distributed.Client`.
    """
    client = client or _current()
    stored = hasattr(rows, "source")
    n, d = rows.source.shape if stored else rows.shape
    bounds = rows.source.bounds if stored else np.array([0, n])
    threads = max(1, sum(client.nthreads().values()))
    most = max(1, min(_LARGEST // (d * rows.dtype.itemsize), -(-n // threads)))
    layout = parts.Layout(parts.grouped(bounds, most), rows.take if stored else None)
    stretches = zip(layout.firsts.tolist(), layout.ends.tolist(), strict=True)
    if stored:
        pieces = [
            delayed(_read, pure=False)(rows.source, first, end, layout.picks(part))
            for part, (first, end) in enumerate(stretches)
        ]
    else:
        pieces = [delayed(_given, pure=False)(rows[first:end]) for first, end in stretches]
    sizes = layout.sizes.tolist()
    arrays = [da.from_delayed(piece, (size, d), rows.dtype) for piece, size in zip(pieces, sizes, strict=True)]
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):  # an array is what is sent
        return DaskPoints(da.concatenate(arrays), layout=layout, client=client)


# What workers do. A task gets its part, which of the parts that is, and what all are given.


@dataclass(frozen=True)
class Asked:
    """What all tasks of a pass are given."""

    token: str  # of the engine
    grid: Grid | None
    share: int  # parts that a worker has, more or less
    keys: tuple[Hashable, ...]  # of the runs that are to be remembered
    what: Any


@dataclass(frozen=True)
class Speed:
    """Points that a worker assigned, counted once a pass, and the seconds it took."""

    points: int = 0
    seconds: float = 0.0

    def __add__(self, other: Speed) -> Speed:
        """The work of both."""
        return Speed(self.points + other.points, self.seconds + other.seconds)


@dataclass(frozen=True)
class _Found:
    """Tallies of some parts, and who worked them out."""

    tallies: Sequence[Tally]
    speeds: dict[str, Speed]


@dataclass
class _Held:
    """What a worker remembers of a part."""

    lock: threading.Lock = field(default_factory=threading.Lock)  # a task that is asked again may meet itself
    engine: MemoryPoints | None = None
    keys: set[Hashable] = field(default_factory=set)  # of the runs that the engine may remember


_held: OrderedDict[str, dict[int, _Held]] = OrderedDict()  # engine's token -> part -> what is remembered
_held_lock = threading.Lock()
_alone = Workers(1)  # Dask has its own threads


@contextmanager
def _engine(x: NDArray[Any], part: int, asked: Asked) -> Iterator[MemoryPoints]:
    """The engine of a part, with what is remembered of it; the rows are Dask's, and are let go afterwards."""
    with _held_lock:
        held = _held.setdefault(asked.token, {}).setdefault(part, _Held())
        _held.move_to_end(asked.token)
        while len(_held) > _CACHED:
            _held.popitem(last=False)
    with held.lock:
        if held.engine is None:
            limit = get_worker().memory_manager.memory_limit
            memory = None if limit is None else limit // _SHARE // asked.share
            held.engine = MemoryPoints(x, grid=asked.grid, workers=_alone, memory=memory)
        held.engine.lend(x)
        for key in held.keys - set(asked.keys):
            held.engine.forget(key)
        held.keys = set(asked.keys)
        try:
            yield held.engine
        finally:
            held.engine.lend(None)


def _drop(token: str) -> None:
    _held.pop(token, None)


def _given(what: Any) -> Any:
    return what


def _read(source: Any, first: int, end: int, picks: Int64 | None) -> NDArray[Any]:
    stretch: NDArray[Any] = source.read(first, end)
    return stretch if picks is None else stretch[picks]


def _spread(x: NDArray[Any], part: int, asked: Asked) -> Ranges:
    return ranges(x, _alone)


def _measure(x: NDArray[Any], part: int, asked: Asked) -> parts.Sums:
    with _engine(x, part, asked) as engine:
        return engine.totals.sums, engine.squares, engine.n


def _assign(x: NDArray[Any], part: int, asked: Asked) -> _Found:
    began = time.perf_counter()
    with _engine(x, part, asked) as engine:
        tallies = engine.tallies(asked.what)
    return _Found(tallies, {get_worker().address: Speed(len(x), time.perf_counter() - began)})


def _farthest(x: NDArray[Any], part: int, asked: Asked) -> list[parts.Far]:
    with _engine(x, part, asked) as engine:
        runs = [run for run, _ in asked.what]
        _assigned(engine, runs)
        return [engine.farthest(run, wanted) for run, wanted in asked.what]


def _labels(x: NDArray[Any], part: int, asked: Asked) -> Int32:
    with _engine(x, part, asked) as engine:
        _assigned(engine, [asked.what])
        return engine.labels(asked.what.key)


def _assigned(engine: MemoryPoints, runs: Sequence[Run]) -> None:
    """See to it that an engine's labels are those of these centroids, where it was lost or is another worker's."""
    if not all(engine.knows(run) for run in runs):
        engine.tallies(runs)


def _sample(x: NDArray[Any], part: int, span: Any, asked: Asked) -> Int64:
    run, factor, seed = asked.what
    members = np.arange(*span) if isinstance(span, tuple) else span
    with _engine(x, part, asked) as engine:
        _assigned(engine, [run])
        drawn: Int64 = members[parts.chances(seed, members) < factor * engine.own_distances(run)]
        return drawn


def _distances(x: NDArray[Any], part: int, asked: Asked) -> Float64:
    with _engine(x, part, asked) as engine:
        return engine.squared_distances_to(asked.what)


def _pick(x: NDArray[Any], places: Int64) -> Float64:
    return x[places].astype(np.float64)


def _add(found: Sequence[_Found]) -> _Found:
    speeds: dict[str, Speed] = {}
    for some in found:
        for worker, speed in some.speeds.items():
            speeds[worker] = speeds.get(worker, Speed()) + speed
    return _Found(parts.added(some.tallies for some in found), speeds)


# From collections to parts


def _current() -> Client:
    try:
        return Client.current()
    except ValueError:
        raise ClusterError(
            "Points in a Dask collection need a cluster: make a distributed.Client first, as in Client(n_workers=4)."
        ) from None


def collected(x: Any) -> Any:
    """A Dask array of two axes whose chunk sizes are known; from a DataFrame, its numeric columns."""
    if hasattr(x, "to_dask_array"):
        others = [str(name) for name, dtype in x.dtypes.items() if dtype.kind not in "buif"]
        if others:
            raise DataError(f"Columns must be numeric, but these are not: {', '.join(others)}. Leave them out.")
        x = x.to_dask_array(lengths=True)
    if x.ndim != 2:
        raise DataError(f"Points must be rows, (n, d), but the array has shape {x.shape}. Reshape it.")
    if x.dtype.kind not in "buif":
        raise DataError(f"Points must be real numbers, but the array has dtype {x.dtype}.")
    if np.isnan(x.shape[0]):
        x = x.compute_chunk_sizes()
    if not x.shape[0] or not x.shape[1]:
        raise DataError(f"There are no points in an array of shape {x.shape}.")
    small = x.dtype.kind == "b" or x.dtype == np.float16
    return x.astype(np.uint8 if x.dtype.kind == "b" else np.float32) if small else x


def _futures(persisted: Any, client: Client) -> list[Future]:
    """The futures of a persisted array of one column of chunks, in order."""
    from distributed import futures_of

    by_key = {future.key: future for future in futures_of(persisted, client=client)}
    return [by_key[key] for (key,) in persisted.__dask_keys__()]


__all__ = ["PATIENCE", "DaskPoints", "Speed", "spread"]
