"""The journal of an import: a line for every chunk that is written whole, from which an import goes on."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steinhaus.errors import DataError
from steinhaus.images.collection import Skipped
from steinhaus.images.files import damage_named, shown
from steinhaus.images.parts import Part


@dataclass
class Written:
    """What the journal knows: chunks that are there, and what they hold."""

    taken: int = 0  # pictures of the source that were looked at
    rows: int = 0  # pictures that are in the store
    labels: list[Any] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    parts: list[Part | None] = field(default_factory=list)  # of the source's own split


def journal_of(target: Path) -> Path:
    """The journal of a store lies beside it."""
    return target.with_name(f"{target.name}.journal")


def resumed(journal: Path, print_of: str) -> Written:
    """What was written before; the journal loses a line that was cut off.

    Raises
    ------
    DataError
        It is damaged, or of another import.
    """
    written = Written()
    if not journal.exists():
        return written
    text = journal.read_bytes()
    text = text[: text.rfind(b"\n") + 1]
    os.truncate(journal, len(text))
    with damage_named(shown(journal), "the journal of an import"):
        lines = [json.loads(line) for line in text.splitlines()]
        if lines and lines[0].get("set") != print_of:
            raise DataError(
                f"{shown(journal)} is of the import of another set, or one read with other options. Choose another "
                "store, or remove it and the store beside it."
            )
        for line in lines[1:]:
            read_line(written, line)
    return written


def read_line(written: Written, line: dict[str, Any]) -> None:
    """Take in what a line says."""
    written.taken += line["taken"]
    written.rows += len(line["names"])
    written.labels += line["labels"]
    written.names += line["names"]
    written.parts += line.get("parts", [])
    written.skipped += [Skipped(file, reason) for file, reason in line["skipped"]]


def append(lines: Any, line: dict[str, Any]) -> None:
    """Add a line, flushed to disk."""
    lines.write(json.dumps(line).encode() + b"\n")
    lines.flush()
    os.fsync(lines.fileno())
