"""The option `labels`, which means the same for every kind of source."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from steinhaus.errors import DataError

WORDS = ("none", "first", "last")


class NoSuchNameError(DataError):
    """A source has no labels of the name that was asked for."""


def is_none(labels: Any) -> bool:
    """Whether the user asks for no labels."""
    return labels is False or (isinstance(labels, str) and labels == "none")


def are_values(labels: Any) -> bool:
    """Whether the value holds the labels themselves, and not the place to find them."""
    return not (labels is None or isinstance(labels, bool | str | int | os.PathLike))


def as_file(labels: Any) -> Path | None:
    """The file that the option names; None if it names none."""
    if isinstance(labels, os.PathLike):
        return Path(labels).expanduser()
    if isinstance(labels, str) and labels not in WORDS and os.path.isfile(os.path.expanduser(labels)):
        return Path(labels).expanduser()
    return None
