"""Kernels that apply the bounds of `bounds.doubles` to arrays whose length is a multiple of 16."""

from __future__ import annotations

from steinhaus.engines.bounds import doubles
from steinhaus.jit.build import kernel
from steinhaus.jit.operations import load, store
from steinhaus.jit.types import Array, f32, f64, i64


@kernel
def own_distances(about: Array[f64], margins: Array[f64], scale: f64, n: i64, out: Array[f32]) -> None:
    """`own_distance` of each."""
    for i in range(0, n, 16):
        store(out, i, doubles.own_distance(load(about, i, 16), load(margins, i, 16), scale))


@kernel
def gaps(about: Array[f64], margins: Array[f64], scale: f64, own: Array[f32], n: i64, out: Array[f32]) -> None:
    """`gap` of each."""
    for i in range(0, n, 16):
        store(out, i, doubles.gap(load(about, i, 16), load(margins, i, 16), scale, load(own, i, 16)))


@kernel
def lowered(gaps: Array[f32], steps: Array[f32], n: i64, out: Array[f32]) -> None:
    """`lowered` of each."""
    for i in range(0, n, 16):
        store(out, i, doubles.lowered(load(gaps, i, 16), load(steps, i, 16)))


@kernel
def step_length(square: f64, d: i64, root: f64, before: f32) -> f32:
    """`step_length`."""
    return doubles.step_length(square, d, root, before)


@kernel
def surely_farther(reach: f64, d: i64, root: f64) -> f32:
    """`surely_farther`."""
    return doubles.surely_farther(reach, d, root)
