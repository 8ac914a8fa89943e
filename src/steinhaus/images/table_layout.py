"""Find how to read the lines of a table, from its first two lines."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from steinhaus.errors import DataError
from steinhaus.images import columns as of_table
from steinhaus.images.asking import NoSuchNameError
from steinhaus.images.cells import is_date, is_missing, is_number, is_sparse, is_spelt_otherwise, plain, spelt_otherwise
from steinhaus.images.columns import LABELS, Wanted, labels_among
from steinhaus.wording import either, option

USUAL = (",", ";", "\t")
_COUNTED = 10  # with at least so many columns, a first line 1, 2, 3, ... holds names

Line = tuple[int, str]  # number in the file, from 1, and text


@dataclass(frozen=True)
class Layout:
    """How to read the lines of a table."""

    delimiter: str
    columns: int
    header: bool
    names: tuple[str, ...] | None  # None: the columns have no names
    label: int | None  # column of the label
    text: frozenset[int] = frozenset()  # other columns of text
    out: frozenset[int] = frozenset()  # columns that the user does not want; they are not parsed
    weight: int | None = None  # column of the weights
    quoted: bool = False  # numbers may stand in quotes, as in the first line
    by_text: bool = False  # the label was chosen because it is a text column
    square: bool = False  # the first or last column may be the label, because the others fill a square

    @property
    def features(self) -> tuple[int, ...]:
        """The columns of numbers that are read, also the weights."""
        others = {self.label, *self.text, *self.out}
        return tuple(column for column in range(self.columns) if column not in others)

    def parted(self, line: str) -> tuple[str, str]:
        """The label and the numbers of a line, as text."""
        line = evenly(line, self.delimiter)
        quoted = '"' in line and (self.quoted or line.count(self.delimiter) >= self.columns)
        if (self.text or self.out or quoted) and len(fields := self.fields(line)) == self.columns:
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
        line = evenly(line, self.delimiter)
        if self.text or self.out or self.quoted or line.count(self.delimiter) >= self.columns:
            return fields_of(line, self.delimiter)
        return line.split(self.delimiter)

    def name(self, column: int) -> str:
        """The name of a column in messages and options, or its number if it has no name."""
        return str(column) if self.names is None or not self.names[column] else self.names[column]


def evenly(line: str, delimiter: str) -> str:
    """A line with exactly one delimiter between fields. If the delimiter is a space, several become one."""
    return " ".join(line.split()) if delimiter == " " else line


def fields_of(line: str, delimiter: str) -> list[str]:
    """The fields of a line: one in quotes may hold what parts them."""
    if '"' in line:
        with suppress(csv.Error):  # the field is too long, or the line has a character 0
            return next(csv.reader([line], delimiter=delimiter), [])
    return line.split(delimiter)


def layout_of(
    top: list[Line],
    labels: str | int | bool | None,
    wanted: Wanted,
    name: str,
    *,
    header: bool | None = None,
    weights: str | int | None = None,
) -> Layout:
    """Find from the first two lines how to read the table."""
    if all(is_sparse(line) for _, line in top):
        raise DataError(
            f"{name} is in the svmlight format. Load it with sklearn.datasets.load_svmlight_file, then give the matrix "
            "to KMeans or save its rows as .npy."
        )
    first, following = top[0][1], top[1][1] if len(top) > 1 else ""
    usual = max(USUAL, key=first.count)
    delimiter = usual if usual in first else "|" if "|" in first else " "
    first, following = evenly(first, delimiter), evenly(following, delimiter)
    fields = [plain(each) for each in fields_of(first, delimiter)]
    second = [plain(each) for each in fields_of(following, delimiter)] if len(top) > 1 else []
    if header is None:
        alone_quoted = _is_quoted(first, delimiter) and not _is_quoted(following, delimiter)
        header = _is_header(fields, second) or (alone_quoted and len(top) > 1)
        if not header:
            _check_no_names(fields, second, name)
    if header and len(top) < 2:
        what = "a line of names, but no images" if len(fields) > 1 else "one line of text"
        raise DataError(f"{name} holds {what}: {first[:60]!r}.")
    row = second if header else fields
    if header and len(second) == len(fields) > 0:
        _check_spelling(row, fields, labels, wanted, name)
    if header and _is_text(row) and all(not is_number(each) for each in row):
        raise DataError(f"{name} is text, but not a table of numbers: its second line is {top[1][1][:60]!r}.")
    if header and len(second) != len(fields):
        raise DataError(
            f"{name}, line {top[1][0]}: the number of columns is {len(second):,}, but the first line has "
            f"{len(fields):,}."
        )
    counted = header and _is_counted(fields, second)
    names = tuple(fields) if header else None
    known = names or [str(column) for column in range(len(fields))]
    weight = None if weights is None else of_table.end_or_place_of(weights, known, name)
    out = _not_asked(known, wanted, name) - {weight}
    label = _label_column(labels, names, row, wanted, name)
    by_text = label is None and labels is None
    if by_text:
        label = _text_at_an_end(row, {*out, weight})
    square = header == counted and label is None and labels is None and _is_square_with_label(len(fields))
    layout = Layout(
        delimiter, len(fields), header, None if counted else names, label,
        text=frozenset(_text_columns(row, {label, weight, *out}) if header else ()),
        by_text=by_text and label is not None, square=square and wanted.columns is None and not wanted.without,
        out=frozenset(out - {label}), weight=weight, quoted='"' in (following if header else first),
    )  # fmt: skip
    if weight is not None and weight == label:
        raise DataError(f'{name}: column "{layout.name(weight)}" is the label, so it cannot hold the weights, too.')
    if not layout.features:
        raise DataError(f"{name} has a column of labels, but no pixels.")
    return layout


def _is_square_with_label(columns: int) -> bool:
    return of_table.square(columns - 1) is not None and of_table.square(columns) is None


def _not_asked(names: Sequence[str], wanted: Wanted, name: str) -> set[int]:
    """The columns that the user leaves out or does not ask for."""
    asked = wanted.by_name(names, name)
    others = {column for column in range(len(names)) if column not in asked} if asked else set()
    return wanted.left_out(names, name) | others


def _text_columns(row: list[str], others: set[int | None]) -> Iterator[int]:
    """Yield the columns, except `others`, that begin with a text; after a missing value, numbers may follow."""
    return (
        column
        for column, each in enumerate(row)
        if column not in others and not is_number(each) and not is_missing(each)
    )


def _text_at_an_end(row: list[str], out: set[int | None]) -> int | None:
    """The first or the last column, if only that one holds text and the text is not a date."""
    ends = [column for column in dict.fromkeys((0, len(row) - 1)) if column not in out]
    found = [c for c in ends if not (is_number(row[c]) or is_missing(row[c]) or is_date(row[c]))]
    return found[0] if len(found) == 1 else None


def _check_spelling(
    row: list[str], names: Sequence[str], labels: str | int | bool | None, wanted: Wanted, name: str
) -> None:
    """Refuse a column of numbers in another spelling. It would be taken as text and left out."""
    out = _not_asked(names, wanted, name)
    label = _label_column(labels, names, row, wanted, name)
    for column, field in enumerate(row):
        if column != label and column not in out and is_spelt_otherwise(field):
            raise DataError(spelt_otherwise(name, names[column], field))


def _is_quoted(line: str, delimiter: str) -> bool:
    """Whether all fields of a line stand in quotes."""
    return all(len(each) > 1 and each[0] == each[-1] == '"' for each in line.split(delimiter))


def _check_no_names(fields: list[str], second: list[str], name: str) -> None:
    """Refuse a first line of numbers that may be names, such as years or wavelengths: they rise by equal steps."""
    steps, others = _steps(fields), _steps(second)
    if len(steps) != 1 or min(steps) <= 0:
        return
    if (len(fields) >= _COUNTED and len(others) != 1) or (_are_years(fields) and not _are_years(second)):
        no = either("header=False", "--no-header")
        raise DataError(
            f"{name}: its first line, {', '.join(fields[:4])}, ..., may hold column names or data. Say which: "
            f"{option('header', 'True', '')} or {no}."
        )


def _are_years(fields: list[str]) -> bool:
    """Whether all fields are years of our time."""
    return all(re.fullmatch(r"(19|20)\d\d", each) for each in fields)


def _steps(fields: list[str]) -> set[float]:
    """The rounded differences between neighbouring numbers; empty if there are fewer than three numbers."""
    if len(fields) < 3 or not all(is_number(each) for each in fields):
        return set()
    values = [float(each) for each in fields]
    return {round(after - before, 9) for before, after in itertools.pairwise(values)}


def _is_header(fields: list[str], second: list[str]) -> bool:
    """Whether a first line holds names: mostly text, a known name of labels at an end, or column numbers.

    Column numbers are 0, 1, 2, ..., or 1, 2, 3, ... if there are many. The first name may be missing, as for an index.
    """
    return (
        _is_counted(fields, second)
        or _is_text(fields)
        or {fields[0].lower(), fields[-1].lower()} & set(LABELS) != set()
    )


def _is_counted(fields: list[str], second: list[str]) -> bool:
    """Whether these fields are column numbers."""
    columns = len(fields)
    if columns > 2 and fields == [str(column) for column in range(columns)]:
        return True
    if columns >= _COUNTED and fields == [str(column + 1) for column in range(columns)] and fields != second:
        return True
    return columns > 2 and fields == ["", *(str(column) for column in range(columns - 1))]


def _is_text(fields: list[str]) -> bool:
    """Whether most fields are not numbers."""
    return 2 * sum(not is_number(field) for field in fields) > len(fields)


def _label_column(
    labels: str | int | bool | None, names: Sequence[str] | None, row: list[str], wanted: Wanted, name: str
) -> int | None:
    """The label column: the one that the user names, or one with a known name that is not asked for as a feature."""
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
        raise DataError(f"{name}: labels must be a column or 'none', not {labels}.")
    try:
        return of_table.place_of(labels, names or [str(column) for column in range(columns)], name)
    except DataError:
        known_as = f"columns are {', '.join(names[:4])}, ..." if names else "first line holds no names"
        raise NoSuchNameError(
            f"{name} has no column named {labels!r}: its {known_as}. Give a name, a number from 0 to {columns - 1}, "
            '"first", "last" or "none".'
        ) from None
