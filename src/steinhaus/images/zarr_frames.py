"""Compressed chunks of Zarr, held against the lengths that they declare, before numcodecs decodes them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_BLOSC_HEADER = 16  # bytes, of which the last four say how long the frame is with them
_ZSTD = 0xFD2FB528  # how a frame begins
_SKIPPED = range(0x184D2A50, 0x184D2A60)  # how one begins that holds no data


@functools.cache
def check_frames() -> None:
    """From here on in this process, numcodecs refuses Blosc and Zstandard frames that end elsewhere than they declare.

    By itself it reads past the end of a Blosc frame, which may end the process, and waits without end for the rest of
    a second Zstandard frame. There is no way to say so for one array alone: in version 3 of the format codecs hold
    each other.
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
    """Whether the last frame ends where the data do (RFC 8878, section 3.1)."""
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
    """Where the frame ends that begins here; past the end of the data where it is cut short."""
    about = frames[place + 4]
    alone = about >> 5 & 1  # one segment: no byte for the window, and the size of the content takes one at least
    place += 5 + (1 - alone) + (0, 1, 2, 4)[about & 3] + (alone, 2, 4, 8)[about >> 6]
    last = 0
    while not last:
        block = _number(frames, place, 3)
        last = block & 1 if place + 3 <= len(frames) else 1
        place += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)  # of kind 1 a byte that is repeated
    return place + 4 * (about >> 2 & 1)  # a checksum
