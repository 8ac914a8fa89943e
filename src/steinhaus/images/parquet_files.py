"""Parquet files: which belong to a set, what their columns are, and their row groups."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.files import damage_named, natural, open_regular, reading, shown
from steinhaus.images.limits import Limits

PIXELS = ("pixels", "image", "images", "img", "x", "data", "embedding", "embeddings", "vector")
LABELS = ("label", "labels", "class", "target", "y", "digit")
_STRING = 100 << 20  # bytes of a text in a footer, and items of a list in it, as pyarrow has them by itself
_ITEMS = 1_000_000


@dataclass(frozen=True)
class Layout:
    """Which columns of a table are pixels, and how."""

    kind: str  # "list", "wide" or "encoded"
    columns: tuple[str, ...]
    d: int  # 0: known only when rows are read
    dtype: np.dtype[Any]
    label: str | None


def shards(path: Path) -> list[Path]:
    """The Parquet files of a path, in natural order."""
    if not path.is_dir():
        return [path]
    names = [name for name in os.listdir(path) if name.endswith(".parquet") and not name.startswith((".", "_"))]
    return [path / name for name in sorted(names, key=natural)]


def layout_of(files: Sequence[Path], images: str | None, labels: Any) -> Layout:
    """Tell by the first file's schema what is what, and hold the others against it."""
    with damage_named(shown(files[0]), "Parquet"):
        layout = _layout(opened(files[0]).schema_arrow, shown(files[0]), images, labels)
    _check_alike(files, layout)
    return layout


def _layout(schema: Any, first: str, images: str | None, labels: Any) -> Layout:
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
        layout = Layout("wide", columns, len(columns), dtype, label)
    elif pa.types.is_struct(kind := schema.field(chosen).type):
        if "bytes" not in {kind.field(place).name for place in range(kind.num_fields)}:
            raise DataError(
                f"{first}: column {chosen} is a struct without bytes; pictures are a struct of bytes and path."
            )
        layout = Layout("encoded", (chosen,), 0, np.dtype(np.uint8), label)
    elif _is_nested(kind):
        if (d := getattr(kind, "list_size", 0)) < 0:
            raise DataError(f"{first}: column {chosen} declares lists of {d:,} values: the file is damaged.")
        layout = Layout("list", (chosen,), d, np.dtype(kind.value_type.to_pandas_dtype()), label)
    else:
        raise DataError(f"{first}: column {chosen} holds {kind}, neither lists of numbers nor pictures.")
    return layout


def check_sizes(files: Sequence[Path], layout: Layout, limits: Limits) -> None:
    """Refuse row groups that take more memory than allowed, or that declare fewer than no rows.

    What a group says of its columns is not asked: pyarrow ends the process where that is damaged.
    """
    for file in files:
        metadata = opened(file).metadata
        for number in range(metadata.num_row_groups):
            where = f"{shown(file)}, row group {number}"
            with damage_named(where, "Parquet"):
                group = metadata.row_group(number)
                rows, n_bytes = group.num_rows, group.total_byte_size
            if min(rows, n_bytes) < 0:
                raise DataError(f"{where}: it declares sizes below 0: the file is damaged.")
            if (size := max(n_bytes, rows * max(1, layout.d) * layout.dtype.itemsize)) > limits.ratio_free:
                limits.check_memory(where, size)


def _check_alike(files: Sequence[Path], layout: Layout) -> None:
    """Refuse shards whose columns are not those of the first."""
    first, schema = shown(files[0]), opened(files[0]).schema_arrow
    for file in files[1:]:
        there = opened(file).schema_arrow
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


def column(files: Sequence[Path], name: str) -> NDArray[Any]:
    """A column of labels, over all files."""
    values: list[NDArray[Any]] = []
    for file in files:
        for group in range(opened(file).num_row_groups):
            where = f"{shown(file)}, row group {group}"
            with damage_named(where, "Parquet"):
                column = read_group(file, group, [name]).column(name)
                if column.null_count:
                    raise DataError(f"{where}: column {name} holds nulls; every image needs a label.")
                values.append(column.to_numpy())
    return np.concatenate(values) if values else np.empty(0, np.int64)


def opened(file: Path) -> Any:
    """A Parquet file, its schema read."""
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise DataError(
            f"{shown(file)} is a Parquet file; reading it needs the package pyarrow: pip install 'steinhaus[parquet]'."
        ) from None
    with reading(file), open_regular(file) as opened_file:  # a pipe would be waited for
        size = max(1, os.fstat(opened_file.fileno()).st_size)
    with damage_named(shown(file), "Parquet"):
        return pq.ParquetFile(
            file,
            thrift_string_size_limit=min(size, _STRING),
            thrift_container_size_limit=min(size, _ITEMS),  # each takes a byte at least
        )


def read_group(file: Path, group: int, columns: Sequence[str]) -> Any:
    """Some columns of a row group, as a table."""
    where = f"{shown(file)}, row group {group}"
    with damage_named(where, "Parquet"):
        whole = opened(file)
        declared = whole.metadata.row_group(group)
        try:
            table = whole.read_row_group(group, columns=list(columns))
        except MemoryError as error:  # a page may ask for any size
            np.empty(declared.total_byte_size, np.uint8)  # MemoryError, if what was declared is already too much
            reason = f"it asks for more memory than it declares ({error}): the file is damaged"
            raise DataError(f"{where}: {reason}.") from None
        if len(table) != declared.num_rows:
            raise DataError(f"{where}: it holds another number of rows than it declares: the file is damaged.")
        return table
