"""Bring pictures of any type to one scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def scaled(pictures: NDArray[Any], full_scale: float) -> NDArray[np.float64]:
    """Pictures (n, h, w) or (n, h, w, 3) in 0..1, without an alpha channel."""
    colours = pictures[..., :3] if pictures.ndim == 4 else pictures
    return np.asarray(colours.astype(np.float64) / full_scale)
