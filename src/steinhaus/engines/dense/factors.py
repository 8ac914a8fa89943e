"""Rows by which points are multiplied, their scores, and memory for one worker. Records of kernels: see `records`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.jit.annotations import Array, f32, i8

TILE = 32
_LINES = 128  # the most bytes that a processor fetches together


class Factors(NamedTuple):
    """Rows by which points are multiplied over all features: in float32, or as two signed bytes a feature.

    As bytes, row j is scales[j] (128 high + low). W is d rounded up to a multiple of 64, or 0 if bytes are not used.
    """

    rows: Array[f32]  # (K, d)
    high: Array[i8]  # (K, W); 0 past d
    low: Array[i8]  # (K, W)
    scales: Array[f32]  # (K,) powers of two


class Scores(NamedTuple):
    """From products to scores and bounds: score = product - half[j], error <= n slope[j] + r lag[j] + floor[j]."""

    rows: Array[f32]  # (K, d or p) the rows by which points are multiplied; for all features, those of `Factors`
    half: Array[f32]  # (K,)
    slope: Array[f32]  # (K,)
    lag: Array[f32]  # (K,)
    floor: Array[f32]  # (K,)


def factors_of(k: int, d: int, bytewise: bool) -> Factors:
    """A record with memory for k rows."""
    high, low = np.zeros((2, k, width_of(d, bytewise)), np.int8)
    return Factors(np.zeros((k, d), np.float32), high, low, np.zeros(k, np.float32))


def scores_of(rows: NDArray[np.float32]) -> Scores:
    """A record with memory for the bounds of rows, (K, d or p)."""
    return Scores(rows, *np.zeros((4, len(rows)), np.float32))


def width_of(d: int, bytewise: bool) -> int:
    """Bytes of a row in products of bytes; 0 if bytes are not used."""
    return -(-d // 64) * 64 if bytewise else 0


def apart(shape: int | tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros for one worker. The array shares neither a cache line nor the next one with arrays of other workers."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape)) * kind.itemsize
    room = np.zeros(size + 2 * _LINES, np.uint8)
    start = -room.ctypes.data % _LINES
    return room[start : start + size].view(kind).reshape(shape)
