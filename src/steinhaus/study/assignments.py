"""The cluster of every image in the best run of each K, as a table: `assignments.csv`."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from steinhaus.points import Int32, Int64
from steinhaus.study.record import DataRecord

if TYPE_CHECKING:
    from steinhaus.images import Images, Split


_ROWS = 1 << 16  # rows of the table that are turned into text at once


@dataclass(frozen=True)
class Assignments:
    """The clusters of the best run of each K."""

    train: Mapping[int, Int32]  # K -> (n_train,), in the split's order
    test: Mapping[int, Int32] | None  # K -> (n_test,); None without a test part


def encode(split: Split, assignments: Assignments) -> Iterator[bytes]:
    """Yield the table as bytes, some rows at a time.

    Its columns are index (row in the data before the split), part, label, file, and the clusters of each K.
    """
    ks = sorted(assignments.train)
    header = ["index", "part"]
    header += ["label"] if split.train.labels is not None else []
    header += ["file"] if split.train.files is not None else []
    yield _text([[*header, *(f"k{k}" for k in ks)]])
    yield from _part("train", split.train, split.train_index, [assignments.train[k] for k in ks])
    if split.test is not None and assignments.test is not None:
        yield from _part("test", split.test, split.test_index, [assignments.test[k] for k in ks])


def _part(part: str, images: Images, index: Int64, clusters: list[Int32]) -> Iterator[bytes]:
    # in: index (n,) int64; clusters (n,) int32 for each K
    for first in range(0, len(index), _ROWS):
        rows = slice(first, first + _ROWS)
        numbers = index[rows].tolist()
        columns: list[Sequence[object]] = [numbers, [part] * len(numbers)]
        if images.labels is not None and images.label_names is not None:
            columns.append([images.label_names[label] for label in images.labels[rows].tolist()])
        if images.files is not None:
            columns.append(images.files[rows])
        yield _text(zip(*columns, *(column[rows].tolist() for column in clusters), strict=True))


def _text(rows: Iterable[Iterable[object]]) -> bytes:
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    return table.getvalue().encode()


def decode(blocks: Iterable[bytes], record: DataRecord, ks: tuple[int, ...]) -> Assignments:
    """The clusters, from the bytes of the file.

    Raises
    ------
    ValueError
        If it is not the table of this study.
    """
    try:
        rows = csv.reader(_lines(blocks))
        header = next(rows)
        places = [header.index(f"k{k}") for k in ks]
        read = [np.empty((0, len(ks)), np.int32)]
        while some := [[int(row[place]) for place in places] for row in itertools.islice(rows, _ROWS)]:
            read.append(np.array(some, np.int32))
    except (IndexError, OverflowError, StopIteration, csv.Error) as error:
        raise ValueError(f"it is not the table of a study ({error})") from error
    clusters = np.concatenate(read)
    if len(clusters) != record.n_train + record.n_test:
        raise ValueError(f"it has {len(clusters)} rows for {record.n_train + record.n_test} images")
    if (clusters < 0).any() or (clusters >= np.array(ks)).any():
        raise ValueError("it names a cluster that does not exist")
    columns = np.ascontiguousarray(clusters.T)
    train = {k: column[: record.n_train] for k, column in zip(ks, columns, strict=True)}
    test = {k: column[record.n_train :] for k, column in zip(ks, columns, strict=True)}
    return Assignments(train, test if record.n_test else None)


def _lines(blocks: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines of a text with their ends. Lines may cross the borders of blocks."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield f"{line.decode()}\n"
    if rest:
        yield rest.decode()
