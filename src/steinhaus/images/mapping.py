"""Map arrays in files into memory, so that the system's cache is used directly and nothing is copied."""

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
    """Map a read-only array in C order, which begins at byte `first` of a file.

    All of it is read before it is returned, so an unreadable disk shows here, and not as a signal (SIGBUS) later.

    Returns
    -------
    None if the file cannot be mapped for any reason. An ordinary read then reports the reason.
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
    advise = ctypes.CDLL(None).madvise  # the mmap module's own call would block other threads while the disk is read
    advise(address, length, mmap.MADV_WILLNEED)
    if advise(address, length, _POPULATE_READ):
        return None
    return np.frombuffer(region, dtype, math.prod(shape), skipped).reshape(shape)
