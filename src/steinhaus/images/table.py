"""Tables of text (CSV): one image or point a line, with or without labels and a line of names."""

from __future__ import annotations

import math
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images import columns as of_table
from steinhaus.images.cells import is_missing, is_number, plain
from steinhaus.images.collection import Images
from steinhaus.images.columns import Wanted
from steinhaus.images.files import Content, open_content, source_name
from steinhaus.images.labels import LARGEST_FLOAT
from steinhaus.images.limits import MEBIBYTE, Limits
from steinhaus.images.progress import Progress
from steinhaus.images.table_layout import Layout, Line, layout_of
from steinhaus.wording import option

_BLOCK = 4 * MEBIBYTE  # bytes of text parsed in one go
_REFERENCE = 8  # bytes that a list or a dict takes for one of its items
_NO_LABEL = "No column is taken as the label. If one is: {first} or {last}."
_CERTAIN = 10  # rows from which on a column of text without two rows alike is one of names, not of labels


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
    """Read a table. Whole numbers 0..255 become uint8, anything else float64.

    Parameters
    ----------
    labels
        The column of labels: its name in the first line, its number, counted from 0, "first", "last" or "none". By
        default a column named label, class, target, y (but beside an x) or digit; else a first or last column of text;
        else, where columns have no names and all but one fill a square (785 = 1 + 28 x 28), the first or the last, if
        one of them alone holds classes.
    columns
        The columns that are features, by name or number, as the file has them, or "all". By default all of numbers, but
        those that number the rows.
    without
        Columns that are left out.
    shape
        The shape of one image. By default square numbers of columns, from 16 on, become (side, side) where the columns
        have no names of their own; others stay vectors.
    full_scale
        As in `Images.from_arrays`; of columns with names 1 by default: they are numbers in units of their own.
    header
        Whether the first line is one of names. None: as it seems.
    weights
        The column of the weights, by name or number.

    Raises
    ------
    DataError
        With line and column, where a line has another number of columns or a value is no number.
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
        raw, layout = _ends(raw, layout, name)
    elif labels is None and layout.names is not None and layout.label is not None:
        _check_classes(raw.labels, layout.names[layout.label], name)
    raw = _without_names(raw, layout)
    if labels is None and not layout.square:
        raw = _about_labels(raw, layout)
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


@dataclass(frozen=True)
class _Raw:
    """What was read of a table."""

    values: NDArray[Any]  # (n, columns of numbers)
    names: tuple[str, ...] | None  # of these columns
    labels: Any = None
    weights: Any = None
    notes: list[str] = field(default_factory=list)


def _read(blocks: Iterator[list[Line]], layout: Layout, name: str, limits: Limits) -> _Raw:
    """Parse all lines, within the limit of memory."""
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
    notes = [] if layout.label is None else _check_labels(texts, found, name)
    if layout.text:
        listed = ", ".join(f'"{layout.name(column)}"' for column in sorted(layout.text))
        holds = "column {}, which holds text" if len(layout.text) == 1 else "columns {}, which hold text"
        notes.append(f"Left out: {holds.format(listed)}.")
    return _Raw(np.concatenate(parsed), names, None if layout.label is None else found, notes=notes)


def _check_labels(texts: Iterable[str], found: Sequence[str], name: str) -> list[str]:
    """Refuse labels that are missing; what is said of names that might mean it."""
    missing = sorted(text for text in texts if is_missing(text))
    numbers = any(is_number(text) and not is_missing(text) for text in texts)
    if missing and (numbers or "" in missing):
        what = "empty" if "" in missing else f"missing ({missing[0]})"
        raise DataError(
            f"{name}: the label of image {found.index(missing[0]) + 1} is {what}; every image needs one, or none: "
            f"{option('labels', repr('none'))}."
        )
    return [f'The label "{text}" is taken for a name, as any other.' for text in missing]


def _about_labels(raw: _Raw, layout: Layout) -> _Raw:
    """What is said of labels that nobody asked for, or that there may be."""
    if layout.by_text and raw.labels is not None:
        which = f'column "{layout.name(layout.label or 0)}"' if layout.names else f"column {layout.label}"
        note = f"Labels: {which}, which holds text. If it is none: {option('labels', repr('none'))}."
    elif layout.names is None and not layout.header and raw.labels is None and _seems_labelled(raw.values):
        note = _NO_LABEL.format(first=option("labels", repr("first")), last=option("labels", repr("last")))
    else:
        return raw
    return replace(raw, notes=[*raw.notes, note])


def _seems_labelled(values: NDArray[Any]) -> bool:
    """Whether the first or the last of several columns has few values, all whole numbers."""
    few = [0 < _classes(values[:, column]) <= len(values) / _CERTAIN for column in (0, -1)]
    return values.shape[1] > 2 and len(values) >= 2 * _CERTAIN and few[0] != few[1]


def _without_names(raw: _Raw, layout: Layout) -> _Raw:
    """A column of text that was taken for labels, and has no two rows alike, is one of names: left out, and said."""
    if not layout.by_text or len(raw.labels) < _CERTAIN or len(set(raw.labels)) < len(raw.labels):
        return raw
    column = layout.label if layout.names is None else f'"{layout.name(layout.label or 0)}"'
    note = (
        f"Left out: column {column} of text, of which no two rows are alike; to take it as labels: "
        f"{option('labels', repr('first') if layout.label == 0 else repr('last'))}."
    )
    return replace(raw, labels=None, notes=[*raw.notes, note])


def _check_classes(labels: Sequence[str], column: str, name: str) -> None:
    """Refuse labels that nobody asked for, and that are numbers with fractions: a quantity, not classes."""
    texts = set(labels)
    if all(map(is_number, texts)) and any(float(text) % 1 > 0 for text in texts):
        raise DataError(
            f'{name}: column "{column}" holds labels by its name, but numbers with fractions, which are no classes. To '
            f"cluster it with the others: {option('labels', repr('none'))}; to leave it out, also "
            f"{option('without', repr(column))}."
        )


def _ends(raw: _Raw, layout: Layout, name: str) -> tuple[_Raw, Layout]:
    """Take the first or the last column as labels, where one alone seems to hold them and the others fill a square."""
    first, last = (_classes(raw.values[:, column]) for column in (0, -1))
    if first and last:  # both are whole numbers: a label has far fewer values than a pixel, or far smaller ones
        highest = float(raw.values[:, 0].max()), float(raw.values[:, -1].max())
        sizes = (first, last) if max(first, last) >= 2 * min(first, last) else highest
        if max(sizes) >= 2 * min(sizes):
            first, last = (first, 0) if sizes[0] < sizes[1] else (0, last)
        else:
            raise DataError(
                f"{name} has {raw.values.shape[1]:,} columns without names, one more than a square picture has pixels: "
                f"the first or the last may be the label. Say which: {option('labels', repr('first'))}, "
                f"{option('labels', repr('last'))}, or {option('labels', repr('none'))}."
            )
    if not first and not last:
        note = _NO_LABEL.format(first=option("labels", repr("first")), last=option("labels", repr("last")))
        return replace(raw, notes=[*raw.notes, note]), layout
    which = "first" if first else "last"
    note = f"Labels: the {which} column. If it is none: {option('labels', repr('none'))}."
    values, labels = (raw.values[:, 1:], raw.values[:, 0]) if first else (raw.values[:, :-1], raw.values[:, -1])
    raw = replace(raw, values=np.ascontiguousarray(values), labels=labels.astype(np.int64), notes=[*raw.notes, note])
    return raw, replace(layout, label=0 if first else layout.columns - 1)


def _classes(values: NDArray[Any]) -> int:
    """How many classes a column may hold; 0 where it is constant, no whole numbers, or different in every row."""
    if not of_table.is_whole(values) or values.min() < 0 or values.max() > LARGEST_FLOAT:
        return 0
    classes = len(np.unique(values))
    return classes if classes > 1 and (classes < len(values) or len(values) < _CERTAIN) else 0


def _chosen(raw: _Raw, layout: Layout, wanted: Wanted, name: str) -> _Raw:
    """Keep the columns that are features."""
    names, values = raw.names, raw.values
    known = layout.names or tuple(str(column) for column in range(layout.columns))
    place = {column: place for place, column in enumerate(layout.features)}  # in `values`
    asked = wanted.by_name(known, name)
    out = wanted.left_out(known, name)
    if (bad := next((column for column in asked if column not in place and column not in out), None)) is not None:
        what = "is the label" if bad == layout.label and not layout.by_text else "holds text"
        raise DataError(f'{name}: column "{known[bad]}" {what}, and is no feature.')
    notes = list(raw.notes)
    one_by_one = wanted.columns is not None and wanted.columns != "all"
    columns = [column for column in (asked if one_by_one else layout.features) if column not in out]
    if layout.weight is not None:
        raw = replace(raw, weights=values[:, place[layout.weight]])
        columns = [column for column in columns if column != layout.weight]
    if wanted.columns is None and (names is None or not of_table.are_numbered(names)):
        for column in list(columns):
            if names is None and (column or of_table.square(len(place))):
                continue  # without names, only a first column is looked at
            note = of_table.check_identifier(known[column], values[:, place[column]], name)
            if note is not None:
                columns.remove(column)
                notes.append(note)
        if names is not None and (note := of_table.clustered_labels([known[column] for column in columns])):
            notes.append(note)
    kept = [place[column] for column in columns]
    if not kept:
        raise DataError(
            f"{name}: no column is left to cluster. Name those that are features: {option('columns', '...')}"
        )
    if kept == list(range(len(place))):
        return replace(raw, notes=notes)
    chosen = np.ascontiguousarray(values[:, kept])
    return replace(raw, values=chosen, names=None if names is None else tuple(names[c] for c in kept), notes=notes)


def _lines(content: Content) -> Iterator[Line]:
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
        if text and not text.isspace() and not (number == 1 and re.fullmatch("sep=.", text)):  # which Excel writes
            yield number, text


def _blocks(first: list[Line], lines: Iterator[Line]) -> Iterator[list[Line]]:
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


def _parsed(rows: list[str], block: list[Line], layout: Layout, name: str) -> NDArray[Any]:
    """Parse the pixels of a block, (m, d): uint8 where all are whole numbers 0..255, else float64."""
    for dtype in (np.uint8, np.float64):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # loadtxt warns where it reads "1.0" as an integer
                values = np.loadtxt(rows, dtype=dtype, delimiter=layout.delimiter, comments=None, ndmin=2)
        except (ValueError, Warning):
            continue
        if values.shape == (len(rows), len(layout.features)) and (dtype == np.uint8 or np.isfinite(values).all()):
            return values
        break
    raise DataError(_fault(block, layout, name))


def _fault(block: list[Line], layout: Layout, name: str) -> str:
    """Say what is wrong with a block that cannot be parsed: the first fault, with its line and column."""
    for number, line in block:
        fields = layout.fields(line)
        if len(fields) != layout.columns:
            return f"{name}, line {number}: {len(fields):,} columns here, but {layout.columns:,} in the first line."
        for column, text in enumerate(fields):
            if column not in layout.features:
                continue
            if (wrong := _wrong(text)) is not None:
                where, way = f"{name}, line {number}, column {column + 1}", option("without", repr(layout.name(column)))
                return f"{where}: {wrong}. Mend it, or leave out the row, or the column: {way}."
    return f"{name}, lines {block[0][0]} to {block[-1][0]}: the numbers cannot be read."


def _wrong(text: str) -> str | None:
    """What is wrong with a field that should be a number; None: nothing."""
    text = text.strip()[:40]
    if is_missing(plain(text)) and not (is_number(text) or plain(text) != text):
        return f"the value is missing{f' ({text})' if text else ''}"
    if not is_number(text):
        return f"{text!r} is not a number as 1234.5 is"
    return None if math.isfinite(float(text)) else f"{text} is not finite"
