"""The state of a run with a gap for each tile and centroid: see `gap_kernels`."""

from __future__ import annotations

from math import frexp

import numpy as np

from steinhaus.engines.compact import gap_kernels
from steinhaus.engines.compact.held import Held
from steinhaus.engines.compact.placing import Placed
from steinhaus.engines.compact.policy import step
from steinhaus.engines.compact.records import GROUP, TILE, Gaps, Labels
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int32

TASKS = 16  # the most tasks of a pass per thread; many tasks end at once


def compared(k: int) -> int:
    """The number of centroids, of k, that a point is compared with, about."""
    return 1 + k // 4


class Gapped(Held):
    """As `Held`, with the gaps of tiles and centroids."""

    def __init__(self, tiles: int, limbs: int, k: int, d: int, points: Placed) -> None:
        super().__init__(tiles, limbs, k, d)
        self.centroids[:] = 0.0
        self._kind, longest = points.x.dtype, points.longest
        wide, power = -(-k // GROUP) * GROUP, min(max(frexp(longest)[1] // 2, -500), 500)
        self.tiles = tiles
        self.gaps = Gaps(
            gaps=np.full((tiles, wide), -np.inf, np.float32),
            moved=np.zeros(wide, np.float32),
            squares=np.empty(tiles * TILE),
            state=np.array([points.order is None, 1, 1], np.int64),  # the first pass gives the order
            scale=4.0**-power,
            root=2.0**-power,
            longest=longest,
        )
        self.handed_gaps = Handed(self.gaps)

    def part(self) -> Labels:
        """See `Held.part`. This part has room for scores."""
        part = super().part()
        return part._replace(bounds=np.empty(part.bounds.size * TILE))

    def place(self, centroids: Float64) -> None:
        """See `Held.place`."""
        if not self.are_of(centroids):
            self.go_on(np.ascontiguousarray(centroids))

    def go_on(self, following: Float64) -> None:
        """See `Held.go_on`. The lengths of the centroids' steps are added up."""
        gap_kernels.step[self._kind](following, self.k, self.d, self.handed_sites, self.handed_gaps)
        self.labelled = False

    def reorder(self, labels: Int32) -> None:
        """See `Held.reorder`. The gaps are lost."""
        super().reorder(labels)
        self.gaps.gaps[:] = -np.inf
        self.gaps.state[:] = 0, 1, 1

    def label(self, points: Placed) -> None:
        """Label all points by the centroids of the run's state. Most tiles are skipped."""
        label, of_each = gap_kernels.label[self._kind], step(self.d, compared(self.k), TILE)
        at_once = max(of_each, self.tiles // (TASKS * points.workers.count))
        helpers = min(points.workers.count, -(-self.tiles // at_once)) - 1
        parts = [self.part() for _ in range(helpers)]
        handed, many = [self.handed, *map(Handed, parts)], [0] * (1 + helpers)

        def find(worker: int, first: int, end: int) -> None:
            many[worker] += label(
                points.lanes, handed[worker], self.handed_gaps, self.limbs, first, end, self.handed_sites, self.k
            )

        points.workers.each(find, self.tiles, at_once)
        self.add(parts)
        gap_kernels.end_pass[self._kind](self.handed_gaps, sum(many), self.tiles, self.k, self.d)
        self.labelled = True

    def advance(self, points: Placed, steps: Handed, tolerance: float, most: int) -> int:
        """Do complete iterations on this thread, in one call; return their number. See `kernels.advance`."""
        go, known = gap_kernels.advance[self._kind], int(self.labelled)
        run = self.handed, self.handed_gaps, self.limbs, self.k, self.handed_sites
        return int(go(points.lanes, *run, steps, tolerance, most, known))
