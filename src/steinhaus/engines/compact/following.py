"""The state of a run that follows its centroids. It survives when centroids are added and removed."""

from __future__ import annotations

from typing import Any

import numpy as np

from steinhaus.engines.compact import kernels
from steinhaus.engines.compact.following_kernels import NOBODY, match, measure, note, renumber
from steinhaus.engines.compact.held import Held
from steinhaus.engines.compact.records import GROUP, TILE, Followed
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int32, Int64

_SPARE = 16  # centroids that can be added before arrays are too small


class Following(Held):
    """`Held`, with the nearest two centroids of each point: see `following_kernels`.

    centres: (k, d) the rows that tiles lie around.
    """

    def __init__(self, tiles: int, limbs: int, k: int, d: int, centres: Float64) -> None:
        self.room = k + _SPARE
        super().__init__(tiles, limbs, self.room, d)
        self._sums, self._counts = self.sums.reshape(-1), self.counts
        n, wide = tiles * TILE, -(-self.room // GROUP) * GROUP
        self.near = Followed(
            firsts=np.full(n, np.inf),
            seconds=np.full(n, np.inf),
            others=np.full(n, NOBODY, np.int32),
            rest=np.zeros(n),  # no bound yet, so that points are compared with all centroids
            moved=np.zeros(self.room, np.int64),
            moves=np.zeros(self.room + 1, np.int64),
            many=np.array([0, len(centres)]),
            centres=centres,
            centre=np.zeros(tiles, np.int64),
            radius=np.zeros(tiles),
            across=np.empty((d, wide)),
            apart=np.empty((len(centres), wide)),
        )
        self.handed_near = Handed(self.near)
        self.stepper: Any = None  # what makes steps of refining: a `stepping.Stepper`
        self.resize(k)
        self._note(np.arange(k))

    def place(self, centroids: Float64) -> None:
        """See `Held.place`. The centroids that move are recorded, with those recorded before. centroids: (k, d)."""
        moved = (self.centroids != centroids).any(axis=1) | (self.near.moves[1 : self.k + 1] != 0)
        super().place(centroids)
        self._note(np.flatnonzero(moved))

    def go_on(self, following: Float64) -> None:
        """See `Held.go_on`. The centroids that move are recorded. following: (k, d)."""
        note(following, self.k, self.d, self.handed_sites, self.handed_near)
        self.labelled = False

    def become(self, centroids: Float64) -> None:
        """Replace the centroids by others, (k, d), also by more or fewer. The state of those that stay is kept."""
        names, numbers = np.empty(len(centroids), np.int64), np.empty(self.k, np.int32)
        match(self.handed_sites, self.k, np.ascontiguousarray(centroids), len(centroids), self.d, names, numbers)
        renumber(self.handed, self.handed_near, numbers, len(self.labels))
        kept = np.flatnonzero(names >= 0)
        waiting = self.near.moves[names + 1] != 0
        sums, counts = self.sums[:, names[kept]], self.counts[names[kept]]
        self.resize(len(centroids))
        self.sums[:], self.counts[:] = 0, 0
        self.sums[:, kept], self.counts[kept] = sums, counts
        kernels.place[np.float64](centroids, self.k, self.d, self.handed_sites)
        self.labelled = False
        self._note(np.flatnonzero(waiting | (names < 0)))

    def followed(self) -> None:
        """Record that the labels belong to the centroids."""
        self.near.moves[:] = 0
        self.near.many[0], self.labelled = 0, True

    def reorder(self, labels: Int32) -> None:
        """See `Held.reorder`. All points are then compared with all centroids again. labels: (n,)."""
        super().reorder(labels)
        self.near.rest[:] = 0.0
        self.near.radius[:] = np.inf
        self.labelled, self.stepper = False, None

    def _note(self, moved: Int64) -> None:
        # Record the centroids that moved, (m,).
        self.near.moved[: len(moved)], self.near.many[0] = moved, len(moved)
        self.near.moves[:] = 0
        self.near.moves[moved + 1] = 1
        measure(self.handed_near, self.handed_sites, self.d)

    def resize(self, k: int) -> None:
        """Use the first parts of the arrays for k centroids."""
        self.k, self.centroids, self.counts = k, self.sites.rows[:k], self._counts[:k]
        self.sums = self._sums[: self.limbs * k * self.d].reshape(self.limbs, k, self.d)
