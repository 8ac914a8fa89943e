"""The journal of an import: one line per complete chunk, so that an import can resume."""

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
    """The content of the journal: what was written, and what the chunks hold."""

    taken: int = 0  # pictures of the source that were read
    rows: int = 0  # pictures in the store
    labels: list[Any] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    parts: list[Part | None] = field(default_factory=list)  # of the source's own split


def journal_of(target: Path) -> Path:
    """The path of a store's journal, beside the store."""
    return target.with_name(f"{target.name}.journal")


def resumed(journal: Path, print_of: str) -> Written:
    """What was written before. A line that was cut off is removed from the journal.

    Raises
    ------
    DataError
        If the journal is damaged, or belongs to another import.
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
                f"{shown(journal)} belongs to the import of another set, or of this set with other options. Choose "
                "another store, or remove this file and the store beside it."
            )
        for line in lines[1:]:
            read_line(written, line)
    return written


def read_line(written: Written, line: dict[str, Any]) -> None:
    """Add the content of a line."""
    written.taken += line["taken"]
    written.rows += len(line["names"])
    written.labels += line["labels"]
    written.names += line["names"]
    written.parts += line.get("parts", [])
    written.skipped += [Skipped(file, reason) for file, reason in line["skipped"]]


def append(lines: Any, line: dict[str, Any]) -> None:
    """Append a line, and flush it to disk."""
    lines.write(json.dumps(line).encode() + b"\n")
    lines.flush()
    os.fsync(lines.fileno())
