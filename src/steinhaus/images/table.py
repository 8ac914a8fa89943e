"""Tables of text (CSV): one image a line, `label,pixel0,...,pixel783`, with or without labels and a line of names."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.collection import Images
from steinhaus.images.files import Content, open_content, source_name
from steinhaus.images.limits import MEBIBYTE, Limits
from steinhaus.images.progress import Progress

_BLOCK = 4 * MEBIBYTE  # bytes of text parsed in one go
_DELIMITERS = (",", ";", "\t")
_LABEL_NAMES = ("label", "labels", "class", "target", "y", "digit")
_ROW_NUMBER_NAMES = ("", "id", "index", "imageid", "unnamed: 0")
_REFERENCE = 8  # bytes that a list or a dict takes for one of its items
_SMALLEST_SIDE = 4  # fewer than 16 columns are features, not a picture

_Line = tuple[int, str]  # number in the file, from 1, and text


@dataclass(frozen=True)
class _Layout:
    """How the lines of a table are to be read."""

    delimiter: str
    columns: int
    header: bool
    label: int | None  # column of the label

    @property
    def pixels(self) -> int:
        """The number of pixels of an image."""
        return self.columns - (self.label is not None)

    def parted(self, line: str) -> tuple[str, str]:
        """The label and the pixels of a line, as text."""
        if self.label is None:
            return "", line
        if self.label == 0:
            label, _, rest = line.partition(self.delimiter)
        elif self.label == self.columns - 1:
            rest, _, label = line.rpartition(self.delimiter)
        else:
            fields = line.split(self.delimiter)
            label = fields.pop(self.label) if self.label < len(fields) else ""
            rest = self.delimiter.join(fields)
        return _plain(label), rest


def read(
    path: Path,
    *,
    labels: str = "auto",
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read a table. Whole numbers 0..255 become uint8, anything else float64.

    Parameters
    ----------
    labels
        The column of labels: its name in the first line, "first", "last" or "none". "auto" takes a column named label,
        class, target, y or digit; else a first or last column of text; else, without a line of names, the first column
        if the others fill a square (785 = 1 + 28 x 28).
    shape
        The shape of one image. By default square numbers of pixels, from 16 on, become (side, side), others stay
        vectors.
    full_scale
        As in `Images.from_arrays`.

    Raises
    ------
    DataError
        With line and column, where a line has another number of columns or a pixel is no number.
    """
    with open_content(path, limits) as content:
        lines = _lines(content)
        top = [line for _, line in zip(range(2), lines, strict=False)]
        if not top:
            raise DataError(f"{content.name} holds only blank lines.")
        layout = _layout(top, labels, content.name)
        found: list[str] = []
        texts: dict[str, str] = {}  # each label once
        blocks: list[NDArray[Any]] = []
        held = 0
        for block in _blocks(top[1:] if layout.header else top, lines):
            parts = [layout.parted(line) for _, line in block]
            if layout.label is not None:
                new = {label for label, _ in parts} - texts.keys()
                texts.update(zip(new, new, strict=True))
                found.extend(texts[label] for label, _ in parts)
                held += _REFERENCE * len(parts) + sum(sys.getsizeof(label) + 2 * _REFERENCE for label in new)
            blocks.append(_parsed([rest for _, rest in parts], block, layout, content.name))
            held += blocks[-1].nbytes
            limits.check_memory(content.name, held)
        if "" in texts:
            raise DataError(
                f"{content.name}: the label of image {found.index('') + 1} is empty; every image needs one, or none."
            )
    pixels = np.concatenate(blocks)
    if pixels.dtype != np.uint8 and pixels.min() >= 0 and pixels.max() <= 255 and (pixels == np.trunc(pixels)).all():
        pixels = pixels.astype(np.uint8)
    return Images.from_arrays(
        pixels,
        None if layout.label is None else found,
        name=source_name(path),
        shape=shape or _square(layout.pixels),
        full_scale=full_scale,
    )


def _lines(content: Content) -> Iterator[_Line]:
    """The lines that are not blank, with their numbers."""
    number = 0
    while line := content.readline():
        number += 1
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise DataError(
                f"{content.name}, line {number}: this is not UTF-8 text. Save the table as UTF-8."
            ) from None
        if number == 1 and "\r" in text:
            raise DataError(f"{content.name}: its lines end in CR alone, as on old Macs. Save it with LF or CRLF.")
        if text and not text.isspace():
            yield number, text


def _blocks(first: list[_Line], lines: Iterator[_Line]) -> Iterator[list[_Line]]:
    """Lines in blocks of a few megabytes."""
    block, size = first, sum(len(text) for _, text in first)
    for line in lines:
        block.append(line)
        size += len(line[1])
        if size >= _BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _layout(top: list[_Line], labels: str, name: str) -> _Layout:
    """Tell from the first two lines how the table is to be read."""
    first = top[0][1]
    delimiter = max(_DELIMITERS, key=first.count)
    names = [_plain(field) for field in first.split(delimiter)]
    header = _is_header(names)
    if header and len(top) < 2:
        what = "a line of names, but no images" if len(names) > 1 else "one line of text"
        raise DataError(f"{name} holds {what}: {first[:60]!r}.")
    row = [_plain(field) for field in top[header][1].split(delimiter)]
    if header and _is_text(row):
        raise DataError(f"{name} is text, but no table of numbers: its second line is {top[1][1][:60]!r}.")
    label = _label_column(labels, names if header else None, row, name)
    layout = _Layout(delimiter, len(names), header, label)
    if layout.pixels < 1:
        raise DataError(f"{name} has a column of labels and no pixels.")
    for column, field in enumerate(names if header else []):
        if column != label and field.lower() in _ROW_NUMBER_NAMES:
            raise DataError(
                f'{name}: column {column + 1}, named "{field}", looks like row numbers, which are no pixels. Leave it '
                f"out of "
                f"the table, or rename it."
            )
    return layout


def _is_header(fields: list[str]) -> bool:
    """Whether a first line is names: mostly text, a known name of labels at an end, or the numbers 0, 1, 2, ..."""
    if len(fields) > 2 and fields == [str(column) for column in range(len(fields))]:
        return True
    return _is_text(fields) or {fields[0].lower(), fields[-1].lower()} & set(_LABEL_NAMES) != set()


def _is_text(fields: list[str]) -> bool:
    """Whether most fields are no numbers."""
    return 2 * sum(not _is_number(field) for field in fields) > len(fields)


def _label_column(labels: str, names: list[str] | None, row: list[str], name: str) -> int | None:
    columns = len(names or row)
    if names is not None and labels in names:
        return names.index(labels)
    if labels in ("none", "first", "last"):
        return {"none": None, "first": 0, "last": columns - 1}[labels]
    if labels != "auto":
        known = f"columns are {', '.join(names[:4])}, ..." if names else "first line holds no names"
        raise DataError(f'{name} has no column named {labels!r}: its {known}. Give a name, "first", "last" or "none".')
    known_names = [column for column, field in enumerate(names or []) if field.lower() in _LABEL_NAMES]
    if known_names:
        return known_names[0]
    for column in (0, columns - 1):
        if column < len(row) and row[column] and not _is_number(row[column]):
            return column
    return 0 if names is None and _square(columns - 1) and not _square(columns) else None


def _parsed(rows: list[str], block: list[_Line], layout: _Layout, name: str) -> NDArray[Any]:
    """Parse the pixels of a block, (m, d): uint8 where all are whole numbers 0..255, else float64."""
    for dtype in (np.uint8, np.float64):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # loadtxt warns where it reads "1.0" as an integer
                values = np.loadtxt(rows, dtype=dtype, delimiter=layout.delimiter, comments=None, ndmin=2)
        except (ValueError, Warning):
            continue
        if values.shape == (len(rows), layout.pixels) and (dtype == np.uint8 or np.isfinite(values).all()):
            return values
        break
    raise DataError(_fault(block, layout, name))


def _fault(block: list[_Line], layout: _Layout, name: str) -> str:
    """Say what is wrong with a block that cannot be parsed: the first fault, with its line and column."""
    for number, line in block:
        fields = line.split(layout.delimiter)
        if len(fields) != layout.columns:
            return f"{name}, line {number}: {len(fields):,} columns here, but {layout.columns:,} in the first line."
        for column, field in enumerate(fields):
            if column == layout.label:
                continue
            where = f"{name}, line {number}, column {column + 1}"
            if not field.strip():
                return f"{where}: the pixel is missing. Every image needs all {layout.pixels:,} pixels."
            if not _is_number(field):
                return f"{where}: {field.strip()[:40]!r} is not a number. Pixels are plain numbers, without quotes."
            if not math.isfinite(float(field)):
                return f"{where}: {field.strip()[:40]} is not finite. Replace or leave out such values."
    return f"{name}, lines {block[0][0]} to {block[-1][0]}: the numbers cannot be read."


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field


def _plain(field: str) -> str:
    """A field without spaces and quotes around it."""
    field = field.strip()
    return field[1:-1] if len(field) > 1 and field[0] == field[-1] and field[0] in "\"'" else field


def _square(pixels: int) -> tuple[int, ...] | None:
    side = math.isqrt(max(pixels, 0))
    return (side, side) if side >= _SMALLEST_SIDE and side * side == pixels else None
