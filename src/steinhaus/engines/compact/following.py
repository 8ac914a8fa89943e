"""What a run that follows its centroids knows of each point, and how it outlives centroids that come and go."""

from __future__ import annotations

import numpy as np

from steinhaus.engines.compact.following_kernels import NOBODY
from steinhaus.engines.compact.held import Held
from steinhaus.engines.compact.records import TILE, Followed
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int32, Int64


class Following(Held):
    """As `Held`, with the nearest two centroids of each point: see `following_kernels`."""

    def __init__(self, tiles: int, limbs: int, k: int, d: int) -> None:
        super().__init__(tiles, limbs, k, d)
        n = tiles * TILE
        self.near = Followed(
            firsts=np.full(n, np.inf),
            seconds=np.full(n, np.inf),
            others=np.full(n, NOBODY, np.int32),
            rest=np.zeros(n),  # so that points are compared with all centroids
            moved=np.arange(k),
            many=np.array([k]),
        )
        self.handed_near = Handed(self.near)

    def place(self, centroids: Float64) -> None:
        """See `Held.place`; notes which centroids that moves, besides those that have moved already."""
        waiting = self.near.moved[: self.near.many[0]].copy()
        old = self.centroids.copy()
        super().place(centroids)
        self._note(np.union1d(waiting, np.flatnonzero((old != self.centroids).any(axis=1))))

    def succeeded(self, centroids: Float64) -> Following:
        """The same of other centroids, (k, d), of which some may be among these: of those all is known already."""
        after = Following(len(self.labels) // TILE, self.limbs, len(centroids), self.d)
        names = _names(self.centroids, centroids)  # in: the old number of each; -1 of new ones
        kept = np.flatnonzero(names >= 0)
        numbers = np.full(self.k + 1, NOBODY, np.int32)  # the new number of each; the last is nobody's
        numbers[names[kept]] = kept
        after.labels[:], after.near.others[:] = numbers[self.labels], numbers[self.near.others]
        after.near.firsts[:] = np.where(after.labels == NOBODY, np.inf, self.near.firsts)
        after.near.seconds[:] = np.where(after.near.others == NOBODY, np.inf, self.near.seconds)
        after.near.rest[:] = self.near.rest
        turned = (after.near.firsts == after.near.seconds) & (after.near.others < after.labels)
        after.near.rest[turned] = 0.0  # of equals the lower number is first: compared with all again
        after.sums[:, kept], after.counts[kept] = self.sums[:, names[kept]], self.counts[names[kept]]
        super(Following, after).place(centroids)
        waiting = np.isin(names, self.near.moved[: self.near.many[0]])
        after._note(np.flatnonzero(waiting | (names < 0)))
        return after

    def followed(self) -> None:
        """Note that labels are those of the centroids."""
        self.near.many[0], self.labelled = 0, True

    def reorder(self, labels: Int32) -> None:
        """See `Held.reorder`; points are compared with all centroids again."""
        super().reorder(labels)
        self.near.rest[:] = 0.0
        self.labelled = False

    def _note(self, moved: Int64) -> None:
        self.near.moved[: len(moved)], self.near.many[0] = moved, len(moved)


def _names(old: Float64, new: Float64) -> Int64:
    """Which of some rows each of others is, (len(new),): of equals, one; -1: none."""
    as_bytes = np.dtype((np.void, old.shape[1] * old.itemsize))
    places = {row: place for place, row in enumerate(old.view(as_bytes).ravel().tolist())}
    return np.array([places.pop(row, -1) for row in new.view(as_bytes).ravel().tolist()], np.int64)
