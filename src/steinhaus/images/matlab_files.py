"""Read MATLAB's .mat files of versions 5 to 7: the list of arrays, and their values.

SciPy reads them too, but crashes the process on some damaged files. The format is MathWorks' "MAT-File Format" (level
5): a header of 128 bytes, then elements. An element is a type, a size and its bytes. Each array may be compressed.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.limits import Limits

_HEADER = 128
_BEGINNING = 1 << 16  # the first bytes of an array hold its dimensions and its name
_COMPRESSED, _MATRIX = 15, 14
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_OTHERS = {1: "a cell array", 2: "a struct", 3: "an object", 4: "text", 5: "a sparse matrix"}


@dataclass(frozen=True)
class Array:
    """An array in a file."""

    name: str
    shape: tuple[int, ...]
    kind: int  # its class, by number
    is_complex: bool
    place: int  # where its element begins in the file
    size: int  # bytes of that element
    compressed: bool
    first: int  # where the values begin in the decompressed array
    n_bytes: int  # of its values, as stored
    stored: int  # type of its values, as stored
    order: str  # of bytes, "<" or ">"

    @property
    def fault(self) -> str | None:
        """The kind of the array, if it is not a plain array of real numbers; else None."""
        if self.is_complex:
            return "an array of complex numbers"
        return None if self.kind in _CLASSES else _OTHERS.get(self.kind, "of an unknown kind")


def arrays(file: BinaryIO, size: int, name: str) -> dict[str, Array]:
    """The arrays of a file of `size` bytes, by name. Their values are not read."""
    file.seek(0)
    head = file.read(_HEADER)
    marks = {b"IM": "<", b"MI": ">"}
    if len(head) < _HEADER or head[126:128] not in marks:
        raise DataError(f"{name} is not a MATLAB file of version 5 to 7, or its header is damaged.")
    order = marks[head[126:128]]
    found: dict[str, Array] = {}
    place = _HEADER
    while place + 8 <= size:
        file.seek(place)
        kind, length = struct.unpack(f"{order}II", file.read(8))
        if length > size - place - 8:
            raise DataError(f"{name} is cut short: an element declares {length:,} bytes, but the file ends before.")
        if kind in (_COMPRESSED, _MATRIX):
            data = file.read(min(length, _BEGINNING))
            array = _array(data, kind == _COMPRESSED, place + 8, length, order, name)
            if array.name:
                found.setdefault(array.name, array)
        place += 8 + length + (-length % 8 if kind != _COMPRESSED else 0)
    return found


def values(file: BinaryIO, array: Array, name: str, limits: Limits) -> NDArray[Any]:
    """The values of an array, in MATLAB's shape. Refuses what goes over the limits."""
    wanted = math.prod(array.shape) * np.dtype(_STORED[array.stored]).itemsize
    if wanted != array.n_bytes:
        raise DataError(
            f"{name}: {array.name} of shape {array.shape} needs {wanted:,} bytes, but has {array.n_bytes:,}: it is "
            "damaged."
        )
    limits.check_memory(
        f"{name}: {array.name}", math.prod(array.shape) * np.dtype(_CLASSES[array.kind]).itemsize + wanted
    )
    file.seek(array.place)
    raw = file.read(array.size)
    if array.compressed:
        limits.check_ratio(f"{name}: {array.name}", array.size, array.first + wanted)
        raw = zlib.decompressobj().decompress(raw, array.first + wanted)
    data = raw[array.first : array.first + wanted]
    if len(data) < wanted:
        raise DataError(f"{name}: {array.name} is cut short.")
    flat = np.frombuffer(data, np.dtype(array.order + _STORED[array.stored]))
    with np.errstate(invalid="ignore"):
        return flat.astype(_CLASSES[array.kind]).reshape(array.shape, order="F")


def _array(data: bytes, compressed: bool, place: int, size: int, order: str, name: str) -> Array:
    """The description of an array, from its first bytes."""
    first = 0
    if compressed:
        data = zlib.decompressobj().decompress(data, _BEGINNING)
        if len(data) < 8 or struct.unpack(f"{order}I", data[:4])[0] != _MATRIX:
            raise DataError(f"{name}: a compressed element is not an array: the file is damaged.")
        first = 8
    flags, first = _element(data, first, order, name)
    sides, first = _element(data, first, order, name)
    title, first = _element(data, first, order, name)
    if len(flags) < 8 or len(sides) % 4:
        raise DataError(f"{name}: an array has a damaged header.")
    about = struct.unpack(f"{order}I", flags[:4])[0]
    kind, is_complex = about & 0xFF, bool(about >> 8 & 0x08)
    shape = tuple(int(side) for side in np.frombuffer(sides, f"{order}i4"))
    if any(side < 0 for side in shape) or len(shape) < 2:
        raise DataError(f"{name}: an array declares the shape {shape}: the file is damaged.")
    stored, n_bytes = 0, 0
    if kind in _CLASSES:
        stored, n_bytes, first = _tag(data, first, order, name)
        if stored not in _STORED:
            raise DataError(f"{name}: an array holds values of an unknown type, {stored}: the file is damaged.")
    return Array(
        title.decode("latin-1"), shape, kind, is_complex, place, size, compressed, first, n_bytes, stored, order
    )


def _tag(data: bytes, first: int, order: str, name: str) -> tuple[int, int, int]:
    """The type, the size and the start of an element's bytes. The bytes of small elements lie within the tag."""
    if first + 8 > len(data):
        raise DataError(f"{name}: an array ends within its header: the file is damaged.")
    kind, length = struct.unpack_from(f"{order}II", data, first)
    if kind >> 16:
        return kind & 0xFFFF, kind >> 16, first + 4
    return kind, length, first + 8


def _element(data: bytes, first: int, order: str, name: str) -> tuple[bytes, int]:
    """The bytes of an element, and the start of the next one."""
    _, length, start = _tag(data, first, order, name)
    if start + length > len(data):
        raise DataError(f"{name}: an array has a damaged header.")
    small = start == first + 4
    return data[start : start + length], first + 8 if small else start + length + (-length % 8)
