"""Sums of the members of clusters."""

from __future__ import annotations

from steinhaus.jit.build import kernel
from steinhaus.jit.types import Array, Point, f64, i32, i64


@kernel
def add_columns(
    x: Array[Point],
    n: i64,
    d: i64,
    first: i64,
    end: i64,
    labels: Array[i32],
    weights: Array[f64],
    sums: Array[f64],
) -> None:
    """Add the columns first <= t < end of each row, times its weight, to the sums of its cluster, row after row.

    x: (n, d); labels, weights: (n,); sums: (k, d), in place.
    """
    for i in range(n):
        row, out, weight = x + i * d, sums + i64(labels[i]) * d, weights[i]
        for t in range(first, end):
            out[t] += weight * f64(row[t])
