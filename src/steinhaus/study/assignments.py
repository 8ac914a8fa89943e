"""The cluster of every image in the best run of each K, as a table: `assignments.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from steinhaus.points import Int32
from steinhaus.study.record import DataRecord

if TYPE_CHECKING:
    from steinhaus.images import Images, Split


WriteRows = Callable[[Iterable[Iterable[object]]], None]


@dataclass(frozen=True)
class Assignments:
    """Clusters of the best run of each K."""

    train: Mapping[int, Int32]  # K -> (n_train,), in the split's order
    test: Mapping[int, Int32] | None  # K -> (n_test,); None without a test part


def encode(split: Split, assignments: Assignments) -> bytes:
    """The table: index (place in the pooled data), part, label, file, and a column of clusters for each K."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    ks = sorted(assignments.train)
    header = ["index", "part"]
    header += ["label"] if split.train.labels is not None else []
    header += ["file"] if split.train.files is not None else []
    writer.writerow([*header, *(f"k{k}" for k in ks)])
    _write_part(
        writer.writerows, "train", split.train, split.train_index.tolist(), [assignments.train[k].tolist() for k in ks]
    )
    if split.test is not None and assignments.test is not None:
        _write_part(
            writer.writerows, "test", split.test, split.test_index.tolist(), [assignments.test[k].tolist() for k in ks]
        )
    return table.getvalue().encode()


def _write_part(write: WriteRows, part: str, images: Images, index: list[int], clusters: list[list[int]]) -> None:
    columns: list[list[object]] = [list(index), [part] * len(index)]
    if images.labels is not None and images.label_names is not None:
        columns.append([images.label_names[label] for label in images.labels.tolist()])
    if images.files is not None:
        columns.append(list(images.files))
    write(zip(*columns, *clusters, strict=True))


def decode(data: bytes, record: DataRecord, ks: tuple[int, ...]) -> Assignments:
    """The table again.

    Raises
    ------
    ValueError
        It is not the table of this study.
    """
    try:
        rows = csv.reader(io.StringIO(data.decode(), newline=""))
        header = next(rows)
        places = [header.index(f"k{k}") for k in ks]
        clusters = np.array([[int(row[place]) for place in places] for row in rows], np.int32)
    except (IndexError, OverflowError, StopIteration, csv.Error) as error:
        raise ValueError(f"it is not the table of a study ({error})") from error
    if clusters.shape != (record.n_train + record.n_test, len(ks)):
        raise ValueError(f"it has {len(clusters)} rows for {record.n_train + record.n_test} images")
    if (clusters < 0).any() or (clusters >= np.array(ks)).any():
        raise ValueError("it names a cluster that there is not")
    columns = np.ascontiguousarray(clusters.T)
    train = {k: column[: record.n_train] for k, column in zip(ks, columns, strict=True)}
    test = {k: column[record.n_train :] for k, column in zip(ks, columns, strict=True)}
    return Assignments(train, test if record.n_test else None)
