"""Chunks of Zarr that Blosc compressed, held against the length that they declare."""

from __future__ import annotations

import functools
from typing import Any

_HEADER = 16  # bytes before a frame, of which the last four say how long it is with them


@functools.cache
def check_frames() -> None:
    """From here on in this process, numcodecs refuses a frame that is shorter than it declares.

    By itself it reads on past the end, in memory that is not the frame's, and may end the process. There is no way to
    say so for one array alone: in version 3 of the format codecs hold each other.
    """
    from numcodecs import Blosc
    from numcodecs.compat import ensure_contiguous_ndarray

    decode = Blosc.decode

    def decode_checked(self: Any, buf: Any, out: Any = None) -> Any:
        frame = ensure_contiguous_ndarray(buf).view("u1")
        if len(frame) < _HEADER or int.from_bytes(frame[12:16].tobytes(), "little") > len(frame):
            raise ValueError("it is shorter than it declares")
        return decode(self, buf, out)

    Blosc.decode = decode_checked
