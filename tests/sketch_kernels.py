"""Kernels that do one step of making or comparing sketches."""

from __future__ import annotations

from steinhaus.engines.bounds.sketches import ceiling_of, floor_of, length_of, off_of, rest_of
from steinhaus.jit.build import kernel
from steinhaus.jit.operations import load, store
from steinhaus.jit.types import Array, f32, i32


@kernel
def rests(
    whole: Array[f32], size: Array[f32], square: Array[f32], rho: f32, delta: f32, step: f32, out: Array[f32]
) -> None:
    """`off_of`, `rest_of` and `length_of` in 16 lanes. out: (3, 16)."""
    off = off_of(load(square, 0, 16), load(size, 0, 16))
    store(out, 0, off)
    store(out, 16, rest_of(load(whole, 0, 16), load(size, 0, 16), off, delta))
    store(out, 32, length_of(load(whole, 0, 16), step, load(square, 0, 16) * 0.0 + rho))


@kernel
def integers(raised: Array[f32], reach: Array[f32], limits: Array[f32], per_scale: f32, out: Array[i32]) -> None:
    """`ceiling_of` and `floor_of` in 16 lanes. out: (2, 16)."""
    store(out, 0, ceiling_of(load(raised, 0, 16), load(reach, 0, 16), per_scale))
    store(out, 16, floor_of(load(limits, 0, 16), per_scale))
