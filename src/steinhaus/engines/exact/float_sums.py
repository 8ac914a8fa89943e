"""Exact sums of float64 numbers. They do not depend on the order."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from steinhaus.points import Float64

_BITS = 53  # of a float64's significand
_LOW = 27  # bits in the lower limb
_AT_ONCE = 2**22  # numbers: sums of either limb stay below 2^53, so that float64 adds them up exactly


def exact_sum(values: Float64) -> Fraction:
    """The sum of finite numbers of at least 0, (n,), without any rounding.

    Significands are whole numbers of 53 bits. Those of one exponent are added up, in two limbs.
    """
    total = Fraction(0)
    for first in range(0, len(values), _AT_ONCE):
        parts, exponents = np.frexp(values[first : first + _AT_ONCE])
        whole = np.ldexp(parts, _BITS).astype(np.int64)
        least = int(exponents.min())
        limbs = [np.bincount(exponents - least, weights=limb) for limb in (whole >> _LOW, whole & (2**_LOW - 1))]
        found = 0
        for place in np.flatnonzero(limbs[0] + limbs[1]).tolist():
            found += ((int(limbs[0][place]) << _LOW) + int(limbs[1][place])) << place
        total += found * Fraction(2) ** (least - _BITS)
    return total
