"""Make vectors once, block by block, and keep them in `NAME.npy`, where NAME is a digest of their recipe.

During the work, the rows are in `NAME.part`, and `NAME.json` says how many of them are on disk. A block is flushed
before it is counted, so interrupted work resumes after the last counted block. At the end, `NAME.json` holds the
digest of the vectors. They are read only if they match it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from steinhaus.canonical import canonical
from steinhaus.errors import DataError, StoreError
from steinhaus.features.space import digest
from steinhaus.images.limits import DEFAULT_LIMITS, Limits
from steinhaus.images.npy import read
from steinhaus.study import files

ROWS = 256  # per block
MOST_RECORD = 1 << 16  # bytes

Make = Callable[[int, int], NDArray[Any]]  # the rows first..end, (m, d)
Told = Callable[[int, int], None]  # rows done, rows in all


def name_of(recipe: Mapping[str, Any]) -> str:
    """The name of the vectors of a recipe: its digest."""
    return hashlib.sha256(canonical(dict(recipe))).hexdigest()[:32]


def kept(
    folder: Path,
    recipe: Mapping[str, Any],
    n: int,
    make: Make,
    told: Told | None = None,
    *,
    stored: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    rows: int = ROWS,
) -> Any:
    """The vectors of a recipe, (n, d): found in the folder, or made now and kept there.

    Parameters
    ----------
    folder
        The folder that keeps them. It is created if it is missing.
    recipe
        Everything that the vectors depend on, in types of JSON.
    n
        The number of vectors.
    make
        A function that makes the rows first..end - 1. All blocks have the same width and type.
    told
        A function that is told how many rows are done.
    stored
        Whether the vectors stay in their file.
    rows
        Rows per block; part of the recipe if vectors depend on it.

    Raises
    ------
    StoreError
        If the folder cannot be written, another process is making the same vectors, or the file was changed.
    """
    files.make_folder(folder)
    name = name_of(recipe)
    whole = folder / f"{name}.npy"
    if not whole.exists():
        lock = files.open_locked(folder / f"{name}.lock")
        if lock is None:
            raise StoreError(f"Another process is making the same features in {folder}. Wait for it, then try again.")
        try:
            if not whole.exists():
                _made(folder, name, dict(recipe), n, make, told, rows)
        except DataError:  # it would come again: what is there so far is of no use
            files.remove(folder / f"{name}.part")
            files.remove(folder / f"{name}.json")
            raise
        finally:
            files.remove(folder / f"{name}.lock")
            files.close(lock)
    found = read(whole, stored=stored, limits=limits, progress=None).pixels
    record = _record(folder / f"{name}.json")
    if found.shape[0] != n or record.get("sha256") != digest(found):
        raise StoreError(f"{whole} is damaged or was changed. Delete it to make the features again.")
    return found


def _made(folder: Path, name: str, recipe: dict[str, Any], n: int, make: Make, told: Told | None, rows: int) -> None:
    part, record = folder / f"{name}.part", folder / f"{name}.json"
    state = _record(record) if part.exists() else {}
    for first in range(int(state.get("rows", 0)), n, rows):
        end = min(first + rows, n)
        block = np.ascontiguousarray(make(first, end))
        about = {"d": block.shape[1], "dtype": block.dtype.str}
        if state and {key: state.get(key) for key in about} != about:
            raise StoreError(f"The features in {part} have another width or type. Delete it and try again.")
        head = _header(n, block.shape[1], block.dtype)
        if first == 0:
            files.write_at(part, head, 0)
        files.write_at(part, block.tobytes(), len(head) + first * block.shape[1] * block.itemsize)
        state = {"recipe": recipe, "n": n, "rows": end, **about}
        files.write(record, canonical(state))
        if told is not None:
            told(end, n)
    values = np.load(part, mmap_mode="r", allow_pickle=False)
    files.write(record, canonical({**state, "sha256": digest(values)}))
    files.rename(part, f"{name}.npy")


def _header(n: int, d: int, dtype: np.dtype[Any]) -> bytes:
    head = io.BytesIO()
    npy_format.write_array_header_1_0(head, {"descr": dtype.str, "fortran_order": False, "shape": (n, d)})
    return head.getvalue()


def _record(path: Path) -> dict[str, Any]:
    """The content of a record; empty if none can be read."""
    try:
        found = json.loads(files.read(path, MOST_RECORD))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
