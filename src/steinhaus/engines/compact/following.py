"""The state of a run that follows its centroids. It survives when centroids are added and removed."""

from __future__ import annotations

import numpy as np

from steinhaus.engines.compact import kernels
from steinhaus.engines.compact.following_kernels import NOBODY, measure, note
from steinhaus.engines.compact.held import Held
from steinhaus.engines.compact.records import TILE, Followed
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
        n = tiles * TILE
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
            apart=np.empty((len(centres), self.room)),
        )
        self.handed_near = Handed(self.near)
        self._resize(k)
        self._note(np.arange(k))

    def place(self, centroids: Float64) -> None:
        """See `Held.place`. The centroids that move are recorded, with those recorded before. centroids: (k, d)."""
        waiting = self.near.moved[: self.near.many[0]].copy()
        moved = np.flatnonzero((self.centroids != centroids).any(axis=1))
        super().place(centroids)
        self._note(np.union1d(waiting, moved) if len(waiting) else moved)

    def go_on(self, following: Float64) -> None:
        """See `Held.go_on`. The centroids that move are recorded. following: (k, d)."""
        note(following, self.k, self.d, self.handed_sites, self.handed_near)
        self.labelled = False

    def become(self, centroids: Float64) -> None:
        """Replace the centroids by others, (k, d), also by more or fewer. The state of those that stay is kept."""
        names = _names(self.centroids, centroids)  # new number -> old number; -1: a new centroid
        numbers = np.full(self.k + 1, NOBODY, np.int32)  # old number -> new number; the last stands for `NOBODY`
        kept = np.flatnonzero(names >= 0)
        numbers[names[kept]] = kept
        near = self.near
        np.take(numbers, self.labels, out=self.labels, mode="wrap")
        np.take(numbers, near.others, out=near.others, mode="wrap")
        near.firsts[self.labels == NOBODY] = np.inf
        near.seconds[near.others == NOBODY] = np.inf
        turned = (near.firsts == near.seconds) & (near.others < self.labels)
        near.rest[turned] = 0.0  # a tie goes to the lower number, so these points are compared with all centroids again
        waiting = np.isin(names, near.moved[: near.many[0]]) if near.many[0] else names < 0
        sums, counts = self.sums[:, names[kept]], self.counts[names[kept]]
        self._resize(len(centroids))
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
        self.labelled = False

    def _note(self, moved: Int64) -> None:
        # Record the centroids that moved, (m,).
        self.near.moved[: len(moved)], self.near.many[0] = moved, len(moved)
        self.near.moves[:] = 0
        self.near.moves[moved + 1] = 1
        measure(self.handed_near, self.handed_sites, self.k, self.d)

    def _resize(self, k: int) -> None:
        """Use the first parts of the arrays for k centroids."""
        self.k, self.centroids, self.counts = k, self.sites.rows[:k], self._counts[:k]
        self.sums = self._sums[: self.limbs * k * self.d].reshape(self.limbs, k, self.d)


def _names(old: Float64, new: Float64) -> Int64:
    """The old row that equals each new row: old (k, d), new (m, d) -> (m,); -1: none. An old row is used once."""
    k = len(old)
    if len(new) > k and np.array_equal(old, new[:k]):
        return np.concatenate([np.arange(k), np.full(len(new) - k, -1)])
    as_bytes = np.dtype((np.void, old.shape[1] * old.itemsize))
    places = {row: place for place, row in enumerate(old.view(as_bytes).ravel().tolist())}
    return np.array([places.pop(row, -1) for row in new.view(as_bytes).ravel().tolist()], np.int64)
