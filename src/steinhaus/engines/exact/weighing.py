"""Weights as whole numbers times a unit. So weighted sums are sums of integers, too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from steinhaus.errors import DataError
from steinhaus.points import Float64, Int64, drawn

_BITS = 46  # the sum of all weights is at most 2^46 units, and half a unit a point for rounding
_ENOUGH = 1 << 20  # units: a weight of at least this much is rounded by at most one part in 2^21
_SMALLEST = -953  # exponent of the least sum of weights; unit and inertias are then far from underflow


class Weights(NamedTuple):
    """Weights as counts: a point of weight w counts as counts[i] = w / unit points.

    If weights differ so much that the lightest would lose digits, `finer` holds the rest. Then the weight of point i is
    unit * (counts[i] + finer[0][i] / 2^digits + finer[1][i] / 2^(2 digits) + ...).
    """

    counts: Int64 | None  # (n,) at least 0; None: 1 each
    unit: float = 1.0
    finer: tuple[Int64, ...] = ()  # (n,) each, at least 0
    digits: int = 0

    @property
    def levels(self) -> tuple[Int64, ...]:
        """The counts, coarsest first; empty if there are no weights."""
        return () if self.counts is None else (self.counts, *self.finer)

    @property
    def draws(self) -> Int64 | None:
        """The weights by which points are drawn, (n,); None: 1 each. See `Totals.draws`."""
        return None if self.counts is None else drawn(self.levels)

    def of(self, points: Int64) -> Weights:
        """The weights of some points, (m,) ascending, on the same grid."""
        if self.counts is None:
            return self
        first, end = int(points[0]), int(points[-1]) + 1
        which = slice(first, end) if end - first == len(points) else points  # no copy if they are consecutive
        return self._replace(counts=self.counts[which], finer=tuple(level[which] for level in self.finer))


def together(parts: Sequence[Weights]) -> Weights:
    """Join the weights of parts, which are on one grid."""
    counts, *finer = [np.concatenate(of_level) for of_level in zip(*[part.levels for part in parts], strict=True)]
    return parts[0]._replace(counts=counts, finer=tuple(finer))


def weigh(weights: Float64 | None) -> Weights:
    """Express weights as whole numbers times a unit.

    Whole numbers have the unit 1. Other weights get the least power of two by which their sum is at most 2^46 units. If
    this unit is too coarse for the lightest weight, finer levels hold the rests.

    Parameters
    ----------
    weights
        (n,) finite, at least 0, not all 0; None: 1 each.

    Raises
    ------
    DataError
        A weight is out of range, or the sum of all overflows, or is so small that weights would lose digits.
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
    counts = np.rint(weights / unit).astype(np.int64)
    return Weights(counts, unit) if counts[weights > 0].min() >= _ENOUGH else _in_levels(weights, unit)


def _in_levels(weights: Float64, unit: float) -> Weights:
    """The weights, (n,), in as many levels as the lightest needs. The counts of a level add up to at most 2^46."""
    digits = _BITS - math.ceil(math.log2(len(weights)))
    levels: list[Int64] = []
    rest, step = weights, unit
    while not levels or (rest > 0).any():
        ahead = step * 2.0**-digits
        is_last = ahead == 0 or weights[weights > 0].min() >= _ENOUGH * step
        counts = (np.rint if is_last else np.floor)(rest / step).astype(np.int64)
        levels.append(counts)
        if is_last:
            break
        rest, step = rest - counts * step, ahead
    return Weights(levels[0], unit, tuple(levels[1:]), digits)
