"""Turn arrays into pixels: uint8, float32 or float64, one image per row, in C order."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.limits import Limits

Pixels = NDArray[Any]  # (n, h, w), (n, h, w, c) or (n, d): uint8, float32 or float64

_BLOCK = 1 << 22  # values per block, so that checking a large array needs little memory
_CHANNELS = (3, 4)


def as_pixels(
    array: Any, name: str, shape: tuple[int, ...] | None = None, *, each: str = "pixel"
) -> tuple[Pixels, float]:
    """Check an array and turn it into pixels.

    uint8, float32 and float64 keep their type, and are not copied if they are in C order. Booleans become 0 and 1.
    Other integers become uint8 if all are 0..255, else float32 if it holds them exactly, else float64. float16 becomes
    float32. (n, h, w, 1) becomes (n, h, w).

    Parameters
    ----------
    array
        (n, d), (n, h, w) or (n, h, w, c).
    name
        The name of the array in messages.
    shape
        The shape of one image, if rows should be reshaped.
    each
        The name of one number in messages.

    Returns
    -------
    pixels : ndarray
    full_scale : float
        The pixel value that counts as 1: 255 for uint8, 65535 for wider integers of that range, 1 for floats and
        booleans.

    Raises
    ------
    DataError
        If the array holds anything but finite real numbers, is empty, or has another shape.
    """
    try:
        values = np.asarray(array)
    except ValueError as error:
        raise DataError(
            f"{name}: the images do not all have the same shape, so they do not form an array ({error})."
        ) from None
    if values.dtype.kind not in "buif" or values.dtype.itemsize > 8:
        raise DataError(f"{name}: pixels must be integers or floats of at most 64 bits, {_what(values.dtype)}.")
    values = _shaped(values, name, shape)
    check_finite(values, name, each)
    pixels, full_scale = _converted(values)
    return np.ascontiguousarray(pixels), full_scale


def check_finite(values: NDArray[Any], name: str, each: str = "pixel") -> None:
    """Refuse NaN and infinity, and name the first one. Values: (n, ...) of any dtype."""
    if values.dtype.kind != "f":
        return
    rows = max(1, _BLOCK // max(1, math.prod(values.shape[1:])))
    for first in range(0, len(values), rows):
        block = values[first : first + rows]
        finite = np.isfinite(block)
        if not finite.all():
            place = tuple(int(axis) for axis in np.argwhere(~finite)[0])
            raise DataError(
                f"{name}: image {first + place[0]} has the value {block[place]} at {list(place[1:])}, but every {each} "
                f"must be a finite number. Replace or leave out such values."
            )


def scale_of(full_scale: float | None, usual: float, name: str) -> float:
    """The pixel value that counts as 1: the given one, if it is valid, or the usual one."""
    if full_scale is None:
        return usual
    if not 0 < full_scale <= sys.float_info.max:  # larger integers are not floats
        raise DataError(
            f"{name}: full_scale is the pixel value that counts as 1; it must be positive, not {str(full_scale)[:40]}."
        )
    return float(full_scale)


def check_given_train(given_train: int | None, n: int, name: str, given_val: int = 0) -> None:
    """Refuse a training part of no or of all images, and a validation part that is too large."""
    if given_train is not None and not 0 < given_train < n:
        raise DataError(f"{name}: given_train must be from 1 to {n - 1}, not {given_train}.")
    if not 0 <= given_val <= n - (given_train or n):
        raise DataError(f"{name}: given_val must be from 0 to {n - (given_train or n)}, not {given_val}.")


def stacked(
    parts: Sequence[tuple[str, np.dtype[Any], tuple[int, ...]]], limits: Limits
) -> tuple[NDArray[Any], list[NDArray[Any]]]:
    """Allocate one array for several parts (name, dtype, shape).

    Returns
    -------
    whole : ndarray
    places : list of ndarray
        The view of the array for each part.

    Raises
    ------
    DataError
        If the parts differ in dtype or image shape, or take more memory than allowed.
    """
    name, dtype, shape = parts[0]
    for other, other_dtype, other_shape in parts[1:]:
        if (other_dtype, other_shape[1:]) != (dtype, shape[1:]):
            raise DataError(
                f"{name} and {other} do not belong together: images of shape {shape[1:]} ({dtype}) and of shape "
                f"{other_shape[1:]} ({other_dtype})."
            )
    n = sum(part[2][0] for part in parts)
    limits.check_memory(name, n * math.prod(shape[1:]) * dtype.itemsize)
    whole = np.empty((n, *shape[1:]), dtype)
    ends = itertools.accumulate(part[2][0] for part in parts)
    return whole, [whole[end - part[2][0] : end] for part, end in zip(parts, ends, strict=True)]


def shape_text(shape: tuple[int, ...]) -> str:
    """Write the shape of an image for people: 28 x 28, or 784 values."""
    return f"{shape[0]} values" if len(shape) == 1 else " x ".join(map(str, shape))


def _what(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "c":
        return f"not complex numbers ({dtype}); take their real part or their modulus"
    if dtype.kind == "O":
        return "not Python objects; if the images differ in size, bring them to one size first"
    if dtype.kind in "US":
        return f"not text ({dtype})"
    return f"not {dtype}"


def _shaped(values: NDArray[Any], name: str, shape: tuple[int, ...] | None) -> NDArray[Any]:
    # in: values of any shape
    if values.ndim == 0 or values.size == 0:
        raise DataError(f"{name} holds no images: its shape is {values.shape}.")
    if shape is not None:
        if math.prod(shape) != math.prod(values.shape[1:]) or any(side < 1 for side in shape):
            raise DataError(
                f"{name}: an image has {math.prod(values.shape[1:]):,} values, which do not fit the shape "
                f"{tuple(shape)}."
            )
        values = values.reshape(len(values), *shape)
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim == 4 and values.shape[3] not in _CHANNELS:
        first = values.shape[1] in (1, *_CHANNELS)
        way = (
            "move the channels last: np.moveaxis(x, 1, -1)"
            if first
            else "flatten images to vectors: x.reshape(len(x), -1)"
        )
        raise DataError(f"{name}: the last axis of {values.shape} must be 1, 3 or 4 channels. If you can, {way}.")
    if values.ndim not in (2, 3, 4):
        raise DataError(
            f"{name} has shape {values.shape}; images are (n, height, width), (n, height, width, channels) or, as "
            f"plain vectors, (n, features)."
        )
    return values


def _converted(values: NDArray[Any]) -> tuple[Pixels, float]:
    # in: values (n, ...)
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "b":
        return values.view(np.uint8), 1.0
    if kind == "f":
        return values.astype(np.float32 if size <= 4 else np.float64, copy=False), 1.0
    if kind == "u" and size == 1:
        return values, 255.0
    low, high = int(values.min()), int(values.max())
    if low >= 0 and high <= 255:
        return values.astype(np.uint8), 255.0
    dtype = np.float32 if low >= -(2**24) and high <= 2**24 else np.float64
    return values.astype(dtype), 65535.0 if low >= 0 and high <= 65535 else 1.0
