"""What a study gives back: its record, and the arrays that belong to it, from memory or from its folder."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from steinhaus.errors import PlanError, StoreError
from steinhaus.points import Float64, Int32, Int64
from steinhaus.study import events, outcome, scaling, table
from steinhaus.study.assignments import Assignments
from steinhaus.study.events import Key
from steinhaus.study.pictures import ClusterPictures
from steinhaus.study.record import BestRecord, RunRecord, StudyRecord
from steinhaus.study.space import Space
from steinhaus.study.store import Folder, Store

if TYPE_CHECKING:
    from steinhaus.images import Images, Split


class StudyResult:
    """The result of a study.

    Attributes
    ----------
    record
        Everything that `study.json` says.
    out
        The study's folder; None: it is kept in memory alone.
    """

    def __init__(
        self,
        record: StudyRecord,
        store: Store,
        *,
        out: Path | None = None,
        split: Callable[[], Split] | None = None,
    ) -> None:
        self.record = record
        self.out = out
        self._store = store
        self._split = split

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """Every run, by K, then restart."""
        return self.record.runs

    @property
    def best(self) -> tuple[BestRecord, ...]:
        """The best run of each K, ascending."""
        return self.record.best

    @functools.cached_property
    def images(self) -> Split | None:
        """The images, split; None if the study was loaded from its folder."""
        return self._split() if self._split else None

    def centroids(self, k: int, restart: int | None = None) -> Float64:
        """The centroids of the best run of a K, or of one of its restarts.

        Returns
        -------
        `(k, *image shape)` float64, in pixels scaled to 0..1: mean images. Of a table in its own units. Of features
        (k, d), in units of the features: see `mean_images`.

        Raises
        ------
        PlanError
            There is no such run.
        """
        data = self.record.data
        if data.features is not None:
            return self.raw_centroids(k, restart) / data.unit
        raw = scaling.undone(data.scaling, self.raw_centroids(k, restart))
        return (raw / data.full_scale).reshape(k, *data.shape)

    def mean_images(self, k: int) -> Float64:
        """The mean of the pictures of each cluster of the best run of a K, whatever was clustered.

        Returns
        -------
        (k, *image shape) float64, in pixels scaled to 0..1; of a table in its own units.
        """
        if self.record.data.features is None:
            return self.centroids(k)
        return np.asarray(self._pictures(k).means, np.float64)

    def medoids(self, k: int) -> Int64:
        """The pictures nearest to each centroid of the best run of a K, the nearest first: of a study of features.

        Returns
        -------
        (k, 9) int64, rows of the training part; -1 where a cluster has no more pictures.

        Raises
        ------
        PlanError
            The study clusters pixels.
        """
        if self.record.data.features is None:
            raise PlanError("This study clusters pixels, whose centroids are pictures: see `centroids`.")
        return self._pictures(k).nearest

    def _pictures(self, k: int) -> ClusterPictures:
        self._best(k)
        if not self.record.complete:
            raise StoreError("The study is not finished: the pictures of its clusters are not known yet.")
        return self._store.pictures(k)

    def points(self, images: Images) -> Any:
        """Images as the study clusters them, (n, d); those of a study of features come with features."""
        return self.space.points(images)

    @functools.cached_property
    def space(self) -> Space:
        """How images become points."""
        return Space(self.record.data.scaling, self._store.chain())

    def raw_centroids(self, k: int, restart: int | None = None) -> Float64:
        """The same in the units of the points, as the engine has them, (k, d) float64: for exact assignments."""
        if restart is None and self.record.refined:
            refined = self._store.refined((k, self._best(k).restart))
            if refined is not None:
                return refined.centroids
        restart = self._best(k).restart if restart is None else restart
        if not any((run.k, run.restart) == (k, restart) for run in self.runs):
            raise PlanError(f"The study has no finished run of K = {k}, restart {restart}.")
        return self._store.fit((k, restart)).centroids

    def run_centroids(self, k: int) -> Float64:
        """The centroids of every finished run of a K, (runs, k, ...) float64, as `centroids` gives them."""
        return np.stack([self.centroids(k, run.restart) for run in self.runs if run.k == k])

    def labels(self, k: int) -> Int32:
        """The cluster of each training image in the best run of a K, (n_train,) int32.

        Raises
        ------
        PlanError
            There is no such K.
        StoreError
            The study is not finished, or its table of assignments is missing or damaged.
        """
        self._best(k)
        return self._assignments.train[k]

    def test_labels(self, k: int) -> Int32 | None:
        """The cluster of each test image in the best run of a K, (n_test,) int32; None without a test part."""
        self._best(k)
        test = self._assignments.test
        return None if test is None else test[k]

    def table(self) -> str:
        """The study in the shape of the published table, as plain text of 80 columns."""
        return table.text(self.record)

    def events(self) -> list[dict[str, Any]]:
        """What happened, as in `events.jsonl`: with "event", "time" (UTC) and "seconds" since the session began."""
        return self._store.events()

    def _repr_html_(self) -> str | None:
        """What a notebook shows: the static part of the report; None before the first run has ended."""
        from steinhaus.report import from_result, notebook

        known = self.best and (self.record.complete or self.record.data.features is None)
        return notebook(from_result(self)) if known else None

    @property
    def seconds(self) -> dict[tuple[int, int], float]:
        """(K, restart) -> seconds of work on the study until that run ended; all runs advance together."""
        return events.run_seconds(self.events())

    @property
    def refining_seconds(self) -> dict[int, float]:
        """K -> seconds that refining its best run took; empty if the plan does not refine."""
        return events.refining_seconds(self.events())

    @functools.cached_property
    def _assignments(self) -> Assignments:
        return self._store.assignments()

    def _best(self, k: int) -> BestRecord:
        for best in self.best:
            if best.k == k:
                return best
        raise PlanError(f"The study has no finished run of K = {k}; it has {[best.k for best in self.best]}.")


def load(folder: str | Path) -> StudyResult:
    """Open a study's folder, finished or not, to read it.

    Of a study that is not finished the record holds the runs that are, and `record.complete` is False.

    Raises
    ------
    StoreError
        There is no study in it, or a file of it is damaged.
    """
    path = Path(folder)
    store = Folder.find(path)
    if store is None:
        raise StoreError(f"There is no study in {path}: it has no study.json.")
    record = store.record
    if not record.complete:
        fits = store.fits()
        runs = tuple(outcome.run_record(key, fit, record.data.unit) for key, fit in fits.items())
        best = outcome.best_runs(runs)
        found = {run.k: store.refined((run.k, run.restart)) for run in best}
        unit = record.data.unit
        refined = {k: outcome.refined_record(cast(Key, fit.key), fit, unit) for k, fit in found.items() if fit}
        best = tuple(outcome.with_refined(run, refined.get(run.k)) for run in best)
        record = replace(record, runs=runs, best=best, refined=tuple(refined.values()))
    return StudyResult(record, store, out=path)
