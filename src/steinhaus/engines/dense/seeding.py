"""Greedy k-means++ at the engine's speed: the very rows that `seeding.plus_plus` chooses.

Points stand in tiles of near ones. A step draws candidates by sums over blocks of points, and looks only at tiles and
points that a candidate can be nearer to than all rows chosen so far (`bounds.seeding`). Potentials are sums of
integers, kept up to date by the points that change.
"""

from __future__ import annotations

import math

import numpy as np

from steinhaus.engines.bounds.bytes import NOT_ROUNDED
from steinhaus.engines.bounds.doubles import SMALLEST
from steinhaus.engines.bounds.rounding import BYTES
from steinhaus.engines.bounds.seeding import halves_below
from steinhaus.engines.dense import centroids
from steinhaus.engines.dense import seeding_kernels as kernels
from steinhaus.engines.dense.directions import Projected, Reading, arranged
from steinhaus.engines.dense.policy import Capacity
from steinhaus.engines.dense.records import TILE, centroid_frame_of
from steinhaus.engines.dense.seeding_kernels import BLOCK, Search
from steinhaus.engines.dense.seeding_screen import packed_of, round_candidates
from steinhaus.engines.dense.state import batch_of
from steinhaus.engines.dense.survey import sampled_quantiser
from steinhaus.engines.exact.distances import all_distances
from steinhaus.jit.handed import Handed
from steinhaus.jit.target import BYTE_LANES
from steinhaus.points import Float64, Int64
from steinhaus.seeding import Stream, first_row, sum_bits

_STEP = 4096  # points a task
_TASKS = 4  # tasks a worker


def plus_plus(
    of: Reading, lengths: Float64, found: Projected, k: int, stream: Stream, weights: Int64 | None, trials: int
) -> Int64:
    """Choose up to k rows; fewer where all distances to the chosen ones are below `SMALLEST`.

    Parameters
    ----------
    lengths
        (n,) the points' squared norms in the frame.
    found
        The points along leading directions; none of these where they tell too little.
    stream
        The run's random numbers.
    weights
        (n,) how often each point counts; None: once.
    trials
        How many candidates are drawn for each row.
    """
    search = _Seeder(of, lengths, found, k, weights, trials)
    chosen = [first_row(of.points.rows.n, stream, weights)]
    search.begin(chosen[0])
    while len(chosen) < k and (potential := search.scaled()):
        candidates = search.drawn(stream.integers(search.m, potential))
        chosen.append(search.step(candidates))
    return np.array(chosen, np.int64)


class _Seeder:
    """What is known of the points while rows are chosen."""

    def __init__(
        self, of: Reading, lengths: Float64, found: Projected, k: int, weights: Int64 | None, trials: int
    ) -> None:
        n, d = of.points.rows.n, of.points.rows.d
        self.m = trials
        self._of, self._x = of, of.points.rows.values
        self._tiles = arranged(of, found) if found.basis.p else of.tiles
        tiles, order = len(self._tiles.order) // TILE, self._tiles.order
        self._bits = sum_bits(n)
        rounded = bool(BYTE_LANES) and of.frame.rounded
        quantiser = sampled_quantiser(self._x, of.frame) if rounded else NOT_ROUNDED
        frame = centroid_frame_of(of.frame, found.basis, quantiser)
        kept = frame.width if d <= BYTES else 0  # as bytes, to be screened
        if quantiser.step:
            self._tiles = self._tiles._replace(rounded_norms=np.empty_like(self._tiles.norms))
        self._frame = Handed(frame)
        capacity = Capacity(
            1, d, found.basis.p, tiles, of.workers.count, of.frame.bytewise, bool(quantiser.step), False
        )
        self._batch = batch_of([0], np.array([self.m]), np.zeros(1, np.int64), capacity)
        self._view = self._batch.handed(self._tiles)
        self._rows = np.zeros((k, d))
        self._chosen = 0
        norms = of.tiles.norms[:n].astype(np.float64)
        halves = halves_below(of.frame, norms, lengths, found.along_reference[:n], found.rest)
        self._search = Search(
            m=self.m,
            scale=0.0,
            closest=np.empty(tiles * TILE),
            halves=halves[order],
            to_frame=of.frame.scale**2,
            thresholds=np.empty(tiles * TILE, np.float32),
            values=np.zeros(n, np.int64),
            blocks=np.zeros(-(-n // BLOCK), np.int64),
            times=np.empty(0) if weights is None else weights.astype(np.float64),
            weighted=int(weights is not None),
            found=np.empty((self.m, tiles * TILE)),
            improved=np.zeros((tiles, self.m), np.int64),
            owners=np.zeros(tiles, np.int32),
            labels=np.zeros(tiles * TILE, np.int32),
            farthest=np.empty(tiles),
            heaviest=np.empty(tiles),
            owns=np.zeros(k, np.uint8),
            between=np.empty((k, self.m)),
            packed=packed_of(self.m, tiles, kept, self._tiles.reach if quantiser.step else np.float32(0)),
        )
        self._handed = Handed(self._search)
        self._packed = Handed(self._search.packed)
        self._points, self._readers, self._placed = Handed(of.points), Handed(of.readers), Handed(self._tiles)
        self._scratch = [Handed(worker.scratch) for worker in self._batch.workers]
        if kept:
            self._pack(Handed(of.points._replace(quantiser=quantiser)))

    def _pack(self, points: Handed) -> None:
        """Keep the points as bytes."""

        def pack(worker: int, first: int, end: int) -> None:
            kernels.pack(points, self._readers, self._placed, self._handed, self._scratch[worker], first, end)

        tiles, workers = len(self._search.owners), self._of.workers
        workers.each(pack, tiles, max(1, -(-tiles // (_TASKS * workers.count))))

    def begin(self, first: int) -> None:
        """Choose the first row."""
        distances = np.empty(len(self._search.values))
        row = self._x[first : first + 1].astype(np.float64)
        rows, measure = Handed(self._of.points.rows), all_distances[self._x.dtype]
        n = len(distances)
        self._of.workers.each(lambda _, a, b: measure(rows, a, b, row, 1, distances), n, _STEP)
        self._search.closest[:] = distances[self._tiles.order]
        kernels.begin(self._placed, self._handed, n)
        self._rows[0], self._chosen = row[0], 1

    def scaled(self) -> int:
        """The potential, as the integer that is drawn below; 0 where all distances are 0, or next to it."""
        largest = float(self._search.heaviest.max())
        if largest < SMALLEST:
            return 0
        scale = math.ldexp(1.0, self._bits - 1 - math.frexp(largest)[1])
        if scale != self._search.scale:
            self._search = self._search._replace(scale=scale)
            self._handed = Handed(self._search)
            kernels.rescale(self._placed, self._handed, len(self._search.values))
        return int(self._search.blocks.sum())

    def drawn(self, numbers: Int64) -> Int64:
        """The points that numbers below the potential fall to: in the order of points, each as wide as its integer."""
        ends = np.cumsum(self._search.blocks)
        blocks = np.searchsorted(ends, numbers, side="right")
        points = np.empty(len(numbers), np.int64)
        for place, (number, block) in enumerate(zip(numbers.tolist(), blocks.tolist(), strict=True)):
            before = int(ends[block - 1]) if block else 0
            within = np.cumsum(self._search.values[block * BLOCK : (block + 1) * BLOCK])
            points[place] = block * BLOCK + int(np.searchsorted(within, number - before, side="right"))
        return points

    def step(self, candidates: Int64) -> int:
        """Choose the candidate that leaves the least potential, the first of equals."""
        batch, search, workers = self._batch, self._search, self._of.workers
        batch.exact[:] = self._x[candidates]
        row, along = np.empty(batch.exact.shape[1]), np.empty(self._tiles.p)
        centroids.prepare(self._view, self._frame, 0, self.m, 0, 1, row, along)
        if search.packed.width:
            round_candidates(self._packed, self._frame, batch.exact, self.m, row)
        search.owns[:] = 0
        search.owns[search.owners[search.owners >= 0]] = 1
        kernels.measure_between(self._handed, self._rows, self._chosen, batch.exact, len(row))
        gains = np.zeros((workers.count, self.m), np.int64)
        tiles = len(search.owners)

        def improve(worker: int, first: int, end: int) -> None:
            kernels.improve(
                self._points, self._readers, self._view, self._handed, self._scratch[worker], first, end, gains[worker]
            )

        workers.each(improve, tiles, max(1, -(-tiles // (_TASKS * workers.count))))
        best = int(np.argmin(gains.sum(axis=0)))
        kernels.choose(self._placed, self._handed, len(search.values), best, self._chosen)
        self._rows[self._chosen] = batch.exact[best]
        self._chosen += 1
        return int(candidates[best])
