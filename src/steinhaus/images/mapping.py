"""Arrays in files, mapped into memory: what the system's cache holds is used where it is, and copied by nobody."""

from __future__ import annotations

import ctypes
import math
import mmap
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.files import open_regular

_POPULATE_READ = 22  # of madvise(2), since Linux 5.14


def mapped(path: Path, first: int, shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """An array in C order of this shape, from this byte of a file on; read-only.

    The whole of it is read before it is handed out: what cannot be read is said here, and is no signal (SIGBUS) to
    whoever looks at it later.

    Returns
    -------
    None where it cannot be mapped, for whatever reason: reading it will tell.
    """
    size = math.prod(shape) * dtype.itemsize
    if not sys.platform.startswith("linux") or not size or first % dtype.itemsize:
        return None
    skipped = first % mmap.ALLOCATIONGRANULARITY
    try:
        with open_regular(path) as file:
            region = mmap.mmap(file.fileno(), skipped + size, prot=mmap.PROT_READ, offset=first - skipped)
    except (OSError, ValueError, DataError):
        return None
    whole = np.frombuffer(region, np.uint8)
    address, length = ctypes.c_void_p(whole.ctypes.data), ctypes.c_size_t(len(whole))
    advise = ctypes.CDLL(None).madvise  # not the mmap module's, which keeps other threads waiting while a disk is read
    advise(address, length, mmap.MADV_WILLNEED)
    if advise(address, length, _POPULATE_READ):
        return None
    return np.frombuffer(region, dtype, math.prod(shape), skipped).reshape(shape)
