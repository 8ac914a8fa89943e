"""Products of matrices with the same bits from any BLAS, on any number of threads.

Each row is cut into slices with few bits. Every product and every partial sum of two slices is then a whole number
below 2^53 times a power of two. float64 holds it exactly, so the order of summation cannot matter (K. Ozaki, T. Ogita,
S. Oishi and S. M. Rump, "Error-free transformations of matrix multiplication by using fast routines of matrix
multiplication and its applications", Numerical Algorithms 59, 2012). The products of slices are added in a fixed order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
SLICES = 2  # of about 21 bits each; the rest is below 2^-40 of a row's largest value


def products(a: Float64, b: Float64) -> Float64:
    """Products a b^T (n, m) of (n, d) and (m, d). Error: below d 2^-38 times the largest values of the two rows."""
    bits = (52 - int(a.shape[1]).bit_length()) // 2
    total = np.zeros((len(a), len(b)))
    of_a, of_b = _slices(a, bits), _slices(b, bits)
    pairs = [(i, j) for i in range(len(of_a)) for j in range(len(of_b))]
    for i, j in sorted(pairs, key=lambda pair: (-sum(pair), pair)):  # the smallest first
        total += of_a[i] @ of_b[j].T
    return total


def products_of_bytes(a: NDArray[np.uint8], b: Float64) -> Float64:
    """The same for bytes a (n, d), which need no slices and leave more bits for the slices of b (m, d)."""
    bits = 52 - 8 - int(a.shape[1]).bit_length()
    values = a.astype(np.float64)
    first, *others = _slices(b, bits)
    total = np.zeros((len(a), len(b)))
    for each in (*reversed(others), first):
        total += values @ each.T
    return total


def add_gram_of_bytes(total: Float64, rows: NDArray[np.uint8]) -> Float64:
    """Add a^T a of bytes (n, d) to the upper half of `total` (d, d, Fortran order). Whole numbers, so exact."""
    from scipy.linalg.blas import dsyrk

    return np.asarray(dsyrk(1.0, rows.astype(np.float64).T, beta=1.0, c=total, overwrite_c=True))


def gram(columns: Float64) -> Float64:
    """Products a a^T (d, d) of (d, n): the same as `products`, in half the time."""
    bits = (52 - int(columns.shape[1]).bit_length()) // 2
    first, *others = _slices(columns, bits)
    total = np.zeros((len(columns), len(columns)))
    for second in others:
        crossed = first @ second.T
        total += second @ second.T
        total += crossed + crossed.T
    return total + first @ first.T


def _slices(rows: Float64, bits: int) -> list[Float64]:
    """Slices of rows (n, d), the leading one first. Their sum is the rows without the bits that are cut off."""
    found, rest = [], rows
    for _ in range(SLICES):
        largest = np.abs(rest).max(axis=1, initial=0.0)
        step = np.exp2(np.frexp(largest)[1].astype(np.float64) - bits)[:, np.newaxis]  # largest < 2^exponent
        piece = np.rint(rest / step) * step
        found.append(piece)
        rest = rest - piece  # exact: both are multiples of the last bit of `rest`
        if not rest.any():
            break
    return found
