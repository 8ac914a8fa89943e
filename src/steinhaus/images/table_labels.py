"""The labels of a text table: the choice of their column, and notes about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images import columns as of_table
from steinhaus.images.cells import is_missing, is_number
from steinhaus.images.labels import LARGEST_FLOAT
from steinhaus.images.table_layout import Layout
from steinhaus.wording import option

_NO_LABEL = "No column is used as the label. If one holds labels: {first} or {last}."
_CERTAIN = 10  # with at least so many rows, a text column without repeats holds names, not labels


@dataclass(frozen=True)
class Raw:
    """The content of a table."""

    values: NDArray[Any]  # (n, columns of numbers)
    names: tuple[str, ...] | None  # of these columns
    labels: Any = None
    weights: Any = None
    notes: list[str] = field(default_factory=list)


def checked(texts: Iterable[str], found: Sequence[str], name: str) -> list[str]:
    """Refuse missing labels. Return notes about labels that could stand for a missing one."""
    missing = sorted(text for text in texts if is_missing(text))
    numbers = any(is_number(text) and not is_missing(text) for text in texts)
    if missing and (numbers or "" in missing):
        what = "empty" if "" in missing else f"missing ({missing[0]})"
        raise DataError(
            f"{name}: the label of image {found.index(missing[0]) + 1} is {what}, but every image needs a label. To "
            f"read without labels: {option('labels', repr('none'))}."
        )
    return [f'The label "{text}" is used like any other label.' for text in missing]


def words_about(raw: Raw, layout: Layout) -> Raw:
    """Add notes about labels that were chosen by default, or that a column may hold."""
    if layout.by_text and raw.labels is not None:
        which = f'column "{layout.name(layout.label or 0)}"' if layout.names else f"column {layout.label}"
        note = f"Labels: {which}, which holds text. If it holds no labels: {option('labels', repr('none'))}."
    elif layout.names is None and not layout.header and raw.labels is None and _seems_labelled(raw.values):
        note = _NO_LABEL.format(first=option("labels", repr("first")), last=option("labels", repr("last")))
    else:
        return raw
    return replace(raw, notes=[*raw.notes, note])


def _seems_labelled(values: NDArray[Any]) -> bool:
    """Whether the first or the last of several columns, (n, d), holds few different whole numbers."""
    few = [0 < _classes(values[:, column]) <= len(values) / _CERTAIN for column in (0, -1)]
    return values.shape[1] > 2 and len(values) >= 2 * _CERTAIN and few[0] != few[1]


def without_names(raw: Raw, layout: Layout) -> Raw:
    """Leave out a text column without repeats: it holds names, not labels. Add a note."""
    if not layout.by_text or len(raw.labels) < _CERTAIN or len(set(raw.labels)) < len(raw.labels):
        return raw
    column = layout.label if layout.names is None else f'"{layout.name(layout.label or 0)}"'
    note = (
        f"Left out: column {column}, a text column in which all rows differ. To use it as labels: "
        f"{option('labels', repr('first') if layout.label == 0 else repr('last'))}."
    )
    return replace(raw, labels=None, notes=[*raw.notes, note])


def check_classes(labels: Sequence[str], column: str, name: str) -> None:
    """Refuse default labels that are numbers with fractions: they are a quantity, not classes."""
    texts = set(labels)
    if all(map(is_number, texts)) and any(float(text) % 1 > 0 for text in texts):
        raise DataError(
            f'{name}: the name of column "{column}" says labels, but it holds numbers with fractions, which are not '
            f"classes. To cluster it: {option('labels', repr('none'))}. To leave it out, also give "
            f"{option('without', repr(column))}."
        )


def ends(raw: Raw, layout: Layout, name: str) -> tuple[Raw, Layout]:
    """Use the first or the last column as labels, if only one seems to hold them and the others fill a square."""
    first, last = (_classes(raw.values[:, column]) for column in (0, -1))
    if first and last:  # both hold whole numbers: a label has far fewer values than a pixel, or far smaller ones
        highest = float(raw.values[:, 0].max()), float(raw.values[:, -1].max())
        sizes = (first, last) if max(first, last) >= 2 * min(first, last) else highest
        if max(sizes) >= 2 * min(sizes):
            first, last = (first, 0) if sizes[0] < sizes[1] else (0, last)
        else:
            raise DataError(
                f"{name} has {raw.values.shape[1]:,} columns without names, one more than a square picture has pixels. "
                f"The first or the last may be the label. Choose one: {option('labels', repr('first'))}, "
                f"{option('labels', repr('last'))}, or {option('labels', repr('none'))}."
            )
    if not first and not last:
        note = _NO_LABEL.format(first=option("labels", repr("first")), last=option("labels", repr("last")))
        return replace(raw, notes=[*raw.notes, note]), layout
    which = "first" if first else "last"
    note = f"Labels: the {which} column. If it holds no labels: {option('labels', repr('none'))}."
    values, labels = (raw.values[:, 1:], raw.values[:, 0]) if first else (raw.values[:, :-1], raw.values[:, -1])
    raw = replace(raw, values=np.ascontiguousarray(values), labels=labels.astype(np.int64), notes=[*raw.notes, note])
    return raw, replace(layout, label=0 if first else layout.columns - 1)


def _classes(values: NDArray[Any]) -> int:
    """The number of classes in a column, (n,); 0 if it is constant, not whole numbers, or different in every row."""
    if not of_table.is_whole(values) or values.min() < 0 or values.max() > LARGEST_FLOAT:
        return 0
    classes = len(np.unique(values))
    return classes if classes > 1 and (classes < len(values) or len(values) < _CERTAIN) else 0
