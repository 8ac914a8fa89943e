"""What the engine in memory remembers between the passes of a set of runs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines import records
from steinhaus.engines.records import (
    COMPUTED,
    DRIFT,
    FULL,
    PAIRS,
    PLAIN,
    SCREENED,
    SPREADS,
    TILE,
)
from steinhaus.handing import Handed
from steinhaus.points import Float64, Int32, Int64

# Measured: docs/benchmarks.md, "Thresholds". All are at flat places.
_PAIRS = 4.0  # a tile is computed from the features where more than so many pairs a candidate are open, of 32
_FEW = 16  # so few candidates are computed from the features without a look at the directions
_SPARE = np.float32(2.0)
_COMPANY = 0.6  # a run takes new anchors early, when another does, once so much of its own cost is reached
# What work costs, in pairs settled (about 0.1 us): bringing a tile into lanes, a row of its products from the features
# (of 784), settling a pair.
_SPREAD, _PRODUCTS = 30.0, 4.5
_APART = 2**22  # distances between anchors that are worth their memory
_VAIN = 0.5  # of all rows of products: where more than that is computed from the features, gaps are of no use


@dataclass
class Batch:
    """What is remembered of a set of runs: their centroids stand side by side, K in all."""

    rows: dict[Hashable, int]  # a run's row in the arrays
    firsts: Int64  # (R + 1,) where each run's centroids begin
    columns: Int64  # (R + 1,) where its columns begin, a multiple of 16
    rooms: Int64  # (R + 1,) where its kept products begin
    labels: Int32  # (R, N) by position, -1: none yet
    sums: Int64  # (limbs, K, d)
    counts: Int64  # (K,)
    exact: Float64  # (K, d) the centroids of this pass
    factors: records.Factors  # the same in the frame
    plain: records.Scores
    fine: records.Scores
    drift: records.Scores
    far: records.Scores
    anchors: records.Anchors
    gaps: records.Gaps
    costs: Float64  # (R,) what the last full pass cost
    debts: Float64  # (R,) what has been paid since for the anchors' age
    workers: list[records.Worker]
    orders: records.Orders
    vain: Float64  # (R,) how many rows of products a pass with gaps may take before it rests
    resting: Int64  # (R,) passes for which gaps and anchors are left alone
    rests: Int64  # (R,) how long the next rest will be
    anchored: NDArray[np.float32]  # (H,) the gaps' `travelled` at each run's anchors
    passes: int = 0

    def __post_init__(self) -> None:
        self.handed_workers = [Handed(worker) for worker in self.workers]
        self.handed_changes = [Handed(worker.change) for worker in self.workers]
        self.handed_orders = Handed(self.orders)

    def modes(self) -> NDArray[np.int8]:
        """How each run is screened next: from its anchors, or from the features where their age has cost what new ones
        cost, or where they are left alone.
        """
        due = self.debts / self.costs
        if (due >= 1).any():
            due /= _COMPANY
        return np.where(self.resting > 0, FULL, np.where(due < 1, DRIFT, PLAIN)).astype(np.int8)

    def account(self, work: Int64, fresh: Int64, share: float) -> None:
        """Note what a pass cost, and took new anchors for these runs; share: a product along the directions costs so
        much of one over all features.
        """
        cost = _SPREAD * work[SPREADS] + _PRODUCTS * work[COMPUTED]
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
        vain = (modes == DRIFT) & (work[COMPUTED] > self.vain)
        if not vain.any() and not self.resting.any():
            return
        woken = (vain & (self.rests == 0)) | ((modes == FULL) & (self.resting == 1))
        self.resting = np.where(vain, self.rests, np.maximum(self.resting - 1, 0))
        self.rests = np.where(vain, 2 * self.rests + 1, self.rests)
        for row in np.flatnonzero(woken):  # what was recorded before the rest is of no use after it
            self.gaps.gaps[:, self.columns[row] : self.columns[row + 1]] = -np.inf
            self.debts[row] = np.inf

    def spare(self, fresh: Int64) -> NDArray[np.float32]:
        """How far each run's centroids may go until its next anchors: as far again as since the last ones, and back,
        (R,).
        """
        gone = np.maximum.reduceat(self.gaps.travelled - self.anchored, self.columns[:-1])
        for row in fresh.tolist():
            part = slice(self.columns[row], self.columns[row + 1])
            self.anchored[part] = self.gaps.travelled[part]
        return _SPARE * gone

    def handed(self, known: records.Known) -> Handed:
        """The kernels' view of it: good until one of its arrays is another."""
        tiles, wide = self.anchors.used.shape[1], int(self.columns[-1])
        sizes = records.Sizes(
            len(self.rooms) - 1, len(self.counts), tiles, wide, self.anchors.apart.shape[1], int(self.rooms[-1]),
            len(self.gaps.gaps) > 0, np.float32(_PAIRS),
        )  # fmt: skip
        return Handed(
            records.View(
                known, self.firsts, self.columns, self.rooms, self.labels, self.exact, self.factors, self.plain,
                self.fine, self.drift, self.far, self.anchors, self.gaps, sizes,
            )
        )  # fmt: skip


def batch_of(
    keys: Sequence[Hashable],
    sizes: Int64,
    rooms: Int64,
    *,
    limbs: int,
    d: int,
    p: int,
    tiles: int,
    workers: int,
    bytewise: bool,
    grained: bool,
    narrow: bool,
) -> Batch:
    """A batch of runs that were never assigned.

    Parameters
    ----------
    keys, sizes, rooms
        (R,) of each run: its key, how many centroids it has, how many products a tile may keep of it: none at all where
        gaps and anchors are not kept.
    limbs, d, p, tiles, workers
        How many there are: of the grid's limbs, features, directions, tiles, workers.
    bytewise, grained
        Whether products of all features are those of bytes: of points that are bytes, of points rounded to such.
    narrow
        Whether no sum of a pass overflows an int32.
    """
    runs, k, columns = len(keys), int(sizes.sum()), np.cumsum([0, *(-(-sizes // 16) * 16)])
    wide, kept, most = int(columns[-1]), tiles if rooms.any() else 0, int(sizes.max())
    factors = records.factors_of(k, d, bytewise or grained)
    return Batch(
        rows={key: row for row, key in enumerate(keys)},
        firsts=np.cumsum([0, *sizes]),
        columns=columns,
        rooms=np.cumsum([0, *rooms]),
        labels=np.full((runs, tiles * TILE), -1, np.int32),
        sums=np.zeros((limbs, k, d), np.int64),
        counts=np.zeros(k, np.int64),
        exact=np.empty((k, d)),
        factors=factors,
        plain=records.scores_of(factors.rows),
        fine=records.scores_of(factors.rows),
        drift=records.scores_of(np.empty((k, p), np.float32)),
        far=records.scores_of(np.empty((k, p), np.float32)),
        anchors=records.Anchors(
            rows=np.zeros((k, d)),
            factors=records.factors_of(k, d, bytewise or grained),
            along=np.zeros((k, p)),
            norms=np.zeros(k),
            base=np.zeros(k),
            slopes=np.zeros(k),
            moved=np.zeros(k, np.float32),
            apart=np.zeros((k, most if grained and kept and most * k <= _APART else 0), np.float32),
            slots=np.zeros((kept, wide), np.uint8),
            used=np.zeros((runs, tiles), np.uint8),
            products=np.empty((kept, int(rooms.sum()), TILE), np.float32),
        ),
        gaps=records.Gaps(
            gaps=np.empty((0, wide), np.float32),
            present=np.zeros((kept, wide), np.uint8),
            sunk=np.zeros((runs, tiles), np.float32),
            size=np.zeros(wide, np.float32),
            fall=np.zeros(wide, np.float32),
            travelled=np.zeros(wide, np.float32),
            risen=np.zeros(wide, np.float32),
            rows=np.zeros((k, d)),
            norms=np.zeros(k),
        ),
        costs=np.ones(runs),
        debts=np.full(runs, np.inf),
        workers=[
            records.Worker(
                records.room_of(k, d, bytewise, grained),
                records.change_of(limbs, k, d, runs, np.int32 if narrow else np.int64),
            )
            for _ in range(workers)
        ],
        orders=records.Orders(
            queue=np.zeros(3, np.int64),
            many=np.zeros(1, np.int64),
            active=np.zeros(runs, np.int64),
            modes=np.zeros(runs, np.int8),
            spare=np.zeros(runs, np.float32),
            straight=np.full(runs, _FEW),
        ),
        vain=_VAIN * (sizes * tiles).astype(np.float64),
        resting=np.zeros(runs, np.int64),
        rests=np.zeros(runs, np.int64),
        anchored=np.zeros(wide, np.float32),
    )
