"""Screen candidates of k-means++ by products of bytes, with one signed byte a value of a candidate.

For nearly all pairs of a candidate and a point, the candidate does not improve the point. So a rough screen is enough:
one byte a value takes half the work of the two bytes that labelling uses. Values are coordinates along the leading
directions, or features. `bounds.seeding` derives the bounds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines.bounds.bytes import SAMPLE, WIDER
from steinhaus.engines.bounds.rounding import FLAT, SLACK, length_above
from steinhaus.engines.bounds.scores import FAR, UNKNOWN, plain_floor, product_slope
from steinhaus.engines.bounds.seeding import direction_slopes, direction_step
from steinhaus.engines.dense.factors import TILE, Scores
from steinhaus.engines.dense.records import CentroidFrame, Scratch
from steinhaus.engines.dense.slices import Tile
from steinhaus.engines.dense.tiled_products import LEAST_ROWS
from steinhaus.jit.annotations import Array, f32, f64, i8, i64, u8
from steinhaus.jit.build import apart, inlined, inner, kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    add_byte_products,
    as_bytes,
    bits_of,
    convert,
    fma,
    fold,
    largest,
    load,
    local,
    maximum,
    prefetch,
    select,
    splat,
    vector,
    word,
    words,
)
from steinhaus.jit.target import BYTE_LANES, BYTE_TILES
from steinhaus.jit.tiles import add_tile_products, load_tile, store_tile, zero_tile
from steinhaus.jit.types import bundle, i32, literal, u32

_SPARE = 1024  # bytes behind the points, since AMX reads 64 bytes of a point at a time
_SPARE_ROWS = 32  # behind the candidates, since AMX reads so many at a time
_MOST = 127.0  # the largest byte of a candidate
_Bytes = Array[i8]


class Packed(NamedTuple):
    """Points in T tiles and m candidates, as bytes.

    A score is scale (q . limbs) - half, and off by at most sizes . slopes + floor.
    """

    quads: Array[u8]  # (T, 2, W / 4, 16, 4) q, the points
    width: i64  # W; 0: points are not kept as bytes
    sizes: Array[f32]  # (T, 3, 32) three factors of each point's error
    limbs: Array[i8]  # (m, W) the candidates; W rounded up to a multiple of 64, with 0
    scale: Array[f32]  # (m,) the unit of products
    half: Array[f32]  # (m,)
    slopes: Array[f32]  # (m, 3)
    floor: Array[f32]  # (m,)


@bundle
class _Largest:
    """The largest of each factor of the errors of all lanes of a tile."""

    first: f32
    second: f32
    third: f32


@inlined
def _stride(width: i64) -> i64:
    """Bytes of a candidate."""
    return (width + 63) // 64 * 64


def packed_of(m: int, tiles: int, width: int) -> Packed:
    """A record with memory for m candidates and for tiles of this width."""
    shape = tiles, 2, width, 16
    quads, limbs = np.empty(math.prod(shape) + _SPARE, np.uint8), np.zeros((m + _SPARE_ROWS, _stride(width)), np.int8)
    sizes = np.zeros((tiles if width else 0, 3, TILE), np.float32)
    scale, half, floor = np.zeros((3, m), np.float32)
    slopes = np.zeros((m, 3), np.float32)
    return Packed(quads[:-_SPARE].reshape(shape), width, sizes, limbs[:m], scale, half, slopes, floor)


def step_of(coordinates: NDArray[np.float32]) -> float:
    """The step to which coordinates along directions, (N, p), are rounded; 0 if they cannot be rounded.

    It comes from a sample. Larger coordinates are cut off; their points are then screened less well.
    """
    return direction_step(float(np.abs(coordinates[:: max(1, len(coordinates) // SAMPLE)]).max(initial=0.0)))


@kernel
def round_candidates(packed: Packed, frame: CentroidFrame, rows: Array[f64], m: i64, e: Array[f64]) -> None:
    """Round candidates, rows (m, d), to one byte a feature, and compute their bounds. e: (d,), work space."""
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
        rest, total = _round_row(packed.limbs + j * _stride(packed.width), e, d, f64(scale) / step)
        if frame.step > 0.0:  # points are rounded to step (q - 128), and q is multiplied
            base = 128.0 * f64(scale) * f64(total)
        half = base + 0.5 * square
        packed.scale[j], packed.half[j] = scale, f32(half)
        reach = frame.rates.reach if frame.step > 0.0 else 0.0  # rounded points are seen from the reference point
        packed.slopes[3 * j] = f32(rest * SLACK)
        packed.slopes[3 * j + 1] = f32(product_slope(norm * SLACK + rest, 0.0, frame.rates.plain, frame.rates))
        packed.floor[j] = f32(plain_floor(norm * SLACK, half, frame.rates) + reach * rest * SLACK)
        if not norm < FAR:
            _leave_unscreened(packed, j)


@kernel
def round_directions(packed: Packed, directed: Scores, p: i64, step: f64, reach: f64, m: i64, g: Array[f64]) -> None:
    """Round candidates along p directions to one byte a direction, and compute their bounds.

    directed: their bounds without rounding. step: the step to which points are rounded. reach: at least |m|. g: (p,),
    work space.
    """
    for j in range(m):
        square, most = 0.0, 0.0
        for t in range(p):
            g[t] = f64(directed.rows[j * p + t])
            square += g[t] * g[t]
            most = max(most, abs(g[t]))
        scale = f32(most / _MOST * step) if most > FLAT else f32(0.0)
        rest, total = _round_row(packed.limbs + j * _stride(packed.width), g, p, f64(scale) / step)
        half = f64(directed.half[j]) + 128.0 * f64(scale) * f64(total)  # the points' bytes are q + 128
        slope, coarse, floor = direction_slopes(np.sqrt(square), rest, half, step, p, reach)
        packed.scale[j], packed.half[j] = scale, f32(half)
        packed.slopes[3 * j] = f32(f64(directed.slope[j]) + slope)
        packed.slopes[3 * j + 1] = directed.lag[j]
        packed.slopes[3 * j + 2] = f32(coarse)
        packed.floor[j] = f32(f64(directed.floor[j]) + floor)
        if directed.floor[j] >= f32(UNKNOWN):
            _leave_unscreened(packed, j)


@inner
def _leave_unscreened(packed: Packed, j: i64) -> None:
    """Make a candidate that is too far away to be screened open for every point."""
    packed.scale[j], packed.half[j], packed.floor[j] = f32(0.0), f32(0.0), f32(UNKNOWN)
    for s in range(3):
        packed.slopes[3 * j + s] = f32(0.0)


@kernel
def pack_directions(
    packed: Packed, coordinates: Array[f32], order: Array[i64], norms: Array[f32], residuals: Array[f32], step: f64,
    first: i64, end: i64,
) -> None:  # fmt: skip
    """Write the tiles first <= tile < end of coordinates, (N, p), as bytes.

    order: (N,) the point at each position; norms, residuals: (N,) by position; step: the step of rounding.
    """
    p = packed.width
    for position in range(TILE * first, TILE * end):
        tile, lane, i = position // TILE, position % TILE, order[position]
        to, square = packed.quads + 32 * p * tile + 16 * p * (lane // 16) + 4 * (lane % 16), 0.0
        for t in range(p):
            b = f64(coordinates[i * p + t])
            q = min(max(np.rint(b / step), -128.0), 127.0)
            square += (b - step * q) * (b - step * q)
            to[64 * (t // 4) + t % 4] = u8(i32(q) + i32(128))
        at = 3 * TILE * tile + lane
        packed.sizes[at], packed.sizes[at + TILE] = norms[position], residuals[position]
        packed.sizes[at + 2 * TILE] = f32(length_above(square))


@inner
def _round_row(limbs: Array[i8], e: Array[f64], d: i64, unit: f64) -> tuple[f64, i64]:
    """Round e, (d,), to whole units; return |e rounded - e| and the sum of the bytes.

    limbs: (d,). With unit 0 all bytes are 0.
    """
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
    packed: Packed, thresholds: Array[f32], tile: Tile, chosen: Array[i64], count: i64, scratch: Scratch
) -> i64:
    """List the candidates chosen[c], c < count, whose upper bounds reach a threshold; return their number.

    Each candidate has open lanes, as bits in `kept`. `others` gets the candidates, and `kept` the lanes that stay open.
    thresholds: (N,); chosen: (K,), which may be `others`.
    """
    many = 0
    if BYTE_LANES > 0:
        c, most = 0, _Largest(_largest(packed, tile, 0), _largest(packed, tile, 1), _largest(packed, tile, 2))
        if BYTE_TILES:
            while count - c >= LEAST_ROWS:
                some = min(count - c, 64)
                if some % 16 < LEAST_ROWS:
                    some -= some % 16
                many = _list_many(packed, thresholds, tile, most, chosen, c, some, scratch, many)
                c += some
        while c < count:
            left = count - c
            if left > 9:
                many = _list_some(12, packed, thresholds, tile, most, chosen, c, min(left, 12), scratch, many)
                c += 12
            elif left > 6:
                many = _list_some(9, packed, thresholds, tile, most, chosen, c, left, scratch, many)
                c += 9
            elif left > 4:
                many = _list_some(6, packed, thresholds, tile, most, chosen, c, left, scratch, many)
                c += 6
            elif left > 2:
                many = _list_some(4, packed, thresholds, tile, most, chosen, c, left, scratch, many)
                c += 4
            else:
                many = _list_some(2, packed, thresholds, tile, most, chosen, c, left, scratch, many)
                c += 2
    return many


@inner
def _largest(packed: Packed, tile: Tile, part: i64) -> f32:
    """The largest of a factor of the errors of all lanes."""
    at = 96 * tile.number + 32 * part
    return largest(maximum(load(packed.sizes, at, 16), load(packed.sizes, at + 16, 16)))


@apart
def _list_many(
    packed: Packed, thresholds: Array[f32], tile: Tile, most: _Largest, chosen: Array[i64], first: i64, count: i64,
    scratch: Scratch, many: i64,
) -> i64:  # fmt: skip
    """See `list_open`, for at most 64 candidates from `first` on, by AMX."""
    sums = local(vector(i32, 16), 128)
    for c in range(0, count, 32):
        _multiply(packed, tile, chosen + first + c, min(count - c, 32), as_bytes(sums) + 128 * c)
    if first == 0:
        quads = packed.quads + TILE * packed.width * (tile.number + 1)
        for line in range(0, TILE * packed.width, 64):
            prefetch(quads, line)
    for c in range(0, count, 16):
        part, found = min(count - c, 16), as_bytes(sums) + 128 * c
        many = _list_reaching(packed, thresholds, tile, most, chosen, first + c, part, scratch, many, found)
    return many


@apart
def _multiply(packed: Packed, tile: Tile, chosen: Array[i64], count: i64, out: Array[u8]) -> None:
    """Multiply a tile with at most 32 candidates, by AMX.

    Candidates that follow each other are read in place, and others from copies of 64 bytes each. If they are fewer than
    32, rows behind them are multiplied too, and bytes of points past their last feature by 0. These may be the spare
    ones of `packed_of`.

    chosen: (count,), in order, so that the first and the last tell whether all follow each other; out: (2, 2, 16, 16)
    int32, of sixteen candidates, a group, a candidate and a lane.
    """
    copies = local(vector(i32, 16), 64)  # two steps of 64 bytes of 32 candidates
    width, stride = packed.width, _stride(packed.width)
    in_place = chosen[count - 1] - chosen[0] == count - 1
    quads = packed.quads + TILE * width * tile.number
    for number in unroll(4):
        zero_tile(number)
    for t in range(0, width, 64):
        rows, between = as_bytes(packed.limbs) + (chosen[0] * stride + t), stride
        if not in_place:
            step = t % 128 // 2
            for s in range(32):
                copies[step + s] = words(packed.limbs, chosen[min(s, count - 1)] * stride + t, 16)
            rows, between = as_bytes(copies) + 64 * step, 64
        load_tile(4, rows, 0, between)
        load_tile(6, quads, 16 * t, 64)
        load_tile(7, quads, 16 * width + 16 * t, 64)
        add_tile_products(0, 4, 6)
        add_tile_products(1, 4, 7)
        load_tile(5, rows, 16 * between, between)
        add_tile_products(2, 5, 6)
        add_tile_products(3, 5, 7)
    for number in unroll(4):
        store_tile(number, out, 1024 * number, 64)


@apart
def _list_some(
    size: literal, packed: Packed, thresholds: Array[f32], tile: Tile, most: _Largest, chosen: Array[i64], first: i64,
    count: i64, scratch: Scratch, many: i64,
) -> i64:  # fmt: skip
    """See `list_open`, for `count` candidates from `first` on. Copies of the last one fill up to `size`."""
    starts = local(_Bytes, size)
    sums = local(vector(i32, 16), 2 * size)  # in registers
    found = local(vector(i32, 16), 32)  # in memory, where a loop can index them
    for s in unroll(size):
        starts[s] = packed.limbs + chosen[first + min(i64(s), count - 1)] * _stride(packed.width)
        sums[2 * s] = splat(0, i32, 16)
        sums[2 * s + 1] = splat(0, i32, 16)
    quads = packed.quads + TILE * packed.width * tile.number
    for q in range(packed.width // 4):
        a = words(quads, 64 * q, 16)
        b = words(quads, 16 * packed.width + 64 * q, 16)
        if first == 0:  # prefetch the next tile, which halves the time of a candidate
            prefetch(quads, TILE * packed.width + 128 * q)
            prefetch(quads, TILE * packed.width + 128 * q + 64)
        for s in unroll(size):
            factor = splat(word(starts[s], 4 * q), i32, 16)
            sums[2 * s] = add_byte_products(sums[2 * s], a, factor)
            sums[2 * s + 1] = add_byte_products(sums[2 * s + 1], b, factor)
    for s in unroll(size):
        found[s], found[16 + s] = sums[2 * s], sums[2 * s + 1]
    return _list_reaching(packed, thresholds, tile, most, chosen, first, count, scratch, many, as_bytes(found))


@apart
def _list_reaching(
    packed: Packed, thresholds: Array[f32], tile: Tile, most: _Largest, chosen: Array[i64], first: i64, count: i64,
    scratch: Scratch, many: i64, sums: Array[u8],
) -> i64:  # fmt: skip
    """See `list_open`, for `count` candidates from `first` on, whose products are known.

    Their upper bounds are first those of the largest error of any lane, which take less time (`bounds.bytes`).
    sums: (2, 16, 16) int32, of a group, a candidate and a lane.
    """
    need0, need1 = load(thresholds, tile.base, 16), load(thresholds, tile.base + 16, 16)
    for s in range(count):
        j = chosen[first + s]
        product0, product1 = convert(words(sums, 64 * s, 16), f32), convert(words(sums, 64 * (16 + s), 16), f32)
        scale, slopes = splat(packed.scale[j], f32, 16), packed.slopes + 3 * j
        error = packed.floor[j] + slopes[0] * most.first + slopes[1] * most.second + slopes[2] * most.third
        raised = splat(error * f32(WIDER) - packed.half[j], f32, 16)
        below = bits_of(need0 > fma(product0, scale, raised)) & bits_of(need1 > fma(product1, scale, raised))
        if below != u32(0xFFFF):
            lanes, excess = u32(0), splat(0.0, f32, 16)
            for g in unroll(2):
                score = convert(words(sums, 64 * (16 * g + s), 16), f32) * scale - packed.half[j]
                lane_error = splat(packed.floor[j], f32, 16)
                for part in unroll(3):
                    each = load(packed.sizes, 96 * tile.number + 32 * part + 16 * g, 16)
                    lane_error = fma(each, splat(slopes[part], f32, 16), lane_error)
                above, need = score + lane_error, load(thresholds, tile.base + 16 * g, 16)
                lanes = lanes | bits_of(need > above) << u32(16 * g)
                excess = excess + select(need > above, 0.0, above - need)
            lanes = u32(scratch.kept[first + s]) & ~lanes
            if lanes:
                scratch.others[many] = j
                scratch.kept[many] = i64(lanes)
                scratch.near[many] = fold(excess)
                many += 1
    return many
