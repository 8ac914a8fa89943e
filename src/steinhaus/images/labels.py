"""Turn labels (integers, names, text) into indices into label names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.wording import option

Int64 = NDArray[np.int64]
LARGEST_FLOAT = 2**53  # largest label in floats: float64 tells all smaller whole numbers apart
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


def encode(labels: Any, n: int, name: str, names: Sequence[str] | None = None) -> tuple[Int64, tuple[str, ...]]:
    """Turn one label per image into indices and names.

    Parameters
    ----------
    labels
        (n,) or (n, 1) integers, whole floats, booleans or text.
    n
        The number of images.
    name
        The name of the images, for messages.
    names
        If given, `labels` are already indices into these names.

    Returns
    -------
    indices : (n,) int64
    names : tuple of str
        In order of value if all labels are integers, else in order of text.

    Raises
    ------
    DataError
        If labels are not classes, or if there is not one per image.
    """
    texts = isinstance(labels, list | tuple) and all(isinstance(label, str) for label in labels)
    values = np.array(labels, object) if texts else np.asarray(labels)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and len(values) == n:
        hot = " If they are one-hot, give labels.argmax(axis=1)." if _is_one_hot(values) else ""
        raise DataError(
            f"{name}: there are {values.shape[1]} labels per image, but only one is allowed. Read the images without "
            f"labels, {option('labels', repr('none'))}, or give one column in a separate file.{hot}"
        )
    if values.ndim != 1:
        raise DataError(f"{name}: labels must be one-dimensional, one per image, but have shape {values.shape}.")
    check_count(len(values), n, name)
    classes = _classes(values, name)
    if names is None:
        return _by_value(classes)
    if classes.dtype.kind != "i" or (n and not 0 <= int(classes.min()) <= int(classes.max()) < len(names)):
        low, high = (classes.min(), classes.max()) if n and classes.dtype.kind == "i" else ("text", "text")
        raise DataError(
            f"{name}: with label_names, labels must be integers from 0 to {len(names) - 1}, but they go from {low} to "
            f"{high}. Without labels: {option('labels', repr('none'))}."
        )
    return classes, tuple(names)


def _is_one_hot(values: NDArray[Any]) -> bool:
    """Whether every row is 0 except for one 1, whose position is the class."""
    # in: values (n, classes)
    ones = values == 1
    return values.dtype.kind in "biuf" and bool((ones | (values == 0)).all() and (ones.sum(axis=1) == 1).all())


def check_count(count: int, n: int, name: str) -> None:
    """Refuse labels unless there is one per image."""
    if count != n:
        raise DataError(
            f"{name}: there are {count:,} labels for {n:,} images; there must be one for each. "
            f"Do the labels belong to these images?"
        )


def _classes(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Labels as int64, or as text (NumPy or Python); refuse anything else."""
    # in: values (n,)
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values):
        return values  # as NumPy text, each would take the memory of the longest
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.trunc(values)).all():
        if values.size and (largest := float(np.abs(values).max())) > LARGEST_FLOAT:
            raise DataError(
                f"{name}: the label {largest:.0f} is too large for a float, which tells whole numbers apart only up to "
                f"{LARGEST_FLOAT:,}. Store the labels as integers or as text."
            )
        return values.astype(np.int64)
    if values.dtype.kind == "u" and values.size and int(values.max()) > np.iinfo(np.int64).max:
        raise DataError(f"{name}: the label {int(values.max())} is too large for 64 bits.")
    if values.dtype.kind in "biu":
        return values.astype(np.int64)
    if values.dtype.kind == "S":
        try:
            return np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{name}: the labels are bytes that are not UTF-8 text ({error.reason}).") from None
    if values.dtype.kind == "U":
        return values
    raise DataError(
        f"{name}: labels must be classes, whole numbers or names, but have dtype {values.dtype}. Without labels: "
        f"{option('labels', repr('none'))}."
    )


def _by_value(classes: NDArray[Any]) -> tuple[Int64, tuple[str, ...]]:
    """Indices and names of classes: integers sorted by value, names by text."""
    # in: classes (n,) int64 or text
    if classes.dtype.kind == "O":
        texts = [str(value).rstrip("\0") for value in classes]  # like NumPy text, which drops zeros at the end
        names = sorted(set(texts))
        place = {text: index for index, text in enumerate(names)}
        indices = np.fromiter((place[text] for text in texts), np.int64, len(texts))
    else:
        found, indices = np.unique(classes, return_inverse=True)
        names = [str(value) for value in found.tolist()]
    if classes.dtype.kind == "i" or not all(_INTEGER.fullmatch(text) for text in names):
        return indices.astype(np.int64, copy=False), tuple(names)
    order = sorted(range(len(names)), key=lambda place: (int(names[place]), names[place]))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[indices], tuple(names[place] for place in order)
