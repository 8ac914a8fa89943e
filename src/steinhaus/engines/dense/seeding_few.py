"""Greedy k-means++ for few rows of points of bytes. It chooses the same rows as `seeding.plus_plus`.

For so few rows, most candidates improve many points. So every candidate is compared with every point, as the points lie
in memory, and no bounds are needed.
"""

from __future__ import annotations

import numpy as np

from steinhaus.engines.dense import seeding_few_kernels as kernels
from steinhaus.engines.dense.drawing import drawn_from, next_tried, potential_of, scale_for
from steinhaus.engines.dense.potentials import Drawn
from steinhaus.engines.dense.records import Framed
from steinhaus.engines.dense.seeding_few_kernels import Compared
from steinhaus.engines.exact.closest import Closest
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Int64

_TASKS = 4  # tasks a worker


class FewRows:
    """The state of k-means++ while it chooses rows; at most m rows are compared with the points at once.

    weights: (n,) the count of each point; None: 1 each.
    """

    def __init__(self, points: Framed, workers: Workers, weights: Int64 | None, m: int) -> None:
        self._x, self._workers = points.rows.values, workers
        n, d = self._x.shape
        width = -(-d // 64) * 64
        mask = np.where(np.arange(width - 64, width) < d, 255, 0).astype(np.uint8)
        signed = np.zeros((m, width), np.uint8)
        self._compared = Compared(signed, np.empty(m), mask, np.empty((m, n)), np.full(n, np.inf))
        self._potential = potential_of(n, weights)
        self._largest = 0.0  # of the squared distances times weights
        self._measure = kernels.measure[self._x.dtype]
        self._points, self._handed = Handed(points), Handed(self._compared)

    def begin(self, first: int) -> None:
        """Choose the first row."""
        self._look(np.array([first]))
        self._choose(0)

    @property
    def closest(self) -> Closest:
        """The distances to the nearest row. Which row that is, is not known."""
        found = Closest(len(self._x), None)
        found.distances, found.labels = self._compared.closest, np.full(len(self._x), -1, np.int32)
        return found

    def scaled(self) -> int:
        """The sum of all integers, below which random numbers are drawn; 0 if all distances are 0, or nearly so."""
        scale = scale_for(self._potential, self._largest)
        if scale not in (0.0, self._potential.scale):
            self._potential = self._potential._replace(scale=scale)
            kernels.rescale(Handed(self._potential), self._compared.closest)
        return int(self._potential.blocks.sum()) if scale else 0

    def drawn(self, numbers: Int64) -> Drawn:
        """See `drawing.drawn_from`."""
        return drawn_from(self._potential, numbers)

    def chosen_among(self, drawn: Drawn, wanted: int, trials: int) -> list[int]:
        """Choose at most `wanted` rows among candidates, in their order: see `seeding.plus_plus`."""
        self._look(drawn.candidates)
        chosen: list[int] = []
        while len(chosen) < wanted and (tried := next_tried(self._potential, drawn, trials)) is not None:
            sums = np.empty(trials, np.int64)
            kernels.add_up(Handed(self._potential), self._handed, tried, trials, sums)
            best = int(tried[sums.argmin()])
            self._choose(best)
            chosen.append(int(drawn.candidates[best]))
        return chosen

    def _look(self, candidates: Int64) -> None:
        """Measure the distances of all points to the candidates, (m,)."""
        (n, d), many, rows = self._x.shape, len(candidates), self._x[candidates]
        self._compared.signed[:many, :d] = rows ^ 128
        self._compared.squares[:many] = np.einsum("md,md->m", rows, rows, dtype=np.float64)
        tasks = _TASKS * self._workers.count
        self._workers.each(
            lambda _, first, end: self._measure(self._points, self._handed, many, first, end), n, -(-n // tasks)
        )

    def _choose(self, j: int) -> None:
        self._largest = kernels.choose(Handed(self._potential), self._handed, j)
