"""Files written whole or not at all, as a study's own are."""

from __future__ import annotations

from pathlib import Path

from steinhaus.study import files


def write(path: Path, content: bytes, *, flush: bool = True) -> Path:
    """Write a whole file into a folder, which is created if it is missing, and give its path back.

    Without `flush`, a power cut soon after may leave the file empty.
    """
    files.make_folder(path.parent)
    files.write(path, content, flush=flush)
    return path
