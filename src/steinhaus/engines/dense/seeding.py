"""Greedy k-means++ by screening. It chooses the same rows as `seeding.plus_plus`.

Points stand in tiles, of near ones if directions are screened first. Candidates for several rows are drawn at once, by
sums over blocks of points. One pass over the tiles finds the points that a candidate may improve: it may be nearer than
all rows chosen so far (`bounds.seeding`). The next rows are chosen from these lists alone, since only the integers of
these points change. Bounds of what candidates gain tell which are worth measuring.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds.bytes import NOT_ROUNDED
from steinhaus.engines.bounds.rounding import BYTES
from steinhaus.engines.bounds.scores import Rates
from steinhaus.engines.bounds.seeding import halves_below, most_gained
from steinhaus.engines.dense import centroids, limited
from steinhaus.engines.dense import seeding_kernels as kernels
from steinhaus.engines.dense.directions import Projected, Reading, arranged
from steinhaus.engines.dense.drawing import drawn_from, next_tried, potential_of, scale_for
from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.policy import Capacity
from steinhaus.engines.dense.potentials import Drawn
from steinhaus.engines.dense.records import centroid_frame_of, scratch_of
from steinhaus.engines.dense.seeding_few import FewRows
from steinhaus.engines.dense.seeding_found import Finds, Improved, improved_by
from steinhaus.engines.dense.seeding_kernels import Search
from steinhaus.engines.dense.seeding_screen import (
    pack_directions,
    packed_of,
    round_candidates,
    round_directions,
    step_of,
)
from steinhaus.engines.dense.state import batch_of
from steinhaus.engines.dense.survey import sampled_quantiser
from steinhaus.engines.exact.closest import Closest
from steinhaus.engines.exact.distances import all_distances
from steinhaus.jit.handed import Handed
from steinhaus.jit.target import BYTE_LANES
from steinhaus.points import Float64, Int64
from steinhaus.seeding import AHEAD, Stream, ahead, first_row, most_ahead

_STEP = 4096  # points a task
_TASKS = 4  # tasks a worker
_ALONE = 1024  # fewer pairs are measured by one thread
_AT_ONCE = 64  # given rows that are compared with the points at once, at most
_LEAST = 4  # and at least, once
_AGE = 4  # a quarter of the rows that were added before is fewer


def plus_plus(
    of: Reading, lengths: Float64, found: Projected | None, k: int, stream: Stream, weights: Int64 | None, trials: int,
    few: int,
) -> Int64:  # fmt: skip
    """Choose k rows, (k,), or fewer if all distances to the chosen rows are below `SMALLEST`.

    Parameters
    ----------
    of
        The points.
    lengths
        (n,) the points' squared norms in the frame.
    found
        The coordinates of the points along leading directions; along none if these hold too little. None if `few` is k.
    k
        The rows that are wanted.
    stream
        The random numbers of the run.
    weights
        (n,) the count of each point; None: 1 each.
    trials
        The number of candidates for each row.
    few
        So many rows are chosen by all distances; 0 if points are not bytes.
    """
    points, chosen, closest = of.points, [first_row(of.points.rows.n, stream, weights)], None
    if few:
        start = FewRows(points, of.workers, weights, trials * most_ahead(k, few))
        start.begin(chosen[0])
        _choose(start, chosen, few, k, stream, trials)
        closest = start.closest
        del start  # its table of distances
    if found is not None and len(chosen) < k:
        search = _Seeder(of, lengths, found, k, weights, trials * AHEAD, lazily=weights is None)
        if closest is None:
            search.begin(chosen[0])
        else:
            search.go_on(points.rows.values[chosen].astype(np.float64), closest)
        _choose(search, chosen, k, k, stream, trials)
    return np.array(chosen, np.int64)


def _choose(search: _Seeder | FewRows, chosen: list[int], until: int, k: int, stream: Stream, trials: int) -> None:
    """Add rows to those that are chosen, of k in all, until there are so many; see `seeding.plus_plus`."""
    while len(chosen) < until and (potential := search.scaled()):
        numbers = stream.integers(trials * ahead(len(chosen), k), potential)
        chosen += search.chosen_among(search.drawn(numbers), k - len(chosen), trials)


def bring(of: Reading, lengths: Float64, found: Projected, rows: Float64, closest: Closest) -> None:
    """Update the nearest of rows, (m, d), at least one of which was added before: see `exact.closest`.

    The new rows are added in groups: small ones first, because each of the first rows changes many points. lengths:
    (n,) the points' squared norms in the frame.
    """
    search = _Seeder(of, lengths, found, len(rows), None, _AT_ONCE)
    search.go_on(rows[: closest.many], closest)
    first = closest.many
    while first < len(rows):
        end = min(len(rows), first + max(_LEAST, min(_AT_ONCE, first // _AGE)))
        search.add(rows[first:end])
        first = end
    search.tell(closest)


def distances_below(
    of: Reading, lengths: Float64, rates: Rates, chosen: Float64, below: Float64, tiles_a_task: int
) -> Float64:
    """Squared distances of all points to rows: chosen (m, d) -> (m, n); infinite if not below the limits, (n,).

    lengths: (n,) the points' squared norms in the frame.
    """
    points, workers, frame = of.points, of.workers, of.frame
    m, n, d = len(chosen), points.rows.n, points.rows.d
    out = np.empty((m, n))
    records = [Handed(record) for record in (points, of.readers, of.tiles)]
    handed = Handed(limited.limited_to(chosen, below, lengths, frame, rates))
    scratch = [Handed(scratch_of(m, d, frame.bytewise)) for _ in range(workers.count)]

    def screen(worker: int, first: int, end: int) -> None:
        limited.distances_below(*records, handed, scratch[worker], first, end, out)

    workers.each(screen, -(-n // TILE), tiles_a_task)
    return out


class _Seeder:
    """The state of k-means++ while it chooses rows; at most m rows are compared with the points at once.

    lengths: (n,); weights: (n,); see `plus_plus`. lazily: only candidates that may be the best ones are measured;
    weights are None.
    """

    def __init__(
        self,
        of: Reading,
        lengths: Float64,
        found: Projected,
        k: int,
        weights: Int64 | None,
        m: int,
        *,
        lazily: bool = False,
    ) -> None:
        n, d = of.points.rows.n, of.points.rows.d
        self.m = m
        self._of, self._x = of, of.points.rows.values
        rounded = bool(BYTE_LANES) and of.frame.rounded
        quantiser = sampled_quantiser(self._x, of.frame) if rounded else NOT_ROUNDED
        frame = centroid_frame_of(of.frame, found.basis, quantiser)
        kept = frame.width if d <= BYTES else 0  # bytes of a point that are kept for the screen
        self._step = step = step_of(found.coordinates) if BYTE_LANES and kept and found.basis.p else 0.0
        self._tiles = arranged(of, found, bare=kept > 0) if found.basis.p else of.tiles
        tiles, order = len(self._tiles.order) // TILE, self._tiles.order
        if quantiser.step:
            self._tiles = self._tiles._replace(rounded_norms=np.empty_like(self._tiles.norms))
        self._frame = Handed(frame)
        capacity = Capacity(
            1, d, found.basis.p, tiles, of.workers.count, of.frame.bytewise, bool(quantiser.step), False
        )
        self._batch = batch_of([0], np.array([self.m]), np.zeros(1, np.int64), capacity)
        self._view, self._directed = self._batch.handed(self._tiles), Handed(self._batch.directed)
        self._rows = np.zeros((k, d))
        self._chosen = 0
        norms = of.tiles.norms[:n].astype(np.float64)
        halves = halves_below(of.frame, norms, lengths, found.along_reference[:n], found.rest)
        self._search = Search(
            potential=potential_of(n, weights),
            m=self.m,
            lazily=int(lazily),
            closest=np.empty(tiles * TILE),
            halves=halves[order],
            to_frame=of.frame.scale**2,
            thresholds=np.empty(tiles * TILE, np.float32),
            owners=np.zeros(tiles, np.int32),
            labels=np.zeros(tiles * TILE, np.int32),
            farthest=np.empty(tiles),
            heaviest=np.empty(tiles),
            owns=np.zeros(k, np.uint8),
            between=np.empty((k, self.m)),
            leading=packed_of(self.m, tiles, found.basis.p if step else 0),
            packed=packed_of(self.m, tiles, kept),
        )
        self._handed = Handed(self._search)
        self._finds = [Finds(self.m) for _ in range(of.workers.count)]
        self._packed, self._leading = Handed(self._search.packed), Handed(self._search.leading)
        self._points, self._readers, self._placed = Handed(of.points), Handed(of.readers), Handed(self._tiles)
        self._scratch = [Handed(worker.scratch) for worker in self._batch.workers]
        self._pack(Handed(of.points._replace(quantiser=quantiser)), found.coordinates)

    def _pack(self, points: Handed, coordinates: NDArray[np.float32]) -> None:
        """Keep the points as bytes, and their coordinates along the directions, (N, p), as bytes."""
        placed = self._tiles.order, self._tiles.norms, self._tiles.residuals, self._step

        def pack(worker: int, first: int, end: int) -> None:
            if self._search.packed.width:
                kernels.pack(points, self._readers, self._placed, self._handed, self._scratch[worker], first, end)
            if self._step:
                pack_directions(self._leading, coordinates, *placed, first, end)

        self._each(pack)

    def _each(self, work: Callable[[int, int, int], None]) -> None:
        """Call a function for ranges of all tiles, on all workers."""
        tiles, workers = len(self._search.owners), self._of.workers
        workers.each(work, tiles, max(1, -(-tiles // (_TASKS * workers.count))))

    def begin(self, first: int) -> None:
        """Choose the first row."""
        distances = np.empty(self._search.potential.n)
        row = self._x[first : first + 1].astype(np.float64)
        rows, measure = Handed(self._of.points.rows), all_distances[self._x.dtype]
        n = len(distances)
        self._of.workers.each(lambda _, a, b: measure(rows, a, b, row, 1, distances), n, _STEP)
        self._search.closest[:] = distances[self._tiles.order]
        kernels.begin(self._placed, self._handed)
        self._rows[0], self._chosen = row[0], 1

    def go_on(self, rows: Float64, closest: Closest) -> None:
        """Start from rows, (m, d), whose nearest to each point is known, or only its distance: labels are -1 then."""
        order = self._tiles.order
        self._search.closest[:], self._search.labels[:] = closest.distances[order], closest.labels[order]
        kernels.begin(self._placed, self._handed)
        self._rows[: len(rows)], self._chosen = rows, len(rows)

    def add(self, rows: Float64) -> None:
        """Choose these rows, (m, d)."""
        improved = self._look(rows)
        for j in range(len(rows)):
            kernels.choose(self._placed, self._handed, improved, j, self._chosen + j)
        self._rows[self._chosen : self._chosen + len(rows)] = rows
        self._chosen += len(rows)

    def tell(self, closest: Closest) -> None:
        """Write the nearest rows to `closest`."""
        n = len(closest.labels)
        order = self._tiles.order[:n]
        closest.distances[order], closest.labels[order] = self._search.closest[:n], self._search.labels[:n]
        closest.many = self._chosen

    def scaled(self) -> int:
        """The sum of all integers, below which random numbers are drawn; 0 if all distances are 0, or nearly so."""
        potential = self._search.potential
        scale = scale_for(potential, float(self._search.heaviest.max()))
        if scale not in (0.0, potential.scale):
            self._search = self._search._replace(potential=potential._replace(scale=scale))
            self._handed = Handed(self._search)
            kernels.rescale(self._placed, self._handed)
        return int(potential.blocks.sum()) if scale else 0

    def drawn(self, numbers: Int64) -> Drawn:
        """See `drawing.drawn_from`."""
        return drawn_from(self._search.potential, numbers)

    def chosen_among(self, drawn: Drawn, wanted: int, trials: int) -> list[int]:
        """Choose at most `wanted` rows among candidates, in their order: see `seeding.plus_plus`."""
        improved, chosen = self._look(self._x[drawn.candidates].astype(np.float64)), list[int]()
        bounds = self._most_gained(cast(Improved, improved.record))
        while len(chosen) < wanted and (tried := next_tried(self._search.potential, drawn, trials)) is not None:
            best = self._best(improved, bounds, tried)
            kernels.choose(self._placed, self._handed, improved, best, self._chosen)
            self._rows[self._chosen] = self._batch.exact[best]
            self._chosen += 1
            chosen.append(int(drawn.candidates[best]))
        return chosen

    def _most_gained(self, improved: Improved) -> Float64:
        """At least what each candidate gains, (m,); infinite if distances are known."""
        if not self._search.lazily:
            return np.full(len(improved.ends), np.inf)
        factor = self._search.potential.scale / self._search.to_frame
        return most_gained(improved.excess, np.diff(improved.ends, prepend=0).astype(np.float64), factor)

    def _best(self, improved: Handed, bounds: Float64, tried: Int64) -> int:
        """The candidate that gains most, of those that are tried, (trials,); of equals, the first.

        The one with the greatest bound is measured first. Most others need not be measured then.
        """
        best, most = -1, -1
        for j in tried[np.argsort(-bounds[tried], kind="stable")].tolist():
            if bounds[j] < most:
                break
            if self._search.lazily:
                self._measure(improved, j)
            gain = -int(kernels.gain_of(self._placed, self._handed, improved, j))
            if gain > most or (gain == most and j < best):
                best, most = j, gain
        return best

    def _measure(self, improved: Handed, j: int) -> None:
        """Measure the distances of candidate j to the points that it may improve."""
        ends = cast(Improved, improved.record).ends
        start, records = int(ends[j - 1]) if j else 0, (self._points, self._readers, self._view, improved, j)
        many = int(ends[j]) - start
        if many < _ALONE:
            kernels.measure(*records, start, start + many)
            return
        step = -(-many // (_TASKS * self._of.workers.count))
        self._of.workers.each(lambda _, first, end: kernels.measure(*records, start + first, start + end), many, step)

    def _look(self, candidates: Float64) -> Handed:
        """Find the points that each of the candidates, (m, d), improves, or may improve."""
        many = len(candidates)
        self._prepare(candidates)
        for finds in self._finds:
            finds.begin()

        def improve(worker: int, first: int, end: int) -> None:
            finds, scratch = self._finds[worker], self._scratch[worker]
            records = self._points, self._readers, self._view, self._handed, scratch
            while (first := kernels.improve(*records, finds.piece, first, end, many)) < end:
                finds.add()

        self._each(improve)
        return improved_by(self._finds, many, measured=not self._search.lazily)

    def _prepare(self, candidates: Float64) -> None:
        """Compute the bounds of candidates, (m, d)."""
        batch, search, many = self._batch, self._search, len(candidates)
        batch.exact[:many] = candidates
        d = batch.exact.shape[1]
        rows, along = np.empty((4, d)), np.empty((4, self._tiles.p))
        centroids.prepare(self._view, self._frame, 0, many, 0, 1, rows, along)
        if search.packed.width:
            round_candidates(self._packed, self._frame, batch.exact, many, rows)
        if self._step:
            p, reach = search.leading.width, float(self._tiles.reach)
            round_directions(self._leading, self._directed, p, self._step, reach, many, along)
        search.owns[:] = 0
        search.owns[search.owners[search.owners >= 0]] = 1
        kernels.measure_between(self._handed, self._rows, self._chosen, batch.exact, many, d)
