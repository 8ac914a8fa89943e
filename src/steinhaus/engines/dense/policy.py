"""The choice of screens: thresholds, sizes of tables, and `explain`. None of these can change a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.records import MANY_SLOTS
from steinhaus.jit.target import BYTE_LANES, BYTE_TILES
from steinhaus.points import Int64
from steinhaus.seeding import most_ahead

Screen = Literal["auto", "compact", "drift", "plain", "none"]


class Thresholds(NamedTuple):
    """Thresholds between ways of screening, measured: docs/benchmarks.md, "Thresholds"."""

    # Up to this many centroids in all runs, `few_directions` leading directions are used, else `directions`.
    few_centroids: int = 20
    few_directions: int = 32
    directions: int = 48
    # Products that a tile keeps free for centroids that are added to a run.
    reserve: int = 16
    # Rows are compared with points by the bounds of seeding if there are at least so many; else by all products.
    rows_added: int = 64
    # For points of bytes, k-means++ measures the distances of all points to all candidates if so few rows are wanted;
    # the second number, if candidates would otherwise be screened by directions. If more are wanted, it does so for the
    # first rows. Candidates are screened by directions if there are so many features a direction.
    few_rows: int = 30
    few_rows_directed: int = 50
    first_rows: int = 10
    seeding_features: int = 12
    # Costs in units of a settled pair: gathering a tile, and a row of its products from all features.
    gathering: float = 30.0
    products: float = 4.5
    # Points list their neighbours if runs have so many centroids each. In a first pass, before points have labels,
    # lists take longer and pay from so many features on, or with sketches if at most so many passes are left. Cost of a
    # row of products of one byte a feature.
    listed_centroids: int = 768
    listed_features: int = 256
    listed_passes: int = 2
    listed_products: float = 0.2
    room: int = 384  # places for the lists of a tile and a run
    # Points are compared by sketches first if they have so many features: along a quarter of as many directions, in
    # these limits, if that leaves out so many products of a point with a run's centroids. Cost of a product of one
    # point's bytes; and, in features of a row of products of a tile, of finding the pair. So many tiles tell whether
    # sketches pay.
    sketched_features: int = 128
    sketched_products: int = 100_000
    sketched_directions: tuple[int, int] = (64, 192)
    single: float = 0.03
    finding: float = 140.0
    probed: int = 256
    # Points of floats with so many features are rounded to bytes, from this many centroids in all runs on.
    rounded_features: range = range(64, 1025)
    rounded_centroids: int = 64
    # Microseconds on one core: saved by rounding, per feature and row of products of a tile; cost of a settled pair;
    # and of each of its features.
    saved_feature: float = 0.00036
    pair: float = 0.1
    pair_feature: float = 0.0003
    # With AMX, so many candidates of a tile are multiplied by all features, up to so many, at once. Directions and
    # anchors would take longer.
    direct_candidates: int = 64
    direct_features: int = 512
    # Gaps and directions are taken up if the runs may need so many passes from now on. They are of no use to a last
    # pass. Products by AMX take so little time that gaps need more passes to pay.
    gapped_passes: int = 2
    gapped_passes_direct: int = 7


THRESHOLDS = Thresholds()
NEVER = 2**62  # more candidates than there are


class Capacity(NamedTuple):
    """Array sizes of a batch of runs."""

    limbs: int  # of the grid's integers
    d: int  # features
    p: int  # directions
    tiles: int
    workers: int
    bytewise: bool  # whether points are bytes and are multiplied as bytes
    quantised: bool  # whether points are rounded to bytes
    narrow: bool  # whether no sum of a pass can overflow an int32


def rounding_pays(pairs: int, computed: int, d: int) -> bool:
    """Whether products of rounded points saved more time than it took to settle the pairs that they left open."""
    cost = THRESHOLDS.pair + THRESHOLDS.pair_feature * d
    return pairs * cost <= computed * THRESHOLDS.saved_feature * d


def sketches_pay(computed: int, screened: int, singles: int, m: int, d: int) -> bool:
    """Whether sketches took less time than products of all features would have.

    computed, screened: rows of products of a tile, of all features and along m of d directions; singles: products of
    single points. Their cost holds that of finding their pairs.
    """
    single = (THRESHOLDS.finding + d / 6.0) / (d + 32.0)
    return computed + screened * m / d + singles * single <= screened


@dataclass(frozen=True)
class Policy:
    """The choice of screens for n points of d features."""

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
        """The number of leading directions for k centroids in all runs: a multiple of 16, or 0."""
        t = THRESHOLDS
        most = t.few_directions if k <= t.few_centroids else t.directions
        return -(-self.d // 16) * 16 if self.d <= most else min(most, self.n // 16 * 16)

    def direct(self, as_bytes: bool) -> int:
        """The number of candidates from which on a tile is screened by all features at once.

        as_bytes: whether points are multiplied as bytes.
        """
        pays = BYTE_TILES and as_bytes and self.d <= THRESHOLDS.direct_features and self.screen == "auto"
        return THRESHOLDS.direct_candidates if pays else NEVER

    def least_passes(self, direct: int) -> int:
        """The number of passes from which on gaps and directions pay. direct: see `direct`."""
        return THRESHOLDS.gapped_passes if direct == NEVER else THRESHOLDS.gapped_passes_direct

    def kept(self, sizes: Int64) -> Int64:
        """The number of products that a tile keeps of each run: sizes (R,), the runs' centroids -> (R,).

        If there are few centroids, a tile keeps all products; else, those with the nearest.
        """
        return np.minimum(np.minimum(sizes, 16 + sizes // 16), MANY_SLOTS)

    def table_bytes(self, sizes: Int64) -> int:
        """Bytes of gaps, anchors' products and projections for runs of these sizes, (R,)."""
        columns = int((-(-sizes // 16) * 16).sum())
        floats = TILE * (self.directions(int(sizes.sum())) + int(self.kept(sizes).sum()))
        return int(self.tiles * (columns * (4 + 1 + 1) + 4 * floats))

    def fits(self, sizes: Int64) -> bool:
        """Whether gaps and anchors may be kept for runs of these sizes, (R,)."""
        return self.screen in ("auto", "drift") and self.table_bytes(sizes) <= self.memory

    def listing_bytes(self, runs: int) -> int:
        """Bytes of the lists of neighbours for so many runs."""
        return self.tiles * runs * 8 * (THRESHOLDS.room + TILE)

    def room(self, sizes: Int64) -> int:
        """The places for the neighbours of a tile's points that are rounded to bytes, for runs of these sizes, (R,).

        0: no lists are kept.
        """
        pays = self.screen == "auto" and int(sizes.sum()) >= THRESHOLDS.listed_centroids * len(sizes)
        tables = self.table_bytes(sizes) if self.fits(sizes) else 0  # in case rounding is given up
        return THRESHOLDS.room if pays and tables + self.listing_bytes(len(sizes)) <= self.memory else 0

    def sketched(self, sizes: Int64) -> int:
        """The number of directions of sketches, for runs of these sizes, (R,); 0: none are kept."""
        t = THRESHOLDS
        least, most = t.sketched_directions
        m = min(max(-(-self.d // 256) * 64, least), most)
        spared = (self.d - m) * int(sizes.sum())
        if self.d < t.sketched_features or spared < t.sketched_products * len(sizes) or not self.room(sizes):
            return 0
        tables = self.table_bytes(sizes) if self.fits(sizes) else 0
        needed = tables + self.listing_bytes(len(sizes)) + self.sketch_bytes(m)
        return m if needed <= self.memory else 0

    def few_rows(self, k: int, trials: int) -> int:
        """The number of rows, of k, that k-means++ chooses by all distances; trials: candidates for each row."""
        t = THRESHOLDS
        most = t.few_rows_directed if self.seeding_directions(k, as_bytes=True) else t.few_rows
        few = k if k <= most else min(k, t.first_rows)
        fits = 8 * self.n * trials * most_ahead(k, few) <= self.memory
        return few if fits and self.bytewise and self.screen == "auto" else 0

    def seeding_directions(self, k: int, as_bytes: bool) -> int:
        """The number of directions for choosing k rows; 0 if all features take less time.

        as_bytes: whether points are multiplied as bytes.
        """
        p = self.directions(k)
        narrow = as_bytes and self.d < THRESHOLDS.seeding_features * p
        return 0 if narrow and self.screen == "auto" else p

    @property
    def probed(self) -> int:
        """The number of tiles that tell whether sketches pay."""
        return min(THRESHOLDS.probed, self.tiles)

    def sketch_bytes(self, m: int) -> int:
        """Bytes of the sketches of the points along m directions."""
        return self.tiles * TILE * (m + 3 * 4)

    def lists_at_once(self, left: int, sketched: bool) -> bool:
        """Whether lists pay from the first pass on.

        left: the most passes of any run, this one included; sketched: whether sketches are used. With them, comparing
        all centroids again takes less time than listing those within the skin before points have labels.
        """
        return left <= THRESHOLDS.listed_passes if sketched else self.d >= THRESHOLDS.listed_features

    def capacity(self, kind: np.dtype[Any], p: int, workers: int, *, quantised: bool) -> Capacity:
        """The sizes of the arrays of a batch, for points of a type and p directions."""
        limbs = 1 if self.integers else 2
        narrow = kind.itemsize == 1 and self.n < 2**23  # then n x 255 < 2^31
        return Capacity(limbs, self.d, p, self.tiles, workers, self.bytewise, quantised, narrow)

    def rounds(self, k: int, pays: bool) -> bool:
        """Whether to round points of floats to bytes, for k centroids; pays: whether it has saved time so far."""
        if not BYTE_LANES or self.integers:
            return False
        if self.screen == "auto":
            return pays and self.d in THRESHOLDS.rounded_features and k >= THRESHOLDS.rounded_centroids
        return self.screen == "drift"

    def explain(self, k: int, runs: int, *, pays: bool, shapeless: bool) -> str:
        """Say how `runs` runs with k centroids each would be screened, and why.

        pays: whether rounding to bytes has saved time so far. shapeless: whether leading directions hold too little of
        the points.
        """
        sizes = np.full(runs, k)
        p, tables = self.directions(k * runs), self.table_bytes(sizes) / 2**20
        kind = "bytes" if self.bytewise else "float32"
        if self.rounds(k * runs, pays):
            kind = "bytes (points are rounded to them)"
        if self.screen in ("plain", "none"):
            return f"Asked for: {self.screen}."
        every_time = f"Products of all features in {kind}, every time"
        if self.rounds(k * runs, pays) and self.room(sizes):
            return self._explain_lists(sizes, kind)
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
            f"points ordered into {self.tiles:,} tiles of {TILE} near ones. A tile compares its points only with "
            f"centroids whose gap may have closed: by the directions, from anchors, and last from all features. "
            f"Tables: {tables:,.0f} MiB. A run takes new anchors once old ones have cost as much time as new ones take."
        )

    def _explain_lists(self, sizes: Int64, kind: str) -> str:
        """Say how runs of these sizes, (R,), would be screened by lists of neighbours. kind: of the products."""
        m, megabytes = self.sketched(sizes), self.listing_bytes(len(sizes)) / 2**20
        first, tables = f"products of all {self.d} features in {kind}", "Lists"
        if m:
            first = f"products along {m} directions in {kind}, then of all {self.d} features for what these leave open"
            megabytes, tables = megabytes + self.sketch_bytes(m) / 2**20, "Sketches and lists"
        return (
            f"First pass: {first}. Each point lists the centroids near it. A later pass compares a point with what may "
            f"be nearer by now: of its list, and of the centroids that have moved far. {tables}: {megabytes:,.0f} MiB. "
            "A run takes new lists once old ones have cost as much time as new ones take."
        )
