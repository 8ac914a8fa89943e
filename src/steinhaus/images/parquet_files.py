"""The Parquet files of a set, their columns and their row groups."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images import parquet_layout
from steinhaus.images.arrow_files import arrow_file, is_arrow
from steinhaus.images.columns import Wanted
from steinhaus.images.files import damage_named, modest, open_regular, reading, shown
from steinhaus.images.limits import Limits
from steinhaus.images.parquet_layout import Layout, is_decimal
from steinhaus.images.parts import Part
from steinhaus.images.shards import ordered

_STRING = 100 << 20  # largest text and list in a footer: pyarrow's defaults
_ITEMS = 1_000_000


def shards(path: Path) -> list[tuple[Path, Part | None]]:
    """The Parquet or Arrow files of a path with their parts; in natural order, training files first."""
    return ordered(path, (".parquet", ".arrow", ".feather")) if path.is_dir() else [(path, None)]


def layout_of(
    files: Sequence[Path], images: str | None, labels: Any, wanted: Wanted, weights: str | int | None = None
) -> Layout:
    """Find the layout from the first file's schema, and check that the other files match it."""
    with damage_named(shown(files[0]), "Parquet"):
        schema = opened(files[0]).schema_arrow
        layout = parquet_layout.layout_of(schema, shown(files[0]), images, labels, wanted, weights)
    _check_alike(files, layout)
    return layout


def check_sizes(files: Sequence[Path], layout: Layout, limits: Limits) -> None:
    """Refuse row groups that are larger than allowed, or that declare negative sizes.

    The metadata of single columns are not read: pyarrow crashes the process if they are damaged.
    """
    for file in files:
        metadata = opened(file).metadata
        for number in range(metadata.num_row_groups):
            where = f"{shown(file)}, row group {number}"
            with damage_named(where, "Parquet"):
                group = metadata.row_group(number)
                rows, n_bytes = group.num_rows, group.total_byte_size
            if min(rows, n_bytes) < 0:
                raise DataError(f"{where}: it declares negative sizes: the file is damaged.")
            if (size := max(n_bytes, rows * max(1, layout.d) * layout.dtype.itemsize)) > limits.ratio_free:
                limits.check_memory(where, size)


def _check_alike(files: Sequence[Path], layout: Layout) -> None:
    """Refuse shards whose columns differ from those of the first."""
    first, schema = shown(files[0]), opened(files[0]).schema_arrow
    for file in files[1:]:
        there = opened(file).schema_arrow
        for name in (*layout.columns, *filter(None, (layout.label, layout.weight))):
            if name not in there.names:
                raise DataError(
                    f"{shown(file)} has no column {name}, which {first} has. All shards must have the same columns."
                )
            if there.field(name).type != schema.field(name).type:
                raise DataError(
                    f"{shown(file)}: column {name} is {there.field(name).type}, but {schema.field(name).type} in "
                    f"{first}. All shards must have the same columns."
                )


def column(files: Sequence[Path], name: str, what: str = "a label") -> NDArray[Any]:
    """The values of one column in all files."""
    values: list[NDArray[Any]] = []
    for file in files:
        for group in range(opened(file).num_row_groups):
            where = f"{shown(file)}, row group {group}"
            with damage_named(where, "Parquet"):
                column = read_group(file, group, [name]).column(name)
                if column.null_count:
                    raise DataError(f"{where}: column {name} holds nulls, but every image needs {what}.")
                values.append(column.cast("float64").to_numpy() if is_decimal(column.type) else column.to_numpy())
    return np.concatenate(values) if values else np.empty(0, np.int64)


def texts(file: Path, name: str) -> list[str | None]:
    """A column of text. Missing values are None."""
    with damage_named(shown(file), "Parquet"):
        return [
            text
            for group in range(opened(file).num_row_groups)
            for text in read_group(file, group, [name]).column(name).to_pylist()
        ]


def opened(file: Path) -> Any:
    """Open a Parquet file and read its schema."""
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise DataError(
            f"{shown(file)} is a Parquet file; reading it needs the package pyarrow: pip install 'steinhaus[parquet]'."
        ) from None
    with reading(file), open_regular(file) as opened_file:  # pyarrow would wait for a pipe
        size = max(1, os.fstat(opened_file.fileno()).st_size)
        head = opened_file.read(8)
    if is_arrow(head):
        with modest(shown(file)), damage_named(shown(file), "Arrow"):
            return arrow_file(file)
    with damage_named(shown(file), "Parquet"):
        return pq.ParquetFile(
            file,
            thrift_string_size_limit=min(size, _STRING),
            thrift_container_size_limit=min(size, _ITEMS),  # an item takes at least one byte
        )


def read_group(file: Path, group: int, columns: Sequence[str]) -> Any:
    """Some columns of a row group, as a table."""
    where = f"{shown(file)}, row group {group}"
    with damage_named(where, "Parquet"):
        whole = opened(file)
        declared = whole.metadata.row_group(group)
        try:
            table = whole.read_row_group(group, columns=list(columns))
        except MemoryError as error:  # a damaged page may declare any size
            np.empty(declared.total_byte_size, np.uint8)  # raises MemoryError if even the declared size is too large
            reason = f"it asks for more memory than it declares ({error}): the file is damaged"
            raise DataError(f"{where}: {reason}.") from None
        if len(table) != declared.num_rows:
            raise DataError(f"{where}: its number of rows is not the declared one: the file is damaged.")
        return table
