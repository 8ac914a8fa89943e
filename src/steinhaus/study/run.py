"""Run a study: split the images, start the runs, iterate all together, save each as it ends, name the clusters."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from steinhaus import engines, refining, seeding
from steinhaus.errors import PlanError, StoreError
from steinhaus.features import chain as chains
from steinhaus.features.making import with_features
from steinhaus.hierarchy import hierarchical
from steinhaus.lloyd import lloyd
from steinhaus.points import Fit, Float64, Int64, Points, Run
from steinhaus.study import events, files, outcome, pictures, pieces, scaling
from steinhaus.study import space as spaces
from steinhaus.study.assigning import Assigning, Counted, TableInPieces, WholeTable
from steinhaus.study.events import Event, Key
from steinhaus.study.folders import finished, open_folder, refuse_another, refuse_others
from steinhaus.study.lock import Lock
from steinhaus.study.machine import machine, versions
from steinhaus.study.memory import Memory
from steinhaus.study.plan import Plan, Starts
from steinhaus.study.record import SCHEMA, BestRecord, StudyRecord
from steinhaus.study.result import StudyResult
from steinhaus.study.space import Space
from steinhaus.study.store import Folder, Store
from steinhaus.wording import either

if TYPE_CHECKING:
    from steinhaus.images import Images, Progress, Split

Choose = Callable[..., Points]
FEATURES = "features"  # the folder of features, beside the study's folder


def beside(path: Path) -> Path:
    """The folder for the features of a study: beside the study's folder, so that other studies find it, too."""
    return path.absolute().parent / FEATURES


def run_study(
    study: Plan,
    images: Images,
    out: str | Path | None = None,
    watch: Callable[[Event], None] | None = None,
    *,
    break_lock: bool = False,
    checkpoint_every: float = 2.0,
    choose: Choose | None = None,
    assignments: Literal["csv", "parquet"] = "csv",
    command: str | None = None,
    on_cluster: bool = False,
    progress: Progress | None = None,
) -> StudyResult:
    """Run a study. See `Study.run`.

    `choose` makes the engine of an (n, d) array, as `engine` does; `on_cluster` tells whether that is on a cluster.
    `command` is kept in the record.
    """
    path = None if out is None else Path(out)
    notes: list[str] = []
    if study.features is not None:
        known = len(images.notes)
        images = with_features(images, study.features, None if path is None else beside(path), progress=progress)
        notes = list(images.notes[known:])
    left_open, study = study.init is None, study.settled(images, on_cluster=on_cluster)
    if left_open and study.init == "k-means||":
        notes.append(_told_of_starts(on_cluster))
    if path is not None and (done := finished(path, study.digest(images))) is not None:
        if watch:
            watch(events.Finished(len(done.record.runs), from_disk=True))
        return StudyResult(done.record, done, out=path, split=partial(_split, study, images))
    if assignments == "parquet":
        pieces.needed()
    split = _split(study, images)
    check_fit(study, split)
    space = spaces.fitted(study, split.train)
    record = replace(_opening_record(study, images, split, space), command=command)
    how: dict[str, Any] = {"watch": watch, "checkpoint_every": checkpoint_every, "choose": choose or engine}
    if path is None:
        store: Store = Memory(record, space.chain)
        _Session(study, split, store, space, WholeTable(split, store), **how).run(notes)
        return StudyResult(store.record, store, split=partial(_as_it_is, split))
    found = Folder.find(path)
    refuse_another(found, record)
    if found is None:
        refuse_others(path)
    files.make_folder(path)
    with Lock(path, break_lock=break_lock) as lock:
        folder = open_folder(path, record, lock, space)
        if not folder.is_whole:
            assigning = TableInPieces(split, folder) if assignments == "parquet" else WholeTable(split, folder)
            space = replace(space, chain=folder.chain())
            notes += [lock.taken_over] if lock.taken_over else []
            _Session(study, split, folder, space, assigning, **how).run(notes)
    return StudyResult(folder.record, folder, out=path, split=partial(_as_it_is, split))


def _told_of_starts(on_cluster: bool) -> str:
    """The message about starts that the plan leaves open."""
    other = either('init="random" and init="k-means++" choose', "--init random and --init k-means++ choose")
    where = "are on a cluster" if on_cluster else "stay on disk"
    return f"k-means|| chooses the starts, because the points {where}. {other} other starts."


def engine(rows: Any, *, threads: int | None = None, weights: Float64 | None = None) -> Points:
    """The engine for points (n, d) on this machine; weights: (n,)."""
    if weights is None:
        return engines.choose(rows, threads=threads)
    return engines.weighted(rows, weights, threads=threads)


def _split(study: Plan, images: Images) -> Split:
    return images.split(study.train, study.seed, study.val)


def _as_it_is(split: Split) -> Split:
    return split


def check_fit(study: Plan, split: Split) -> None:
    """Check that the images fit the plan."""
    n, d = split.train.points.shape
    if split.train.features is not None:
        d = chains.Chain(split.train.features.steps).width(d)
    if study.ks[-1] > n:
        raise PlanError(
            f"Every K must be at most the number of training images, {n}, but the plan has K = {study.ks[-1]}."
        )
    if study.init is None or isinstance(study.init, str):
        return
    whole = np.issubdtype(split.train.pixels.dtype, np.integer) and split.train.features is None
    for k, starts in study.init.items():
        for restart, start in enumerate(cast("tuple[Float64, ...]", starts)):
            if start.shape[1] != d:
                raise PlanError(
                    f"The start of K = {k}, restart {restart}, must have {d} features, as the images do, but it has "
                    f"{start.shape[1]}."
                )
            if whole and split.train.full_scale != 1 and not (start.min() >= 0 and start.max() <= 1):
                raise PlanError(
                    f"The start of K = {k}, restart {restart}, must be in pixels scaled to 0..1, but its values go "
                    f"from {start.min():g} to {start.max():g}. Divide it by {split.train.full_scale:g}."
                )


def _opening_record(study: Plan, images: Images, split: Split, space: Space) -> StudyRecord:
    return StudyRecord(
        schema=SCHEMA,
        plan=study.plan(),
        data=outcome.data_record(images, split, space.scaling, spaces.record_of(images.features, space)),
        machine=machine(),
        versions=versions(),
        runs=(),
        best=(),
        complete=False,
        digest=study.digest(images),
    )


class _Session:
    """One session of work on a study, from its start or from where the last session stopped."""

    def __init__(
        self,
        study: Plan,
        split: Split,
        store: Store,
        space: Space,
        assigning: Assigning,
        *,
        watch: Callable[[Event], None] | None,
        checkpoint_every: float,
        choose: Choose,
    ) -> None:
        self.study = study
        self.split = split
        self.store = store
        self.space = space
        self.watch = watch
        self.every = checkpoint_every
        self.choose = choose
        self.began = self.kept = time.monotonic()
        self.unit = store.record.data.unit
        self.square = self.unit**2
        self.assigning = assigning
        self.active: Sequence[Run] = ()

    def run(self, notes: list[str]) -> None:
        """Do the remaining work. The notes are told after the start."""
        fits = self.store.fits()
        waiting = [key for key in self.study.keys if key not in fits]
        try:
            kept = self.store.checkpoint()
        except StoreError as error:  # the saved iterations are lost, but no result changes
            kept, notes = {}, [*notes, str(error)]
        resumed = {key: run for key, run in kept.items() if key in waiting}
        if self.store.record.versions != versions():
            notes = [*notes, "This study was started with other versions; events.jsonl names both."]
        self._tell_start(fits, resumed, notes)
        self.train = self.space.points(self.split.train)
        with closing(self._points(self.train, self.split.train.weights)) as points:
            begin = [resumed.get(key) or Run(key, self._start(points, key)) for key in waiting]
            try:
                self._iterate(points, begin, fits)
            except (KeyboardInterrupt, SystemExit):
                with suppress(StoreError):  # an older checkpoint works, too
                    self.store.save_checkpoint(self.active)
                    self.tell(events.Interrupted(len(self.active)))
                raise
            runs = tuple(outcome.run_record(key, fits[key], self.unit) for key in self.study.keys)
            best = outcome.best_runs(runs)
            refined = {run.k: self._refined(points, fits[run.k, run.restart]) for run in best} if self._refines else {}
            ends = [Run((run.k, run.restart), refined.get(run.k, fits[run.k, run.restart]).centroids) for run in best]
            train = self.assigning.part("train", points, ends)
            if self.store.record.data.features is not None:
                self._show(points, ends)
        told = {k: outcome.refined_record(cast(Key, fit.key), fit, self.unit) for k, fit in refined.items()}
        best = tuple(outcome.with_refined(run, told.get(run.k)) for run in best)
        self._finish(replace(self.store.record, runs=runs, refined=tuple(told.values())), best, ends, train)
        self.tell(events.Finished(len(fits)))

    def tell(self, event: Event) -> None:
        """Write an event to the folder and pass it to the watcher."""
        if not isinstance(event, events.Advanced | events.Refining):
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            line = events.as_dict(event)
            seconds = round(time.monotonic() - self.began, 3)
            self.store.append({"event": line.pop("event"), "time": now, "seconds": seconds, **line})
        if self.watch:
            self.watch(event)

    def _tell_start(self, fits: Iterable[Key], resumed: Iterable[Key], notes: Iterable[str]) -> None:
        record = self.store.record
        self.tell(
            events.Started(
                runs=self.study.keys,
                finished=tuple(fits),
                resumed=tuple(resumed),
                n_train=record.data.n_train,
                n_test=record.data.n_test,
                machine=machine(),
                versions=versions(),
            )
        )
        for note in notes:
            self.tell(events.Noted(note))

    def _start(self, points: Points, key: Key) -> Float64:
        k, restart = key
        stream = seeding.Stream(self.study.seed, k, restart)
        if self.study.init == "hierarchical":
            weights = self._draws(points)
            with engines.in_parts(points, self.train, weights, threads=self.study.threads) as parts:
                return hierarchical(points, k, stream, parts, weights=weights)
        if isinstance(self.study.init, str):
            return seeding.starts(points, k, self.study.init, stream, weights=self._draws(points))
        start = cast("NDArray[np.float64]", cast(Starts, self.study.init)[k][restart])
        data = self.store.record.data
        if data.features is not None:
            return start * data.unit
        return cast("Float64", scaling.applied(data.scaling, start * data.full_scale))

    def _draws(self, points: Points) -> Int64 | None:
        """The weights for drawing rows, if images have weights. The totals of points on disk cost a pass."""
        return None if self.split.train.weights is None else points.totals.draws

    def _points(self, rows: Any, weights: Float64 | None = None) -> Points:
        # in: rows (n, d); weights (n,) float64
        how: dict[str, Any] = {} if weights is None else {"weights": weights}
        return self.choose(rows, threads=self.study.threads, **how)

    def _iterate(self, points: Points, runs: Sequence[Run], fits: dict[Key, Fit]) -> None:
        """Iterate every run to its end, and add it to the fits."""
        self.active, self.kept = runs, time.monotonic()
        study = self.study
        for ended in lloyd(points, runs, max_iter=study.max_iter, tol=study.tol, watch=self._on_iteration):
            key = k, restart = cast(Key, ended.key)
            fit = ended
            if points.totals.weights is not None:  # sizes count images, not weights
                fit = replace(ended, counts=np.bincount(points.labels(key), minlength=k))
            self.store.save_fit(key, fit)
            fits[key] = fit
            self.active = [run for run in self.active if run.key != key]
            self.assigning.remember(key, fit, points)
            self.tell(events.RunFinished(k, restart, fit.iterations, fit.inertia / self.square, fit.stop.name))

    def _show(self, points: Points, ends: Sequence[Run]) -> None:
        """Save the pictures of clusters of features."""
        labels = self.assigning.train_labels(points, ends)
        centroids = {cast(Key, run.key)[0]: run.centroids for run in ends}
        threads = self.study.threads
        self.store.save_pictures(pictures.found(self.split.train, self.train, labels, centroids, self.unit, threads))

    def _on_iteration(self, active: Sequence[Run]) -> None:
        self.active = active
        self.tell(events.Advanced(tuple(self._progress(run) for run in active)))
        if active and time.monotonic() - self.kept >= self.every:
            self.store.save_checkpoint(active)
            self.tell(events.Checkpointed(len(active)))
            self.kept = time.monotonic()

    def _progress(self, run: Run) -> events.RunProgress:
        k, restart = cast(Key, run.key)
        return events.RunProgress(k, restart, len(run.history), run.history[-1] / self.square)

    @property
    def _refines(self) -> bool:
        return self.study.refine != "none"

    def _refined(self, points: Points, fit: Fit) -> Fit:
        """Refine the best run of a K, or read its refined run.

        Its history is the inertia of that run, then the best after each step. An interrupted search starts again and
        takes the same steps.
        """
        k, restart = key = cast(Key, fit.key)
        self.assigning.forget(k)
        if (known := self.store.refined(key)) is not None:
            return known
        study, began = self.study, time.monotonic()
        history = [fit.inertia]

        def hear(search: refining.Search) -> None:
            history.append(search.best.inertia)
            self.tell(events.Refining(k, len(search.steps), search.best.inertia / self.square))

        how = refining.Lloyd(study.max_iter, study.tol)
        draws = refining.streams(study.seed, k, restart)
        search = refining.refine(points, refining.Search(fit), draws, how, refining.Budget(study.refine_steps), hear)
        points.forget(key)
        found = replace(search.best, history=tuple(history))
        self.store.save_refined(key, found)
        before, after, took = fit.inertia / self.square, found.inertia / self.square, time.monotonic() - began
        self.tell(events.Refined(k, restart, len(search.steps), before, after, round(took, 3)))
        return found

    def _finish(
        self,
        record: StudyRecord,
        best: tuple[BestRecord, ...],
        ends: Sequence[Run],
        train: dict[int, Counted],
    ) -> None:
        """Assign the test part, name the clusters, and save everything."""
        test: dict[int, Counted] = {}
        if self.split.test is not None:
            with closing(self._points(self.space.points(self.split.test))) as others:
                test = self.assigning.part("test", others, ends)
            best = tuple(outcome.with_test_sizes(run, test[run.k].sizes) for run in best)
        if self.split.train.labels is not None:
            best = tuple(
                outcome.named(run, cast(Int64, train[run.k].table), test[run.k].table if test else None) for run in best
            )
        self.assigning.finish(replace(record, best=best, complete=True))
