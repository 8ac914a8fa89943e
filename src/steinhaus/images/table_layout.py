"""How the lines of a table are to be read, told from the first two of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from steinhaus.errors import DataError
from steinhaus.images import columns as of_table
from steinhaus.images.asking import NoSuchNameError
from steinhaus.images.columns import LABELS, Wanted, labels_among

USUAL = (",", ";", "\t")
_DELIMITERS = (*USUAL, "|", " ")
_COUNTED = 10  # columns from which on a first line 1, 2, 3, ... is one of names

Line = tuple[int, str]  # number in the file, from 1, and text


@dataclass(frozen=True)
class Layout:
    """How the lines of a table are to be read."""

    delimiter: str
    columns: int
    header: bool
    names: tuple[str, ...] | None  # None: the columns have none of their own
    label: int | None  # column of the label
    text: frozenset[int] = frozenset()  # other columns of text
    by_text: bool = False  # the label was found because it is text
    square: bool = False  # one of the columns at both ends is perhaps the label, and the others fill a square

    @property
    def features(self) -> tuple[int, ...]:
        """The columns of numbers."""
        return tuple(column for column in range(self.columns) if column != self.label and column not in self.text)

    def parted(self, line: str) -> tuple[str, str]:
        """The label and the numbers of a line, as text."""
        quoted = '"' in line and line.count(self.delimiter) >= self.columns
        if (self.text or quoted) and len(fields := self.fields(line)) == self.columns:
            label = "" if self.label is None else plain(fields[self.label])
            return label, self.delimiter.join(fields[column] for column in self.features)
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
        return plain(label), rest

    def fields(self, line: str) -> list[str]:
        """The fields of a line: one in quotes may hold what parts them."""
        if self.text or line.count(self.delimiter) >= self.columns:
            return fields_of(line, self.delimiter)
        return line.split(self.delimiter)


def fields_of(line: str, delimiter: str) -> list[str]:
    """The fields of a line: one in quotes may hold what parts them."""
    if '"' in line:
        with suppress(csv.Error):  # a field that is too long, or a line with a character 0
            return next(csv.reader([line], delimiter=delimiter), [])
    return line.split(delimiter)


def layout_of(top: list[Line], labels: str | int | bool | None, wanted: Wanted, name: str) -> Layout:
    """Tell from the first two lines how the table is to be read."""
    first = top[0][1]
    usual = max(USUAL, key=first.count)
    delimiter = usual if usual in first else max(_DELIMITERS, key=first.count)
    fields = [plain(each) for each in fields_of(first, delimiter)]
    second = [plain(each) for each in fields_of(top[1][1], delimiter)] if len(top) > 1 else []
    header = _is_header(fields, second)
    if header and len(top) < 2:
        what = "a line of names, but no images" if len(fields) > 1 else "one line of text"
        raise DataError(f"{name} holds {what}: {first[:60]!r}.")
    row = second if header else fields
    if header and _is_text(row) and all(not is_number(each) for each in row):
        raise DataError(f"{name} is text, but no table of numbers: its second line is {top[1][1][:60]!r}.")
    if header and len(second) != len(fields):
        raise DataError(
            f"{name}, line {top[1][0]}: {len(second):,} columns here, but {len(fields):,} in the first line."
        )
    counted = header and all(is_number(each) for each in fields)
    names = tuple(fields) if header else None
    label = _label_column(labels, names, row, wanted, name)
    by_text = label is None and labels is None
    if by_text:
        label = _text_at_an_end(row)
    square = header == counted and label is None and labels is None and _is_square_with_label(len(fields))
    layout = Layout(
        delimiter, len(fields), header, None if counted else names, label,
        text=frozenset(_text_columns(row, label) if header else ()), by_text=by_text and label is not None,
        square=square and wanted.columns is None and not wanted.without,
    )  # fmt: skip
    if not layout.features:
        raise DataError(f"{name} has a column of labels and no pixels.")
    return layout


def _is_square_with_label(columns: int) -> bool:
    return of_table.square(columns - 1) is not None and of_table.square(columns) is None


def _text_columns(row: list[str], label: int | None) -> Iterator[int]:
    """The columns, but the label's, that begin with a text."""
    return (column for column, each in enumerate(row) if column != label and each and not is_number(each))


def _text_at_an_end(row: list[str]) -> int | None:
    """The first or the last column, where it is one of text."""
    return next((column for column in (0, len(row) - 1) if row[column] and not is_number(row[column])), None)


def _is_header(fields: list[str], second: list[str]) -> bool:
    """Whether a first line is names: mostly text, a known name of labels at an end, or the numbers of the columns.

    Those are 0, 1, 2, ..., or 1, 2, 3, ... of many columns; a first name may be missing, as that of an index is.
    """
    columns = len(fields)
    if columns > 2 and fields == [str(column) for column in range(columns)]:
        return True
    if columns >= _COUNTED and fields == [str(column + 1) for column in range(columns)] and fields != second:
        return True
    if columns > 2 and fields == ["", *(str(column) for column in range(columns - 1))]:
        return True
    return _is_text(fields) or {fields[0].lower(), fields[-1].lower()} & set(LABELS) != set()


def _is_text(fields: list[str]) -> bool:
    """Whether most fields are no numbers."""
    return 2 * sum(not is_number(field) for field in fields) > len(fields)


def _label_column(
    labels: str | int | bool | None, names: Sequence[str] | None, row: list[str], wanted: Wanted, name: str
) -> int | None:
    """The column that is asked for, or that has a known name and is no feature that was asked for."""
    columns = len(names or row)
    if labels is None:
        if names is None:
            return None
        features = wanted.by_name(names, name)
        known = (names.index(each) for each in labels_among(names))
        return next((column for column in known if column not in features), None)
    if labels is False or (labels in ("none", "first", "last") and labels not in (names or ())):
        return {False: None, "none": None, "first": 0, "last": columns - 1}[labels]
    if isinstance(labels, bool):
        raise DataError(f"{name}: labels must be a column, or none, not {labels}.")
    try:
        return of_table.place_of(labels, names or [str(column) for column in range(columns)], name)
    except DataError:
        known_as = f"columns are {', '.join(names[:4])}, ..." if names else "first line holds no names"
        raise NoSuchNameError(
            f"{name} has no column named {labels!r}: its {known_as}. Give a name, a number from 0 to {columns - 1}, "
            '"first", "last" or "none".'
        ) from None


def is_number(field: str) -> bool:
    """Whether a field is a number."""
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field


def plain(field: str) -> str:
    """A field without spaces and quotes around it."""
    field = field.strip()
    return field[1:-1] if len(field) > 1 and field[0] == field[-1] and field[0] in "\"'" else field
