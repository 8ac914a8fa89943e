"""Text tables (CSV): one image or point per line, with or without labels and a line of names."""

from __future__ import annotations

import math
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images import columns as of_table
from steinhaus.images import table_labels
from steinhaus.images.cells import is_missing, is_number, plain
from steinhaus.images.collection import Images
from steinhaus.images.columns import Wanted
from steinhaus.images.files import Content, open_content, source_name
from steinhaus.images.limits import MEBIBYTE, Limits
from steinhaus.images.progress import Progress
from steinhaus.images.table_labels import Raw
from steinhaus.images.table_layout import Layout, Line, layout_of
from steinhaus.wording import option

_BLOCK = 4 * MEBIBYTE  # bytes of text parsed at once
_REFERENCE = 8  # bytes per item of a list or dict


def read(
    path: Path,
    *,
    labels: str | int | bool | None = None,
    columns: str | Sequence[str | int] | None = None,
    without: Sequence[str | int] = (),
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    header: bool | None = None,
    weights: str | int | None = None,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read a table. Whole numbers 0..255 become uint8, all other numbers float64.

    Parameters
    ----------
    labels
        The column of labels: its name, its number (from 0), "first", "last" or "none". Default: a column named label,
        class, target, digit or y (unless there is an x); else a first or last column of text. If the columns have no
        names and all but one fill a square (785 = 1 + 28 x 28): the first or the last, if only one of them holds
        classes.
    columns
        The columns to cluster, by name or number, or "all". Default: all columns of numbers except those that number
        the rows.
    without
        Columns to leave out. Default: none.
    shape
        The shape of one image. Default: (side, side) if the columns have no names and their number is a square of at
        least 16; else rows stay vectors.
    full_scale
        As in `Images.from_arrays`. Default for columns with names: 1, because they have units of their own.
    header
        Whether the first line holds names. Default: found from the line itself.
    weights
        The column of weights, by name or number. Default: no weights.

    Raises
    ------
    DataError
        If a line has another number of columns, or a value is not a number. The message names line and column.
    """
    wanted = Wanted(columns, without)
    with open_content(path, limits) as content:
        name = content.name
        lines = _lines(content)
        top = [line for _, line in zip(range(2), lines, strict=False)]
        if not top:
            raise DataError(f"{name} holds only blank lines.")
        layout = layout_of(top, labels, wanted, name, header=header, weights=weights)
        raw = _read(_blocks(top[1:] if layout.header else top, lines), layout, name, limits)
    if layout.square:
        raw, layout = table_labels.ends(raw, layout, name)
    elif labels is None and layout.names is not None and layout.label is not None:
        table_labels.check_classes(raw.labels, layout.names[layout.label], name)
    raw = table_labels.without_names(raw, layout)
    if labels is None and not layout.square:
        raw = table_labels.words_about(raw, layout)
    raw = _chosen(raw, layout, wanted, name)
    pixels, names = raw.values, raw.names
    if pixels.dtype != np.uint8 and pixels.min() >= 0 and pixels.max() <= 255 and of_table.is_whole(pixels):
        pixels = pixels.astype(np.uint8)
    shape = shape or of_table.picture_shape(names, pixels.shape[1])
    plain = of_table.are_pixels(names, shape)
    hints = []
    if names is not None and not plain:
        hints = [*of_table.words_about(names, pixels), *filter(None, [of_table.apart(names, pixels)])]
    return Images.from_arrays(
        pixels,
        raw.labels,
        name=source_name(path),
        shape=shape,
        full_scale=full_scale if plain or full_scale is not None or names is None else 1.0,
        columns=None if plain or names is None else names,
        notes=[*raw.notes, *hints],
        weights=raw.weights,
    )


def _read(blocks: Iterator[list[Line]], layout: Layout, name: str, limits: Limits) -> Raw:
    """Parse all lines, within the memory limit."""
    found: list[str] = []
    texts: dict[str, str] = {}  # each label once
    parsed: list[NDArray[Any]] = []
    held = 0
    for block in blocks:
        parts = [layout.parted(line) for _, line in block]
        if layout.label is not None:
            new = {label for label, _ in parts} - texts.keys()
            texts.update(zip(new, new, strict=True))
            found.extend(texts[label] for label, _ in parts)
            held += _REFERENCE * len(parts) + sum(sys.getsizeof(label) + 2 * _REFERENCE for label in new)
        parsed.append(_parsed([rest for _, rest in parts], block, layout, name))
        held += parsed[-1].nbytes
        limits.check_memory(name, held)
    names = None if layout.names is None else tuple(layout.names[column] for column in layout.features)
    notes = [] if layout.label is None else table_labels.checked(texts, found, name)
    if layout.text:
        listed = ", ".join(f'"{layout.name(column)}"' for column in sorted(layout.text))
        holds = "column {}, which holds text" if len(layout.text) == 1 else "columns {}, which hold text"
        notes.append(f"Left out: {holds.format(listed)}.")
    return Raw(np.concatenate(parsed), names, None if layout.label is None else found, notes=notes)


def _chosen(raw: Raw, layout: Layout, wanted: Wanted, name: str) -> Raw:
    """Keep only the features."""
    names, values = raw.names, raw.values
    known = layout.names or tuple(str(column) for column in range(layout.columns))
    place = {column: place for place, column in enumerate(layout.features)}  # in `values`
    asked = wanted.by_name(known, name)
    out = wanted.left_out(known, name)
    if (bad := next((column for column in asked if column not in place and column not in out), None)) is not None:
        what = "is the label" if bad == layout.label and not layout.by_text else "holds text"
        raise DataError(f'{name}: column "{known[bad]}" {what}, so it cannot be a feature.')
    notes = list(raw.notes)
    one_by_one = wanted.columns is not None and wanted.columns != "all"
    columns = [column for column in (asked if one_by_one else layout.features) if column not in out]
    if layout.weight is not None:
        raw = replace(raw, weights=values[:, place[layout.weight]])
        columns = [column for column in columns if column != layout.weight]
    if wanted.columns is None and (names is None or not of_table.are_numbered(names)):
        for column in list(columns):
            if names is None and (column or of_table.square(len(place))):
                continue  # without names, only a first column may number the rows
            note = of_table.check_identifier(known[column], values[:, place[column]], name)
            if note is not None:
                columns.remove(column)
                notes.append(note)
        if names is not None and (note := of_table.clustered_labels([known[column] for column in columns])):
            notes.append(note)
    kept = [place[column] for column in columns]
    if not kept:
        raise DataError(f"{name}: no column is left to cluster. Name the features: {option('columns', '...')}")
    if kept == list(range(len(place))):
        return replace(raw, notes=notes)
    chosen = np.ascontiguousarray(values[:, kept])
    return replace(raw, values=chosen, names=None if names is None else tuple(names[c] for c in kept), notes=notes)


def _lines(content: Content) -> Iterator[Line]:
    """Yield the lines that are not blank, with their numbers."""
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
            raise DataError(f"{content.name}: its lines end in CR only, as on old Macs. Save it with LF or CRLF.")
        if text and not text.isspace() and not (number == 1 and re.fullmatch("sep=.", text)):  # Excel writes this line
            yield number, text


def _blocks(first: list[Line], lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Yield lines in blocks of a few megabytes."""
    block, size = first, sum(len(text) for _, text in first)
    for line in lines:
        block.append(line)
        size += len(line[1])
        if size >= _BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _parsed(rows: list[str], block: list[Line], layout: Layout, name: str) -> NDArray[Any]:
    """Parse the pixels of a block, (m, d): uint8 if all are whole numbers 0..255, else float64."""
    for dtype in (np.uint8, np.float64):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # loadtxt warns if it reads "1.0" as an integer
                values = np.loadtxt(rows, dtype=dtype, delimiter=layout.delimiter, comments=None, ndmin=2)
        except (ValueError, Warning):
            continue
        if values.shape == (len(rows), len(layout.features)) and (dtype == np.uint8 or np.isfinite(values).all()):
            return values
        break
    raise DataError(_fault(block, layout, name))


def _fault(block: list[Line], layout: Layout, name: str) -> str:
    """The message for a block that cannot be parsed: its first fault, with line and column."""
    for number, line in block:
        fields = layout.fields(line)
        if len(fields) != layout.columns:
            counts = f"the number of columns is {len(fields):,}, but the first line has {layout.columns:,}"
            return f"{name}, line {number}: {counts}."
        for column, text in enumerate(fields):
            if column not in layout.features:
                continue
            if (wrong := _wrong(text)) is not None:
                where, way = f"{name}, line {number}, column {column + 1}", option("without", repr(layout.name(column)))
                return f"{where}: {wrong}. Correct it, remove the row, or leave out the column: {way}."
    return f"{name}, lines {block[0][0]} to {block[-1][0]}: the numbers cannot be read."


def _wrong(text: str) -> str | None:
    """What is wrong with a field that should be a number; None if nothing is."""
    text = text.strip()[:40]
    if is_missing(plain(text)) and not (is_number(text) or plain(text) != text):
        return f"the value is missing{f' ({text})' if text else ''}"
    if not is_number(text):
        return f"{text!r} is not a number like 1234.5"
    return None if math.isfinite(float(text)) else f"{text} is not finite"
