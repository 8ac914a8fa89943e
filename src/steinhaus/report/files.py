"""Write files atomically, like the files of a study."""

from __future__ import annotations

from pathlib import Path

from steinhaus.study import files


def write(path: Path, content: bytes, *, flush: bool = True) -> Path:
    """Write a whole file and return its path. The folder is created if it is missing.

    Without `flush`, a power cut soon after may leave the file empty.
    """
    files.make_folder(path.parent)
    files.write(path, content, flush=flush)
    return path
