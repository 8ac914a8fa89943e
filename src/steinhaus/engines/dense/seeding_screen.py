"""Screening candidates on tiles of points kept as bytes: one signed byte a feature, sums in registers.

Seeding asks of many candidates which points they could be nearest to, and for nearly all pairs the answer is no. So a
candidate is rounded to one byte a feature, half the work of the two that labelling takes; `bounds.seeding` derives the
bound.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from steinhaus.engines.bounds.rounding import FLAT, SLACK
from steinhaus.engines.bounds.scores import FAR, UNKNOWN, plain_floor, product_slope
from steinhaus.engines.dense.records import TILE, CentroidFrame, Scratch, Tiles
from steinhaus.engines.dense.slices import Tile
from steinhaus.jit.annotations import Array, f32, f64, i8, i64, u8
from steinhaus.jit.build import apart, inner, kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    add_byte_products,
    bits_of,
    convert,
    fma,
    load,
    local,
    prefetch,
    splat,
    vector,
    word,
    words,
)
from steinhaus.jit.target import BYTE_LANES
from steinhaus.jit.types import i32, literal, u32

_MOST = 127.0  # the largest byte of a candidate
_Bytes = Array[i8]


class Packed(NamedTuple):
    """Points and candidates as bytes, N positions in T tiles, m candidates."""

    quads: Array[u8]  # (T, 2, W / 4, 16, 4) the points
    width: i64  # W; 0: they are not kept as bytes
    limbs: Array[i8]  # (m, W) the candidates
    scale: Array[f32]  # (m,) what a unit of a product is
    half: Array[f32]  # (m,) score = product - half
    rest: Array[f32]  # (m,) its error, as in bounds.seeding
    slope: Array[f32]
    floor: Array[f32]
    reach: f32  # at least |m| if points are seen from there, as rounded ones are; else 0


def packed_of(m: int, tiles: int, width: int, reach: np.float32) -> Packed:
    """Room for them."""
    quads, limbs = np.empty((tiles, 2, width, 16), np.uint8), np.zeros((m, width), np.int8)
    scale, half, rest, slope, floor = np.zeros((5, m), np.float32)
    return Packed(quads, width, limbs, scale, half, rest, slope, floor, reach)


@kernel
def round_candidates(packed: Packed, frame: CentroidFrame, rows: Array[f64], m: i64, e: Array[f64]) -> None:
    """Round candidates, rows (m, d), to a byte a feature, and work out their bounds. e: (d,) to work in."""
    d = frame.d
    for j in range(m):
        square, base, most = 0.0, 0.0, 0.0
        for t in range(d):
            e[t] = (rows[j * d + t] - frame.offset[t]) * frame.scale - frame.reference[t]
            square += e[t] * e[t]
            base += frame.reference[t] * e[t]
            most = max(most, abs(e[t]))
        norm, step = np.sqrt(square), frame.step if frame.step > 0.0 else 1.0
        scale = f32(most / _MOST * step) if most > FLAT else f32(0.0)
        rest, total = _round_row(packed.limbs + j * packed.width, e, d, f64(scale) / step)
        if frame.step > 0.0:  # points are rounded to step (q - 128), and q is multiplied
            base = 128.0 * f64(scale) * f64(total)
        half = base + 0.5 * square
        packed.scale[j], packed.half[j] = scale, f32(half)
        packed.rest[j] = f32(rest * SLACK)
        packed.slope[j] = f32(product_slope(norm * SLACK + rest, 0.0, frame.rates.plain, frame.rates))
        packed.floor[j] = f32(plain_floor(norm * SLACK, half, frame.rates))
        if not norm < FAR:
            packed.scale[j], packed.half[j] = f32(0.0), f32(0.0)
            packed.rest[j], packed.slope[j], packed.floor[j] = f32(0.0), f32(0.0), f32(UNKNOWN)


@inner
def _round_row(limbs: Array[i8], e: Array[f64], d: i64, unit: f64) -> tuple[f64, i64]:
    """Round e, (d,), to whole units, 0 for none; returns |e rounded - e|, and the sum of the bytes."""
    rest, total = 0.0, 0
    per_unit = 1.0 / unit if unit > 0.0 else 0.0
    for t in range(d):
        q = min(max(np.rint(e[t] * per_unit), -_MOST), _MOST)
        off = e[t] - unit * q
        rest += off * off
        total += i64(q)
        limbs[t] = i8(i32(q))
    return np.sqrt(rest), total


@inner
def list_open(
    packed: Packed, tiles: Tiles, thresholds: Array[f32], tile: Tile, chosen: Array[i64], count: i64, scratch: Scratch
) -> i64:
    """List the candidates chosen[c], c < count, whose upper bounds reach the thresholds of some lanes in `others`, and
    those lanes, as bits, in `kept`. Returns how many. `chosen` may be `others`.
    """
    many = 0
    if BYTE_LANES > 0:
        c = 0
        while c < count:
            left = count - c
            if left > 6 and left < 10:
                many = _list_some(9, packed, tiles, thresholds, tile, chosen, c, left, scratch, many)
                c += 9
            elif left > 4:
                many = _list_some(6, packed, tiles, thresholds, tile, chosen, c, min(left, 6), scratch, many)
                c += 6
            elif left > 2:
                many = _list_some(4, packed, tiles, thresholds, tile, chosen, c, left, scratch, many)
                c += 4
            else:
                many = _list_some(2, packed, tiles, thresholds, tile, chosen, c, left, scratch, many)
                c += 2
    return many


@apart
def _list_some(
    size: literal, packed: Packed, tiles: Tiles, thresholds: Array[f32], tile: Tile, chosen: Array[i64], first: i64,
    count: i64, scratch: Scratch, many: i64,
) -> i64:  # fmt: skip
    """The same for the candidates from the first on, at most `size`: `count`, and the last of them again."""
    starts = local(_Bytes, size)
    sums = local(vector(i32, 16), 2 * size)
    for s in unroll(size):
        starts[s] = packed.limbs + chosen[first + min(i64(s), count - 1)] * packed.width
        sums[2 * s] = splat(0, i32, 16)
        sums[2 * s + 1] = splat(0, i32, 16)
    quads = packed.quads + TILE * packed.width * tile.number
    for q in range(packed.width // 4):
        a = words(quads, 64 * q, 16)
        b = words(quads, 16 * packed.width + 64 * q, 16)
        # the next tile: 24 ns a candidate instead of 54, for 500,000 points
        prefetch(quads, TILE * packed.width + 128 * q)
        prefetch(quads, TILE * packed.width + 128 * q + 64)
        for s in unroll(size):
            factor = splat(word(starts[s], 4 * q), i32, 16)
            sums[2 * s] = add_byte_products(sums[2 * s], a, factor)
            sums[2 * s + 1] = add_byte_products(sums[2 * s + 1], b, factor)
    for s in unroll(size):
        if s < count:
            j, lanes = chosen[first + s], u32(0)
            for g in unroll(2):
                length = load(tiles.norms, tile.base + 16 * g, 16) + packed.reach
                score = convert(sums[2 * s + g], f32) * packed.scale[j] - packed.half[j]
                error = fma(length, splat(packed.rest[j], f32, 16), splat(packed.floor[j], f32, 16))
                norm = load(tiles.rounded_norms, tile.base + 16 * g, 16)
                above = score + fma(norm, splat(packed.slope[j], f32, 16), error)
                lanes = lanes | bits_of(load(thresholds, tile.base + 16 * g, 16) > above) << u32(16 * g)
            lanes = tile.present & ~lanes
            if lanes:
                scratch.others[many] = j
                scratch.kept[many] = i64(lanes)
                many += 1
    return many
