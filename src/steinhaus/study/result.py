"""The result of a study: its record and its arrays, from memory or from its folder."""

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
        The content of `study.json`, a `StudyRecord`.
    out
        The study's folder; None if it is only in memory.

    Examples
    --------
    >>> from steinhaus import Study
    >>> result = Study(k=[2], restarts=3).run([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> result.best[0].k, len(result.runs), result.centroids(2).shape
    (2, 3, (2, 2))
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
        """The images as a `Split`; None if the study was loaded from its folder."""
        return self._split() if self._split else None

    def centroids(self, k: int, restart: int | None = None) -> Float64:
        """The centroids of the best run of a K, or of one restart.

        Parameters
        ----------
        k
            The number of clusters.
        restart
            The number of the run, from 0. Default: the best run, refined if the plan refines.

        Returns
        -------
        (k, *image shape) float64
            Mean images of pixels scaled to 0..1. For a table: in the units of its columns. For features: (k, d), in
            units of the features; see also `mean_images`.

        Raises
        ------
        PlanError
            If there is no such run.
        """
        data = self.record.data
        if data.features is not None:
            return self.raw_centroids(k, restart) / data.unit
        raw = scaling.undone(data.scaling, self.raw_centroids(k, restart))
        return (raw / data.full_scale).reshape(k, *data.shape)

    def mean_images(self, k: int) -> Float64:
        """The mean picture of each cluster of the best run of a K, also if features were clustered.

        Parameters
        ----------
        k
            The number of clusters.

        Returns
        -------
        (k, *image shape) float64
            In pixels scaled to 0..1. For a table: in the units of its columns.
        """
        if self.record.data.features is None:
            return self.centroids(k)
        return np.asarray(self._pictures(k).means, np.float64)

    def medoids(self, k: int) -> Int64:
        """The pictures nearest to each centroid of the best run of a K, in a study of features.

        Parameters
        ----------
        k
            The number of clusters.

        Returns
        -------
        (k, 9) int64
            Rows of the training part, nearest first; -1 if a cluster has no more pictures.

        Raises
        ------
        PlanError
            If the study clusters pixels.
        """
        if self.record.data.features is None:
            raise PlanError("This study clusters pixels, so its centroids are pictures: see `centroids`.")
        return self._pictures(k).nearest

    def _pictures(self, k: int) -> ClusterPictures:
        self._best(k)
        if not self.record.complete:
            raise StoreError("The study is not finished, so the pictures of its clusters are not known yet.")
        return self._store.pictures(k)

    def points(self, images: Images) -> Any:
        """The points that the study clusters, (n, d). For a study of features, the images must have features.

        Parameters
        ----------
        images
            Images of the study's shape.
        """
        return self.space.points(images)

    @functools.cached_property
    def space(self) -> Space:
        """The conversion of images to points."""
        return Space(self.record.data.scaling, self._store.chain())

    def raw_centroids(self, k: int, restart: int | None = None) -> Float64:
        """The centroids in the engine's units, (k, d) float64, for exact assignments.

        Parameters
        ----------
        k, restart
            As in `centroids`.
        """
        if restart is None and self.record.refined:
            refined = self._store.refined((k, self._best(k).restart))
            if refined is not None:
                return refined.centroids
        restart = self._best(k).restart if restart is None else restart
        if not any((run.k, run.restart) == (k, restart) for run in self.runs):
            raise PlanError(f"The study has no finished run of K = {k}, restart {restart}.")
        return self._store.fit((k, restart)).centroids

    def run_centroids(self, k: int) -> Float64:
        """The centroids of every finished run of a K, (runs, k, ...) float64, in the units of `centroids`.

        Parameters
        ----------
        k
            The number of clusters.
        """
        return np.stack([self.centroids(k, run.restart) for run in self.runs if run.k == k])

    def labels(self, k: int) -> Int32:
        """The cluster of each training image in the best run of a K, (n_train,) int32.

        Parameters
        ----------
        k
            The number of clusters.

        Raises
        ------
        PlanError
            If there is no such K.
        StoreError
            If the study is not finished, or if its table of assignments is missing or damaged.
        """
        self._best(k)
        return self._assignments.train[k]

    def test_labels(self, k: int) -> Int32 | None:
        """The cluster of each test image in the best run of a K, (n_test,) int32; None if there is no test part.

        Parameters
        ----------
        k
            The number of clusters.
        """
        self._best(k)
        test = self._assignments.test
        return None if test is None else test[k]

    def table(self) -> str:
        """The study as plain text in 80 columns, in the form of the published table."""
        return table.text(self.record)

    def events(self) -> list[dict[str, Any]]:
        """The events, as in `events.jsonl`: each has "event", "time" (UTC) and "seconds" since the session began."""
        return self._store.events()

    def _repr_html_(self) -> str | None:
        """The view in a notebook: the static part of the report; None before the first run has ended."""
        from steinhaus.report import from_result, notebook

        known = self.best and (self.record.complete or self.record.data.features is None)
        return notebook(from_result(self)) if known else None

    @property
    def seconds(self) -> dict[tuple[int, int], float]:
        """(K, restart) -> seconds of work on the study until that run ended. All runs advance together."""
        return events.run_seconds(self.events())

    @property
    def refining_seconds(self) -> dict[int, float]:
        """K -> seconds of refining; empty if the plan does not refine."""
        return events.refining_seconds(self.events())

    @functools.cached_property
    def _assignments(self) -> Assignments:
        return self._store.assignments()

    def _best(self, k: int) -> BestRecord:
        for best in self.best:
            if best.k == k:
                return best
        raise PlanError(f"The study has no finished run of K = {k}. Its K are {[best.k for best in self.best]}.")


def load(folder: str | Path) -> StudyResult:
    """Open a study's folder for reading, finished or not.

    If the study is not finished, its record holds the finished runs, and `record.complete` is False.

    Parameters
    ----------
    folder
        The folder of the study.

    Returns
    -------
    StudyResult
        The study.

    Raises
    ------
    StoreError
        If the folder holds no study, or if a file of it is damaged.
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
