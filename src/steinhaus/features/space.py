"""Vectors beside pictures: what is clustered where the pictures themselves are not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 4096  # rows worked on at once, from the first on: part of how a result comes about


@dataclass(frozen=True, eq=False)
class Vectors:
    """The features of some pictures, one row each, as they are before any step.

    Attributes
    ----------
    values
        (n, d) uint8, float32 or float64; or stored points of that shape.
    asked
        The features as they were asked for: a word, or a path as it was given.
    name
        What to call them.
    kind
        See `asked.Features.kind`.
    steps
        What is done with them before they are clustered; see `chain`.
    unit
        The value that counts as 1 where distances are measured.
    options
        How they were made, in JSON's types.
    folder
        Where vectors are kept that are not held in memory; None: nowhere.
    """

    values: Any
    asked: str
    name: str
    kind: str
    steps: tuple[str, ...] = ()
    unit: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: Any = None

    @property
    def shape(self) -> tuple[int, int]:
        """How many vectors, and of how many values."""
        n, d = self.values.shape
        return int(n), int(d)

    @cached_property
    def sha256(self) -> str:
        """Digest of the vectors: shape, dtype and values."""
        return digest(self.values)

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """The vectors of these rows, in this order."""
        values = self.values.taken(rows) if is_stored(self.values) else self.values[rows]
        return replace(self, values=values)


def is_stored(values: Any) -> bool:
    """Whether points stay where they are stored."""
    return not isinstance(values, np.ndarray)


def blocks(values: Any) -> Iterator[NDArray[Any]]:
    """Points in blocks of `BLOCK` rows, wherever they are."""
    for first in range(0, len(values), BLOCK):
        yield np.asarray(values[first : first + BLOCK])


def digest(values: Any) -> str:
    """The sha256 of points or pictures: shape, dtype, and values in the order of rows; the same on every machine."""
    dtype = values.dtype.newbyteorder("<")
    sha = hashlib.sha256(json.dumps({"shape": list(values.shape), "dtype": dtype.str}).encode())
    for block in blocks(values):
        sha.update(np.ascontiguousarray(block.astype(dtype, copy=False)).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()
