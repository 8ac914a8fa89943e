"""Histograms of oriented gradients, computed by scikit-image (N. Dalal and B. Triggs, CVPR 2005)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.features.scale import scaled

ORIENTATIONS, BLOCKS, CELLS = (
    9,
    2,
    4,
)  # angles; cells per side of a block; default number of cells along a picture's shorter side


def cell_of(shape: tuple[int, ...], asked: int | None) -> int:
    """The side of a cell, in pixels.

    Raises
    ------
    DataError
        If a picture is too small for a block of such cells.
    """
    shorter = min(shape[:2])
    cell = max(1, shorter // CELLS) if asked is None else asked
    if shorter < BLOCKS * cell:
        raise DataError(
            f"hog:{cell} needs pictures of at least {BLOCKS * cell} x {BLOCKS * cell} pixels ({BLOCKS} cells of {cell} "
            f"pixels per side), but these have {shape[0]} x {shape[1]}. Ask for smaller cells."
        )
    return cell


def made(pictures: NDArray[Any], full_scale: float, cell: int) -> NDArray[np.float32]:
    """The histograms of pictures, (n, h, w) or (n, h, w, c), as (n, d) float32."""
    from skimage.feature import hog

    channels = -1 if pictures.ndim == 4 else None
    how: dict[str, Any] = {
        "orientations": ORIENTATIONS,
        "pixels_per_cell": (cell, cell),
        "cells_per_block": (BLOCKS, BLOCKS),
        "block_norm": "L2-Hys",
        "channel_axis": channels,
    }
    return np.stack([hog(picture, **how) for picture in scaled(pictures, full_scale)]).astype(np.float32)
