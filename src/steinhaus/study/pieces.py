"""The table of assignments in pieces: `assignments.parquet`, a folder of files.

The process that has the labels writes each piece.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from steinhaus import naming
from steinhaus.errors import StoreError
from steinhaus.points import Int32, Int64
from steinhaus.study import files
from steinhaus.study.assignments import Assignments
from steinhaus.study.record import DataRecord

PIECES = "assignments.parquet"
_NAME = re.compile(rf"{re.escape(PIECES)}/(train|test)-[0-9]{{5,}}\.parquet")


@dataclass(frozen=True)
class Table:
    """The properties that all pieces of one part share."""

    folder: Path
    part: str  # "train" or "test"
    ks: tuple[int, ...]
    label_names: tuple[str, ...] | None


@dataclass(frozen=True)
class Members:
    """Some images of a part."""

    number: int  # the number of the piece
    place: Int64  # (m,) rows in the part
    index: Int64  # (m,) rows in the data before the split
    labels: Int64 | None  # (m,) indices of labels
    files: Sequence[str] | None


@dataclass(frozen=True)
class Piece:
    """A written piece."""

    name: str
    sha256: str
    counts: Mapping[int, Int64]  # K -> counts, clusters x labels; empty if there are no labels


def needed() -> None:
    """Raise StoreError if Parquet cannot be written."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise StoreError(
            f"{PIECES} is written as Parquet, which needs the package pyarrow: pip install 'steinhaus[parquet]'."
        ) from None


def write(table: Table, clusters: Int32, rows: Members) -> Piece:
    """Write a piece: index, part, place, label, file, and the clusters of each K, (number of K, m) int32."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "index": rows.index,
        "part": pa.array([table.part] * len(rows.index)),
        "place": rows.place,
    }
    if table.label_names is not None and rows.labels is not None:
        columns["label"] = pa.array(table.label_names, pa.string()).take(pa.array(rows.labels))
    if rows.files is not None:
        columns["file"] = pa.array(rows.files, pa.string())
    columns |= {f"k{k}": of_k for k, of_k in zip(table.ks, clusters, strict=True)}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    data = sink.getvalue().to_pybytes()
    name = f"{table.part}-{rows.number:05d}.parquet"
    files.write(table.folder / name, data)
    counts = {}
    if table.label_names is not None and rows.labels is not None:
        n_labels = len(table.label_names)
        counts = {
            k: naming.confusion(rows.labels, of_k, k, n_labels) for k, of_k in zip(table.ks, clusters, strict=True)
        }
    return Piece(f"{PIECES}/{name}", hashlib.sha256(data).hexdigest(), counts)


def names_of(digests: Iterable[str]) -> list[str]:
    """The names in a study's `files` that are pieces of its table."""
    return [name for name in digests if _NAME.fullmatch(name)]


def read(folder: Path, digests: Mapping[str, str], record: DataRecord, ks: tuple[int, ...], most: int) -> Assignments:
    """The clusters from the pieces, in the order of the split.

    Parameters
    ----------
    folder
        The folder of the study.
    digests
        Name in the folder -> sha256.
    most
        The most bytes per piece.

    Raises
    ------
    ValueError
        If they are not the pieces of this study's table.
    """
    needed()
    import pyarrow as pa
    import pyarrow.parquet as pq

    sizes = {"train": record.n_train, "test": record.n_test}
    found = {part: np.full((len(ks), n), -1, np.int32) for part, n in sizes.items()}
    for name in names_of(digests):
        data = files.read(folder / name, most)
        if hashlib.sha256(data).hexdigest() != digests[name]:
            raise ValueError(f"the sha256 of {name} is not the one in study.json")
        of_part = found[Path(name).name.split("-")[0]]
        try:
            opened = pq.ParquetFile(pa.BufferReader(data))
            if opened.metadata.num_rows > of_part.shape[1]:
                raise ValueError(f"{name} has more rows than there are images")
            table = opened.read(["place", *(f"k{k}" for k in ks)])
            place, *clusters = (table.column(number).to_numpy() for number in range(1 + len(ks)))
            of_part[:, place] = clusters
        except (pa.ArrowException, KeyError, IndexError, TypeError) as error:
            raise ValueError(f"{name} is not a piece of a table ({error})") from error
    for part, of_part in found.items():
        if (of_part < 0).any() or (of_part >= np.array(ks)[:, np.newaxis]).any():
            raise ValueError(f"it names a cluster that does not exist, or lacks images of the {part} part")
    train, test = (dict(zip(ks, found[part], strict=True)) for part in sizes)
    return Assignments(train, test if record.n_test else None)
