"""NumPy's .npy files: a header, then one array (NumPy Enhancement Proposal 1). Pickles are refused."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.collection import Images
from steinhaus.images.files import Content, open_content, open_regular, reading, shown, source_name
from steinhaus.images.limits import Limits
from steinhaus.images.progress import Progress
from steinhaus.images.staying import stored_images
from steinhaus.images.stored import FileStore

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 65_536
_LARGEST_ITEM = 1 << 24  # bytes of one number or text


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Header:
    """The header of a .npy file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    columns_first: bool  # Fortran order
    length: int  # bytes of the header itself

    @property
    def size(self) -> int:
        """The size of the whole file in bytes, with the header."""
        return self.length + math.prod(self.shape) * self.dtype.itemsize

    @property
    def declared(self) -> str:
        """The declared array, in words."""
        return f"an array of shape {self.shape} ({self.dtype})"


def read(
    path: Path,
    *,
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    mmap: bool = False,
    stored: bool = False,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read a .npy file of images.

    Parameters
    ----------
    shape, full_scale
        As in `Images.from_arrays`.
    mmap
        Whether to map the file into memory instead of reading it, for files larger than memory. Default False. The
        array must be uint8, float32 or float64 in C order and in the machine's byte order.
    stored
        Whether to leave the pixels in the file and read stretches of it when needed. Default False. A split stays in
        the file, too.
    """
    if stored:
        with open_content(path, limits) as content:
            head = _checked_header(content)
        _check_mappable(path, head)
        store = FileStore(path, head.shape, head.dtype, head.length)
        return stored_images(store, head.shape[1:], shape=shape, full_scale=full_scale, name=source_name(path))
    pixels = array_of(path, limits, mmap=mmap)
    return Images.from_arrays(pixels, name=source_name(path), shape=shape, full_scale=full_scale)


def array_of(path: Path, limits: Limits, *, mmap: bool = False) -> NDArray[Any]:
    """The array of a .npy file, unchanged."""
    with open_content(path, limits) as content:
        head = _checked_header(content)
        if not mmap:
            limits.check_memory(content.name, head.size)
            values = np.empty(head.shape, head.dtype, order="F" if head.columns_first else "C")
            content.fill_array(values.T if head.columns_first else values, head.declared)
            return values
    return _mapped(path, head)


def array_in(data: bytes, name: str) -> NDArray[Any]:
    """The array of a .npy file whose bytes are in memory."""
    stream = io.BytesIO(data)
    head = read_header(stream, name)
    if head.size != len(data):
        raise DataError(f"{name} declares {head.declared}, {head.size:,} bytes, but has {len(data):,}: it is damaged.")
    order: Any = "F" if head.columns_first else "C"
    return np.frombuffer(data, head.dtype, offset=head.length).reshape(head.shape, order=order)


def _checked_header(content: Content) -> Header:
    """The header of a file, checked against the file's size."""
    head = read_header(content, content.name)
    content.expect(head.size, head.declared)
    return head


def read_header(stream: _Readable, name: str) -> Header:
    """Read the header of a .npy stream with NumPy's own parser, which accepts only literals.

    Raises
    ------
    DataError
        If it is not a valid header, or declares objects or records.
    """
    start = stream.read(8)
    if start[:6] != _MAGIC or len(start) < 8:
        raise DataError(f"{name} is not a .npy array: it begins with the bytes {start.hex(' ') or '(none)'}.")
    width = 2 if start[6] == 1 else 4
    length_bytes = stream.read(width)
    if start[6] not in (1, 2, 3) or len(length_bytes) < width:
        raise DataError(f"{name} has a .npy header of version {start[6]} that cannot be read.")
    length = int.from_bytes(length_bytes, "little")
    if length > _LONGEST_HEADER:
        raise DataError(
            f"{name} has a .npy header of {length:,} bytes, but no array of images needs more than {_LONGEST_HEADER:,}."
        )
    text = stream.read(length)
    parse = npy_format.read_array_header_1_0 if start[6] == 1 else npy_format.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers written by Python 2
            sizes, columns_first, dtype = parse(io.BytesIO(length_bytes + text), max_header_size=_LONGEST_HEADER)
    except Exception:  # damaged headers make the parser raise almost anything
        raise DataError(f"{name} has a damaged .npy header: {text.decode('latin-1')[:80]!r}.") from None
    _check(dtype, name)
    if any(size < 0 for size in sizes):
        raise DataError(f"{name} has a damaged .npy header: it declares an array of shape {sizes}.")
    if (
        0 in sizes and math.prod(max(size, 1) for size in sizes) * dtype.itemsize >= 2**63
    ):  # NumPy cannot hold such an array
        raise DataError(f"{name} declares an empty array of shape {sizes}, whose sizes are too large for NumPy.")
    return Header(dtype, tuple(map(int, sizes)), bool(columns_first), 8 + width + length)


def _check(dtype: np.dtype[Any], name: str) -> None:
    """Refuse anything except numbers and text."""
    if dtype.hasobject:
        raise DataError(
            f"{name} holds pickled Python objects, which can run any code when they are loaded; Steinhaus never loads "
            "them. Bring the images to one size and save them as a plain array."
        )
    if dtype.names is not None:
        raise DataError(
            f"{name} holds records (a structured dtype), not pixels. Save the field that holds the pixels as an array."
        )
    if dtype.kind not in "biufcSUV" or not 0 < dtype.itemsize <= _LARGEST_ITEM or dtype.subdtype is not None:
        raise DataError(f"{name} declares the dtype {dtype.str[:40]!r}; pixels and labels are numbers or text.")


def _mapped(path: Path, head: Header) -> NDArray[Any]:
    _check_mappable(path, head)
    with reading(path), open_regular(path) as file:
        return np.memmap(file, dtype=head.dtype, mode="r", offset=head.length, shape=head.shape)


def _check_mappable(path: Path, head: Header) -> None:
    if head.columns_first or head.dtype not in (np.uint8, np.float32, np.float64) or not head.dtype.isnative:
        order = "Fortran order" if head.columns_first else f"dtype {head.dtype.str}"
        raise DataError(
            f"{shown(path)} cannot be mapped, because it has {order}. Mapping needs uint8, float32 or float64, in C "
            "order and in this machine's byte order. Open it without mmap, or save it that way."
        )
    if 0 in head.shape or not head.shape:
        raise DataError(f"{shown(path)} holds no images: its shape is {head.shape}.")
