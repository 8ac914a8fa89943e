"""Convert pictures of 16 bits per sample to 8: value x 255 / 65535, rounded. Transparency is kept.

Pillow has no mode for several channels of 16 bits, and drops the low byte of each sample. This module gets both bytes
by decoding the picture twice: once as it is, once with the bytes of each sample swapped.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile as _Filed

Again = Callable[[], AbstractContextManager[Image.Image]]  # opens the same picture again, without decoding it

_FULL = 65535
_FOREIGN = ";16B" if sys.byteorder == "little" else ";16L"
_SWAPPED = {";16B": ";16L", ";16L": ";16B", ";16N": _FOREIGN}  # Pillow's names for the byte order of 16-bit samples
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def eight_bits(image: Image.Image, again: Again) -> Image.Image:
    """A picture with 8 bits per sample. A picture that has them is only decoded.

    Raises
    ------
    ValueError
        If its samples are floats, or integers that 16 bits cannot hold.
    """
    if image.mode == "F":
        raise ValueError("it holds floats, not pixels of 8 or 16 bits; save its values as a .npy array")
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        low, high = int(values.min()), int(values.max())
        if low < 0 or high > _FULL:
            raise ValueError(f"it holds values from {low} to {high}, which are no pixels of 16 bits")
        return _rounded(values[..., None], image.info.get("transparency"))
    raw = raw_of(image)
    if raw.startswith("LA;16"):  # four bytes per pixel, like RGBA
        return _rounded(_joined(_decoded(image, "RGBA")), None)
    swapped = next((raw.replace(end, other) for end, other in _SWAPPED.items() if raw.endswith(end)), None)
    if swapped is None or image.mode not in ("RGB", "RGBA"):
        image.load()
        return image
    transparent = image.info.get("transparency")
    high_bytes = np.asarray(image).astype(np.int64)
    with again() as other:
        low_bytes = _decoded(other, swapped)
    return _rounded(high_bytes * 256 + low_bytes, transparent)


def raw_of(image: Image.Image) -> str:
    """Pillow's name for how the samples of a picture are stored; "" if it gives none."""
    args = image.tile[0][3] if isinstance(image, _Filed) and image.tile else ""
    first: Any = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _decoded(image: Image.Image, raw: str) -> NDArray[np.int64]:
    """Decode a picture as if its samples were stored this way."""
    assert isinstance(image, _Filed)
    tiles: list[Any] = []
    for tile in image.tile:
        args = (raw, *tile[3][1:]) if isinstance(tile[3], tuple) else raw
        tiles.append(tile._replace(args=args) if hasattr(tile, "_replace") else (*tile[:3], args))
    image.tile = tiles
    return np.asarray(image).astype(np.int64)


def _joined(bytes_of: NDArray[np.int64]) -> NDArray[np.int64]:
    """(h, w, 4) bytes as (h, w, 2) samples."""
    return bytes_of[..., 0::2] * 256 + bytes_of[..., 1::2]


def _rounded(values: NDArray[np.int64], transparent: Any) -> Image.Image:
    """Samples of 16 bits, (h, w, c), as a picture of 8; one value, or one colour, may be transparent."""
    eight = ((values * 255 + _FULL // 2) // _FULL).astype(np.uint8)
    if transparent is not None and not isinstance(transparent, bytes) and values.shape[-1] in (1, 3):
        seen = (values != np.asarray(transparent).reshape(-1)).any(axis=-1, keepdims=True)
        eight = np.concatenate([eight, np.where(seen, 255, 0).astype(np.uint8)], axis=-1)
    return Image.fromarray(eight[..., 0] if eight.shape[-1] == 1 else eight, _MODES[eight.shape[-1]])
