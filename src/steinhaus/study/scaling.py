"""Columns of a table brought to one scale, so that no column counts more because of its unit.

What is learnt of the columns is learnt of the training part alone, and kept with the study: `predict` and the report
apply the same.
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
    """What brings the columns of points to one scale; None if they are to stay as they are.

    Parameters
    ----------
    kind
        "standard": to mean 0 and standard deviation 1; "minmax": to 0..1; "none". A constant column becomes 0.
    rows
        (n, d) points in memory.

    Raises
    ------
    PlanError
        The points stay where they are stored.
    """
    if kind == "none":
        return None
    if not isinstance(rows, np.ndarray):
        raise PlanError(
            f"{option('scale', repr(kind))} needs points in memory, and these stay where they are stored. Scale them "
            "before they are stored, or read them into memory."
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
    """Points, (n, d), on the scale on which a study measures them."""
    if scaling is None:
        return rows
    found: NDArray[np.float64] = (np.asarray(rows, np.float64) - np.array(scaling.offset)) / np.array(scaling.step)
    return found


def undone(scaling: Scaling | None, centroids: Float64) -> Float64:
    """Centroids, (k, d), in the units of the source again."""
    if scaling is None:
        return centroids
    found: Float64 = centroids * np.array(scaling.step) + np.array(scaling.offset)
    return found
