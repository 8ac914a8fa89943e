"""Parquet files, one or a folder of them: rows as lists or as wide columns, or encoded pictures (a struct of bytes and
path).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.collection import Images
from steinhaus.images.encoded import Encoded, decode_all
from steinhaus.images.files import damage_named, natural, open_regular, reading, shown, source_name
from steinhaus.images.labels import Int64
from steinhaus.images.limits import Limits
from steinhaus.images.pictures import Look
from steinhaus.images.progress import Progress
from steinhaus.images.staying import stored_images

PIXELS = ("pixels", "image", "images", "img", "x", "data", "embedding", "embeddings", "vector")
LABELS = ("label", "labels", "class", "target", "y", "digit")


@dataclass(frozen=True)
class _Layout:
    """Which columns of a table are pixels, and how."""

    kind: str  # "list", "wide" or "encoded"
    columns: tuple[str, ...]
    d: int  # 0: known only when rows are read
    dtype: np.dtype[Any]
    label: str | None


class ParquetStore:
    """The rows of some Parquet files, (n, d). See `stored.Store`."""

    def __init__(self, files: Sequence[Path], layout: _Layout) -> None:
        self._files = tuple(files)
        self._layout = layout
        self.dtype = layout.dtype
        groups: list[tuple[int, int]] = []  # file, row group within it
        sizes: list[int] = []
        for place, file in enumerate(files):
            metadata = _opened(file).metadata
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
            return self._rows(_read(file, number, self._layout.columns), where)

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
    _check_sizes(files, layout, limits)
    given: dict[str, Any] = {"name": source_name(path), "shape": shape, "full_scale": full_scale}
    found = None if layout.label is None else _column(files, layout.label)
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
        for group in range(_opened(file).num_row_groups):
            table = _read(file, group, [column, *([label] if label else [])])
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


def shards(path: Path) -> list[Path]:
    """The Parquet files of a path, in natural order."""
    if not path.is_dir():
        return [path]
    names = [name for name in os.listdir(path) if name.endswith(".parquet") and not name.startswith((".", "_"))]
    return [path / name for name in sorted(names, key=natural)]


def layout_of(files: Sequence[Path], images: str | None, labels: Any) -> _Layout:
    """Tell by the first file's schema what is what, and hold the others against it."""
    with damage_named(shown(files[0]), "Parquet"):
        layout = _layout(_opened(files[0]).schema_arrow, shown(files[0]), images, labels)
    _check_alike(files, layout)
    return layout


def _layout(schema: Any, first: str, images: str | None, labels: Any) -> _Layout:
    import pyarrow as pa

    label = labels if isinstance(labels, str) else None
    for name in (images, label):
        if name is not None and name not in schema.names:
            raise DataError(f"{first} has no column {name!r}; it has {', '.join(schema.names[:8])}.")
    if label is None and labels is not False:
        label = next((name for name in schema.names if name.lower() in LABELS), None)
    others = [name for name in schema.names if name != label]
    chosen = images or next(
        (name for name in others if name.lower() in PIXELS and _is_nested(schema.field(name).type)), None
    )
    if chosen is None and len(others) == 1 and _is_nested(schema.field(others[0]).type):
        chosen = others[0]
    if chosen is None:
        columns = tuple(
            name
            for name in others
            if pa.types.is_integer(kind := schema.field(name).type) or pa.types.is_floating(kind)
        )
        if not columns:
            raise DataError(
                f"{first} has no column of pixels; it has {', '.join(schema.names[:8])}. Name it: images=..."
            )
        dtype = np.result_type(*(schema.field(name).type.to_pandas_dtype() for name in columns))
        layout = _Layout("wide", columns, len(columns), dtype, label)
    elif pa.types.is_struct(kind := schema.field(chosen).type):
        if "bytes" not in {kind.field(place).name for place in range(kind.num_fields)}:
            raise DataError(
                f"{first}: column {chosen} is a struct without bytes; pictures are a struct of bytes and path."
            )
        layout = _Layout("encoded", (chosen,), 0, np.dtype(np.uint8), label)
    elif _is_nested(kind):
        if (d := getattr(kind, "list_size", 0)) < 0:
            raise DataError(f"{first}: column {chosen} declares lists of {d:,} values: the file is damaged.")
        layout = _Layout("list", (chosen,), d, np.dtype(kind.value_type.to_pandas_dtype()), label)
    else:
        raise DataError(f"{first}: column {chosen} holds {kind}, neither lists of numbers nor pictures.")
    return layout


def _check_sizes(files: Sequence[Path], layout: _Layout, limits: Limits) -> None:
    """Refuse row groups that take more memory than allowed, or that declare fewer than no rows.

    What a group says of its columns is not asked: pyarrow ends the process where that is damaged.
    """
    for file in files:
        metadata = _opened(file).metadata
        for number in range(metadata.num_row_groups):
            where = f"{shown(file)}, row group {number}"
            with damage_named(where, "Parquet"):
                group = metadata.row_group(number)
                rows, n_bytes = group.num_rows, group.total_byte_size
            if min(rows, n_bytes) < 0:
                raise DataError(f"{where}: it declares sizes below 0: the file is damaged.")
            if (size := max(n_bytes, rows * max(1, layout.d) * layout.dtype.itemsize)) > limits.ratio_free:
                limits.check_memory(where, size)


def _check_alike(files: Sequence[Path], layout: _Layout) -> None:
    """Refuse shards whose columns are not those of the first."""
    first, schema = shown(files[0]), _opened(files[0]).schema_arrow
    for file in files[1:]:
        there = _opened(file).schema_arrow
        for name in (*layout.columns, *([layout.label] if layout.label else [])):
            if name not in there.names:
                raise DataError(
                    f"{shown(file)} has no column {name}, which {first} has. All shards must have the same columns."
                )
            if there.field(name).type != schema.field(name).type:
                raise DataError(
                    f"{shown(file)}: column {name} is {there.field(name).type}, but {schema.field(name).type} in "
                    f"{first}. All shards must have the same columns."
                )


def _is_nested(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_struct(kind)
        or pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
    )


def _column(files: Sequence[Path], name: str) -> NDArray[Any]:
    """A column of labels, over all files."""
    values: list[NDArray[Any]] = []
    for file in files:
        for group in range(_opened(file).num_row_groups):
            where = f"{shown(file)}, row group {group}"
            with damage_named(where, "Parquet"):
                column = _read(file, group, [name]).column(name)
                if column.null_count:
                    raise DataError(f"{where}: column {name} holds nulls; every image needs a label.")
                values.append(column.to_numpy())
    return np.concatenate(values) if values else np.empty(0, np.int64)


def _opened(file: Path) -> Any:
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise DataError(
            f"{shown(file)} is a Parquet file; reading it needs the package pyarrow: pip install 'steinhaus[parquet]'."
        ) from None
    with reading(file), open_regular(file):  # a pipe would be waited for
        pass
    with damage_named(shown(file), "Parquet"):
        return pq.ParquetFile(file)


def _read(file: Path, group: int, columns: Sequence[str]) -> Any:
    where = f"{shown(file)}, row group {group}"
    with damage_named(where, "Parquet"):
        opened = _opened(file)
        table = opened.read_row_group(group, columns=list(columns))
        if len(table) != opened.metadata.row_group(group).num_rows:
            raise DataError(f"{where}: it holds another number of rows than it declares: the file is damaged.")
        return table
