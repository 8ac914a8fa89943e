"""Parquet files, one or a folder of them.

Rows are lists, wide columns, or encoded pictures (a struct of bytes and path).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images import columns as of_table
from steinhaus.images import parquet_layout
from steinhaus.images.collection import Images
from steinhaus.images.columns import Wanted
from steinhaus.images.encoded import Encoded, decode_all
from steinhaus.images.files import damage_named, shown, source_name
from steinhaus.images.labels import Int64
from steinhaus.images.limits import Limits
from steinhaus.images.parquet_files import check_sizes, column, layout_of, opened, read_group, shards
from steinhaus.images.parquet_layout import Layout
from steinhaus.images.parts import ORDER, Part, given, one_part
from steinhaus.images.pictures import Look
from steinhaus.images.progress import Progress
from steinhaus.images.staying import stored_images
from steinhaus.wording import option


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
        self.image = layout.shape  # of a row's values, where they are lists
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
        flat, shape = _flat(column, self._layout.columns[0], where)
        self.image = self.image or shape
        if shape != self.image and len(column):
            raise DataError(
                f"{where}: the lists of column {self._layout.columns[0]} must all hold {_sides(self.image)} numbers."
            )
        return np.asarray(flat, self.dtype).reshape(len(column), -1)


def _flat(column: Any, name: str, where: str) -> tuple[NDArray[Any], tuple[int, ...]]:
    """The values of nested lists or tensors, and the shape of one row; all rows must have one."""
    import pyarrow as pa

    rows = len(column)
    shape: tuple[int, ...] = ()
    if isinstance(column.type, pa.BaseExtensionType):
        shape = parquet_layout.values_of(column.type)[1]
        column = column.storage
    inner: tuple[int, ...] = ()
    while hasattr(column.type, "value_type") and not isinstance(column.type, pa.DictionaryType):
        lists = len(column)
        sizes = column.value_lengths().unique().to_pylist()
        column = column.flatten()
        if len(sizes) > 1 or (sizes and (sizes[0] is None or sizes[0] * lists != len(column))):
            raise DataError(f"{where}: the lists of column {name} must all hold {sizes[0]} numbers; some hold others.")
        inner = (*inner, *(sizes or [0]))
    if column.null_count:
        raise DataError(f"{where}: the lists of column {name} must all hold numbers; some hold nulls.")
    shape = shape or inner
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    if values.size != rows * math.prod(shape):
        raise DataError(f"{where}: the lists of column {name} must all hold {_sides(shape)} numbers.")
    return values, shape


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def read(
    path: Path,
    *,
    images: str | None = None,
    labels: Any = None,
    columns: str | Sequence[str | int] | None = None,
    without: Sequence[str | int] = (),
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
        The column of pixels, a list, a tensor or an encoded picture each; by default one called pixels, image, x,
        embedding or the like, or the only one that may be; or else all columns of numbers but the label's.
    labels
        The column of labels, by name or number; by default label, class, target, y or digit, or the one of which the
        file says that it holds classes. "none": none.
    columns, without
        See `table.read`.
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
    pairs = shards(path)
    files = [file for file, _ in pairs]
    wanted = Wanted(columns, without)
    layout = layout_of(files, images, labels, wanted)
    check_sizes(files, layout, limits)
    if layout.kind == "encoded":
        if stored:
            raise DataError(
                f"{shown(path)} holds encoded pictures, which are not decoded again and again. Import them first: "
                f"steinhaus data import {shown(path)} pictures.zarr"
            )
        look = Look(mode, size, fit, background)
        found = decode_all(
            encoded(pairs, layout.columns[0], layout.label), look, source_name(path), limits, progress,
            label_names=layout.label_names,
        )  # fmt: skip
        return replace(found, notes=(*layout.notes, *found.notes))
    if layout.kind == "wide" and not layout.asked:
        layout = features(files, layout)
    labelled = None if layout.label is None else column(files, layout.label)
    store = ParquetStore(files, layout)
    given_train, given_val, notes = _split(pairs)
    names = layout.columns if layout.kind == "wide" else None
    image = tuple(store.image) if layout.kind == "list" else (store.shape[1],)
    shape = shape or (of_table.picture_shape(names, store.shape[1]) if names is not None else None)
    plain = names is None or of_table.are_pixels(names, shape)
    given: dict[str, Any] = {
        "name": source_name(path), "shape": shape or image, "label_names": layout.label_names,
        "full_scale": full_scale if plain or full_scale is not None else 1.0, "given_train": given_train,
        "given_val": given_val, "columns": None if plain else names, "notes": [*layout.notes, *notes],
    }  # fmt: skip
    n_bytes = store.shape[0] * store.shape[1] * store.dtype.itemsize
    if not (n_bytes > limits.memory if stored is None else stored):
        limits.check_memory(shown(path), n_bytes)
        made = Images.from_arrays(store.read(0, store.shape[0]), labelled, **given)
        hint = None if names is None or plain else of_table.apart(names, made.pixels)
        return made if hint is None else replace(made, notes=(*made.notes, hint))
    return stored_images(store, image, labelled, **given)


def features(files: Sequence[Path], layout: Layout) -> Layout:
    """The columns of numbers without those that number the rows, each with a word."""
    if of_table.are_numbered(layout.columns):
        return layout
    kept, notes = list(layout.columns), list(layout.notes)
    for name in layout.columns:
        kind = opened(files[0]).schema_arrow.field(name).type
        if of_table.identifies(name) is False and not str(kind).startswith(("int", "uint")):
            continue
        if (note := of_table.check_identifier(name, column(files, name, "a number"), shown(files[0]))) is not None:
            kept.remove(name)
            notes.append(note)
    if (note := of_table.clustered_labels(kept)) is not None:
        notes.append(note)
    if not kept:
        raise DataError(
            f"{shown(files[0])}: no column is left to cluster. Name those that are features: {option('columns', '...')}"
        )
    kinds = [opened(files[0]).schema_arrow.field(name).type.to_pandas_dtype() for name in kept]
    return replace(layout, columns=tuple(kept), shape=(len(kept),), dtype=np.result_type(*kinds), notes=tuple(notes))


def _split(pairs: Sequence[tuple[Path, Part | None]]) -> tuple[int | None, int, tuple[str, ...]]:
    """The source's own split, by the rows of the files of each part."""
    parts = [part for _, part in pairs if part is not None]
    if not parts:
        return None, 0, ()
    sizes = [0, 0, 0]
    for file, part in pairs:
        sizes[ORDER.index(part or "train")] += opened(file).metadata.num_rows
    return *given(sizes), one_part(parts)


def encoded(files: Sequence[tuple[Path, Part | None]], column: str, label: str | None) -> Iterator[Encoded]:
    """The encoded pictures of some files, one after the other."""
    for file, part in files:
        for group in range(opened(file).num_row_groups):
            table = read_group(file, group, [column, *([label] if label else [])])
            with damage_named(f"{shown(file)}, row group {group}", "Parquet"):
                names = table.column(label).to_pylist() if label else [None] * len(table)
                pictures = table.column(column).to_pylist()
            for row, (picture, name) in enumerate(zip(pictures, names, strict=True)):
                where = f"{file.name}, row group {group}, row {row}"
                yield Encoded(where, _content(picture, file, where), name, part)


def _content(picture: dict[str, Any] | bytes | None, file: Path, where: str) -> bytes | Path:
    """The bytes of a picture, or where they are: a file beside this one, or below."""
    if isinstance(picture, bytes):
        return picture
    if picture and picture["bytes"] is not None:
        return bytes(picture["bytes"])
    name = str(picture.get("path") or "") if picture else ""
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts:
        raise DataError(f"{where}: its picture is {shown(name)!r}, which points outside; no such file is opened.")
    return file.parent / place if name else b""
