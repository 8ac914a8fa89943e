"""Columns of tables: decide which are features, which identify rows, and which are the pixels of a picture."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.wording import option

LABELS = ("label", "labels", "class", "target", "y", "digit")
SMALLEST_SIDE = 4  # fewer than 16 columns are features, not a picture

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|#")  # of CustomerID: Customer, ID
_NUMBERS = frozenset(("index", "idx", "no", "nr", "num", "number", "row", "rownum", "rn", "seq", "serial", "key", "#"))
_IDENTIFIES = re.compile(
    r"(ids?|u?uid|guid|pk|(user|customer|client|row|record|image|sample|patient|item|object|order|product)_?ids?)$"
)
_FIRST = frozenset(("index", "idx", "row", "rownum", "unnamed", "level"))  # at the start of a name: index_level_0
_CERTAIN = 10  # with at least so many rows, a column that counts the rows is no feature
_EXACT = 2.0**53  # float64 holds every whole number up to this one
_APART = 100  # ranges that differ by this factor are worth a note
_NUMBERED = re.compile(r"(.*?)(\d+)(?:x(\d+))?$")


@dataclass(frozen=True)
class Wanted:
    """The columns that the user asks for; None: those that seem to be features."""

    columns: str | Sequence[str | int] | None = None  # "all", names, or numbers from 0
    without: Sequence[str | int] = ()

    def named(self, names: Sequence[str], name: str) -> list[int] | None:
        """The columns that the user names; None if the user names none."""
        if self.columns is None:
            return None
        if isinstance(self.columns, str):
            if self.columns == "all":
                return list(range(len(names)))
            return [place_of(self.columns, names, name)]
        return [place_of(column, names, name) for column in self.columns]

    def by_name(self, names: Sequence[str], name: str) -> list[int]:
        """The columns that the user names one by one, and not by "all"."""
        return [] if self.columns == "all" else self.named(names, name) or []

    def left_out(self, names: Sequence[str], name: str) -> set[int]:
        """The columns that the user leaves out."""
        listed = [self.without] if isinstance(self.without, str | int) else self.without
        return {place_of(column, names, name) for column in listed}


def place_of(column: str | int, names: Sequence[str], name: str) -> int:
    """The position of a column, given by name or by number; negative numbers count from the end."""
    if column in names:
        if list(names).count(str(column)) > 1:
            raise DataError(f"{name} has several columns called {column!r}. Give the number of the one that you mean.")
        return list(names).index(str(column))
    if isinstance(column, int) or re.fullmatch(r"-?\d{1,9}", column):
        place = int(column)
        if -len(names) <= place < len(names):
            return place % len(names)
    known = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    raise DataError(f"{name} has no column {column!r}; its columns are {known}, or 0 to {len(names) - 1} by number.")


def end_or_place_of(column: str | int, names: Sequence[str], name: str) -> int:
    """The same; "first" and "last" name the columns at the ends, unless a column has that name."""
    if column in ("first", "last") and column not in names:
        return 0 if column == "first" else len(names) - 1
    return place_of(column, names, name)


def words_about(names: Sequence[str], values: NDArray[Any]) -> list[str]:
    """Notes about clustered columns: those that rise evenly, and whole numbers that are rounded."""
    # in: values (n, columns) float64 or uint8
    found = [rises_evenly(column, values[:, place]) for place, column in enumerate(names)]
    if values.dtype == np.float64 and (values.max() > _EXACT or values.min() < -_EXACT) and is_whole(values):
        found.append("Whole numbers beyond 2^53 are rounded: they are read as float64.")
    return [word for word in found if word is not None]


def labels_among(names: Sequence[str]) -> list[str]:
    """The columns whose names say that they hold labels; a y beside an x is a coordinate.

    Examples
    --------
    >>> labels_among(["Age", "Class"]), labels_among(["a", "y"]), labels_among(["x", "y"])
    (['Class'], ['y'], [])
    """
    coordinates = {"y"} if any(each.lower() == "x" for each in names) else set()
    return [each for each in names if each.lower() in LABELS and each.lower() not in coordinates]


def clustered_labels(names: Sequence[str]) -> str | None:
    """A note about a feature whose name says that it holds labels."""
    if not (found := labels_among(names)):
        return None
    return (
        f'Clustered: column "{found[0]}", whose name suggests labels. To leave it out: '
        f"{option('without', repr(found[0]))}."
    )


def identifies(column: str) -> bool | None:
    """Whether a column's name says that it holds identifiers; None: only if its values number the rows.

    Examples
    --------
    >>> [identifies(name) for name in ("CustomerID", "customer_id", "idx", "Unnamed: 0", "", "S.No", "width")]
    [True, True, None, None, None, None, False]
    """
    words = [word.lower() for word in _WORD.findall(column)]
    if not words:
        return None if not column.strip() else False
    if _IDENTIFIES.match(words[-1]) or words[0] == "id":
        return True
    return None if words[-1] in _NUMBERS or words[0] in _FIRST or column.startswith("__") else False


def numbers_rows(values: NDArray[Any]) -> bool:
    """Whether all values of a column are different whole numbers."""
    return is_whole(values) and len(np.unique(values)) == len(values)


def counts_rows(values: NDArray[Any]) -> bool:
    """Whether a column counts the rows, starting at any whole number."""
    return is_whole(values[:1]) and bool((np.diff(values.astype(np.float64)) == 1).all())


def rises_evenly(column: str, values: NDArray[Any]) -> str | None:
    """A note about a column that changes by the same step from row to row, as a time or an index does."""
    # in: values (n,)
    steps = np.diff(values.astype(np.float64))
    if len(values) < _CERTAIN or not steps[0] or not np.allclose(steps, steps[0], rtol=1e-6, atol=0):
        return None
    return (
        f'Clustered: column "{column}", which changes by {steps[0]:.6g} from row to row, as a time or an index does. '
        f"To leave it out: {option('without', repr(column))}."
    )


def is_whole(values: NDArray[Any]) -> bool:
    """Whether all values are whole numbers."""
    # in: values of any shape
    return values.dtype.kind in "iu" or bool((values == np.trunc(values)).all())


def check_identifier(column: str, values: NDArray[Any], name: str) -> str | None:
    """The note about a column that is left out because it numbers the rows; None: the column stays.

    Raises
    ------
    DataError
        If the column's name says identifiers but its values repeat, or if it counts the rows under another name.
    """
    # in: values (n,)
    known = identifies(column)
    shown = f'"{column}"'
    if known is not False and numbers_rows(values):
        return f"Left out: column {shown}, which numbers the rows. To keep it: {option('columns', repr('all'))}."
    if known and is_whole(values):
        raise DataError(
            f"{name}: the name of column {shown} says identifiers, but some values repeat. To cluster it: "
            f"{option('columns', repr('all'))}. To leave it out: {option('without', repr(column))}."
        )
    if len(values) >= _CERTAIN and counts_rows(values):
        raise DataError(
            f"{name}: column {shown} counts the rows, {values[0]:g} to {values[-1]:g}, which is seldom a feature. "
            f"Leave it out, {option('without', repr(column))}, or keep it, {option('columns', repr('all'))}."
        )
    return None


def are_numbered(names: Sequence[str]) -> bool:
    """Whether column names are only numbers, or one word with numbers (pixel0, pixel1; 1x1, 1x2)."""
    found = [_NUMBERED.fullmatch(column.strip()) for column in names]
    return all(match is not None for match in found) and len({match[1] for match in found if match}) == 1


def square(columns: int) -> tuple[int, int] | None:
    """The sides of a square picture of so many pixels, at least 16; None if there is none."""
    side = math.isqrt(max(columns, 0))
    return (side, side) if side >= SMALLEST_SIDE and side * side == columns else None


def picture_shape(names: Sequence[str] | None, columns: int) -> tuple[int, int] | None:
    """The shape of the picture that a table's columns make; None if they are features."""
    return square(columns) if names is None or are_numbered(names) else None


def are_pixels(names: Sequence[str] | None, shape: tuple[int, ...] | None) -> bool:
    """Whether values are pixels on the scale of their type, and not numbers with units of their own."""
    if shape is not None and len(shape) > 1:
        return True
    return names is not None and are_numbered(names) and names[0].strip().lower().startswith(("pixel", "px"))


def apart(names: Sequence[str], values: NDArray[Any]) -> str | None:
    """A note about columns of very different ranges: the widest decides the clusters."""
    # in: values (n, columns)
    if len(names) < 2:
        return None
    spans = values.max(axis=0).astype(np.float64) - values.min(axis=0).astype(np.float64)
    low = int(np.where(spans > 0, spans, np.inf).argmin())
    high = int(spans.argmax())
    if not spans[low] > 0 or spans[high] < _APART * spans[low]:
        return None
    return (
        f'The columns differ in range: "{names[high]}" by {spans[high]:.4g}, "{names[low]}" by {spans[low]:.4g}. '
        f"The widest decides the clusters. To make all columns count alike: {option('scale', repr('standard'))}."
    )
