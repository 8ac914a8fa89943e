"""The labels of a table of text: which column they are, and what is said of that."""

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

_NO_LABEL = "No column is taken as the label. If one is: {first} or {last}."
_CERTAIN = 10  # rows from which on a column of text without two rows alike is one of names, not of labels


@dataclass(frozen=True)
class Raw:
    """What was read of a table."""

    values: NDArray[Any]  # (n, columns of numbers)
    names: tuple[str, ...] | None  # of these columns
    labels: Any = None
    weights: Any = None
    notes: list[str] = field(default_factory=list)


def checked(texts: Iterable[str], found: Sequence[str], name: str) -> list[str]:
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


def words_about(raw: Raw, layout: Layout) -> Raw:
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


def without_names(raw: Raw, layout: Layout) -> Raw:
    """A column of text that was taken for labels, and has no two rows alike, is one of names: left out, and said."""
    if not layout.by_text or len(raw.labels) < _CERTAIN or len(set(raw.labels)) < len(raw.labels):
        return raw
    column = layout.label if layout.names is None else f'"{layout.name(layout.label or 0)}"'
    note = (
        f"Left out: column {column} of text, of which no two rows are alike; to take it as labels: "
        f"{option('labels', repr('first') if layout.label == 0 else repr('last'))}."
    )
    return replace(raw, labels=None, notes=[*raw.notes, note])


def check_classes(labels: Sequence[str], column: str, name: str) -> None:
    """Refuse labels that nobody asked for, and that are numbers with fractions: a quantity, not classes."""
    texts = set(labels)
    if all(map(is_number, texts)) and any(float(text) % 1 > 0 for text in texts):
        raise DataError(
            f'{name}: column "{column}" holds labels by its name, but numbers with fractions, which are no classes. To '
            f"cluster it with the others: {option('labels', repr('none'))}; to leave it out, also "
            f"{option('without', repr(column))}."
        )


def ends(raw: Raw, layout: Layout, name: str) -> tuple[Raw, Layout]:
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
