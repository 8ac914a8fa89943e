"""Kernels that do one step of listing neighbours."""

from __future__ import annotations

from steinhaus.engines.bounds.neighbours import limit, needed, risen, whole
from steinhaus.jit.build import kernel
from steinhaus.jit.operations import bits_of, load, store
from steinhaus.jit.short import lengthened, shortened
from steinhaus.jit.types import Array, f32, f64, i64


@kernel
def halves(values: Array[f32], out: Array[f32]) -> None:
    """What 16 bits leave of 16 numbers, and the upper bounds that `whole` makes of it: out, (2, 16)."""
    left = lengthened(shortened(load(values, 0, 16)))
    store(out, 0, left)
    store(out, 16, whole(left))


@kernel
def reaches(values: Array[f32], others: Array[f32]) -> i64:
    """In which of 16 lanes a number reaches another in 16 bits, as bits."""
    return i64(bits_of(shortened(load(values, 0, 16)) >= shortened(load(others, 0, 16))))


@kernel
def limits(least: Array[f32], sizes: Array[f32], share: f32, out: Array[f32]) -> None:
    """`limit` in 16 lanes."""
    store(out, 0, limit(load(least, 0, 16), load(sizes, 0, 16), share))


@kernel
def risen_bound(upper: f32, length: f32, size: f32, rise: f32) -> f32:
    """See `bounds.neighbours.risen`."""
    return risen(upper, length, size, rise)


@kernel
def needed_rise(least: f32, rest: f32) -> f64:
    """See `bounds.neighbours.needed`."""
    return needed(least, rest)
