"""Rows scaled to unit length."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.exact.unit_kernels import scale
from steinhaus.engines.workers import Workers

_VALUES = 2**18  # values a task


def unit_rows(x: NDArray[Any], *, threads: int | None = None) -> NDArray[np.floating[Any]]:
    """Scale rows x, (n, d) C-contiguous, to unit length. Rows of zeros stay zeros.

    float32 gives float32, any other type float64. Squares are added up in the order of the features, so that the bits
    are the same everywhere.
    """
    n, d = x.shape
    out = np.empty((n, d), np.float32 if x.dtype == np.float32 else np.float64)
    kernel = scale[x.dtype]
    if x.size <= _VALUES:
        kernel(x, 0, n, d, out)
        return out
    with closing(Workers(threads)) as workers:
        workers.each(lambda _, first, end: kernel(x, first, end, d, out), n, max(8, _VALUES // d // 8 * 8))
    return out
