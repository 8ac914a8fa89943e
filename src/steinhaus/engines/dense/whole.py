"""Keep points of another type as bytes if all values are whole numbers from 0 to 255.

Labels and sums are those of the original points: a byte is the same float64, and sums of bytes are converted exactly to
the grid of the original type.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.dense.whole_kernels import to_bytes
from steinhaus.engines.exact.grid import Ranges, are_integers, grid_of
from steinhaus.engines.exact.totals import Measured
from steinhaus.engines.workers import Workers
from steinhaus.points import Grid, Int64

_VALUES = 2**19  # of a task
_LOOKED_AT = 2**12  # values that are checked first: most other points are recognised by them


class Halves(NamedTuple):
    """A grid whose offsets are halves of whole numbers from 0 to 510, and whose steps are at most 2^-41.

    The middle of two bytes is such a half, and its distance to either is below 2^7: see `grid.steps`.
    """

    twice: Int64  # (d,) twice the offset
    shifts: Int64  # (d,) a half is 2^(32 + shift) steps: at least 2^40

    def limbs(self, sums: Int64, counts: Int64) -> Int64:
        """Convert sums of bytes, (1, k, d), over `counts` points, (k,), to sums of the grid's integers, (2, k, d).

        The integer of a byte b is (2 b - twice) 2^(32 + shift). So low limbs are 0.
        """
        found = np.zeros((2, *sums.shape[1:]), np.int64)
        np.left_shift(2 * sums[0] - counts[:, np.newaxis] * self.twice, self.shifts, out=found[0])
        return found


def halves_of(grid: Grid) -> Halves:
    """The conversion of sums of bytes to a grid that `grid_of` made from their ranges."""
    return Halves((2 * grid.offset).astype(np.int64), -np.frexp(grid.step)[1].astype(np.int64) - 32)


def whole_bytes(x: NDArray[Any], workers: Workers) -> NDArray[np.uint8] | None:
    """Points x, (n, d), as bytes; None for types of small integers, or if a value is no whole number in 0..255."""
    if are_integers(x.dtype) or x.dtype.kind not in "fui":
        return None
    some = x.reshape(-1)[:: max(1, x.size // _LOOKED_AT)]
    if not ((some >= 0) & (some <= 255) & (some == np.floor(some))).all():
        return None
    out, odd = np.empty(x.shape, np.uint8), np.zeros(workers.count, np.int64)

    def put(worker: int, first: int, end: int) -> None:
        if not odd.any():
            odd[worker] |= to_bytes[x.dtype](x, first, end, out)

    workers.each(put, x.size, _VALUES)
    return None if odd.any() else out


def grid_over(kind: np.dtype[Any], of: Ranges) -> Grid:
    """The grid of points of a type for these ranges, which may be those of their bytes."""
    return grid_of(kind, Ranges(of.least.astype(kind), of.most.astype(kind), of.bad), len(of.least))


def brought(measured: Measured, n: int, halves: Halves) -> tuple[Int64, Fraction]:
    """The sums of n points and of their squares on the grid, exactly, from those of their bytes: sum (b - o)^2."""
    sums, twice = measured.sums[0, 0].tolist(), halves.twice.tolist()
    across = sum(o * (n * o - 4 * s) for s, o in zip(sums, twice, strict=True))
    return halves.limbs(measured.sums, np.array([n])), Fraction(4 * int(measured.squares) + across, 4)
