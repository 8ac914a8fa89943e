"""Products of bytes by AMX: a tile of 32 points with sixteen rows at once. See `products.byte_products`."""

from __future__ import annotations

from steinhaus.engines.dense.factors import TILE, Factors
from steinhaus.jit.build import apart
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import as_bytes, convert, fma, load, local, splat, store, vector, words
from steinhaus.jit.tiles import add_tile_products, load_tile, store_tile, zero_tile
from steinhaus.jit.types import Array, boolean, f32, i32, i64, u8

LEAST_ROWS = 8  # fewer rows are multiplied faster by AVX-512 VNNI


@apart
def tiled_products(
    quads: Array[u8],
    width: i64,
    factors: Factors,
    column: i64,
    chosen: Array[i64],
    count: i64,
    quarter: i64,
    out: Array[f32],
    fresh: boolean,
) -> i64:
    """See `products.byte_products`, for the first rows. Returns their number: less than `LEAST_ROWS` are left."""
    c = 0
    while count - c >= LEAST_ROWS:
        many = min(count - c, 16)
        _sixteen(quads, width, factors, column, chosen + c, many, quarter, out + TILE * c, fresh)
        c += many
    return c


@apart
def _sixteen(
    quads: Array[u8],
    width: i64,
    factors: Factors,
    column: i64,
    chosen: Array[i64],
    many: i64,
    quarter: i64,
    out: Array[f32],
    fresh: boolean,
) -> None:
    """See `products.byte_products`, for at most sixteen rows.

    Sixteen rows that follow each other are read in place, and others from copies of 64 bytes each. Tiles 0 and 1 hold
    the sums of high bytes for both groups of points, tiles 2 and 3 those of low bytes.
    """
    copies = local(vector(i32, 16), 64)  # two steps of high and low bytes, of sixteen rows
    sums = local(vector(i32, 16), 64)
    in_place = many == 16 and chosen[15] - chosen[0] == 15
    for tile in unroll(4):
        zero_tile(tile)
    at = chosen[0] * width + column
    for q in range(0, quarter, 16):
        if in_place:
            high, low, stride = as_bytes(factors.high + at) + 4 * q, as_bytes(factors.low + at) + 4 * q, width
        else:
            step = q % 32 * 2
            for s in range(16):
                row = chosen[min(s, many - 1)] * width + column + 4 * q
                copies[step + s] = words(factors.high, row, 16)
                copies[step + 16 + s] = words(factors.low, row, 16)
            high, low, stride = as_bytes(copies) + 64 * step, as_bytes(copies) + 64 * (step + 16), 64
        load_tile(4, high, 0, stride)
        load_tile(6, quads, 64 * q, 64)
        load_tile(7, quads, 16 * width + 64 * q, 64)
        add_tile_products(0, 4, 6)
        add_tile_products(1, 4, 7)
        load_tile(5, low, 0, stride)
        add_tile_products(2, 5, 6)
        add_tile_products(3, 5, 7)
    for tile in unroll(4):
        store_tile(tile, sums, 16 * tile, 64)
    for s in range(many):
        for g in unroll(2):
            whole = fma(convert(sums[16 * g + s], f32), 128.0, convert(sums[32 + 16 * g + s], f32))
            before = splat(0.0, f32, 16)
            if not fresh:
                before = load(out, TILE * s + 16 * g, 16)
            store(out, TILE * s + 16 * g, fma(whole, splat(factors.scales[chosen[s]], f32, 16), before))
