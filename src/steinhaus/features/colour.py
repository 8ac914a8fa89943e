"""Mean colours of the cells of a picture, in CIELAB, where equal distances look about equally different."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.features.scale import scaled

CELLS = 4  # cells per side, by default


def cells_of(shape: tuple[int, ...], asked: int | None) -> int:
    """The number of cells per side of a picture; DataError if the picture has fewer pixels."""
    cells = min(CELLS, *shape[:2]) if asked is None else asked
    if min(shape[:2]) < cells:
        raise DataError(
            f"colour:{cells} asks for {cells} x {cells} cells, but the pictures have only {shape[0]} x {shape[1]} "
            "pixels."
        )
    return cells


def made(pictures: NDArray[Any], full_scale: float, cells: int) -> NDArray[np.float32]:
    """L*, a* and b* of the cells, row by row: pictures (n, h, w) or (n, h, w, 3) -> (n, 3 cells^2) float32."""
    from skimage.color import rgb2lab

    shown = scaled(pictures, full_scale)
    lab = rgb2lab(np.repeat(shown[..., np.newaxis], 3, axis=3) if shown.ndim == 3 else shown)
    rows, columns = (np.linspace(0, side, cells + 1).astype(int) for side in lab.shape[1:3])
    parts = [
        lab[:, rows[i] : rows[i + 1], columns[j] : columns[j + 1]].reshape(len(lab), -1, 3)
        for i in range(cells)
        for j in range(cells)
    ]
    return np.concatenate([part.sum(axis=1) / part.shape[1] for part in parts], axis=1).astype(np.float32)
