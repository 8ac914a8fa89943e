"""What the dense engine remembers between the passes of a set of runs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.dense.policy import THRESHOLDS, Capacity
from steinhaus.engines.dense.records import (
    ANCHORED,
    COMPUTED,
    FEATURES,
    GATHERED,
    PAIRS,
    RENEW,
    SCREENED,
    TILE,
    Anchors,
    Factors,
    Gaps,
    Orders,
    Scores,
    Sizes,
    Tiles,
    View,
    Worker,
    change_of,
    factors_of,
    scores_of,
    scratch_of,
)
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int32, Int64, Run


@dataclass
class Batch:
    """A set of runs: their centroids stand side by side, K in all."""

    rows: dict[Hashable, int]  # a run's row in the arrays
    firsts: Int64  # (R + 1,) where each run's centroids begin
    columns: Int64  # (R + 1,) where its columns begin, a multiple of 16
    kept_firsts: Int64  # (R + 1,) where its kept products begin
    labels: Int32  # (R, N) by position, -1: none yet
    sums: Int64  # (limbs, K, d)
    counts: Int64  # (K,)
    exact: Float64  # (K, d) the centroids of this pass
    factors: Factors  # the same in the frame
    features: Scores
    single: Scores
    anchored: Scores
    directed: Scores
    anchors: Anchors
    gaps: Gaps
    costs: Float64  # (R,) what the last full pass cost
    debts: Float64  # (R,) what has been paid since for the anchors' age
    workers: list[Worker]
    orders: Orders
    vain: Float64  # (R,) how many rows of products a pass with gaps may take before it rests
    resting: Int64  # (R,) passes for which gaps and anchors are left alone
    rests: Int64  # (R,) how long the next rest will be
    anchored_at: NDArray[np.float32]  # (H,) the gaps' `travelled` at each run's anchors
    passes: int = 0
    reserve: int = 0  # products of a tile that a full pass leaves free for centroids to come
    anchorless: Int64 = field(default_factory=lambda: np.empty(0, np.int64))  # centroids that the next pass anchors

    def holds(self, run: Run) -> bool:
        """Whether this is the cache of a run with as many centroids."""
        row = self.rows.get(run.key)
        return row is not None and int(self.firsts[row + 1] - self.firsts[row]) == len(run.centroids)

    def is_of(self, runs: Sequence[Run]) -> bool:
        """Whether this is the cache of one run, and that run is all that is asked for."""
        return len(runs) == 1 and len(self.firsts) == 2 and runs[0].key in self.rows

    def __post_init__(self) -> None:
        self.handed_workers = [Handed(worker) for worker in self.workers]
        self.handed_changes = [Handed(worker.change) for worker in self.workers]
        self.handed_orders = Handed(self.orders)

    def part(self, row: int) -> slice:
        """Where a run's centroids stand."""
        return slice(int(self.firsts[row]), int(self.firsts[row + 1]))

    def modes(self) -> NDArray[np.int8]:
        """How each run is screened next: from its anchors, or from the features where their age has cost what new ones
        cost, or where they are left alone.
        """
        due = self.debts / self.costs
        if (due >= 1).any():
            due /= THRESHOLDS.company
        return np.where(self.resting > 0, FEATURES, np.where(due < 1, ANCHORED, RENEW)).astype(np.int8)

    def account(self, work: Int64, fresh: Int64, share: float) -> None:
        """Note what a pass cost, and took new anchors for these runs; share: a product along the directions costs so
        much of one over all features.
        """
        cost = THRESHOLDS.gathering * work[GATHERED] + THRESHOLDS.products * work[COMPUTED]
        self.debts += cost + work[PAIRS]
        if len(fresh):
            self.costs[fresh], self.debts[fresh] = np.maximum(cost[fresh], 1.0), 0.0
            screened = work[SCREENED, fresh]
            spared = screened - work[COMPUTED, fresh]
            self.orders.straight[fresh[spared < screened * share]] = len(self.counts)

    def rest(self, modes: NDArray[np.int8], work: Int64) -> None:
        """Where gaps and anchors spare too little, renew them; where they do so again, leave them alone for some
        passes first, each time for twice as many.
        """
        vain = (modes == ANCHORED) & (work[COMPUTED] > self.vain)
        if not vain.any() and not self.resting.any():
            return
        woken = (vain & (self.rests == 0)) | ((modes == FEATURES) & (self.resting == 1))
        self.resting = np.where(vain, self.rests, np.maximum(self.resting - 1, 0))
        self.rests = np.where(vain, 2 * self.rests + 1, self.rests)
        for row in np.flatnonzero(woken):  # what was recorded before the rest is of no use after it
            self.gaps.gaps[:, self.columns[row] : self.columns[row + 1]] = -np.inf
            self.debts[row] = np.inf

    def spare(self, fresh: Int64) -> NDArray[np.float32]:
        """How far each run's centroids may go until its next anchors: as far again as since the last ones, and back,
        (R,).
        """
        gone = np.maximum.reduceat(self.gaps.travelled - self.anchored_at, self.columns[:-1])
        for row in fresh.tolist():
            part = slice(self.columns[row], self.columns[row + 1])
            self.anchored_at[part] = self.gaps.travelled[part]
        return np.float32(THRESHOLDS.spare) * gone

    def handed(self, tiles: Tiles) -> Handed:
        """The kernels' view of it: good until one of its arrays is another."""
        sizes = Sizes(
            len(self.kept_firsts) - 1,
            len(self.counts),
            self.anchors.used.shape[1],
            int(self.columns[-1]),
            self.anchors.between.shape[1],
            int(self.kept_firsts[-1]),
            self.reserve,
            len(self.gaps.gaps) > 0,
            np.float32(THRESHOLDS.open_pairs),
        )
        view = View(
            tiles, self.firsts, self.columns, self.kept_firsts, self.labels, self.exact, self.factors, self.features,
            self.single, self.anchored, self.directed, self.anchors, self.gaps, sizes,
        )  # fmt: skip
        return Handed(view)

    def take_up_gaps(self, p: int, tiles: int) -> None:
        """From now on keep gaps and anchors, along p directions; the next pass is a full one."""
        k = len(self.counts)
        self.anchored, self.directed = (scores_of(np.empty((k, p), np.float32)) for _ in range(2))
        self.anchors = self.anchors._replace(along=np.zeros((k, p)))
        self.gaps = self.gaps._replace(gaps=np.full((tiles, int(self.columns[-1])), -np.inf, np.float32))
        self.debts[:] = np.inf


def batch_of(keys: Sequence[Hashable], sizes: Int64, kept: Int64, shape: Capacity) -> Batch:
    """A batch of runs that were never assigned.

    Parameters
    ----------
    keys, sizes, kept
        (R,) of each run: its key, how many centroids it has, how many products a tile may keep of it: none at all where
        gaps and anchors are not kept.
    shape
        The sizes of everything else.
    """
    runs, k, columns = len(keys), int(sizes.sum()), np.cumsum([0, *(-(-sizes // 16) * 16)])
    d, p, tiles = shape.d, shape.p, shape.tiles
    wide, tabled, most = int(columns[-1]), tiles if kept.any() else 0, int(sizes.max())
    as_bytes = shape.bytewise or shape.quantised
    factors = factors_of(k, d, as_bytes)
    return Batch(
        rows={key: row for row, key in enumerate(keys)},
        firsts=np.cumsum([0, *sizes]),
        columns=columns,
        kept_firsts=np.cumsum([0, *kept]),
        labels=np.full((runs, tiles * TILE), -1, np.int32),
        sums=np.zeros((shape.limbs, k, d), np.int64),
        counts=np.zeros(k, np.int64),
        exact=np.empty((k, d)),
        factors=factors,
        features=scores_of(factors.rows),
        single=scores_of(factors.rows),
        anchored=scores_of(np.empty((k, p), np.float32)),
        directed=scores_of(np.empty((k, p), np.float32)),
        anchors=_no_anchors(k, shape, int(kept.sum()), (runs, tabled, wide), most),
        gaps=_no_gaps(k, shape, (runs, tabled, wide)),
        costs=np.ones(runs),
        debts=np.full(runs, np.inf),
        workers=[
            Worker(scratch_of(k, d, shape.bytewise, shape.quantised), change_of(shape.limbs, k, d, runs, shape.narrow))
            for _ in range(shape.workers)
        ],
        orders=Orders(
            queue=np.zeros(3, np.int64),
            many=np.zeros(1, np.int64),
            active=np.zeros(runs, np.int64),
            modes=np.zeros(runs, np.int8),
            spare=np.zeros(runs, np.float32),
            straight=np.full(runs, THRESHOLDS.few_candidates),
        ),
        vain=THRESHOLDS.vain * (sizes * tiles).astype(np.float64),
        resting=np.zeros(runs, np.int64),
        rests=np.zeros(runs, np.int64),
        anchored_at=np.zeros(wide, np.float32),
    )


def _no_anchors(k: int, shape: Capacity, kept: int, tables: tuple[int, int, int], most: int) -> Anchors:
    """Room for the anchors of k centroids: `kept` products a tile, tables of so many runs, tiles and columns."""
    d, (runs, tiles, wide) = shape.d, tables
    measured = shape.quantised and tiles and most * k <= THRESHOLDS.between
    return Anchors(
        rows=np.zeros((k, d)),
        factors=factors_of(k, d, shape.bytewise or shape.quantised),
        along=np.zeros((k, shape.p)),
        norms=np.zeros(k),
        base=np.zeros(k),
        slopes=np.zeros(k),
        moved=np.zeros(k, np.float32),
        between=np.zeros((k, most if measured else 0), np.float32),
        slots=np.zeros((tiles, wide), np.uint8),
        used=np.zeros((runs, shape.tiles), np.uint8),
        products=np.empty((tiles, kept, TILE), np.float32),
    )


def _no_gaps(k: int, shape: Capacity, tables: tuple[int, int, int]) -> Gaps:
    """Room for the gaps of k centroids; none are kept yet."""
    runs, tiles, wide = tables
    size, fall, travelled, risen = np.zeros((4, wide), np.float32)
    return Gaps(
        gaps=np.empty((0, wide), np.float32),
        present=np.zeros((tiles, wide), np.uint8),
        fallen=np.zeros((runs, shape.tiles), np.float32),
        size=size,
        fall=fall,
        travelled=travelled,
        risen=risen,
        rows=np.zeros((k, shape.d)),
        norms=np.zeros(k),
    )
