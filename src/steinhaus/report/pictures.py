"""Turn pixels into pictures for a browser: grey or RGB, 8 bits, PNG or WebP."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
QUALITIES = (85, 60)  # of lossy WebP, best first
PROFILE = (40, 64)  # height and width of a vector's picture


def to_bytes(values: NDArray[Any], full_scale: float) -> Pixels:
    """Pixels (n, h, w) or (n, h, w, c) in 0..full_scale as 8 bits of grey (n, h, w) or RGB (n, h, w, 3)."""
    if values.dtype != np.uint8 or full_scale != 255:
        scaled = np.nan_to_num(values.astype(np.float32) * np.float32(255 / full_scale))
        values = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    if values.ndim == 3:
        return values
    if values.shape[3] in (1, 2):  # grey, or grey with alpha
        return values[..., 0]
    return values[..., :3]


def profiles(vectors: NDArray[Any], low: float, high: float) -> Pixels:
    """Vectors (n, d) drawn as pictures (n, *PROFILE): an area over the index, whose height is the value."""
    height, width = PROFILE
    d = vectors.shape[1]
    edges = np.linspace(0, d, width + 1)
    at = np.minimum(((edges[:-1] + edges[1:]) / 2).astype(np.int64), d - 1)
    level = (vectors[:, at].astype(np.float64) - low) / max(high - low, np.finfo(float).tiny)
    rows = np.clip(np.rint(np.nan_to_num(level) * (height - 2)) + 1, 1, height)  # (n, width): filled from the bottom
    filled = np.arange(height)[None, :, None] >= height - rows[:, None, :]
    return np.where(filled, np.uint8(235), np.uint8(35))


def png(picture: Pixels) -> bytes:
    """One picture (h, w) or (h, w, 3) as a PNG file."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "png", compress_level=9)
    return out.getvalue()


def webp(picture: Pixels, quality: int | None = None) -> bytes:
    """One picture (h, w) or (h, w, 3) as a WebP file, lossy if a quality is given.

    For sheets of digits, lossless WebP is smaller and faster than PNG.
    """
    out = io.BytesIO()
    if quality is not None:
        Image.fromarray(picture).save(out, "webp", quality=quality, method=4)
        return out.getvalue()
    Image.fromarray(picture).save(out, "webp", lossless=True, quality=20, method=1)
    return out.getvalue()


def data_uri(data: bytes, form: str) -> str:
    """The bytes of a picture as a data URI."""
    return f"data:image/{form};base64,{base64.b64encode(data).decode('ascii')}"


def thumbnails(pictures: Pixels, largest: int, *, lossy: bool) -> list[str]:
    """Pictures (n, h, w) or (n, h, w, 3), made smaller, as data URIs."""
    small = reduce(pictures, largest) if len(pictures) else pictures
    return [data_uri(webp(each, QUALITIES[0]), "webp") if lossy else data_uri(png(each), "png") for each in small]


def fitted(height: int, width: int, largest: int) -> tuple[int, int]:
    """A size of the same proportions whose longer side has at most `largest` pixels."""
    factor = min(1.0, largest / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def reduce(pictures: Pixels, largest: int) -> Pixels:
    """Pictures (n, h, w) or (n, h, w, 3), made smaller so that the longer side has at most `largest` pixels."""
    height, width = fitted(pictures.shape[1], pictures.shape[2], largest)
    if (height, width) == pictures.shape[1:3]:
        return pictures
    size = (width, height)
    return np.stack([np.asarray(Image.fromarray(p).resize(size, Image.Resampling.BOX)) for p in pictures])
