"""Vectors in the files of search libraries, fvecs and bvecs, and in JSON lines.

In an fvecs file, a vector is its length (int32) followed by that many float32 values; in a bvecs file, by that many
bytes (http://corpus-texmex.irisa.fr).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.asking import NoSuchNameError, is_none
from steinhaus.images.collection import Images
from steinhaus.images.columns import LABELS
from steinhaus.images.files import open_content, shown, source_name
from steinhaus.images.limits import Limits
from steinhaus.images.parquet_layout import PIXELS
from steinhaus.images.progress import Progress
from steinhaus.wording import option

ENDINGS: dict[str, np.dtype[Any]] = {".fvecs": np.dtype("<f4"), ".bvecs": np.dtype("u1")}


def read(
    path: Path,
    *,
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read an fvecs or a bvecs file. The ending of its name tells which.

    Parameters
    ----------
    shape, full_scale
        As in `Images.from_arrays`.
    """
    dtype = ENDINGS[path.suffix.lower()]
    with open_content(path, limits) as content:
        head = content.read(4)
        d = int.from_bytes(head, "little", signed=True)
        width = 4 + d * dtype.itemsize
        if len(head) < 4 or d < 1 or content.stored % width:
            raise DataError(
                f"{shown(path)} does not hold vectors of one length: the first has {d:,} values, which take {width:,} "
                f"bytes with their length, but the file has {content.stored:,} bytes."
            )
        n = content.stored // width
        limits.check_memory(shown(path), 2 * content.stored)
        rows = np.empty((n, width), np.uint8)
        rows.reshape(-1)[:4] = np.frombuffer(head, np.uint8)
        content.fill_array(rows.reshape(-1)[4:], f"{n:,} vectors of {d:,} values")
    lengths = np.ascontiguousarray(rows[:, :4]).view("<i4")[:, 0]
    if (lengths != d).any():
        row = int((lengths != d).argmax())
        raise DataError(
            f"{shown(path)}: vector {row} declares {int(lengths[row]):,} values, but the first declares {d:,}."
        )
    values = np.ascontiguousarray(rows[:, 4:]).view(dtype)
    return Images.from_arrays(
        values.astype(dtype.newbyteorder("="), copy=False), name=source_name(path), shape=shape, full_scale=full_scale
    )


def read_json(
    path: Path,
    *,
    images: str | None = None,
    labels: str | int | bool | None = None,
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read JSON lines. Each is a list of numbers, or an object that holds such a list and perhaps a label.

    Parameters
    ----------
    images
        The key of the list. Default: embedding, vector or similar, or the only list of numbers.
    labels
        The key of the label. Default: label, class, target, y or digit. "none": no labels.
    shape, full_scale
        As in `Images.from_arrays`.

    Raises
    ------
    DataError
        If a line is not such a document. The message names the line.
    """
    rows: list[NDArray[np.float64]] = []
    found: list[Any] = []
    keys: tuple[str | None, str | None] | None = None
    left: list[str] = []  # keys of the first document
    number = held = 0
    with open_content(path, limits) as content:
        while line := content.readline():
            number += 1
            if not line.strip():
                continue
            where = f"{content.name}, line {number}"
            document = _document(line, where)
            if keys is None:
                keys = _keys(document, images, labels, where)
                left = [key for key in document if key not in keys] if isinstance(document, dict) else []
            values: Any = document
            if keys[0] is not None:
                values = document.get(keys[0]) if isinstance(document, dict) else None
            if not _is_vector(values) or (rows and len(values) != len(rows[0])):
                wanted = f"a list of {len(rows[0]):,} numbers" if rows else "a list of numbers"
                raise DataError(f"{where}: it does not hold {wanted}{f' under {keys[0]!r}' if keys[0] else ''}.")
            if keys[1] is not None:
                found.append(_label(document, keys[1], where))
            try:
                rows.append(np.array(values, np.float64))
            except OverflowError:
                raise DataError(f"{where}: it holds a number that is too large for float64.") from None
            held += sys.getsizeof(rows[-1])
            limits.check_memory(content.name, held)
    if not rows:
        raise DataError(f"{shown(path)} holds only blank lines.")
    notes = [f"Left out: {'key' if len(left) == 1 else 'keys'} {', '.join(left[:6])}."] if left else []
    return Images.from_arrays(
        np.stack(rows), found or None, name=source_name(path), shape=shape, full_scale=full_scale, notes=notes
    )


def _document(line: bytes, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "not UTF-8, or nested too deeply"
        raise DataError(f"{where}: this is not a JSON document ({reason}). Each line must be one.") from None


def _keys(document: Any, images: str | None, labels: Any, where: str) -> tuple[str | None, str | None]:
    """The keys of vector and label in the first document; None: the document is the vector, or has no label."""
    if not isinstance(document, dict):
        return None, None
    vectors = [key for key, value in document.items() if _is_vector(value)]
    named = [key for key in vectors if key.lower() in PIXELS]
    chosen = images or (named[0] if named else vectors[0] if len(vectors) == 1 else None)
    if not vectors and images is None:
        raise DataError(
            f"{where}: none of {', '.join(list(document)[:8])} is a list of numbers. Save records of numbers as CSV or "
            "Parquet."
        )
    if chosen is None or chosen not in document:
        raise DataError(
            f"{where}: it is not clear which of {', '.join(list(document)[:8])} is the vector. Name it: "
            f"{option('images', '...')}"
        )
    if is_none(labels):
        return chosen, None
    if labels is not None and not isinstance(labels, bool):
        if str(labels) not in document:
            raise NoSuchNameError(f"{where} has no key {labels!r}; it has {', '.join(list(document)[:8])}.")
        return chosen, str(labels)
    return chosen, next((key for key in document if key.lower() in LABELS and key != chosen), None)


def _is_vector(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(each) in (int, float) for each in value)


def _label(document: Any, key: str, where: str) -> Any:
    label = document.get(key) if isinstance(document, dict) else None
    if not isinstance(label, str | int) or isinstance(label, bool):
        raise DataError(f"{where}: its label, {str(label)[:40]!r}, is neither a name nor a whole number.")
    return str(label)
