"""Vectors beside pictures, which are clustered instead of the pixels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 4096  # rows per block; results depend on it


@dataclass(frozen=True, eq=False)
class Vectors:
    """The features of some pictures, one row per picture, before any step.

    Attributes
    ----------
    values
        (n, d) uint8, float32 or float64; or points on disk of that shape.
    asked
        The word or the path with which the user asked for them.
    name
        Their name.
    kind
        See `asked.Features.kind`.
    steps
        The steps that follow before clustering; see `chain`.
    unit
        The value that counts as 1 in distances.
    options
        How they were made, in types of JSON.
    folder
        The folder of vectors that are not in memory; None: all are in memory.
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
        """The number of vectors, and of values per vector."""
        n, d = self.values.shape
        return int(n), int(d)

    @cached_property
    def sha256(self) -> str:
        """The digest of the vectors: shape, dtype and values."""
        return digest(self.values)

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """The vectors of these rows, in this order."""
        values = self.values.taken(rows) if is_stored(self.values) else self.values[rows]
        return replace(self, values=values)


def is_stored(values: Any) -> bool:
    """Whether points stay on disk."""
    return not isinstance(values, np.ndarray)


def blocks(values: Any) -> Iterator[NDArray[Any]]:
    """Yield points (n, d) in blocks of `BLOCK` rows, from memory or from disk."""
    for first in range(0, len(values), BLOCK):
        yield np.asarray(values[first : first + BLOCK])


def digest(values: Any) -> str:
    """The sha256 of points or pictures: shape, dtype, and values row by row. It is the same on every machine."""
    dtype = values.dtype.newbyteorder("<")
    sha = hashlib.sha256(json.dumps({"shape": list(values.shape), "dtype": dtype.str}).encode())
    for block in blocks(values):
        sha.update(np.ascontiguousarray(block.astype(dtype, copy=False)).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()
