"""What Dask's workers do. A task gets its part, which of the parts that is, and what all tasks of a pass are given.

What a worker remembers of its parts between passes (labels, anchors) is a cache: where it is lost, parts are assigned
afresh, to the same bits.
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

_CACHED = 4  # engines of which a worker remembers parts; older ones are dropped
_SHARE = 4  # of a worker's memory, one part in so many is for what screens know


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
class Found:
    """Tallies of some parts, and who worked them out."""

    tallies: Sequence[Tally]
    speeds: dict[str, Speed]


@dataclass(frozen=True)
class Advanced:
    """Tallies of some iterations of some runs, over all points, and who worked them out."""

    ahead: dict[Hashable, dict[bytes, Tally]]  # run -> centroids -> tally
    worker: str
    speed: Speed


@dataclass
class _Held:
    """What a worker remembers of a part."""

    lock: threading.Lock = field(default_factory=threading.Lock)  # a task that is asked again may meet itself
    engine: Part | None = None
    keys: set[Hashable] = field(default_factory=set)  # of the runs that the engine may remember


_held: OrderedDict[str, dict[int, _Held]] = OrderedDict()  # engine's token -> part -> what is remembered
_held_lock = threading.Lock()
_alone = Workers(1)  # Dask has its own threads


class Weighed(NamedTuple):
    """Rows that count by weights."""

    rows: NDArray[Any]  # (m, d)
    weights: Weights


Block = NDArray[Any] | Weighed


def weighed(x: NDArray[Any], weights: Weights) -> Weighed:
    """A part's rows, and what they count for."""
    return Weighed(x, weights)


def rows_of(block: Block) -> NDArray[Any]:
    """A part's rows."""
    return block.rows if isinstance(block, Weighed) else block


@contextmanager
def _engine(block: Block, part: int, asked: Asked) -> Iterator[Part]:
    """The engine of a part, with what is remembered of it; the rows are Dask's, and are let go afterwards."""
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
    """What a task is given, as it is."""
    return what


def read(source: Any, first: int, end: int, picks: Int64 | None) -> NDArray[Any]:
    """Some rows of a stretch of a source."""
    stretch: NDArray[Any] = source.read(first, end)
    return stretch if picks is None else stretch.take(picks, axis=0)


def spread(x: Block, part: int, asked: Asked) -> Ranges:
    """What a part's points spread over."""
    return ranges(rows_of(x), _alone)


def measure(x: Block, part: int, asked: Asked) -> parts.Sums:
    """A part's totals."""
    with _engine(x, part, asked) as engine:
        return engine.sums


def assign(x: Block, part: int, asked: Asked) -> Found:
    """A part's tallies of some runs."""
    began = time.perf_counter()
    with _engine(x, part, asked) as engine:
        tallies = engine.tallies(asked.what)
    return Found(tallies, {get_worker().address: Speed(engine.n, time.perf_counter() - began)})


def add(found: Sequence[Found]) -> Found:
    """What some parts found, as one."""
    speeds: dict[str, Speed] = {}
    for some in found:
        add_speeds(speeds, some.speeds)
    return Found(parts.added(some.tallies for some in found), speeds)


def add_speeds(speeds: dict[str, Speed], more: dict[str, Speed]) -> None:
    """Add the work of some workers to what is known of it."""
    for worker, speed in more.items():
        speeds[worker] = speeds.get(worker, Speed()) + speed


def together(blocks: Sequence[Block]) -> Block:
    """Some parts as one."""
    x = np.concatenate([rows_of(block) for block in blocks])
    weights = [block.weights for block in blocks if isinstance(block, Weighed)]
    return Weighed(x, weighing.together(weights)) if weights else x


class _Recording:
    """An engine on a worker, as `lloyd` sees it, that keeps the tallies of every assignment and forgets no run."""

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
        """Keep the run: it may go on."""


def advance(x: Block, part: int, asked: Asked) -> Advanced:
    """The tallies of some runs, and of the iterations that follow, where x are all points."""
    runs, steps = asked.what
    began = time.perf_counter()
    with _engine(x, part, asked) as engine:
        points: Any = _Recording(engine)
        for _ in lloyd(points, runs, max_iter=steps):
            pass
    return Advanced(points.ahead, get_worker().address, Speed(engine.n * points.passes, time.perf_counter() - began))


def digest(centroids: Float64) -> bytes:
    """What tells centroids from others."""
    return hashlib.blake2b(centroids.tobytes(), digest_size=16).digest()


def farthest(x: Block, part: int, asked: Asked) -> list[parts.Far]:
    """The farthest of a part's points, so many of each run."""
    with _engine(x, part, asked) as engine:
        runs = [run for run, _ in asked.what]
        _assigned(engine, runs)
        return [engine.farthest(run, wanted) for run, wanted in asked.what]


def labels(x: Block, part: int, asked: Asked) -> Int32:
    """A part's labels of a run."""
    with _engine(x, part, asked) as engine:
        _assigned(engine, [asked.what])
        return engine.labels(asked.what.key)


def with_labels(x: Block, part: int, own: Any, asked: Asked) -> Any:
    """What comes of a part's labels: see `DaskPoints.with_labels`."""
    runs, work = asked.what
    with _engine(x, part, asked) as engine:
        _assigned(engine, runs)
        found = np.stack([engine.labels(run.key) for run in runs])
    return work(found, own)


def near(x: Block, part: int, asked: Asked) -> Fraction:
    """The potential of a part's points, with some rows: see `Nearest.add`."""
    with _engine(x, part, asked) as engine:
        return engine.near(*asked.what).potential()


def draw(x: Block, part: int, span: Any, asked: Asked) -> Int64:
    """Points of a part, drawn by their distances: see `Nearest.draw`. span: its points, or from where to where."""
    key, rows, factor, seed = asked.what
    members = np.arange(*span) if isinstance(span, tuple) else span
    with _engine(x, part, asked) as engine:
        return engine.near(key, rows).drawn(factor, seed, members)


def sizes(x: Block, part: int, asked: Asked) -> Int64:
    """What the points of a part that are nearest to each row count for: see `Nearest.sizes`."""
    with _engine(x, part, asked) as engine:
        return engine.near(*asked.what).sizes()


def distances(x: Block, part: int, asked: Asked) -> Float64:
    """The squared distances of a part's points to some rows."""
    with _engine(x, part, asked) as engine:
        return engine.squared_distances_to(asked.what)


def pick(x: Block, places: Int64) -> Float64:
    """Some points of a part."""
    return rows_of(x)[places].astype(np.float64)


def _assigned(engine: Part, runs: Sequence[Run]) -> None:
    """See to it that an engine's labels are those of these centroids, where it was lost or is another worker's."""
    if not all(engine.knows(run) for run in runs):
        engine.tallies(runs)
