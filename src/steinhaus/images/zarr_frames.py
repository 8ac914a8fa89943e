"""Check the declared lengths of compressed Zarr chunks before numcodecs decodes them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_BLOSC_HEADER = 16  # bytes; the last four hold the length of the frame with its header
_ZSTD = 0xFD2FB528  # first bytes of a frame
_SKIPPED = range(0x184D2A50, 0x184D2A60)  # first bytes of frames without data


@functools.cache
def check_frames() -> None:
    """Make numcodecs refuse Blosc and Zstandard frames whose end is not where they declare, in this whole process.

    Unchecked, it reads past the end of a Blosc frame, which may crash the process, and waits forever for the rest of a
    second Zstandard frame. The check cannot be set for one array, because codecs of format version 3 contain each
    other.
    """
    import numcodecs

    for codec, fits in ((numcodecs.Blosc, _blosc_fits), (numcodecs.Zstd, _zstd_fits)):
        codec.decode = _checked(codec.decode, fits)


def _checked(decode: Callable[..., Any], fits: Callable[[memoryview], bool]) -> Callable[..., Any]:
    from numcodecs.compat import ensure_contiguous_ndarray

    def decode_checked(self: Any, buf: Any, out: Any = None) -> Any:
        if not fits(memoryview(ensure_contiguous_ndarray(buf).view("u1"))):
            raise ValueError("it does not end where it declares to end")
        return decode(self, buf, out)

    return decode_checked


def _number(frame: memoryview, place: int, size: int) -> int:
    return int.from_bytes(frame[place : place + size], "little")


def _blosc_fits(frame: memoryview) -> bool:
    return _BLOSC_HEADER <= len(frame) >= _number(frame, 12, 4)


def _zstd_fits(frames: memoryview) -> bool:
    """Whether the last frame ends at the end of the data (RFC 8878, section 3.1)."""
    place = 0
    while place + 8 <= len(frames):
        kind = _number(frames, place, 4)
        if kind in _SKIPPED:
            place += 8 + _number(frames, place + 4, 4)
        elif kind == _ZSTD:
            place = _zstd_end(frames, place)
        else:
            return False
    return place == len(frames) > 0


def _zstd_end(frames: memoryview, place: int) -> int:
    """The end of the frame that begins here; past the end of the data if the frame is cut short."""
    about = frames[place + 4]
    alone = about >> 5 & 1  # one segment: no byte for the window, and at least one for the content size
    place += 5 + (1 - alone) + (0, 1, 2, 4)[about & 3] + (alone, 2, 4, 8)[about >> 6]
    last = 0
    while not last:
        block = _number(frames, place, 3)
        last = block & 1 if place + 3 <= len(frames) else 1
        place += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)  # kind 1 is one repeated byte
    return place + 4 * (about >> 2 & 1)  # a checksum
