"""Parquet files, one or a folder of them: rows as lists or as wide columns, or encoded pictures (a struct of bytes and
path).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.collection import Images
from steinhaus.images.encoded import Encoded, decode_all
from steinhaus.images.files import damage_named, shown, source_name
from steinhaus.images.labels import Int64
from steinhaus.images.limits import Limits
from steinhaus.images.parquet_files import Layout, check_sizes, column, layout_of, opened, read_group, shards
from steinhaus.images.pictures import Look
from steinhaus.images.progress import Progress
from steinhaus.images.staying import stored_images


class ParquetStore:
    """The rows of some Parquet files, (n, d). See `stored.Store`."""

    def __init__(self, files: Sequence[Path], layout: Layout) -> None:
        self._files = tuple(files)
        self._layout = layout
        self.dtype = layout.dtype
        groups: list[tuple[int, int]] = []  # file, row group within it
        sizes: list[int] = []
        for place, file in enumerate(files):
            metadata = opened(file).metadata
            for group in range(metadata.num_row_groups):
                groups.append((place, group))
                sizes.append(metadata.row_group(group).num_rows)
        self._groups = tuple(groups)
        self.bounds: Int64 = np.cumsum([0, *sizes], dtype=np.int64)
        self._d = layout.d or self._group(0).shape[1] if groups else layout.d
        self.shape = (int(self.bounds[-1]), self._d)

    def read(self, first: int, end: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """See `Store.read`."""
        out = np.empty((end - first, self._d), self.dtype) if out is None else out
        for group in self._between(first, end):
            start = int(self.bounds[group])
            stop = int(self.bounds[group + 1])
            low, high = max(first, start), min(end, stop)
            out[low - first : high - first] = self._group(group)[low - start : high - start]
        return out

    def view(self, first: int, end: int) -> None:
        """See `Store.view`: row groups are always decoded."""

    def pick(self, rows: Int64) -> NDArray[Any]:
        """See `Store.pick`."""
        out = np.empty((len(rows), self._d), self.dtype)
        groups = np.searchsorted(self.bounds, rows, side="right") - 1
        for group in np.unique(groups).tolist():
            chosen = groups == group
            out[chosen] = self._group(group)[rows[chosen] - self.bounds[group]]
        return out

    def _between(self, first: int, end: int) -> range:
        low = int(np.searchsorted(self.bounds, first, side="right")) - 1
        return range(low, int(np.searchsorted(self.bounds, end, side="left")))

    def _group(self, group: int) -> NDArray[Any]:
        """The rows of a row group, (m, d)."""
        place, number = self._groups[group]
        file = self._files[place]
        where = f"{shown(file)}, row group {number}"
        with damage_named(where, "Parquet"):
            return self._rows(read_group(file, number, self._layout.columns), where)

    def _rows(self, table: Any, where: str) -> NDArray[Any]:
        if nulls := [name for name in self._layout.columns if table.column(name).null_count]:
            raise DataError(
                f"{where}: column {nulls[0]} holds nulls; every pixel must be a number. Fill or leave them out."
            )
        if self._layout.kind == "wide":
            return np.stack([table.column(name).to_numpy() for name in self._layout.columns], axis=1).astype(self.dtype)
        column = table.column(self._layout.columns[0]).combine_chunks()
        flat = column.flatten()
        d = getattr(self, "_d", self._layout.d) or (len(flat) // max(1, len(column)))
        if (
            flat.null_count
            or len(flat) != d * len(column)
            or (flat and column.value_lengths().unique().to_pylist() != [d])
        ):
            raise DataError(f"{where}: the lists of column {self._layout.columns[0]} must all hold {d} numbers.")
        return np.asarray(flat.to_numpy(zero_copy_only=False), self.dtype).reshape(-1, d)


def read(
    path: Path,
    *,
    images: str | None = None,
    labels: Any = None,
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    stored: bool | None = None,
    mode: str | None = None,
    size: tuple[int, int] | None = None,
    fit: str = "crop",
    background: int = 0,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read a Parquet file or a folder of them, shard after shard in the natural order of their names.

    Parameters
    ----------
    images
        The column of pixels, a list or an encoded picture each; by default pixels, image, x, embedding or the like, or
        else all numeric columns but the label's.
    labels
        The column of labels; by default label, class, target, y or digit. False: none.
    shape, full_scale
        As in `Images.from_arrays`.
    stored
        Whether the pixels stay where they are and are read row group by row group. None: where they are over the
        limit of memory. Only uint8, float32 and float64 can; encoded pictures can't.
    mode, size, fit, background
        Of encoded pictures: see `folder.read`.

    Raises
    ------
    DataError
        With the shard, where one has other columns than the first or cannot be read.
    """
    files = shards(path)
    layout = layout_of(files, images, labels)
    check_sizes(files, layout, limits)
    given: dict[str, Any] = {"name": source_name(path), "shape": shape, "full_scale": full_scale}
    found = None if layout.label is None else column(files, layout.label)
    if layout.kind == "encoded":
        if stored:
            raise DataError(
                f"{shown(path)} holds encoded pictures, which are not decoded again and again. Import them first: "
                f"steinhaus data import {shown(path)} pictures.zarr"
            )
        look = Look(mode, size, fit, background)
        return decode_all(encoded(files, layout.columns[0], layout.label), look, source_name(path), limits, progress)
    store = ParquetStore(files, layout)
    n_bytes = store.shape[0] * store.shape[1] * store.dtype.itemsize
    image = (store.shape[1],)
    if not (n_bytes > limits.memory if stored is None else stored):
        limits.check_memory(shown(path), n_bytes)
        return Images.from_arrays(store.read(0, store.shape[0]), found, **given)
    return stored_images(store, image, found, **given)


def encoded(files: Sequence[Path], column: str, label: str | None) -> Iterator[Encoded]:
    """The encoded pictures of some files, one after the other."""
    for file in files:
        for group in range(opened(file).num_row_groups):
            table = read_group(file, group, [column, *([label] if label else [])])
            names = table.column(label).to_pylist() if label else [None] * len(table)
            for row, (picture, name) in enumerate(zip(table.column(column).to_pylist(), names, strict=True)):
                where = f"{file.name}, row group {group}, row {row}"
                yield Encoded(where, _content(picture, file, where), name)


def _content(picture: dict[str, Any] | None, file: Path, where: str) -> bytes | Path:
    """The bytes of a picture, or where they are: a file beside this one, or below."""
    if picture and picture["bytes"] is not None:
        return bytes(picture["bytes"])
    name = str(picture.get("path") or "") if picture else ""
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts:
        raise DataError(f"{where}: its picture is {shown(name)!r}, which points outside; no such file is opened.")
    return file.parent / place if name else b""
