"""One picture file (PNG, JPEG, WebP, BMP, TIFF, AVIF, HEIC) -> uint8 pixels of one mode, grey or RGB.

A file is not trusted: the size in its header is checked before it is decoded, and every failure is a `BadPictureError`.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from steinhaus.errors import DataError
from steinhaus.images.collection import Images
from steinhaus.images.deep import Again, eight_bits, raw_of
from steinhaus.images.files import Clipped, open_regular, shown, source_name
from steinhaus.images.limits import Limits, raised, size_text
from steinhaus.images.pixels import shape_text
from steinhaus.images.progress import Progress
from steinhaus.wording import option

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
_OPTIONAL = {
    "AVIF": rb"....ftypavi[fs]",
    "HEIF": rb"....ftyp(hei[cfsx]|hev[cx]|mif1|msf1)",
}  # formats that not every Pillow can read
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N")
_ORIENTATION = 0x0112  # EXIF 2.32, tag 274: the turn that brings the picture upright


@dataclass(frozen=True)
class Look:
    """The mode and size to which every picture is brought."""

    mode: str | None = None  # "L" or "RGB"; None: the common mode of all pictures
    size: tuple[int, int] | None = None  # width, height; None: the common size of all pictures
    fit: str = "crop"  # for other shapes: "crop" the middle, "pad" with background, or "stretch"
    background: int = 0  # grey value behind transparent pixels and around padded pictures

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
    """The reason why a picture cannot be read."""


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
    """Read one picture as a collection of one image. Each page of a TIFF file becomes an image.

    The options are those of `folder.read`.
    """
    look = Look(mode, size, fit, background)
    with quiet():
        try:
            pages = list(_pages(path, look, limits))
        except BadPictureError as error:
            raise DataError(f"{shown(path)} {error}.") from None
    other = next((page for page in pages if page.shape != pages[0].shape), None)
    if other is not None:
        raise DataError(
            f"{shown(path)} holds pages of different sizes or modes, {shape_text(pages[0].shape)} and "
            f"{shape_text(other.shape)}. Bring them to one with {to_one()}."
        )
    name = shown(path.name)
    files = [name] if len(pages) == 1 else [f"{name}[{row}]" for row in range(len(pages))]
    return Images.from_arrays(np.stack(pages), name=source_name(path), files=files)


def _pages(path: Path, look: Look, limits: Limits) -> Iterator[NDArray[np.uint8]]:
    """The pages of a picture. Only TIFF files can have more than one."""
    with opened(path, limits, pages=True) as image:
        n = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        for page in range(n):

            @contextmanager
            def again(page: int = page) -> Iterator[Image.Image]:
                with opened(path, limits, pages=True) as other:
                    other.seek(page)
                    yield other

            if n > 1:
                image.seek(page)
                check_size(*image.size, limits)
            pixels = brought(image, look, again)
            limits.check_memory(f"{shown(path)}, {n:,} pages,", n * pixels.nbytes)
            yield pixels


def to_one() -> str:
    """The options that bring pictures to one size and mode."""
    size = option("size", "(width, height)", "WIDTHxHEIGHT")
    return f"{size} and {option('mode', repr('L'))} or {option('mode', repr('RGB'))}"


@contextmanager
def opened(path: Path | bytes, limits: Limits, *, pages: bool = False) -> Iterator[Image.Image]:
    """Open a picture (a file, or its bytes) and check its header. Nothing is decoded.

    Every failure becomes a `BadPictureError`, and so does a TIFF file of several pages, unless `pages` is set.
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
            check_size(*_webp_size(file.read(30)), limits)
            file.seek(0)
            clipped = cast("IO[bytes]", Clipped(file, stored))
            with Image.open(clipped, formats=(*_FORMATS, *_optional(file))) as image:
                check_size(*image.size, limits)
                if image.format in ("PNG", "WEBP", "AVIF") and getattr(image, "is_animated", False):
                    raise BadPictureError("is an animation, not one picture")
                if image.format == "TIFF" and not pages and (n := getattr(image, "n_frames", 1)) > 1:
                    raise BadPictureError(
                        f"has {n:,} pages, not one; open the file alone to read each page as an image"
                    )
                yield image
    except (BadPictureError, DataError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise BadPictureError(f"declares more pixels than Pillow opens, and the limit is {limits.picture:,}") from None
    except UnidentifiedImageError:
        raise BadPictureError(
            "is not a PNG, JPEG, WebP, BMP, TIFF, AVIF or HEIC picture, or its beginning is damaged"
        ) from None
    except Exception as error:  # damaged files make decoders raise almost anything
        raise BadPictureError(f"cannot be read: {str(error) or type(error).__name__}") from None


def _optional(file: BinaryIO) -> tuple[str, ...]:
    """The format of an AVIF or HEIC picture, which only some builds of Pillow or another package can read."""
    file.seek(0)
    head = file.read(16)
    file.seek(0)
    found = tuple(form for form, pattern in _OPTIONAL.items() if re.match(pattern, head, re.DOTALL))
    if "HEIF" in found:
        with suppress(ImportError):
            import pillow_heif

            pillow_heif.register_heif_opener()
    if found:
        Image.init()
        if found[0] not in Image.OPEN:
            way = "pip install pillow-heif" if found[0] == "HEIF" else "pip install -U pillow"
            raise BadPictureError(f"is an {found[0]} picture, which this Pillow cannot read: {way}")
    return found


def check_size(width: int, height: int, limits: Limits) -> None:
    """Refuse a picture that declares more pixels than allowed."""
    if width * height > limits.picture:
        raise BadPictureError(
            f"declares {width:,} x {height:,} pixels, over the limit of {limits.picture:,}; if you trust it, "
            f"{raised('picture', width * height)}"
        )


def _webp_size(head: bytes) -> tuple[int, int]:
    """The width and height in the first bytes of a WebP file (RFC 9649, section 2); 0, 0 for other files.

    Pillow allocates the whole canvas when it opens a WebP file, so the size has to be checked before that.
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
    """Decode a picture and bring it to the mode and size of `look`, (h, w) or (h, w, 3) uint8."""
    with opened(path, limits) as image:
        return brought(image, look, lambda: opened(path, limits))


def brought(image: Image.Image, look: Look, again: Again) -> NDArray[np.uint8]:
    """The pixels of an undecoded picture, in the mode and size of `look`."""
    mode = look.mode or mode_of(image)
    plain = _opaque(eight_bits(image, again), look.background).convert(mode)
    plain.getexif()[_ORIENTATION] = orientation_of(image)  # done last, because Pillow decodes a PNG to find it
    plain = ImageOps.exif_transpose(plain)
    if look.size is not None and plain.size != look.size:
        plain = _resized(plain, look.size, look)
    return np.asarray(plain)


def mode_of(image: Image.Image) -> str:
    """The mode of a picture, "L" or "RGB". A palette counts as colour."""
    return "L" if image.mode in _GREY or raw_of(image).startswith("LA;16") else "RGB"


def orientation_of(image: Image.Image) -> int:
    """The orientation of a picture in its EXIF data; 1 is upright."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data do not make a picture unreadable; it is not turned
        return 1


def _opaque(image: Image.Image, background: int) -> Image.Image:
    """A picture on a background of one grey value."""
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
    """Silence Pillow's warnings about sizes, which are checked here, and about oddities that Pillow works around."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
