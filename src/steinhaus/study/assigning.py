"""Collect the clusters of all images in this process, or write them where they are computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from steinhaus import naming
from steinhaus.errors import StoreError
from steinhaus.points import Fit, Int32, Int64, Points, Run, WithLabels
from steinhaus.study import pieces
from steinhaus.study.assignments import Assignments
from steinhaus.study.events import Key
from steinhaus.study.record import StudyRecord
from steinhaus.study.store import Folder, Store

if TYPE_CHECKING:
    from steinhaus.images import Images, Split

_ROWS = 1 << 20  # rows per piece written by this process


@dataclass(frozen=True)
class Counted:
    """Counts of the clusters of one part, in the best run of one K."""

    sizes: tuple[int, ...]
    table: Int64 | None  # clusters x labels; None without labels


class Assigning(Protocol):
    """Handles the clusters of all images."""

    def remember(self, key: Key, fit: Fit, points: Points) -> None:
        """Take note that a run has ended, while the engine still has its labels."""
        ...

    def forget(self, k: int) -> None:
        """Forget the labels of a K, because its best clusters are no longer those of a run that ended."""
        ...

    def part(self, name: str, points: Points, ends: Sequence[Run]) -> dict[int, Counted]:
        """Assign a part of the images, "train" or "test", to the centroids of the best runs: K -> counts."""
        ...

    def train_labels(self, points: Points, ends: Sequence[Run]) -> dict[int, Int32]:
        """K -> the clusters of the training part, (n_train,) int32, after `part` has assigned it."""
        ...

    def finish(self, record: StudyRecord) -> None:
        """Keep the complete record, with a table of all clusters."""
        ...


class WholeTable:
    """Collects all clusters in this process, and keeps or writes them as one table."""

    def __init__(self, split: Split, store: Store) -> None:
        self._split = split
        self._store = store
        self._best: dict[int, tuple[float, int, Int32]] = {}  # K -> inertia, restart, labels of its best run so far
        self._labels: dict[str, dict[int, Int32]] = {}

    def remember(self, key: Key, fit: Fit, points: Points) -> None:
        """Keep the labels of the best run of each K while the engine still has them."""
        k, restart = key
        if k not in self._best or (fit.inertia, restart) < self._best[k][:2]:
            self._best[k] = (fit.inertia, restart, np.array(points.labels(key), np.int32))

    def forget(self, k: int) -> None:
        """Drop the labels of the best run so far."""
        self._best.pop(k, None)

    def part(self, name: str, points: Points, ends: Sequence[Run]) -> dict[int, Counted]:
        """Assign a part. Training labels are computed again if the best run ended in an earlier session."""
        images, _ = _part_of(self._split, name)
        kept = {(k, restart): labels for k, (_, restart, labels) in self._best.items()} if name == "train" else {}
        if others := [run for run in ends if run.key not in kept]:
            points.assign(others)
        found: dict[int, Int32] = {}
        for run in ends:
            key: Key = cast(Key, run.key)
            found[key[0]] = kept[key] if key in kept else np.array(points.labels(key), np.int32)
        self._labels[name] = found
        return {k: Counted(_sizes(labels, k), _table(images, labels, k)) for k, labels in found.items()}

    def train_labels(self, points: Points, ends: Sequence[Run]) -> dict[int, Int32]:
        """The collected labels."""
        return self._labels["train"]

    def finish(self, record: StudyRecord) -> None:
        """One table."""
        self._store.finish(record, Assignments(self._labels["train"], self._labels.get("test")), self._split)


class TableInPieces:
    """Writes clusters in pieces: by the workers that have them, or by this process if the points are here."""

    def __init__(self, split: Split, folder: Folder) -> None:
        self._split = split
        self._folder = folder
        self._digests: dict[str, str] = {}

    def remember(self, key: Key, fit: Fit, points: Points) -> None:
        """Do nothing: the best runs are assigned once more at the end."""

    def forget(self, k: int) -> None:
        """Nothing, likewise."""

    def part(self, name: str, points: Points, ends: Sequence[Run]) -> dict[int, Counted]:
        """Write the pieces of the part."""
        images, index = _part_of(self._split, name)
        tallies = points.assign(ends)
        ks = tuple(cast(Key, run.key)[0] for run in ends)
        folder = self._folder.pieces()
        write = partial(pieces.write, pieces.Table(folder, name, ks, images.label_names))

        def rows(number: int, members: Int64) -> pieces.Members:
            labels = None if images.labels is None else images.labels[members]
            names = None if images.files is None else [images.files[member] for member in members.tolist()]
            return pieces.Members(number, members, index[members], labels, names)

        written: list[pieces.Piece] = (
            points.with_labels(ends, write, rows)
            if isinstance(points, WithLabels)
            else _written_here(points, ends, write, rows)
        )
        self._digests |= {piece.name: piece.sha256 for piece in written}
        if missing := [piece.name for piece in written if not (self._folder.path / piece.name).exists()]:
            raise StoreError(
                f"Workers wrote {missing[0]}, but this machine does not see it in {self._folder.path}. Put the folder "
                "on a disk that the workers share with this machine, or use --assignments csv."
            )
        named = images.labels is not None
        tables = {k: np.sum([piece.counts[k] for piece in written], axis=0) if named else None for k in ks}
        if points.totals.weights is not None:  # sizes count images, not weights
            sizes = [_sizes(points.labels(run.key), k) for k, run in zip(ks, ends, strict=True)]
        else:
            sizes = [tuple(tally.counts.tolist()) for tally in tallies]
        return {k: Counted(of_k, tables[k]) for k, of_k in zip(ks, sizes, strict=True)}

    def train_labels(self, points: Points, ends: Sequence[Run]) -> dict[int, Int32]:
        """The labels that the engine still has."""
        return {cast(Key, run.key)[0]: np.array(points.labels(run.key), np.int32) for run in ends}

    def finish(self, record: StudyRecord) -> None:
        """Keep the record; the pieces are already written."""
        self._folder.finish_pieces(record, self._digests)


def _written_here(points: Points, ends: Sequence[Run], write: Any, rows: Any) -> list[pieces.Piece]:
    labels = [points.labels(run.key) for run in ends]
    written = []
    for number, first in enumerate(range(0, points.n, _ROWS)):
        members = np.arange(first, min(first + _ROWS, points.n))
        written.append(write(np.stack([of_run[members] for of_run in labels]), rows(number, members)))
    return written


def _part_of(split: Split, name: str) -> tuple[Images, Int64]:
    if name == "train":
        return split.train, split.train_index
    if split.test is None or split.test_index is None:
        raise ValueError("there is no test part")
    return split.test, split.test_index


def _sizes(clusters: Int32, k: int) -> tuple[int, ...]:
    # in: clusters (n,) int32
    return tuple(np.bincount(clusters, minlength=k).tolist())


def _table(images: Images, clusters: Int32, k: int) -> Int64 | None:
    if images.labels is None or images.label_names is None:
        return None
    return naming.confusion(images.labels, clusters, k, len(images.label_names))
