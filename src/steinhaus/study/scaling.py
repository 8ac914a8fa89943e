"""Bring the columns of a table to one scale, so that no column counts more because of its unit.

The scale is computed from the training part only and kept with the study. `predict` and the report apply the same one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import PlanError
from steinhaus.points import Float64
from steinhaus.study.record import Scaling
from steinhaus.wording import option

KINDS = ("none", "standard", "minmax")


def fitted(kind: str, rows: Any) -> Scaling | None:
    """The scaling of the columns; None if they should not be scaled.

    Parameters
    ----------
    kind
        "standard": mean 0 and standard deviation 1; "minmax": 0..1; "none". A constant column becomes 0.
    rows
        (n, d) points in memory.

    Raises
    ------
    PlanError
        If the points stay on disk.
    """
    if kind == "none":
        return None
    if not isinstance(rows, np.ndarray):
        raise PlanError(
            f"{option('scale', repr(kind))} needs points in memory, but these stay on disk. Scale them before you "
            "store them, or read them into memory."
        )
    values = rows.astype(np.float64)
    if kind == "minmax":
        offset = values.min(axis=0)
        step = values.max(axis=0) - offset
    else:
        offset = values.mean(axis=0)
        step = np.sqrt(np.square(values - offset).mean(axis=0))
    constant = values.max(axis=0) == values.min(axis=0)
    offset = np.where(constant, values[0], offset)
    step = np.where(constant | ~(step > 0), 1.0, step)
    return Scaling(kind, tuple(offset.tolist()), tuple(step.tolist()))


def applied(scaling: Scaling | None, rows: Any) -> Any:
    """Points, (n, d), on the scale of the study."""
    if scaling is None:
        return rows
    found: NDArray[np.float64] = (np.asarray(rows, np.float64) - np.array(scaling.offset)) / np.array(scaling.step)
    return found


def undone(scaling: Scaling | None, centroids: Float64) -> Float64:
    """Centroids, (k, d), converted back to the units of the source."""
    if scaling is None:
        return centroids
    found: Float64 = centroids * np.array(scaling.step) + np.array(scaling.offset)
    return found
