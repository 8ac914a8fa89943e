"""Keep a study in a folder or in memory. Both have the same methods, so `run` does not need to know which.

In a folder, `study.json` is written first (plan and data, not complete) and last (complete, after everything else). It
decides the state of the folder. Files that do not belong to that state are ignored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from steinhaus.errors import StoreError
from steinhaus.features.chain import Chain
from steinhaus.points import Fit, Run
from steinhaus.study import assignments as table
from steinhaus.study import events, files, pieces, schema, space, tensors
from steinhaus.study import pictures as cluster_pictures
from steinhaus.study.assignments import Assignments
from steinhaus.study.events import Key
from steinhaus.study.lock import LOCK, Lock
from steinhaus.study.pictures import ClusterPictures
from steinhaus.study.record import StudyRecord

if TYPE_CHECKING:
    from steinhaus.images import Split

STUDY = "study.json"
RUNS = "runs"
CHECKPOINT = "checkpoint.safetensors"
CHAIN = "features.safetensors"  # the learnt steps of features
PICTURES = "pictures"  # pictures of clusters of features
EVENTS = "events.jsonl"
ASSIGNMENTS = "assignments.csv"

# The most bytes of each kind of file. Larger files are refused before they are read.
MOST_STUDY = 1 << 28
MOST_EVENTS = 1 << 30
MOST_HEADER = 1 << 16  # header of a run's safetensors file
MOST_STEPS = 1 << 16  # steps of refining
MOST_ROW = 1 << 13  # row of the table, without its clusters

AGAIN = "Delete it and give the study's command again"


class Store(Protocol):
    """The data that `run` writes and `StudyResult` reads."""

    record: StudyRecord

    def fits(self) -> dict[Key, Fit]:
        """The finished runs, in the units of the points."""
        ...

    def fit(self, key: Key) -> Fit:
        """One finished run."""
        ...

    def refined(self, key: Key) -> Fit | None:
        """The refined best run of a K; None: it is not refined."""
        ...

    def checkpoint(self) -> dict[Key, Run]:
        """The active runs as they were last saved."""
        ...

    def assignments(self) -> Assignments:
        """The clusters of the best runs of a complete study."""
        ...

    def events(self) -> list[dict[str, Any]]:
        """The events so far."""
        ...

    def save_fit(self, key: Key, fit: Fit) -> None:
        """Save a finished run."""
        ...

    def save_refined(self, key: Key, fit: Fit) -> None:
        """Save a refined run."""
        ...

    def save_checkpoint(self, active: Sequence[Run]) -> None:
        """Save the active runs, and replace the last checkpoint."""
        ...

    def finish(self, record: StudyRecord, assignments: Assignments, split: Split) -> None:
        """Save the complete record, and the clusters of the split's images."""
        ...

    def append(self, line: Mapping[str, Any]) -> None:
        """Add a line to the events."""
        ...

    def chain(self) -> Chain | None:
        """The learnt steps of the features; None if pixels are clustered."""
        ...

    def save_pictures(self, pictures: Mapping[int, ClusterPictures]) -> None:
        """Save the pictures of the clusters of each K."""
        ...

    def pictures(self, k: int) -> ClusterPictures:
        """The pictures of the clusters of a K."""
        ...


class Folder:
    """A study in a folder. See `Store` for its methods; each raises StoreError if a file is damaged.

    Parameters
    ----------
    path
        The folder.
    document
        The content of its `study.json`.
    lock
        The lock of the writer; None for a reader.
    """

    def __init__(self, path: Path, document: schema.Document, lock: Lock | None = None) -> None:
        self.path = path
        self.record = document.record
        self._files = document.files
        self._lock = lock

    @classmethod
    def find(cls, path: Path, lock: Lock | None = None) -> Folder | None:
        """The study in a folder; None if there is no `study.json`."""
        try:
            data = files.read(path / STUDY, MOST_STUDY)
        except FileNotFoundError:
            return None
        try:
            with _sound(path / STUDY, "Restore it from a copy, or run the study in a new folder."):
                return cls(path, schema.decode(data), lock)
        except schema.NewerError as error:
            raise StoreError(f"{path / STUDY}: {error}") from None

    @classmethod
    def begin(cls, path: Path, record: StudyRecord, lock: Lock, chain: Chain | None = None) -> Folder:
        """Start a study in a folder."""
        folder = cls(path, schema.Document(record), lock)
        if chain is not None and chain.steps:
            folder._write(path / CHAIN, space.encode(chain))
        folder._save_document(record, {})
        return folder

    @property
    def is_whole(self) -> bool:
        """Whether the study is complete and no file of it is missing."""
        plan = schema.plan_of(self.record.plan)
        runs = {_run_name(key) for key in plan.keys}
        if plan.refine != "none":
            runs |= {_refined_name(k) for k in plan.ks}
        tables = {self.path / name for name in pieces.names_of(self._files) or [ASSIGNMENTS]}
        there = {folder / name for folder in {path.parent for path in tables} for name in files.names(folder)}
        shown = {_pictures_name(k) for k in self._shown_ks}
        return (
            self.record.complete
            and tables <= there
            and runs <= set(files.names(self._runs))
            and shown <= set(files.names(self.path / PICTURES))
        )

    @property
    def is_locked(self) -> bool:
        """Whether there is a lock file, of a writer that is alive or dead."""
        return LOCK in files.names(self.path)

    def fits(self) -> dict[Key, Fit]:  # noqa: D102
        there = set(files.names(self._runs))
        return {key: self.fit(key) for key in self._keys if _run_name(key) in there}

    def fit(self, key: Key) -> Fit:  # noqa: D102
        path = self._runs / _run_name(key)
        with _sound(path, f"{AGAIN}: only that run is computed again."):
            data = files.read(path, self._most(key))
            return tensors.decode_fit(data, self.record.digest, key, self._d, self.record.data.n_train)

    def refined(self, key: Key) -> Fit | None:  # noqa: D102
        path = self._runs / _refined_name(key[0])
        with _sound(path, f"{AGAIN}: only that K is refined again."):
            try:
                data = files.read(path, self._most(key))
            except FileNotFoundError:
                return None
            return tensors.decode_fit(data, self.record.digest, key, self._d, self.record.data.n_train)

    def checkpoint(self) -> dict[Key, Run]:  # noqa: D102
        path, keys = self.path / CHECKPOINT, self._keys
        try:
            data = files.read(path, sum(self._most(key) for key in keys))
        except FileNotFoundError:
            return {}
        with _sound(path, "The runs in it start again."):
            return tensors.decode_checkpoint(data, self.record.digest, keys, self._d)

    def assignments(self) -> Assignments:  # noqa: D102
        if not self.record.complete:
            raise StoreError(
                f"The study in {self.path} is not finished, so its assignments are not known yet. Run it to its end."
            )
        in_pieces = bool(pieces.names_of(self._files))
        path = self.path / (pieces.PIECES if in_pieces else ASSIGNMENTS)
        data, ks = self.record.data, schema.plan_of(self.record.plan).ks
        with _sound(path, f"{AGAIN} to write it again."):
            most = (data.n_train + data.n_test + 1) * (MOST_ROW + 12 * len(ks))
            if in_pieces:
                return pieces.read(self.path, self._files, data, ks, most)
            sha = hashlib.sha256()
            found = table.decode(_digested(files.read_blocks(path, most), sha), data, ks)
            if sha.hexdigest() != self._files.get(ASSIGNMENTS):
                raise ValueError("its sha256 is not the one in study.json")
            return found

    def events(self) -> list[dict[str, Any]]:  # noqa: D102
        try:
            return events.parse(files.read(self.path / EVENTS, MOST_EVENTS))
        except FileNotFoundError:
            return []

    def save_fit(self, key: Key, fit: Fit) -> None:  # noqa: D102
        files.make_folder(self._runs)
        self._write(self._runs / _run_name(key), tensors.encode_fit(fit, self.record.digest))

    def save_refined(self, key: Key, fit: Fit) -> None:  # noqa: D102
        self._write(self._runs / _refined_name(key[0]), tensors.encode_fit(fit, self.record.digest))

    def save_checkpoint(self, active: Sequence[Run]) -> None:  # noqa: D102
        self._write(self.path / CHECKPOINT, tensors.encode_checkpoint(active, self.record.digest))

    def finish(self, record: StudyRecord, assignments: Assignments, split: Split) -> None:  # noqa: D102
        self._own()
        files.remove(self.path / CHECKPOINT)
        sha = hashlib.sha256()
        files.write_blocks(self.path / ASSIGNMENTS, _digested(table.encode(split, assignments), sha))
        self._save_document(record, {ASSIGNMENTS: sha.hexdigest()})
        self._clear_pieces()

    def pieces(self) -> Path:
        """Create the folder for the pieces of the table. Its name is the same on every machine."""
        self._own()
        folder = self.path.absolute() / pieces.PIECES
        files.make_folder(folder)
        return folder

    def finish_pieces(self, record: StudyRecord, digests: dict[str, str]) -> None:
        """Like `finish`, for a table in pieces: name -> sha256."""
        self._own()
        files.remove(self.path / CHECKPOINT)
        self._save_document(record, digests)
        self._clear_pieces()
        files.remove(self.path / ASSIGNMENTS)

    def _clear_pieces(self) -> None:
        """Remove pieces of a table that was written before."""
        folder = self.path / pieces.PIECES
        for name in files.names(folder):
            if f"{pieces.PIECES}/{name}" not in self._files:
                files.remove(folder / name)
        if not pieces.names_of(self._files):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def reopen(self) -> None:
        """Mark a complete study as unfinished, because a file of it is missing."""
        self._save_document(replace(self.record, complete=False, runs=(), best=(), refined=()), {})

    def append(self, line: Mapping[str, Any]) -> None:  # noqa: D102
        self._own()
        files.append(self.path / EVENTS, json.dumps(line, allow_nan=False).encode())

    def chain(self) -> Chain | None:  # noqa: D102
        features = self.record.data.features
        if features is None or not features.steps:
            return None if features is None else Chain()
        path = self.path / CHAIN
        with _sound(path, "Restore it from a copy, or run the study in a new folder."):
            most = 16 * (features.width + 1) * (features.width + 2) + MOST_HEADER
            return space.decode(files.read(path, most), features)

    def save_pictures(self, pictures: Mapping[int, ClusterPictures]) -> None:  # noqa: D102
        files.make_folder(self.path / PICTURES)
        for k, of_k in pictures.items():
            data = cluster_pictures.encode(of_k, self.record.digest, k)
            self._write(self.path / PICTURES / _pictures_name(k), data)

    def pictures(self, k: int) -> ClusterPictures:  # noqa: D102
        path, data = self.path / PICTURES / _pictures_name(k), self.record.data
        with _sound(path, f"{AGAIN} to make it again."):
            most = k * (4 * math.prod(data.shape) + 16 * cluster_pictures.NEAREST) + MOST_HEADER
            return cluster_pictures.decode(files.read(path, most), self.record.digest, k, data)

    def sweep(self) -> None:
        """Remove files that a crash during a write left behind."""
        self._own()
        for name in (STUDY, CHECKPOINT, ASSIGNMENTS, CHAIN):
            files.remove(files.temporary_name(self.path / name))
        for name in files.names(self.path / PICTURES):
            if re.fullmatch(r"\.k\d+\.safetensors\.tmp", name):
                files.remove(self.path / PICTURES / name)
        for name in files.names(self._runs):
            if re.fullmatch(r"\.k\d+-(r\d+|refined)\.safetensors\.tmp", name):
                files.remove(self._runs / name)
        for name in files.names(self.path / pieces.PIECES):
            if re.fullmatch(r"\.(train|test)-\d+\.parquet\.tmp", name):
                files.remove(self.path / pieces.PIECES / name)

    def _save_document(self, record: StudyRecord, others: dict[str, str]) -> None:
        self._write(self.path / STUDY, schema.encode(schema.Document(record, others)))
        self.record, self._files = record, others

    def _write(self, path: Path, data: bytes) -> None:
        self._own()
        files.write(path, data)

    def _own(self) -> None:
        if self._lock is None:
            raise StoreError(f"{self.path} was opened only for reading.")
        self._lock.check()

    @property
    def _runs(self) -> Path:
        return self.path / RUNS

    @property
    def _keys(self) -> tuple[Key, ...]:
        return schema.plan_of(self.record.plan).keys

    @property
    def _d(self) -> int:
        return self.record.data.d

    @property
    def _shown_ks(self) -> tuple[int, ...]:
        """The values of K that have files of pictures."""
        return () if self.record.data.features is None else schema.plan_of(self.record.plan).ks

    def _most(self, key: Key) -> int:
        """The most bytes of a run's file."""
        return 8 * (key[0] * (self._d + 1) + max(MOST_STEPS, int(self.record.plan["max_iter"]))) + MOST_HEADER


@contextlib.contextmanager
def _sound(path: Path, remedy: str) -> Iterator[None]:
    """Turn an error in a file's content into a `StoreError` that names the file and the way out."""
    try:
        yield
    except StoreError:
        raise
    except FileNotFoundError:
        raise StoreError(f"{path} is missing. Give the study's command again to make it again.") from None
    except ValueError as error:
        raise StoreError(f"{path} is damaged or was changed: {error}. {remedy}") from error


def _digested(blocks: Iterable[bytes], sha: hashlib._Hash) -> Iterator[bytes]:
    """Yield the same blocks, and add them to a digest."""
    for block in blocks:
        sha.update(block)
        yield block


def _pictures_name(k: int) -> str:
    return f"k{k:03d}.safetensors"


def _run_name(key: Key) -> str:
    return f"{tensors.key_name(key)}.safetensors"


def _refined_name(k: int) -> str:
    return f"k{k:03d}-refined.safetensors"
