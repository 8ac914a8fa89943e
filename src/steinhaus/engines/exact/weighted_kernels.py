"""Sums of points in an array that count by weights."""

from __future__ import annotations

from steinhaus.engines.exact import limbs
from steinhaus.engines.exact.rows import DenseRows, integer
from steinhaus.jit.build import inner, kernel
from steinhaus.jit.types import Array, i32, i64


@kernel
def move(
    x: DenseRows,
    weights: Array[i64],
    first: i64,
    end: i64,
    old: Array[i32],
    new: Array[i32],
    other: i64,
    sums: Array[i64],
    counts: Array[i64],
) -> None:
    """Take those of the points first <= i < end whose label has changed out of their old cluster, and add them to the
    new.

    weights: (n,). old: (n,), -1 for none yet; new: (n,). sums: (limbs, k, d), low limbs `other` after high ones, 0:
    there is one; counts: (k,), in place.
    """
    for i in range(first, end):
        if old[i] != new[i]:
            if old[i] >= 0:
                _add(x, i, weights[i], -1, sums, i64(old[i]), other)
                counts[old[i]] -= weights[i]
            _add(x, i, weights[i], 1, sums, i64(new[i]), other)
            counts[new[i]] += weights[i]


@inner
def _add(x: DenseRows, i: i64, weight: i64, sign: i64, sums: Array[i64], j: i64, other: i64) -> None:
    for t in range(x.d):
        limbs.add(integer(x, i * x.d + t, t), weight, sign, sums, j * x.d + t, other)


@kernel
def squares(x: DenseRows, weights: Array[i64], first: i64, end: i64, out: Array[i64]) -> None:
    """Add up the grid's integers squared, each times its point's weight: out (3, 4, d), see `limbs`."""
    for i in range(first, end):
        for t in range(x.d):
            limbs.add_square(integer(x, i * x.d + t, t), weights[i], out, t, x.d)
