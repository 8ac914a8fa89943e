"""Clusters shown by their members, as a figure for a file: of features whose means show little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from steinhaus.report.pictures import Pixels, fitted, to_bytes

SIDE = 64  # pixels of a neighbour's longer side, at most
COLUMNS = 4  # of neighbours, in two rows beside the medoid
WHITE = 255


def mosaics(nearest: Sequence[NDArray[Any]], full_scale: float, shape: tuple[int, ...]) -> Pixels:
    """For each cluster one picture: its medoid, and beside it, half as large, the next nearest members.

    Parameters
    ----------
    nearest
        For each cluster up to nine pictures, (m, h, w) or (m, h, w, c), the nearest first.
    full_scale
        The value that is white.
    shape
        Of one picture.

    Returns
    -------
    (k, rows, columns, 3) uint8; white where a cluster has no more members.
    """
    height, width = fitted(shape[0], shape[1], SIDE)
    air = max(1, max(height, width) // 16)  # pixels between pictures
    out = np.full((len(nearest), 2 * height + air, (2 + COLUMNS) * width + COLUMNS * air, 3), WHITE, np.uint8)
    for canvas, pictures in zip(out, nearest, strict=True):
        drawn = to_bytes(pictures, full_scale) if len(pictures) else ()  # an empty cluster has none
        for place, picture in enumerate(drawn):
            row, column = divmod(place - 1, COLUMNS)
            top, left = (row * (height + air), 2 * width + air + column * (width + air)) if place else (0, 0)
            size = (width, height) if place else (2 * width, 2 * height)
            small = np.asarray(Image.fromarray(picture).convert("RGB").resize(size, Image.Resampling.BOX))
            canvas[top : top + size[1], left : left + size[0]] = small
    return out
