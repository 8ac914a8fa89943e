"""Weighted sums of points in an array."""

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
    """Move each point first <= i < end whose label has changed from its old cluster to its new one.

    weights: (n,). old: (n,), -1: no label yet. new: (n,). sums: (limbs, k, d), in place; a low limb stands `other`
    places after its high limb, and 0 says that there is one limb. counts: (k,), in place.
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
    # sums: (limbs, k, d), in place.
    for t in range(x.d):
        limbs.add(integer(x, i * x.d + t, t), weight, sign, sums, j * x.d + t, other)


@kernel
def squares(x: DenseRows, weights: Array[i64], first: i64, end: i64, out: Array[i64]) -> None:
    """Add up the squares of the grid's integers, each times its point's weight. weights: (n,); out: (3, 4, d)."""
    for i in range(first, end):
        for t in range(x.d):
            limbs.add_square(integer(x, i * x.d + t, t), weights[i], out, t, x.d)
