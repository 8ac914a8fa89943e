"""Kernels of greedy k-means++ for few rows: distances of points of bytes to candidates, and sums of integers.

Squared distances of bytes are whole numbers, and products of bytes give them exactly.
"""

from __future__ import annotations

from typing import NamedTuple

from steinhaus.engines.bounds.rounding import BYTES
from steinhaus.engines.dense.potentials import BLOCK, Potential, integer_of
from steinhaus.engines.dense.records import Framed
from steinhaus.jit.annotations import Array, f64, i64, u8
from steinhaus.jit.build import inlined, kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import add_byte_products, convert, fold, local, splat, takes_bytes, vector, words
from steinhaus.jit.types import Point, i32, literal


class Compared(NamedTuple):
    """Candidates of bytes, and what is known of all n points."""

    signed: Array[u8]  # (m, W) the candidates less 128; W is d rounded up to a multiple of 64
    squares: Array[f64]  # (m,) their squared norms
    mask: Array[u8]  # (64,) 255 for the features among the last 64 that a point has
    distances: Array[f64]  # (m, n) squared
    closest: Array[f64]  # (n,) squared distance to the nearest chosen row


@kernel
def measure(x: Framed, compared: Compared, many: i64, first: i64, end: i64) -> None:
    """Measure the distances of the points first <= i < end to `many` candidates."""
    d, n = x.rows.d, x.rows.n
    width = (d + 63) // 64 * 64
    if takes_bytes(Point):
        for i in range(first, end):
            if i * d + width <= n * d:
                c = 0
                for size in unroll(4, 0, -1):
                    while many - c >= size:
                        _measure_some(size, x, compared, i, c)
                        c += size
            else:  # reading whole words would pass the end of the array
                for c in range(many):
                    compared.distances[c * n + i] = _measure_slowly(x, compared, i, c)


@inlined
def _measure_some(size: literal, x: Framed, compared: Compared, i: i64, c: i64) -> None:
    """Measure the distances of point i to the candidates c to c + size - 1.

    sum (p - q)^2 = sum p (p - 128) - 128 sum p - 2 sum p (q - 128) + sum q^2, where all sums are whole numbers. Those
    of a lane are below 2^31, and those of a point below 2^53.
    """
    values, d, at = x.rows.values, x.rows.d, i * x.rows.d
    width, ones = (d + 63) // 64 * 64, splat(0x01010101, i32, 16)
    totals, mixed = local(f64, size), local(vector(i32, 16), size)
    for s in unroll(size):
        totals[s] = compared.squares[c + s]
    for low in range(0, width, BYTES):
        own, plain = splat(0, i32, 16), splat(0, i32, 16)
        for s in unroll(size):
            mixed[s] = splat(0, i32, 16)
        for t in range(low, min(low + BYTES, width), 64):
            p = words(values, at + t, 16)
            if t + 64 == width:
                p = p & words(compared.mask, 0, 16)
            own = add_byte_products(own, p, p ^ -0x7F7F7F80)  # p - 128, as signed bytes
            plain = add_byte_products(plain, p, ones)
            for s in unroll(size):
                mixed[s] = add_byte_products(mixed[s], p, words(compared.signed, (c + s) * width + t, 16))
        own = own - 128 * plain
        for s in unroll(size):
            totals[s] += fold(convert(own - 2 * mixed[s], f64))
    for s in unroll(size):
        compared.distances[(c + s) * x.rows.n + i] = totals[s]


@inlined
def _measure_slowly(x: Framed, compared: Compared, i: i64, c: i64) -> f64:
    """The distance of point i to candidate c, feature by feature."""
    total, d = 0.0, x.rows.d
    for t in range(d):
        off = f64(x.rows.values[i * d + t]) - f64(compared.signed[c * ((d + 63) // 64 * 64) + t] ^ u8(128))
        total += off * off
    return total


@kernel
def add_up(potential: Potential, compared: Compared, chosen: Array[i64], many: i64, sums: Array[i64]) -> None:
    """Add up the integers that all points would have if one of the candidates `chosen`, (many,), were a row.

    sums: (many,), one sum for each of them.
    """
    n = potential.n
    for m in range(many):
        row, total = compared.distances + chosen[m] * n, 0
        for i in range(n):
            total += integer_of(potential, i, min(row[i], compared.closest[i]))
        sums[m] = total


@kernel
def choose(potential: Potential, compared: Compared, j: i64) -> f64:
    """Choose candidate j as a row, and return the largest squared distance times its weight."""
    n, largest = potential.n, 0.0
    row = compared.distances + j * n
    for i in range(n):
        distance = min(row[i], compared.closest[i])
        compared.closest[i] = distance
        largest = max(largest, distance * potential.times[i] if potential.weighted else distance)
    rescale(potential, compared.closest)
    return largest


@kernel
def rescale(potential: Potential, closest: Array[f64]) -> None:
    """Compute the integers of all points, and their sums. closest: (n,) squared distances."""
    for block in range((potential.n + BLOCK - 1) // BLOCK):
        total = 0
        for i in range(block * BLOCK, min(potential.n, (block + 1) * BLOCK)):
            value = integer_of(potential, i, closest[i])
            potential.values[i] = value
            total += value
        potential.blocks[block] = total
