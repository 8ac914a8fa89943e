"""Read labels from a separate file: one per image in the order of the images, or one per file name."""

from __future__ import annotations

import importlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.cells import is_number, plain
from steinhaus.images.columns import LABELS
from steinhaus.images.files import open_content, shown
from steinhaus.images.limits import Limits
from steinhaus.images.sniffing import SUFFIXES, identify
from steinhaus.images.table_layout import USUAL, fields_of


@dataclass(frozen=True)
class Labels:
    """The content of a file of labels."""

    values: NDArray[Any]  # (n,) or (n, columns)
    files: Sequence[str] | None = None  # the picture of each label; None: labels are in the order of the images


def read(path: Path, limits: Limits) -> Labels:
    """The labels of a file: an IDX, .npy, .npz, Parquet or Arrow file, or a text file with one label per line.

    Raises
    ------
    DataError
        If the file holds no labels, or more than one column of them.
    """
    kind = identify(path, limits)
    if kind == "idx":
        from steinhaus.images import idx

        return Labels(idx.read_labels(path, limits))
    if kind == "npy":
        from steinhaus.images import npy

        return Labels(npy.array_of(path, limits))
    if kind == "npz":
        from steinhaus.images import npz

        return Labels(npz.only_array(path, limits))
    if kind in ("parquet", "arrow"):
        return _of_parquet(path)
    if kind == "csv":
        return _of_text(path, limits)
    raise DataError(
        f"{shown(path)} is a {kind}, not a file of labels. Give labels as an IDX, .npy, .npz, Parquet, Arrow or text "
        "file."
    )


def in_order(path: Path, labels: Labels, pictures: Sequence[str] | None) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The labels in the order of the images, and notes about them.

    Parameters
    ----------
    path
        The file of labels, for messages.
    pictures
        The file of each image, as in `Images.files`.

    Raises
    ------
    DataError
        If a picture has no label in the file, or several.
    """
    if labels.files is None:
        return labels.values, ()
    if pictures is None:
        return labels.values, (
            f"Labels are matched by their order in {shown(path)}, because the images have no file names.",
        )
    if (rows := rows_of(labels.files, pictures)) is not None:
        left = len(labels.files) - len(rows)
        note = (
            f"Left out: {left:,} of the {len(labels.files):,} labels of {shown(path)}, because the images do not "
            "include their files."
        )
        return labels.values[rows], (note,) if left else ()
    times = Counter(map(_name, labels.files))
    bad = next((file for file in pictures if times[_name(file)] != 1), pictures[0])
    many = "several labels" if times[_name(bad)] else "no label"
    raise DataError(
        f"{shown(path)} has {many} for {shown(bad)}. Name every picture once, by its path within the source. Or leave "
        "the names out, and give one label per image in the order of the images."
    )


def rows_of(files: Sequence[str], pictures: Sequence[str]) -> list[int] | None:
    """The row of each picture among these files, matched by path, or else by name.

    None if a picture has no row, or several.
    """
    keys: tuple[Callable[[str], str], ...] = (_path, _name)
    for key in keys:
        there = [key(file) for file in files]
        wanted = [key(file) for file in pictures]
        times = Counter(there)
        if len(set(wanted)) == len(wanted) and all(times[file] == 1 for file in wanted):
            rows = {file: row for row, file in enumerate(there)}
            return [rows[file] for file in wanted]
    return None


def _path(file: str) -> str:
    return unicodedata.normalize("NFC", file.replace("\\", "/").removeprefix("./"))


def _name(file: str) -> str:
    return _path(file).rpartition("/")[2]


def _of_parquet(path: Path) -> Labels:
    files = importlib.import_module("steinhaus.images.parquet_files")
    schema = files.opened(path).schema_arrow
    label = schema.names[_column(schema.names, path)]
    texts = [name for name in schema.names if name != label and str(schema.field(name).type).endswith("string")]
    found = {name: files.column([path], name, "a file").tolist() for name in texts}
    return Labels(np.asarray(files.column([path], label)), _files(found.values()))


def _of_text(path: Path, limits: Limits) -> Labels:
    """The labels of a text file, one per line; of a table with names, its label column or its only column."""
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
    delimiter = max(USUAL, key=lines[0].count) if lines else USUAL[0]
    first = [plain(field) for field in fields_of(lines[0], delimiter)] if lines else []
    if len(first) == 1:
        named = first[0].lower() in LABELS
        return Labels(np.array([plain(line) for line in lines[named:]], object))
    if not first or is_number(first[-1]):
        raise DataError(
            f"{shown(path)} has {len(first)} columns without names. A file of labels has one column, or a first line "
            "of names."
        )
    column = _column(first, path)
    rows = [fields_of(line, delimiter) for line in lines[1:]]
    if bad := next((place for place, row in enumerate(rows, 1) if len(row) != len(first)), None):
        raise DataError(
            f"{shown(path)}, line {bad + 1}: the number of columns is {len(rows[bad - 1])}, but there are "
            f"{len(first)} names."
        )
    columns = [[plain(row[place]) for row in rows] for place in range(len(first))]
    return Labels(np.array(columns.pop(column), object), _files(columns))


def _files(columns: Iterable[list[str]]) -> list[str] | None:
    """The first column that holds only names of picture files; None if there is none."""
    return next((each for each in columns if each and all(file.lower().endswith(SUFFIXES) for file in each)), None)


def _column(names: list[str], path: Path) -> int:
    """The position of the label column, found by its name; or the only column."""
    known = [place for place, name in enumerate(names) if name.lower() in LABELS]
    if len(known) == 1 or len(names) == 1:
        return known[0] if known else 0
    raise DataError(
        f"{shown(path)} has the columns {', '.join(names[:6])}, and it is not clear which holds labels. Name it label, "
        "or leave the others out."
    )
