"""Weights as whole numbers times a unit, so that weighted sums are sums of integers too."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from steinhaus.errors import DataError
from steinhaus.points import Float64, Int64

_BITS = 46  # all weights together come to at most 2^46 units, and half a unit each for rounding
_SMALLEST = -953  # of the exponent of their sum: the unit, and inertias in it, are far from underflow


class Weights(NamedTuple):
    """A point of weight w counts as counts[i] = w / unit points."""

    counts: Int64 | None  # (n,) at least 0; None: 1 each
    unit: float = 1.0


def weigh(weights: Float64 | None) -> Weights:
    """Put weights on a grid.

    Whole numbers are their own grid; others get a step that is a power of two: the least by which they all add up to
    2^46 at most.

    Parameters
    ----------
    weights
        (n,) finite, at least 0, not all 0; None: 1 each.

    Raises
    ------
    DataError
        Their sum overflows or is so small that they would lose digits, or one is out of range.
    """
    if weights is None or (weights == 1).all():
        return Weights(None)
    if not (weights >= 0).all() or not np.isfinite(weights).all() or not weights.any():
        raise DataError(
            "Weights must be finite, at least 0, and not all 0. Leave out the rows that have no valid weight."
        )
    try:
        exponent = math.frexp(math.fsum(weights))[1]
    except OverflowError as error:
        raise DataError("The sum of the weights overflows float64. Divide them all by a large number.") from error
    if exponent <= _BITS and (weights == np.rint(weights)).all():
        return Weights(weights.astype(np.int64))
    if exponent < _SMALLEST:
        raise DataError("The weights are too small: their sum is below 1e-287. Multiply them all by a large number.")
    unit = math.ldexp(1.0, exponent - _BITS)
    return Weights(np.rint(weights / unit).astype(np.int64), unit)
