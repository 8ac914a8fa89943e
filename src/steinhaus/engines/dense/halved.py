"""Screen the candidates of a tile of rounded points with one byte a feature of each centroid (`bounds.bytes`).

Products with the high bytes alone take half the time of products with both. More pairs stay open, which `settle` then
measures in float32.
"""

from __future__ import annotations

from steinhaus.engines.dense.records import TILE, Factors, Scores
from steinhaus.engines.dense.slices import Source, Tile
from steinhaus.jit.build import apart
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import (
    add_byte_products,
    convert,
    fma,
    load,
    local,
    maximum,
    splat,
    store,
    vector,
    word,
    words,
)
from steinhaus.jit.target import BYTE_LANES, BYTE_TILES
from steinhaus.jit.tiles import add_tile_products, begin_tiles, end_tiles, load_tile, store_tile, zero_tile
from steinhaus.jit.types import Array, f32, i8, i32, i64, literal, u8

INFINITY = float("inf")
_BLOCK = 128  # candidates


@apart
def bound_by_halves(s: Source, tile: Tile, factors: Factors, scores: Scores, first: i64, count: i64) -> None:
    """Compute `upper` and `least` of a gathered tile and `count` candidates that follow each other from `first` on."""
    scratch, base = s.scratch, tile.base
    sums = scratch.sums
    for side in range(0, TILE, 16):
        store(scratch.least, side, splat(-INFINITY, f32, 16))
    for c in range(0, count, _BLOCK):
        many = min(_BLOCK, count - c)
        _products(scratch.quads, (s.x.rows.d + 63) // 64 * 64, factors, first + c, many, sums)
        for side in range(0, TILE, 16):
            size = load(s.tiles.norms, base + side, 16) + s.tiles.reach
            rest, low = load(scratch.rests, side, 16), load(scratch.least, side, 16)
            for e in range(many):
                j = first + c + e
                product = convert(load(sums, TILE * e + side, 16), f32) * (factors.scales[j] * f32(128.0))
                score = product - scores.half[j]
                error = fma(size, scores.slope[j], fma(rest, scores.lag[j], scores.floor[j]))
                store(scratch.upper, TILE * (c + e) + side, score + error)
                low = maximum(score - error, low)
            store(scratch.least, side, low)
    for side in range(0, TILE, 16):
        size = load(s.tiles.norms, base + side, 16) + s.tiles.reach
        store(scratch.least, side, load(scratch.least, side, 16) - size * size * s.tiles.floor)


@apart
def _products(quads: Array[u8], width: i64, factors: Factors, first: i64, count: i64, out: Array[i32]) -> None:
    """Write the sums of products with the high bytes of `count` rows, 32 a row: exact for up to 2^15 features.

    quads: (2, W / 4, 16, 4); out: (32 count,).
    """
    c = 0
    if BYTE_TILES:
        begin_tiles()
        while count - c >= 32:
            _thirty_two(quads, width, factors.limbs + 2 * (first + c) * width, out + TILE * c)
            c += 32
        end_tiles()
    if BYTE_LANES > 0:
        for size in unroll(12, 0, -1):
            if size % 4 == 0 or size <= 2:  # 12, 8, 4, 2, 1
                while count - c >= size:
                    _few(size, quads, width, factors.limbs + 2 * (first + c) * width, out + TILE * c)
                    c += size


@apart
def _thirty_two(quads: Array[u8], width: i64, rows: Array[i8], out: Array[i32]) -> None:
    """See `_products`, for 32 rows. Tiles 0 to 3 hold the sums: of sixteen rows each, and both groups of points."""
    for tile in unroll(4):
        zero_tile(tile)
    for t in range(0, width, 64):
        load_tile(4, rows, t, 2 * width)
        load_tile(6, quads, 16 * t, 64)
        load_tile(7, quads, 16 * width + 16 * t, 64)
        add_tile_products(0, 4, 6)
        add_tile_products(1, 4, 7)
        load_tile(5, rows, 32 * width + t, 2 * width)
        add_tile_products(2, 5, 6)
        add_tile_products(3, 5, 7)
    store_tile(0, out, 0, 128)
    store_tile(1, out, 16, 128)
    store_tile(2, out, 512, 128)
    store_tile(3, out, 528, 128)


@apart
def _few(size: literal, quads: Array[u8], width: i64, rows: Array[i8], out: Array[i32]) -> None:
    """See `_products`, for `size` rows."""
    sums = local(vector(i32, 16), 2 * size)
    for s in unroll(2 * size):
        sums[s] = splat(0, i32, 16)
    for q in range(width // 4):
        a = words(quads, 64 * q, 16)
        b = words(quads, 16 * width + 64 * q, 16)
        for s in unroll(size):
            factor = splat(word(rows, 2 * s * width + 4 * q), i32, 16)
            sums[2 * s] = add_byte_products(sums[2 * s], a, factor)
            sums[2 * s + 1] = add_byte_products(sums[2 * s + 1], b, factor)
    for s in unroll(2 * size):
        store(out, 16 * s, sums[s])
