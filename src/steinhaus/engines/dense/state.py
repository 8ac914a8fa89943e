"""The state of a set of runs between passes of the dense engine."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.dense.factors import TILE, Factors, Scores, factors_of, scores_of
from steinhaus.engines.dense.group_records import (
    NO_SKETCHES,
    Neighbours,
    Sketched,
    Sketches,
    group_of,
    neighbours_of,
    sketched_of,
)
from steinhaus.engines.dense.policy import NEVER, THRESHOLDS, Capacity
from steinhaus.engines.dense.records import (
    ANCHORED,
    COMPUTED,
    FEATURES,
    GATHERED,
    LISTED,
    PAIRS,
    RENEW,
    SCREENED,
    SINGLES,
    Anchors,
    Gaps,
    Orders,
    Sizes,
    Tiles,
    View,
    Worker,
    change_of,
    scratch_of,
)
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int32, Int64, Run


@dataclass
class Batch:
    """A set of runs. Their centroids stand side by side, K in all."""

    rows: dict[Hashable, int]  # run -> its row in the arrays
    firsts: Int64  # (R + 1,) the first centroid of each run
    columns: Int64  # (R + 1,) the first column of each run, a multiple of 16
    kept_firsts: Int64  # (R + 1,) the first kept product of each run
    labels: Int32  # (T, R, 32), -1: no label yet
    sums: Int64  # (limbs, K, d)
    counts: Int64  # (K,)
    exact: Float64  # (K, d) the centroids of this pass
    factors: Factors  # the same in the frame
    features: Scores
    halved: Scores
    single: Scores
    anchored: Scores
    directed: Scores
    anchors: Anchors
    gaps: Gaps
    neighbours: Neighbours
    sketched: Sketched  # the sketches of the centroids
    costs: Float64  # (R,) cost of the last full pass
    debts: Float64  # (R,) cost of all passes since then, which new anchors would lower
    workers: list[Worker]
    orders: Orders
    listed: NDArray[np.bool_]  # (R,) runs whose points list their neighbours
    passes: int = 0
    reserve: int = 0  # products of a tile that a full pass keeps free for centroids that are added
    anchorless: Int64 = field(default_factory=lambda: np.empty(0, np.int64))  # (m,) anchors of the next pass

    def holds(self, run: Run) -> bool:
        """Whether the batch holds this run, with the same number of centroids."""
        row = self.rows.get(run.key)
        return row is not None and int(self.firsts[row + 1] - self.firsts[row]) == len(run.centroids)

    def is_of(self, runs: Sequence[Run]) -> bool:
        """Whether these runs are one, and the batch holds only this one, with any number of centroids."""
        return len(runs) == 1 and len(self.firsts) == 2 and runs[0].key in self.rows

    def __post_init__(self) -> None:
        self.handed_workers = [Handed(worker) for worker in self.workers]
        self.handed_changes = [Handed(worker.change) for worker in self.workers]
        self.handed_orders = Handed(self.orders)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """The runs whose points have labels, (R,)."""
        return self.labels[0, :, 0] >= 0

    def part(self, row: int) -> slice:
        """The slice of a run's centroids."""
        return slice(int(self.firsts[row]), int(self.firsts[row + 1]))

    def place(self, runs: Sequence[Run]) -> Int64:
        """Write the centroids of some runs into the batch; return the rows of the runs, (m,)."""
        active = np.array([self.rows[run.key] for run in runs], np.int64)
        for run, row in zip(runs, active.tolist(), strict=True):
            self.exact[self.part(row)] = run.centroids
        return active

    def order(self, active: Int64, modes: NDArray[np.int8]) -> None:
        """Write which runs a pass labels, and how. active: (m,) their rows; modes: (R,)."""
        orders = self.orders
        orders.many[0] = len(active)
        orders.active[: len(active)], orders.modes[:] = active, modes

    def modes(self) -> NDArray[np.int8]:
        """The mode of each run in the next pass, (R,).

        A run takes new anchors once passes with the old ones have cost as much as the last full pass.
        """
        return np.where(self.debts < self.costs, ANCHORED, RENEW).astype(np.int8)

    def account(self, work: Int64, fresh: Int64) -> None:
        """Account for a pass. work: (WORKS, R) of the pass. fresh: (m,) rows of the runs that took new anchors."""
        products = THRESHOLDS.listed_products if len(self.neighbours.names) else THRESHOLDS.products
        sketched = products * self.directions_sketched / self.exact.shape[1]
        cost = THRESHOLDS.gathering * work[GATHERED] + products * work[COMPUTED]
        cost += sketched * work[SCREENED] + THRESHOLDS.single * work[SINGLES]
        self.debts += cost + work[PAIRS]
        if len(fresh):
            self.costs[fresh], self.debts[fresh] = np.maximum(cost[fresh], 1.0), 0.0

    def handed(self, tiles: Tiles, sketches: Sketches = NO_SKETCHES, direct: int = NEVER) -> Handed:
        """The record by which kernels read the batch. It is valid until an array of the batch is replaced.

        sketches: of the points; direct: see `Policy.direct`.
        """
        sizes = Sizes(
            len(self.kept_firsts) - 1,
            len(self.counts),
            len(self.anchors.used),
            int(self.columns[-1]),
            int(self.kept_firsts[-1]),
            self.reserve,
            len(self.gaps.gaps) > 0,
            direct,
            self.neighbours.names.shape[2],
        )
        view = View(
            tiles, self.firsts, self.columns, self.kept_firsts, self.labels, self.exact, self.factors, self.features,
            self.halved, self.single, self.anchored, self.directed, self.anchors, self.gaps,
            self.neighbours, sketches, self.sketched, sizes,
        )  # fmt: skip
        return Handed(view)

    def keep_neighbours(self, d: int, room: int) -> None:
        """List neighbours in full passes from now on, or no longer if `room` is 0. The next pass is a full one."""
        tiles, runs, _ = self.labels.shape
        self.neighbours = neighbours_of(len(self.counts), d, tiles, runs, room)
        self.listed[:] = False
        self._sketch_moved()

    @property
    def directions_sketched(self) -> int:
        """The number of directions along which centroids are sketched; 0: they are not."""
        return int(self.sketched.factors.high.shape[1])

    def keep_sketches(self, m: int) -> bool:
        """Make room for the sketches of centroids along m directions, 0: for none; return whether that is a change."""
        if m == self.directions_sketched:
            return False
        self.sketched = sketched_of(len(self.counts), m)
        self._sketch_moved()
        return True

    def _sketch_moved(self) -> None:
        """Make room for the sketches of centroids in the order of their moves."""
        k = len(self.counts) if len(self.neighbours.names) else 0
        self.neighbours = self.neighbours._replace(sketched=sketched_of(k, self.directions_sketched))

    def listing_modes(self, at_once: bool, last: bool) -> NDArray[np.int8]:
        """The mode of each run in this pass, (R,), if points list their neighbours.

        at_once: whether lists pay from the first pass on; last: whether this is the last pass of all runs.
        """
        full = np.where((self.labelled | at_once) & (not last), RENEW, FEATURES)
        return np.where(self.listed & ((self.debts < self.costs) | last), LISTED, full).astype(np.int8)

    def reorder(self, order: Int64) -> None:
        """Bring the labels of the points into another order, (N,)."""
        tiles, runs, _ = self.labels.shape
        placed = np.take(self.labels.swapaxes(0, 1).reshape(runs, -1), order, axis=1)
        self.labels = np.ascontiguousarray(placed.reshape(runs, tiles, TILE).swapaxes(0, 1))

    def take_up_gaps(self, p: int, tiles: int, workers: Workers) -> None:
        """Keep gaps and anchors from now on, along p directions. The next pass is a full one."""
        k = len(self.counts)
        self.anchored, self.directed = (scores_of(np.empty((k, p), np.float32)) for _ in range(2))
        self.anchors = self.anchors._replace(along=np.zeros((k, p)))
        gaps = np.empty((tiles, int(self.columns[-1])), np.float32)
        workers.each(lambda _, first, end: gaps[first:end].fill(-np.inf), tiles, -(-tiles // workers.count))
        self.gaps = self.gaps._replace(gaps=gaps)
        self.debts[:] = np.inf


def batch_of(keys: Sequence[Hashable], sizes: Int64, kept: Int64, shape: Capacity) -> Batch:
    """A batch of runs that were never assigned.

    Parameters
    ----------
    keys, sizes, kept
        (R,) key, number of centroids, and number of products that a tile keeps, of each run. The last is 0 for all runs
        if gaps and anchors are not kept.
    shape
        The other sizes of arrays.
    """
    runs, k, columns = len(keys), int(sizes.sum()), np.cumsum([0, *(-(-sizes // 16) * 16)])
    d, p, tiles = shape.d, shape.p, shape.tiles
    wide, tabled = int(columns[-1]), tiles if kept.any() else 0
    as_bytes = shape.bytewise or shape.quantised
    factors = factors_of(k, d, as_bytes)
    return Batch(
        rows={key: row for row, key in enumerate(keys)},
        firsts=np.cumsum([0, *sizes]),
        columns=columns,
        kept_firsts=np.cumsum([0, *kept]),
        labels=np.full((tiles, runs, TILE), -1, np.int32),
        sums=np.zeros((shape.limbs, k, d), np.int64),
        counts=np.zeros(k, np.int64),
        exact=np.empty((k, d)),
        factors=factors,
        features=scores_of(factors.rows),
        halved=scores_of(factors.rows),
        single=scores_of(factors.rows),
        anchored=scores_of(np.empty((k, p), np.float32)),
        directed=scores_of(np.empty((k, p), np.float32)),
        anchors=_no_anchors(k, shape, int(kept.sum()), (runs, tabled, wide)),
        gaps=_no_gaps(k, shape, (runs, tabled, wide)),
        neighbours=neighbours_of(k, d, tiles, runs, 0),
        sketched=sketched_of(0, 0),
        costs=np.ones(runs),
        debts=np.full(runs, np.inf),
        workers=[
            Worker(
                scratch_of(k, d, shape.bytewise, shape.quantised),
                group_of(k, d, shape.quantised),
                change_of(shape.limbs, k, d, runs, shape.narrow),
            )
            for _ in range(shape.workers)
        ],
        orders=Orders(
            queue=np.zeros(3, np.int64),
            many=np.zeros(1, np.int64),
            active=np.zeros(runs, np.int64),
            modes=np.zeros(runs, np.int8),
        ),
        listed=np.zeros(runs, np.bool_),
    )


def _no_anchors(k: int, shape: Capacity, kept: int, tables: tuple[int, int, int]) -> Anchors:
    """A record with memory for the anchors of k centroids, and `kept` products a tile. tables: runs, tiles, columns."""
    d, (runs, tiles, wide) = shape.d, tables
    return Anchors(
        rows=np.zeros((k, d)),
        factors=factors_of(k, d, shape.bytewise or shape.quantised),
        along=np.zeros((k, shape.p)),
        norms=np.zeros(k),
        base=np.zeros(k),
        slopes=np.zeros(k),
        slots=np.zeros((tiles, wide), np.uint8),
        used=np.zeros((shape.tiles, runs), np.uint8),
        products=np.empty((tiles, kept, TILE), np.float32),
    )


def _no_gaps(k: int, shape: Capacity, tables: tuple[int, int, int]) -> Gaps:
    """A record for the gaps of k centroids. No gaps are kept yet. tables: runs, tiles, columns."""
    runs, tiles, wide = tables
    size, fall, travelled, risen = np.zeros((4, wide), np.float32)
    return Gaps(
        gaps=np.empty((0, wide), np.float32),
        present=np.zeros((tiles, wide), np.uint8),
        fallen=np.zeros((shape.tiles, runs), np.float32),
        size=size,
        fall=fall,
        travelled=travelled,
        risen=risen,
        rows=np.zeros((k, shape.d)),
        norms=np.zeros(k),
    )
