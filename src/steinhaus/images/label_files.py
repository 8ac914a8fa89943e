"""Labels in a file of their own: one an image, in the order of the images; or beside the names of their files."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.columns import LABELS
from steinhaus.images.files import natural, open_content, shown
from steinhaus.images.limits import Limits
from steinhaus.images.sniffing import identify


def read(path: Path, limits: Limits) -> NDArray[Any]:
    """The labels of a file: an IDX, .npy, .npz or Parquet file, or one of text, a label a line.

    Raises
    ------
    DataError
        Where it holds no labels, or more than one column of them.
    """
    kind = identify(path, limits)
    if kind == "idx":
        from steinhaus.images import idx

        return idx.read_labels(path, limits)
    if kind == "npy":
        from steinhaus.images import npy

        return npy.array_of(path, limits)
    if kind == "npz":
        from steinhaus.images import npz

        return npz.only_array(path, limits)
    if kind in ("parquet", "arrow"):
        return _of_parquet(path)
    if kind == "csv":
        return _of_text(path, limits)
    raise DataError(
        f"{shown(path)} is a {kind}, and no file of labels: an IDX, .npy, .npz, Parquet, Arrow or text file."
    )


def _of_parquet(path: Path) -> NDArray[Any]:
    files = importlib.import_module("steinhaus.images.parquet_files")
    names = files.opened(path).schema_arrow.names
    return np.asarray(files.column([path], names[_column(names, path)]))


def _of_text(path: Path, limits: Limits) -> NDArray[Any]:
    """Labels of a text, a line each; of a table with names those of its column of labels, or of its only one."""
    from steinhaus.images.table_layout import is_number

    lines: list[str] = []
    held = 0
    with open_content(path, limits) as content:
        while line := content.readline():
            try:
                lines.append(line.decode("utf-8-sig" if not lines else "utf-8").strip())
            except UnicodeDecodeError:
                raise DataError(f"{content.name}, line {len(lines) + 1}: this is not UTF-8 text.") from None
            held += len(line) + 64
            limits.check_memory(content.name, held)
    while lines and not lines[-1]:
        lines.pop()
    first = [field.strip().strip("\"'") for field in lines[0].split(",")] if lines else []
    if len(first) == 1:
        named = first[0].lower() in LABELS
        return np.array(lines[named:], object)
    if not first or is_number(first[-1]):
        raise DataError(
            f"{shown(path)} has {len(first)} columns and no names; a file of labels has one, or a first line of names."
        )
    column = _column(first, path)
    rows = [line.split(",") for line in lines[1:]]
    if bad := next((place for place, row in enumerate(rows) if len(row) != len(first)), None):
        raise DataError(f"{shown(path)}, line {bad + 2}: {len(rows[bad])} columns here, but {len(first)} names.")
    labels = [row[column].strip().strip("\"'") for row in rows]
    names = {str(place): [row[place].strip().strip("\"'") for row in rows] for place in range(len(first))}
    files = next((held for place, held in names.items() if int(place) != column and _are_files(held)), None)
    if files is not None:  # in the order in which a folder of these files is read
        return np.array([labels[row] for row in sorted(range(len(files)), key=lambda row: _order(files[row]))], object)
    return np.array(labels, object)


def _are_files(values: list[str]) -> bool:
    from steinhaus.images.sniffing import SUFFIXES

    return bool(values) and all(value.lower().endswith(SUFFIXES) for value in values)


def _order(file: str) -> list[Any]:
    return [natural(part) for part in file.replace("\\", "/").split("/")]


def _column(names: list[str], path: Path) -> int:
    """The column of labels: by its name, or the only one there is."""
    known = [place for place, name in enumerate(names) if name.lower() in LABELS]
    if len(known) == 1 or len(names) == 1:
        return known[0] if known else 0
    raise DataError(
        f"{shown(path)} has the columns {', '.join(names[:6])}; which of them holds labels cannot be told. Call it "
        f"label, or leave the others out."
    )
