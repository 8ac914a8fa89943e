"""Read the rows of Parquet files as numbers, one row group at a time: lists, tensors, or several columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images import parquet_layout
from steinhaus.images.files import damage_named, shown
from steinhaus.images.labels import Int64
from steinhaus.images.parquet_files import opened, read_group
from steinhaus.images.parquet_layout import Layout


class ParquetStore:
    """The rows of some Parquet files, (n, d). See `stored.Store`."""

    def __init__(self, files: Sequence[Path], layout: Layout) -> None:
        self._files = tuple(files)
        self._layout = layout
        self.dtype = layout.dtype
        groups: list[tuple[int, int]] = []  # file, row group in it
        sizes: list[int] = []
        for place, file in enumerate(files):
            metadata = opened(file).metadata
            for group in range(metadata.num_row_groups):
                groups.append((place, group))
                sizes.append(metadata.row_group(group).num_rows)
        self._groups = tuple(groups)
        self.bounds: Int64 = np.cumsum([0, *sizes], dtype=np.int64)
        self.image = layout.shape  # the shape of one row's values, if they are lists
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
        """None: row groups have to be decoded. See `Store.view`."""

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
                f"{where}: column {nulls[0]} holds nulls, but every pixel must be a number. Fill them in, or leave "
                "these rows out."
            )
        if self._layout.kind == "wide":
            return np.stack([numbers_of(table.column(name)) for name in self._layout.columns], axis=1).astype(
                self.dtype
            )
        column = table.column(self._layout.columns[0]).combine_chunks()
        flat, shape = _flat(column, self._layout.columns[0], where)
        self.image = self.image or shape
        if shape != self.image and len(column):
            raise DataError(
                f"{where}: the lists of column {self._layout.columns[0]} must all hold {_sides(self.image)} numbers."
            )
        return np.asarray(flat, self.dtype).reshape(len(column), -1)


def numbers_of(column: Any) -> NDArray[Any]:
    """A column of numbers as an array (n,). Decimals become float64."""
    import pyarrow as pa

    return np.asarray((column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column).to_numpy())


def _flat(column: Any, name: str, where: str) -> tuple[NDArray[Any], tuple[int, ...]]:
    """The values of nested lists or tensors, and the shape of one row. All rows must have the same shape."""
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
            raise DataError(
                f"{where}: the lists of column {name} must all hold {sizes[0]} numbers, but some have other lengths."
            )
        inner = (*inner, *(sizes or [0]))
    if column.null_count:
        raise DataError(f"{where}: the lists of column {name} must hold numbers, but some hold nulls.")
    shape = shape or inner
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    if values.size != rows * math.prod(shape):
        raise DataError(f"{where}: the lists of column {name} must all hold {_sides(shape)} numbers.")
    return values, shape


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
