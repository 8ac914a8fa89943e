"""What is measured once of all points: their ranges, their sums, their squares.

Numba leaf functions: arrays in, arrays out.
"""

from __future__ import annotations

import numpy as np

from steinhaus import simd as v
from steinhaus.compiled import compiled, inner

GRID_ROWS = 64  # rows whose columns are added up one after the other


@compiled
def ranges(x, d, first, end, least, most):
    """Least and greatest value of each column, (d,) of the points' type; returns the first row with a non-finite
    value, or -1.
    """
    for i in range(first, end):
        bad = np.float64(0.0)
        for t in range(d):
            value = x[i * d + t]
            bad += value - value
            least[t] = min(least[t], value)
            most[t] = max(most[t], value)
        if bad != 0.0:
            return i
    return -1


@inner
def _length_and_sums(values, at, d, sums):
    # Small integers: the squared norm of a row, while its values are added to the columns' sums.
    total = np.int64(0)
    for t in range(d):
        q = np.int64(values[at + t])
        sums[t] += np.int32(q)
        total += q * q
    return total


@compiled
def integer_totals(x, first, end, sums, lengths):
    """Add the columns of small integers to `sums`, (d,) int64; write the points' squared norms, return their sum."""
    values = v.pointer(x.values)
    block = np.zeros(x.d, np.int32)
    partial = v.pointer(block)
    squares = np.int64(0)
    for i in range(first, end):  # at most 2^13 rows of 16 bits: no int32 overflows
        length = _length_and_sums(values, i * x.d, x.d, partial)
        lengths[i] = length
        squares += length
    for t in range(x.d):
        sums[t] += block[t]
    return squares


@compiled
def grid_totals(x, first, end, sums, squares, lengths):
    """Add up the grid's integers q, in two limbs (2, d), and their squares, in three (3, d): a^2, 2ab, b^2, q = a
    2^24 + b.

    At most 2^13 points a call, so that no limb overflows. lengths: the points' squared norms in the frame, (n,)
    float64.
    """
    d, scale = x.d, np.float64(x.scale)
    values, offset, per_step = v.pointer(x.values), v.pointer(x.grid_offset), v.pointer(x.per_step)
    whole = d - d % 8
    for i in range(first, end):
        total = v.zeros64()
        for t in range(0, whole, 8):
            e = v.subtract(v.load_float64(values, i * d + t), v.load_float64(offset, t))
            total = v.multiply_add(e, e, total)
        length = v.fold(total)
        for t in range(whole, d):
            e = np.float64(x.values[i * d + t]) - offset[t]
            length += e * e
        lengths[i] = length * scale * scale
    for start in range(first, end, GRID_ROWS):  # few enough for the cache
        stop = min(start + GRID_ROWS, end)
        for t in range(0, whole, 8):
            zero, steps = v.load_float64(offset, t), v.load_float64(per_step, t)
            high = low = upper = across = lower = v.none64()
            for i in range(start, stop):
                q = v.rounded(v.multiply(v.subtract(v.load_float64(values, i * d + t), zero), steps))
                high, low = v.plus(high, v.shifted(q, 32)), v.plus(low, v.masked(q, 32))
                a, b = v.shifted(q, 24), v.masked(q, 24)
                upper, lower = v.plus(upper, v.times(a, a)), v.plus(lower, v.times(b, b))
                across = v.plus(across, v.times(a, b))
            v.add_to(sums, t, high)
            v.add_to(sums, d + t, low)
            v.add_to(squares, t, upper)
            v.add_to(squares, d + t, v.plus(across, across))
            v.add_to(squares, 2 * d + t, lower)
    for i in range(first, end):
        for t in range(whole, d):
            q = np.int64(np.rint((np.float64(x.values[i * d + t]) - offset[t]) * per_step[t]))
            sums[0, t] += q >> 32
            sums[1, t] += q & 0xFFFFFFFF
            a, b = q >> 24, q & 0xFFFFFF
            squares[0, t] += a * a
            squares[1, t] += 2 * a * b
            squares[2, t] += b * b
