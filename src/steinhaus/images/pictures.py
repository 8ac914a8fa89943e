"""One picture file (PNG, JPEG, WebP, BMP) -> uint8 pixels of one mode, grey or RGB.

A file is not trusted: its size is asked of its header before it is decoded, and all that goes wrong is one kind of
error.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from steinhaus.errors import DataError
from steinhaus.images.collection import Images
from steinhaus.images.files import Clipped, open_regular, shown, source_name
from steinhaus.images.limits import Limits, raised, size_text
from steinhaus.images.progress import Progress

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".webp", ".bmp")
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N")
_ORIENTATION = 0x0112  # EXIF 2.32, tag 274: how to turn the picture upright
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Look:
    """What every picture is brought to."""

    mode: str | None = None  # "L" or "RGB"; None: what all pictures are
    size: tuple[int, int] | None = None  # width, height; None: what all pictures have
    fit: str = "crop"  # where the shape differs: "crop" the middle, "pad" with background, or "stretch"
    background: int = 0  # grey value under transparent pixels and beside padded ones

    def __post_init__(self) -> None:
        if self.mode not in (None, "L", "RGB"):
            raise DataError(f'mode must be "L" (grey) or "RGB", not {self.mode!r}.')
        if self.fit not in ("crop", "pad", "stretch"):
            raise DataError(f'fit must be "crop", "pad" or "stretch", not {self.fit!r}.')
        if self.size is not None and not _is_size(self.size):
            raise DataError(f"size must be (width, height), two positive whole numbers, not {self.size!r}.")
        if not isinstance(self.background, int) or not 0 <= self.background <= 255:
            raise DataError(f"background must be a grey value from 0 to 255, not {self.background!r}.")


def _is_size(size: Any) -> bool:
    return isinstance(size, tuple) and len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size)


class BadPictureError(Exception):
    """Why a picture cannot be read."""


def read(
    path: Path,
    *,
    mode: str | None = None,
    size: tuple[int, int] | None = None,
    fit: str = "crop",
    background: int = 0,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read one picture, as a collection of one. The options are those of `folder.read`."""
    look = Look(mode, size, fit, background)
    with quiet():
        try:
            pixels = decoded(path, look, limits)
        except BadPictureError as error:
            raise DataError(f"{shown(path)} {error}.") from None
    return Images.from_arrays(pixels[np.newaxis], name=source_name(path), files=[shown(path.name)])


@contextmanager
def opened(path: Path | bytes, limits: Limits) -> Iterator[Image.Image]:
    """Open a picture, a file or the bytes of one, its header checked and nothing decoded.

    All that goes wrong becomes a `BadPictureError`.
    """
    try:
        with io.BytesIO(path) if isinstance(path, bytes) else open_regular(path) as file:
            stored = file.seek(0, os.SEEK_END)
            file.seek(0)
            if stored == 0:
                raise BadPictureError("is empty (0 bytes)")
            if stored > 8 * limits.picture:
                raise BadPictureError(
                    f"has {size_text(stored)}, more than a picture of {limits.picture:,} pixels can need"
                )
            _check_size(*_webp_size(file.read(30)), limits)
            file.seek(0)
            with Image.open(cast("IO[bytes]", Clipped(file, stored)), formats=_FORMATS) as image:
                _check_size(*image.size, limits)
                if getattr(image, "is_animated", False) and image.format in ("PNG", "WEBP"):
                    raise BadPictureError("is an animation, not one picture")
                yield image
    except (BadPictureError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise BadPictureError(f"declares more pixels than Pillow opens, and the limit is {limits.picture:,}") from None
    except UnidentifiedImageError:
        raise BadPictureError("is not a PNG, JPEG, WebP or BMP picture, or its beginning is damaged") from None
    except Exception as error:  # decoders raise whatever they trip over in a damaged file
        raise BadPictureError(f"cannot be read: {str(error) or type(error).__name__}") from None


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.picture:
        raise BadPictureError(
            f"declares {width:,} x {height:,} pixels, over the limit of {limits.picture:,}; if you trust it, "
            f"{raised('picture', width * height)}"
        )


def _webp_size(head: bytes) -> tuple[int, int]:
    """The width and height that the first bytes of a WebP file declare; 0, 0 of other files (RFC 9649, section 2).

    Pillow allocates the whole canvas of a WebP file when it opens it, before its size can be asked.
    """
    numbers = [
        int.from_bytes(head[first:end], "little") for first, end in ((24, 27), (27, 30), (21, 25), (26, 28), (28, 30))
    ]
    match head[:4] + head[8:16]:
        case b"RIFFWEBPVP8X":
            return numbers[0] + 1, numbers[1] + 1
        case b"RIFFWEBPVP8L":
            return (numbers[2] & 0x3FFF) + 1, (numbers[2] >> 14 & 0x3FFF) + 1
        case b"RIFFWEBPVP8 ":
            return numbers[3] & 0x3FFF, numbers[4] & 0x3FFF
        case _:
            return 0, 0


def decoded(path: Path | bytes, look: Look, limits: Limits) -> NDArray[np.uint8]:
    """Decode a picture and bring it to the mode and size asked for, (h, w) or (h, w, 3)."""
    with opened(path, limits) as image:
        image.load()
        turned = _UPRIGHT.get(orientation_of(image))
        mode = look.mode or mode_of(image)
        plain = _opaque(_eight_bits(image), look.background).convert(mode)
        if turned is not None:
            plain = plain.transpose(turned)
        if look.size is not None and plain.size != look.size:
            plain = _resized(plain, look.size, look)
        return np.asarray(plain)


def mode_of(image: Image.Image) -> str:
    """The mode of a picture among the two that there are here. A palette is colour."""
    return "L" if image.mode in _GREY else "RGB"


def orientation_of(image: Image.Image) -> int:
    """How a picture lies, by its EXIF data: 1 is upright."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data do not make a picture unreadable: it stands as it is
        return 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """A picture of 16 bits a pixel as one of 8: value x 255 / 65535, rounded."""
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def _opaque(image: Image.Image, background: int) -> Image.Image:
    """A picture laid over a background of one grey value."""
    if not image.has_transparency_data:
        return image
    ground = Image.new("RGBA", image.size, (background, background, background, 255))
    return Image.alpha_composite(ground, image.convert("RGBA"))


def _resized(image: Image.Image, size: tuple[int, int], look: Look) -> Image.Image:
    method = Image.Resampling.LANCZOS
    if look.fit == "crop":
        return ImageOps.fit(image, size, method)
    if look.fit == "stretch":
        return image.resize(size, method)
    ground = look.background if image.mode == "L" else (look.background,) * 3
    return ImageOps.pad(image, size, method, color=ground)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Pillow's warnings: about sizes, which are checked here, and about oddities that it works around."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
