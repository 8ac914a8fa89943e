"""The tasks that run on Dask's workers.

A task gets the rows of its part, x (m, d), the number of the part, and `Asked`, which all tasks of a pass share.
Between passes a worker remembers labels and anchors of its parts. This is a cache: if it is lost, the part is assigned
anew, with the same bits.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from distributed import get_worker
from numpy.typing import NDArray

from steinhaus.engines.dense.part import Part
from steinhaus.engines.exact import parts, weighing
from steinhaus.engines.exact.grid import Ranges, ranges
from steinhaus.engines.exact.weighing import Weights
from steinhaus.engines.workers import Workers
from steinhaus.lloyd import lloyd
from steinhaus.points import Float64, Grid, Int32, Int64, Run, Tally

_CACHED = 4  # a worker remembers parts of this many engines; older ones are dropped
_SHARE = 4  # screens may use one fourth of a worker's memory


@dataclass(frozen=True)
class Asked:
    """The argument that all tasks of a pass share."""

    token: str  # of the engine
    grid: Grid | None
    share: int  # parts on one worker, about
    keys: tuple[Hashable, ...]  # of the runs to remember
    what: Any  # the request; its type depends on the task


@dataclass(frozen=True)
class Speed:
    """Points that a worker assigned, counted once a pass, and the seconds it took."""

    points: int = 0
    seconds: float = 0.0

    def __add__(self, other: Speed) -> Speed:
        """The work of both."""
        return Speed(self.points + other.points, self.seconds + other.seconds)


@dataclass(frozen=True)
class Found:
    """Tallies of some parts, and the speeds of the workers that computed them."""

    tallies: Sequence[Tally]
    speeds: dict[str, Speed]


@dataclass(frozen=True)
class Advanced:
    """Tallies of some iterations of some runs, over all points, and the worker that computed them."""

    ahead: dict[Hashable, dict[bytes, Tally]]  # run -> centroids -> tally
    worker: str
    speed: Speed


@dataclass
class _Held:
    """The state that a worker keeps of a part."""

    lock: threading.Lock = field(default_factory=threading.Lock)  # a task that is started again may run twice at once
    engine: Part | None = None
    keys: set[Hashable] = field(default_factory=set)  # of the runs that the engine may remember


_held: OrderedDict[str, dict[int, _Held]] = OrderedDict()  # engine's token -> part -> state
_held_lock = threading.Lock()
_alone = Workers(1)  # Dask has its own threads


class Weighed(NamedTuple):
    """Rows with weights."""

    rows: NDArray[Any]  # (m, d)
    weights: Weights


Block = NDArray[Any] | Weighed


def weighed(x: NDArray[Any], weights: Weights) -> Weighed:
    """A part, x (m, d), with the weights of its rows."""
    return Weighed(x, weights)


def rows_of(block: Block) -> NDArray[Any]:
    """The rows of a part, (m, d)."""
    return block.rows if isinstance(block, Weighed) else block


@contextmanager
def _engine(block: Block, part: int, asked: Asked) -> Iterator[Part]:
    """The engine of a part, with its state from earlier passes. It borrows the rows, (m, d), from Dask meanwhile."""
    x = rows_of(block)
    with _held_lock:
        held = _held.setdefault(asked.token, {}).setdefault(part, _Held())
        _held.move_to_end(asked.token)
        while len(_held) > _CACHED:
            _held.popitem(last=False)
    with held.lock:
        if held.engine is None:
            limit = get_worker().memory_manager.memory_limit
            memory = None if limit is None else limit // _SHARE // asked.share
            weights = block.weights if isinstance(block, Weighed) else Weights(None)
            held.engine = Part(x, weights, grid=asked.grid, workers=_alone, memory=memory)
        held.engine.lend(x)
        for key in held.keys - set(asked.keys):
            held.engine.forget(key)
        held.keys = set(asked.keys)
        try:
            yield held.engine
        finally:
            held.engine.lend(None)


def drop(token: str) -> None:
    """Forget an engine."""
    _held.pop(token, None)


def given(what: Any) -> Any:
    """Return the argument: a task that puts it on a worker."""
    return what


def read(source: Any, first: int, end: int, picks: Int64 | None) -> NDArray[Any]:
    """Read the rows first <= i < end of a source; picks: (m,) the ones to keep, None: all."""
    stretch: NDArray[Any] = source.read(first, end)
    return stretch if picks is None else stretch.take(picks, axis=0)


def spread(x: Block, part: int, asked: Asked) -> Ranges:
    """The ranges of the columns of a part, x (m, d)."""
    return ranges(rows_of(x), _alone)


def measure(x: Block, part: int, asked: Asked) -> parts.Sums:
    """The totals of a part, x (m, d)."""
    with _engine(x, part, asked) as engine:
        return engine.sums


def assign(x: Block, part: int, asked: Asked) -> Found:
    """The tallies of a part, x (m, d), for some runs."""
    began = time.perf_counter()
    with _engine(x, part, asked) as engine:
        tallies = engine.tallies(asked.what)
    return Found(tallies, {get_worker().address: Speed(engine.n, time.perf_counter() - began)})


def add(found: Sequence[Found]) -> Found:
    """Add up the tallies of some parts."""
    speeds: dict[str, Speed] = {}
    for some in found:
        add_speeds(speeds, some.speeds)
    return Found(parts.added(some.tallies for some in found), speeds)


def add_speeds(speeds: dict[str, Speed], more: dict[str, Speed]) -> None:
    """Add more work to the speeds, in place."""
    for worker, speed in more.items():
        speeds[worker] = speeds.get(worker, Speed()) + speed


def together(blocks: Sequence[Block]) -> Block:
    """Put parts, (m, d) each, together."""
    x = np.concatenate([rows_of(block) for block in blocks])
    weights = [block.weights for block in blocks if isinstance(block, Weighed)]
    return Weighed(x, weighing.together(weights)) if weights else x


class _Recording:
    """An engine for `lloyd` on a worker: it keeps the tallies of every assignment, and forgets no run."""

    def __init__(self, engine: Part) -> None:
        self._engine = engine
        self.grid, self.totals, self.rows = engine.grid, engine.totals, engine.rows
        self.ahead: dict[Hashable, dict[bytes, Tally]] = {}
        self.passes = 0

    def assign(self, runs: Sequence[Run]) -> list[Tally]:
        """See `Points.assign`."""
        tallies = self._engine.assign(runs)
        for run, tally in zip(runs, tallies, strict=True):
            self.ahead.setdefault(run.key, {})[digest(run.centroids)] = tally
        self.passes += 1
        return tallies

    def forget(self, key: Hashable) -> None:
        """Do nothing: the caller may continue the run."""


def advance(x: Block, part: int, asked: Asked) -> Advanced:
    """The tallies of some runs for several iterations. x: (n, d), all points."""
    runs, steps = asked.what
    began = time.perf_counter()
    with _engine(x, part, asked) as engine:
        points: Any = _Recording(engine)
        for _ in lloyd(points, runs, max_iter=steps):
            pass
    return Advanced(points.ahead, get_worker().address, Speed(engine.n * points.passes, time.perf_counter() - began))


def digest(centroids: Float64) -> bytes:
    """A digest that identifies centroids, (k, d)."""
    return hashlib.blake2b(centroids.tobytes(), digest_size=16).digest()


def farthest(x: Block, part: int, asked: Asked) -> list[parts.Far]:
    """The points of a part, x (m, d), that are farthest from their centroids: as many as asked for of each run."""
    with _engine(x, part, asked) as engine:
        runs = [run for run, _ in asked.what]
        _assigned(engine, runs)
        return [engine.farthest(run, wanted) for run, wanted in asked.what]


def labels(x: Block, part: int, asked: Asked) -> Int32:
    """The labels of a part, x (m, d), in a run."""
    with _engine(x, part, asked) as engine:
        _assigned(engine, [asked.what])
        return engine.labels(asked.what.key)


def with_labels(x: Block, part: int, own: Any, asked: Asked) -> Any:
    """The result of a function of a part's labels. x: (m, d). See `DaskPoints.with_labels`."""
    runs, work = asked.what
    with _engine(x, part, asked) as engine:
        _assigned(engine, runs)
        found = np.stack([engine.labels(run.key) for run in runs])
    return work(found, own)


def near(x: Block, part: int, asked: Asked) -> Fraction:
    """The potential of a part, x (m, d), once rows are added: see `Nearest.add`."""
    with _engine(x, part, asked) as engine:
        return engine.near(*asked.what).potential()


def draw(x: Block, part: int, span: Any, asked: Asked) -> Int64:
    """Points of a part, x (m, d), drawn by their distances: see `Nearest.draw`.

    span: the numbers of the part's points, (m,); or the first one and the end, if they are consecutive.
    """
    key, rows, factor, seed = asked.what
    members = np.arange(*span) if isinstance(span, tuple) else span
    with _engine(x, part, asked) as engine:
        return engine.near(key, rows).drawn(factor, seed, members)


def sizes(x: Block, part: int, asked: Asked) -> Int64:
    """The total weight of the points of a part, x (m, d), that are nearest to each row: see `Nearest.sizes`."""
    with _engine(x, part, asked) as engine:
        return engine.near(*asked.what).sizes()


def distances(x: Block, part: int, asked: Asked) -> Float64:
    """The squared distances of a part's points to some rows, (r, m) float64."""
    with _engine(x, part, asked) as engine:
        return engine.squared_distances_to(asked.what)


def pick(x: Block, places: Int64) -> Float64:
    """Some points of a part: places (p,) -> (p, d)."""
    return rows_of(x)[places].astype(np.float64)


def _assigned(engine: Part, runs: Sequence[Run]) -> None:
    """Assign the runs if the engine does not hold their labels: it was lost, or this is another worker."""
    if not all(engine.knows(run) for run in runs):
        engine.tallies(runs)
