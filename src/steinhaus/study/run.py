"""Run a study: split, start, iterate all runs together, keep each as it ends, then name the clusters."""

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

from steinhaus import engines, seeding
from steinhaus.errors import PlanError, StoreError
from steinhaus.hierarchy import hierarchical
from steinhaus.lloyd import lloyd
from steinhaus.points import Fit, Float64, Int64, Points, Run
from steinhaus.study import events, files, outcome, pieces, scaling
from steinhaus.study.assigning import Assigning, Counted, TableInPieces, WholeTable
from steinhaus.study.events import Event, Key
from steinhaus.study.lock import LOCK, Lock
from steinhaus.study.machine import machine, versions
from steinhaus.study.memory import Memory
from steinhaus.study.plan import Plan
from steinhaus.study.record import SCHEMA, BestRecord, RunRecord, StudyRecord
from steinhaus.study.result import StudyResult
from steinhaus.study.store import STUDY, Folder, Store
from steinhaus.wording import option

if TYPE_CHECKING:
    from steinhaus.images import Images, Split

Choose = Callable[..., Points]


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
) -> StudyResult:
    """Run a study; `Study.run` says how.

    `choose` makes the engine of an (n, d) array, as `engine` does; `command` is kept in the record.
    """
    path = None if out is None else Path(out)
    study = study.settled(images)
    if path is not None and (done := _finished(path, study.digest(images))) is not None:
        if watch:
            watch(events.Finished(len(done.record.runs), from_disk=True))
        return StudyResult(done.record, done, out=path, split=partial(_split, study, images))
    if assignments == "parquet":
        pieces.needed()
    split = _split(study, images)
    check_fit(study, split)
    record = replace(_opening_record(study, images, split), command=command)
    how: dict[str, Any] = {"watch": watch, "checkpoint_every": checkpoint_every, "choose": choose or engine}
    if path is None:
        store: Store = Memory(record)
        _Session(study, split, store, WholeTable(split, store), **how).run([])
        return StudyResult(store.record, store, split=partial(_as_it_is, split))
    found = Folder.find(path)
    _refuse_another(found, record)
    if found is None:
        _refuse_others(path)
    files.make_folder(path)
    with Lock(path, break_lock=break_lock) as lock:
        folder = _open(path, record, lock)
        if not folder.is_whole:
            assigning = TableInPieces(split, folder) if assignments == "parquet" else WholeTable(split, folder)
            _Session(study, split, folder, assigning, **how).run([lock.taken_over] if lock.taken_over else [])
    return StudyResult(folder.record, folder, out=path, split=partial(_as_it_is, split))


def engine(rows: Any, *, threads: int | None = None, weights: Float64 | None = None) -> Points:
    """The engine of points on this machine."""
    if weights is None:
        return engines.choose(rows, threads=threads)
    return engines.weighted(rows, weights, threads=threads)


def _split(study: Plan, images: Images) -> Split:
    return images.split(study.train, study.seed, study.val)


def _as_it_is(split: Split) -> Split:
    return split


def _refuse_others(path: Path) -> None:
    """A folder without a study must hold nothing: files of other people would be written over."""
    there = files.names(path)
    if files.temporary_name(path / STUDY).name in there:  # a study that was killed as it began
        return
    others = [name for name in there if not name.startswith((LOCK, ".DS_Store", ".nfs"))]
    if others:
        listed = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        raise StoreError(
            f"{path} is neither empty nor a study: it holds {listed}. Choose another folder, "
            f"{option('out', '...')}: a study writes over files of its own names."
        )


def _finished(path: Path, digest: str) -> Folder | None:
    """The study of a folder, where it is this one and nothing is left to do."""
    folder = Folder.find(path)
    if folder is None or folder.record.digest != digest or not folder.is_whole:
        return None
    if folder.is_locked:
        with suppress(StoreError), Lock(path):  # left by a process that died just before its end: taken, and given back
            pass
    return folder


def _open(path: Path, record: StudyRecord, lock: Lock) -> Folder:
    """The folder's study as it stands, or a new one."""
    if (folder := Folder.find(path, lock)) is None:
        folder = Folder.begin(path, record, lock)
    _refuse_another(folder, record)
    folder.sweep()
    if folder.record.complete and not folder.is_whole:
        folder.reopen()
    return folder


def _refuse_another(folder: Folder | None, record: StudyRecord) -> None:
    """Where a folder holds another study than this, say so, field by field."""
    if folder is None or folder.record.digest == record.digest:
        return
    there = folder.record
    fields = ("name", "shape", "dtype", "full_scale", "n_train", "n_test", "label_names", "sha256")
    pairs = [(name, there.plan.get(name), value) for name, value in record.plan.items()]
    pairs += [(f"data {name}", getattr(there.data, name), getattr(record.data, name)) for name in fields]
    different = "; ".join(
        f"{name} is {_short(old)} there and {_short(new)} here" for name, old, new in pairs if old != new
    )
    raise StoreError(
        f"{folder.path} holds another study: {different or 'its digest is another'}. "
        f"Choose another folder, {option('out', '...')}, or give the plan and the data of the study there."
    )


def _short(value: Any) -> str:
    text = ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def check_fit(study: Plan, split: Split) -> None:
    """What a plan asks of its images."""
    n, d = split.train.rows.shape
    if study.ks[-1] > n:
        raise PlanError(f"Every K must be at most the number of training images, {n}; the plan has K = {study.ks[-1]}.")
    if study.init == "k-means||" and split.train.weights is not None:
        raise PlanError(
            f"{option('init', repr(study.init))} goes without weights, so far. Say {option('init', repr('k-means++'))}."
        )
    if isinstance(study.init, str):
        return
    whole = np.issubdtype(split.train.pixels.dtype, np.integer)
    for k, starts in study.init.items():
        for restart, start in enumerate(cast("tuple[Float64, ...]", starts)):
            if start.shape[1] != d:
                raise PlanError(
                    f"The start of K = {k}, restart {restart}, must have {d} features, as the images have; "
                    f"it has {start.shape[1]}."
                )
            if whole and split.train.full_scale != 1 and not (start.min() >= 0 and start.max() <= 1):
                raise PlanError(
                    f"The start of K = {k}, restart {restart}, must be in pixels scaled to 0..1; its values reach from "
                    f"{start.min():g} to {start.max():g}. Divide it by {split.train.full_scale:g}."
                )


def _opening_record(study: Plan, images: Images, split: Split) -> StudyRecord:
    return StudyRecord(
        schema=SCHEMA,
        plan=study.plan(),
        data=outcome.data_record(images, split, scaling.fitted(study.scale, split.train.rows)),
        machine=machine(),
        versions=versions(),
        runs=(),
        best=(),
        complete=False,
        digest=study.digest(images),
    )


class _Session:
    """One stretch of work on a study, from its start or from where the last one stopped."""

    def __init__(
        self,
        study: Plan,
        split: Split,
        store: Store,
        assigning: Assigning,
        *,
        watch: Callable[[Event], None] | None,
        checkpoint_every: float,
        choose: Choose,
    ) -> None:
        self.study = study
        self.split = split
        self.store = store
        self.watch = watch
        self.every = checkpoint_every
        self.choose = choose
        self.began = self.kept = time.monotonic()
        self.unit = store.record.data.unit
        self.square = self.unit**2
        self.assigning = assigning
        self.active: Sequence[Run] = ()

    def run(self, notes: list[str]) -> None:
        """Do what is left to do; the notes are told once it has begun."""
        fits = self.store.fits()
        waiting = [key for key in self.study.keys if key not in fits]
        try:
            kept = self.store.checkpoint()
        except StoreError as error:  # it costs the iterations that were kept there, and changes no result
            kept, notes = {}, [*notes, str(error)]
        resumed = {key: run for key, run in kept.items() if key in waiting}
        if self.store.record.versions != versions():
            notes = [*notes, "Other versions began this study; events.jsonl names both."]
        self._tell_start(fits, resumed, notes)
        with closing(self._points(self.split.train, self.split.train.weights)) as points:
            begin = [resumed.get(key) or Run(key, self._start(points, key)) for key in waiting]
            try:
                self._iterate(points, begin, fits)
            except (KeyboardInterrupt, SystemExit):
                with suppress(StoreError):  # an older checkpoint serves as well
                    self.store.save_checkpoint(self.active)
                    self.tell(events.Interrupted(len(self.active)))
                raise
            runs = tuple(outcome.run_record(key, fits[key], self.unit) for key in self.study.keys)
            best = outcome.best_runs(runs)
            ends = [Run((run.k, run.restart), fits[run.k, run.restart].centroids) for run in best]
            train = self.assigning.part("train", points, ends)
        self._finish(runs, best, ends, train)
        self.tell(events.Finished(len(fits)))

    def tell(self, event: Event) -> None:
        """Put an event into the folder's list and before the watcher."""
        if not isinstance(event, events.Advanced):
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
            train = self.split.train
            part = partial(engines.opened_rows, points, train.rows, weights=train.weights, threads=self.study.threads)
            return hierarchical(points, k, stream, part, weights=points.totals.draws)
        if isinstance(self.study.init, str):
            return seeding.starts(points, k, self.study.init, stream, weights=points.totals.draws)
        start = cast("NDArray[np.float64]", self.study.init[k][restart])
        data = self.store.record.data
        return cast("Float64", scaling.applied(data.scaling, start * data.full_scale))

    def _points(self, images: Images, weights: Float64 | None = None) -> Points:
        rows = scaling.applied(self.store.record.data.scaling, images.rows)
        how: dict[str, Any] = {} if weights is None else {"weights": weights}
        return self.choose(rows, threads=self.study.threads, **how)

    def _iterate(self, points: Points, runs: Sequence[Run], fits: dict[Key, Fit]) -> None:
        """Bring every run to its end; those that end join the fits."""
        self.active, self.kept = runs, time.monotonic()
        study = self.study
        for ended in lloyd(points, runs, max_iter=study.max_iter, tol=study.tol, watch=self._on_iteration):
            key = k, restart = cast(Key, ended.key)
            fit = ended
            if points.totals.weights is not None:  # a size is a number of images, not their weight
                fit = replace(ended, counts=np.bincount(points.labels(key), minlength=k))
            self.store.save_fit(key, fit)
            fits[key] = fit
            self.active = [run for run in self.active if run.key != key]
            self.assigning.remember(key, fit, points)
            self.tell(events.RunFinished(k, restart, fit.iterations, fit.inertia / self.square, fit.stop.name))

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

    def _finish(
        self,
        runs: tuple[RunRecord, ...],
        best: tuple[BestRecord, ...],
        ends: Sequence[Run],
        train: dict[int, Counted],
    ) -> None:
        """Assign the test part, name the clusters, keep it all."""
        test: dict[int, Counted] = {}
        if self.split.test is not None:
            with closing(self._points(self.split.test)) as others:
                test = self.assigning.part("test", others, ends)
            best = tuple(outcome.with_test_sizes(run, test[run.k].sizes) for run in best)
        if self.split.train.labels is not None:
            best = tuple(
                outcome.named(run, cast(Int64, train[run.k].table), test[run.k].table if test else None) for run in best
            )
        self.assigning.finish(replace(self.store.record, runs=runs, best=best, complete=True))
