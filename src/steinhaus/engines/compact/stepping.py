"""Steps of refining in one call each, for a run that follows its centroids: see `stepping_kernels`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.breathing import Found, Trial
from steinhaus.engines.compact import stepping_kernels
from steinhaus.engines.compact.choosing_kernels import WORDS
from steinhaus.engines.compact.following import Following
from steinhaus.engines.compact.placing import Placed
from steinhaus.engines.compact.records import GROUP, Kept, Stepping
from steinhaus.engines.compact.stepping_kernels import ADDED, CLUSTERS, STOP
from steinhaus.engines.exact.updating import steps_of
from steinhaus.jit.handed import Handed
from steinhaus.points import Fit, Float64, Grid, Stop, Totals

_STOPS = {
    stepping_kernels.CONVERGED: Stop.CONVERGED,
    stepping_kernels.TOLERANCE: Stop.TOLERANCE,
    stepping_kernels.MAX_ITER: Stop.MAX_ITER,
}


class Stepper:
    """The memory for steps from clusterings with k centroids, and the clustering that they begin from.

    Parameters
    ----------
    held
        The state of the run, with k centroids.
    x
        (n, d) the points.
    grid, totals
        Those of the points.
    """

    def __init__(self, held: Following, x: NDArray[Any], grid: Grid, totals: Totals) -> None:
        n, d = x.shape
        self.k, self._x, self._held = held.k, x, held
        self._step, self._known = stepping_kernels.step[x.dtype], False
        places, room, limbs, added = len(held.labels), held.room, held.limbs, held.room - held.k
        self._work = Stepping(
            k=held.k,
            limbs=limbs,
            unit=totals.unit,
            weight=float(n) if totals.weights is None else float(totals.weights.sum()) * totals.unit,
            run=held.own,
            near=held.near,
            sites=held.sites,
            steps=steps_of(grid, totals, room, 0),
            kept=Kept(
                labels=np.empty(places, np.int32),
                others=np.empty(places, np.int32),
                firsts=np.empty(places),
                seconds=np.empty(places),
                rest=np.empty(places),
                sums=np.empty((limbs, held.k, d), np.int64),
                counts=np.empty(held.k, np.int64),
                centroids=np.empty((held.k, d)),
            ),
            labels=np.empty(n, np.int32),
            nearest=np.empty(n),
            owners=np.empty(n, np.int32),
            missed=np.empty(n),
            members=np.empty(n, np.int64),
            errors=np.empty(held.k),
            utilities=np.empty(room),
            distances=np.empty(-(-room // GROUP) * GROUP),
            slots=np.empty(room, np.int64),
            words=np.empty(WORDS, np.uint64),
            scales=np.empty(2 * added),
            spans=np.empty(added, np.int64),
            numbers=np.empty(added, np.int64),
            rows=np.empty(added, np.int64),
            names=np.empty(room, np.int64),
            renamed=np.empty(room, np.int32),
            before=np.empty((limbs, room, d), np.int64),
            counted=np.empty(room, np.int64),
            changed=np.empty((limbs, room, d), np.int64),
            counts=np.empty(room, np.int64),
            places=np.empty((room, d)),
            told=np.empty(3, np.int64),
            cost=np.empty(1),
        )
        self._handed = Handed(self._work)

    def begins_from(self, centroids: Float64) -> bool:
        """Whether the last step began from these centroids, (k, d)."""
        return self._known and np.array_equal(self._work.kept.centroids, centroids)

    def step(self, points: Placed, fit: Fit, trial: Trial, known: bool) -> Found | None:
        """Make a step; see `Breathing.breathe`. known: it begins where the last one did, not from the run's state."""
        work, held = self._work, self._held
        work.words[:] = trial.stream.ahead(WORDS)
        made = self._step(
            points.lanes,
            self._x,
            self._handed,
            int(known),
            trial.added,
            trial.tried,
            trial.around,
            trial.tolerance,
            trial.most,
            fit.inertia if trial.exchanging else -np.inf,
        )
        self._known, held.labelled = True, True
        added, clusters, stop = (int(work.told[place]) for place in (ADDED, CLUSTERS, STOP))
        held.resize(clusters)
        if made == stepping_kernels.IMPOSSIBLE:
            return None
        if not added:
            return Found(fit, 0, 0)
        found = Fit(fit.key, held.centroids.copy(), held.counts.copy(), (), float(work.cost[0]), _STOPS[stop])
        return Found(found, added, made)
