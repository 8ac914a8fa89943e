"""Fields of a text table: numbers, missing values, dates, and numbers in other spellings."""

from __future__ import annotations

import re

from steinhaus.wording import option

_MISSING = frozenset(("", "na", "n/a", "#n/a", "<na>", "nan", "null", "nil", "none", "missing", "-", "--", "?", "."))
_DAY = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})"
_TIME = r"\d{1,2}:\d\d(:\d\d.*)?"
_DATE = re.compile(rf"({_DAY})([T ]{_TIME}.*)?|{_TIME}")
_DIGITS = r"\d+([,.'_ \u00a0\u202f]\d+)*([eEdD][-+]?\d+)?"
_OTHERWISE = re.compile(rf"[-+\u2212]?[$€£¥]?\s*[-+\u2212]?({_DIGITS}|0[xX][0-9a-fA-F]+)\s*[%$€£¥]?")
_SPARSE = re.compile(r"[-+0-9.eE]+(\s+\d+:[-+0-9.eE]+)+\s*(#.*)?")


def is_number(field: str) -> bool:
    """Whether a field is a number as programs write it, such as 1234.5."""
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field and field.isascii()


def is_missing(field: str) -> bool:
    """Whether a field stands for a missing value."""
    return field.strip().lower() in _MISSING


def is_date(field: str) -> bool:
    """Whether a field is a date or a time."""
    return _DATE.fullmatch(field.strip()) is not None


def is_spelt_otherwise(field: str) -> bool:
    """Whether a field is a number in another spelling: with a decimal comma, separators or a unit.

    Examples
    --------
    >>> [is_spelt_otherwise(field) for field in ("1,5", "1 000", "12%", "0x1f", "1.5", "2024-01-02", "a1", "1.2.3")]
    [True, True, True, True, False, False, False, False]
    """
    field = field.strip()
    if is_number(field) or is_date(field) or re.fullmatch(r"\d+(\.\d+){2,}", field) is not None:
        return False  # a version or an address, such as 1.2.3
    return _OTHERWISE.fullmatch(field) is not None


def spelt_otherwise(name: str, column: str, field: str) -> str:
    """The message for a column of such numbers."""
    return (
        f'{name}: column "{column}" holds {field!r}, which seems to be a number in another '
        f"spelling. Write numbers like 1234.5, or leave the column out: {option('without', repr(column))}."
    )


def is_sparse(line: str) -> bool:
    """Whether a line is in the svmlight format: a label, then pairs of column number and value."""
    return _SPARSE.fullmatch(line.strip()) is not None


def plain(field: str) -> str:
    """A field without the spaces and quotes around it."""
    field = field.strip()
    return field[1:-1] if len(field) > 1 and field[0] == field[-1] and field[0] in "\"'" else field
