"""The state of a run between passes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from steinhaus.engines.compact import kernels
from steinhaus.engines.compact.records import GROUP, TILE, Labels, Sites, centroid_rows
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int32


class Held:
    """The state of a run: its centroids, labels, sums and counts. `own` is the record of the last three."""

    def __init__(self, tiles: int, limbs: int, k: int, d: int) -> None:
        self.k, self.d, self.limbs = k, d, limbs
        self.labels = np.full(tiles * TILE, -1, np.int32)
        self.sites = _sites(k, d)
        self.centroids = self.sites.rows[:k]
        self.labelled = False  # whether the labels belong to the centroids
        self.own = self.part()
        self.sums, self.counts = self.own.sums, self.own.counts

    @cached_property
    def handed(self) -> Handed:
        """The record of labels, sums and counts, for kernels."""
        return Handed(self.own)

    @cached_property
    def handed_sites(self) -> Handed:
        """The record of the centroids, for kernels."""
        return Handed(self.sites)

    def part(self) -> Labels:
        """The record that a thread works with."""
        return Labels(
            labels=self.labels,
            sums=np.zeros((self.limbs, self.k, self.d), np.int64),
            counts=np.zeros(self.k, np.int64),
            added=np.zeros((self.k, self.d), np.int64),
            found=np.empty(TILE, np.int32),
            whole=np.empty((self.d, TILE), np.int64),
            some=_sites(self.k, self.d),
            bounds=np.empty(self.sites.across.shape[1]),
        )

    def add(self, parts: Sequence[Labels]) -> None:
        """Add the sums and counts of other threads."""
        for part in parts:
            self.sums += part.sums
            self.counts += part.counts

    def reorder(self, labels: Int32) -> None:
        """Replace the labels, (n,), after the points have changed their places."""
        self.labels[: len(labels)] = labels

    def place(self, centroids: Float64) -> None:
        """Set the centroids, (k, d), unless the labels belong to them already."""
        if not self.are_of(centroids):
            kernels.place[np.float64](np.ascontiguousarray(centroids), self.k, self.d, self.handed_sites)
            self.labelled = False

    def go_on(self, following: Float64) -> None:
        """Set the centroids, (k, d), after an update."""
        kernels.place[np.float64](following, self.k, self.d, self.handed_sites)
        self.labelled = False

    def are_of(self, centroids: Float64) -> bool:
        """Whether the labels belong to these centroids, (k, d)."""
        return self.labelled and np.array_equal(self.centroids, centroids)


def sites_of(centroids: Float64) -> Handed:
    """The record by which kernels read centroids, (k, d)."""
    k, d = centroids.shape
    sites = Handed(_sites(k, d))
    kernels.place[np.float64](centroids, k, d, sites)
    return sites


def _sites(k: int, d: int) -> Sites:
    """A record with memory for k centroids."""
    rows = centroid_rows(k)
    across = np.empty((d, -(-k // GROUP) * GROUP))
    return Sites(np.empty((rows, d)), np.arange(rows), across, np.empty(rows), np.empty(1))
