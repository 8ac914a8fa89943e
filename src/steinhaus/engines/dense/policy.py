"""How runs are screened: thresholds, sizes of tables, and an account of the choice.

Nothing here can change a result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from steinhaus.engines.dense.records import MANY_SLOTS, TILE
from steinhaus.jit.target import BYTE_LANES
from steinhaus.points import Int64

Screen = Literal["auto", "compact", "drift", "plain", "none"]


class Thresholds(NamedTuple):
    """Where one way of screening takes over from another. Measured: docs/benchmarks.md, "Thresholds"."""

    # Centroids in all up to which few directions are taken; how many few and many are.
    few_centroids: int = 20
    few_directions: int = 32
    directions: int = 48
    # Features up to which few directions are taken: a million embeddings of 128, K = 256, are as fast with 32 as with
    # 48.
    few_features: int = 128
    # Rows, at least, that are compared with points by the bounds of seeding, and not by products of all features.
    rows_added: int = 64
    # Points a cluster from which on points are ordered by their cluster first: a million embeddings, K = 256, 5.7 s
    # instead of 6.5; MNIST, K = 100, 0.73 s instead of 0.79; K = 1000, 60 points a cluster, no gain.
    cluster: int = 128
    # A tile is computed from all features once more than so many of its 32 points are open per candidate.
    open_pairs: float = 4.0
    # Up to so many candidates are computed from the features without a look at the directions.
    few_candidates: int = 16
    # A full pass keeps products with centroids that may be candidates until the anchors have moved so many times as far
    # again as since the last one.
    spare: float = 2.0
    # A run takes new anchors early, when another does, once so much of its own cost is reached.
    company: float = 0.6
    # Costs of work, in pairs settled (about 0.1 us): gathering a tile; a row of its products from the features (of
    # 784).
    gathering: float = 30.0
    products: float = 4.5
    # Distances between anchors that are worth their memory.
    between: int = 2**22
    # Share of all rows of products above which gaps and anchors are of no use to a pass.
    vain: float = 0.5
    # Features and centroids in all from which points of floats are rounded to bytes.
    rounded_features: range = range(64, 1025)
    rounded_centroids: int = 64
    # Microseconds on one core: saved by rounding per feature and row of products of a tile; a pair settled, and each of
    # its features.
    saved_feature: float = 0.00036
    pair: float = 0.1
    pair_feature: float = 0.0003


THRESHOLDS = Thresholds()


class Capacity(NamedTuple):
    """Array sizes of a batch of runs."""

    limbs: int  # of the grid's integers
    d: int  # features
    p: int  # directions
    tiles: int
    workers: int
    bytewise: bool  # points are bytes and multiplied as such
    quantised: bool  # points are rounded to bytes
    narrow: bool  # no sum of a pass overflows an int32


def rounding_pays(pairs: int, computed: int, d: int) -> bool:
    """Whether products of rounded points saved more than it took to settle what they left open."""
    cost = THRESHOLDS.pair + THRESHOLDS.pair_feature * d
    return pairs * cost <= computed * THRESHOLDS.saved_feature * d


@dataclass(frozen=True)
class Policy:
    """The choice for n points of d features."""

    n: int
    d: int
    memory: int  # bytes that screening may use
    screen: Screen
    bytewise: bool
    integers: bool

    @property
    def tiles(self) -> int:
        """Tiles of points."""
        return -(-self.n // TILE)

    def directions(self, k: int) -> int:
        """How many leading directions to take for k centroids in all: a multiple of 16, 0 for none."""
        t = THRESHOLDS
        if self.d <= t.few_directions:
            return int(-(-self.d // 16) * 16)
        most = t.few_directions if k <= t.few_centroids or self.d <= t.few_features else t.directions
        return int(min(most, self.n // 16 * 16))

    def kept(self, sizes: Int64) -> Int64:
        """How many products a tile keeps of each run, (R,): of all few centroids, of the nearest of many."""
        return np.minimum(np.minimum(sizes, 16 + sizes // 16), MANY_SLOTS)

    def table_bytes(self, sizes: Int64) -> int:
        """Bytes of gaps, anchors' products and projections for runs of these sizes."""
        columns = int((-(-sizes // 16) * 16).sum())
        floats = TILE * (self.directions(int(sizes.sum())) + int(self.kept(sizes).sum()))
        return int(self.tiles * (columns * (4 + 1 + 1) + 4 * floats))

    def fits(self, sizes: Int64) -> bool:
        """Whether gaps and anchors may be kept for runs of these sizes."""
        return self.screen in ("auto", "drift") and self.table_bytes(sizes) <= self.memory

    def rounds(self, k: int, pays: bool) -> bool:
        """Whether points of floats are to be rounded to bytes, for k centroids; pays: as far as is known by now."""
        if not BYTE_LANES or self.integers:
            return False
        if self.screen == "auto":
            return pays and self.d in THRESHOLDS.rounded_features and k >= THRESHOLDS.rounded_centroids
        return self.screen == "drift"

    def explain(self, k: int, runs: int, *, pays: bool, shapeless: bool) -> str:
        """Say how `runs` runs with k centroids each would be screened, and why.

        pays: whether rounding has paid so far; shapeless: whether leading directions were found to be of no use.
        """
        sizes = np.full(runs, k)
        p, tables = self.directions(k * runs), self.table_bytes(sizes) / 2**20
        kind = "bytes" if self.bytewise else "float32"
        if self.rounds(k * runs, pays):
            kind = "bytes (points are rounded to them)"
        if self.screen in ("plain", "none"):
            return f"Asked for: {self.screen}."
        every_time = f"Products of all features in {kind}, every time"
        if not p:
            return f"{every_time}: {self.n} points are too few to take directions from."
        if shapeless:
            return f"{every_time}: leading directions hold too little of these points."
        if not self.fits(sizes):
            return (
                f"{every_time}: gaps and anchors would take {tables:,.0f} MiB of the {self.memory / 2**20:,.0f} MiB "
                "that screening may use. Allow more with memory=."
            )
        return (
            f"First pass: products of all {self.d} features in {kind}. Then {p} leading directions are taken, and the "
            f"points ordered into {self.tiles:,} tiles of {TILE} near ones. A tile looks only at centroids whose gap "
            f"may have closed, by the directions and from anchors; what stays open is computed from the features. "
            f"Tables: {tables:,.0f} MiB. A run takes new anchors when what their age costs comes to what they cost."
        )
