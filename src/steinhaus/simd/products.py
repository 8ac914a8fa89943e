"""Products of tiles of points with a few rows, all sums in registers; in float32, and of bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

from steinhaus.simd.vectors import _I32, _fadd, _fold, _fuse, _read, _splat, _wide, float32x16, int32x16


def _once(module: ir.Module, name: str, kinds: Sequence[ir.Type]) -> tuple[ir.Function, ir.IRBuilder | None]:
    """The function of this name: one a module, never inlined, so that it is compiled once; a builder for its body where
    it is new.
    """
    if name in module.globals:
        return module.globals[name], None
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    return function, ir.IRBuilder(function.append_basic_block())


def _before(builder: ir.IRBuilder, wide: ir.Value, fresh: ir.Value) -> ir.Value:
    """What sixteen products have come to so far: nothing, where they are `fresh`."""
    nothing = ir.Constant(float32x16.llvm, None)
    return builder.select(builder.trunc(fresh, ir.IntType(1)), nothing, builder.load(wide, align=4))


def _calling(make: Callable[..., ir.Function], tile: Any) -> Callable[..., ir.Value]:
    """What an intrinsic emits that calls the function of `tile` rows."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        function = make(builder.module, int(tile.literal_value), [value.type for value in values[1:]])
        builder.call(function, values[1:])
        return context.get_dummy_value()

    return codegen


def _dot_tile(module: ir.Module, size: int, kinds: Sequence[ir.Type]) -> ir.Function:
    """The function that `dot_tile` calls."""
    function, builder = _once(module, f"steinhaus.dot_tile.{size}", kinds)
    if not builder:
        return function
    lanes, first, stride, rows, chosen, c, length, column, p, out, to, fresh = function.args
    group = builder.gep(lanes, [first])
    groups = [group, builder.gep(group, [stride])]
    starts = []
    for t in range(size):
        row = builder.load(builder.gep(chosen, [builder.add(c, ir.Constant(c.type, t))]))
        starts.append(builder.gep(rows, [builder.add(builder.mul(row, length), column)]))
    sums = [cgutils.alloca_once_value(builder, ir.Constant(float32x16.llvm, None)) for _ in range(2 * size)]
    with cgutils.for_range(builder, p) as loop:
        offset = builder.mul(loop.index, ir.Constant(loop.index.type, 16))
        points = [_read(builder, builder.gep(pointer, [offset]), 4, 16) for pointer in groups]
        for t, start in enumerate(starts):
            factor = _splat(builder, builder.load(builder.gep(start, [loop.index])), 16)
            for g in range(2):
                total = sums[2 * t + g]
                builder.store(_fuse(builder, points[g], factor, builder.load(total)), total)
    place = builder.gep(out, [to])
    for s, total in enumerate(sums):
        wide = _wide(builder, builder.gep(place, [ir.Constant(to.type, 16 * s)]))
        builder.store(builder.fadd(_before(builder, wide, fresh), builder.load(total)), wide, align=4)
    builder.ret_void()
    return function


@intrinsic(prefer_literal=True)
def dot_tile(
    typingctx: Any, tile: Any, lanes: Any, at: Any, stride: Any, rows: Any, chosen: Any, c: Any, length: Any,
    column: Any, p: Any, out: Any, to: Any, fresh: Any,
) -> Any:  # fmt: skip
    """Add the products of two groups of sixteen points with `tile` rows, over p features, to `out`; or write them
    there, where `fresh`. All sums stay in registers.

    lanes is float32, feature q of the two groups at flat index `at + 16 q` and `at + stride + 16 q`; rows is float32,
    row j at `j length`, of which the features from `column` on are used; the tile's rows are chosen[c], chosen[c +
    1], ...; out is float32, 32 products a row, the tile's first at flat index `to`.
    """
    index = types.intp
    return types.void(
        tile, lanes, index, index, rows, chosen, index, index, index, index, out, index, types.boolean
    ), _calling(_dot_tile, tile)


def _byte_lanes() -> int:
    """How many sums of four products of bytes the processor's instruction for them makes at once; 0: it has none."""
    features = (get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES).split(",")
    return 16 if "+avx512vnni" in features else 8 if "+avxvnni" in features else 0


_BYTE_LANES = _byte_lanes()


def takes_bytes(dtype: Any) -> bool:
    """Whether products of points of this type are best made of bytes, by `byte_tile`."""
    return bool(_BYTE_LANES) and str(dtype) == "uint8"


def _part(builder: ir.IRBuilder, vector: ir.Value, first: int, lanes: int) -> ir.Value:
    mask = ir.Constant(ir.VectorType(_I32, lanes), list(range(first, first + lanes)))
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)


def _add_byte_products(builder: ir.IRBuilder, total: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    """total + the four products of unsigned bytes of a and signed bytes of b, in each of sixteen int32."""
    kind = ir.VectorType(_I32, _BYTE_LANES)
    name = f"llvm.x86.avx512.vpdpbusd.{32 * _BYTE_LANES}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
    if _BYTE_LANES == 16:
        return builder.call(function, [total, a, b])
    low, high = (
        builder.call(function, [_part(builder, vector, first, 8) for vector in (total, a, b)]) for first in (0, 8)
    )
    return builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(_I32, 16), list(range(16))))


def _byte_tile(module: ir.Module, size: int, kinds: Sequence[ir.Type]) -> ir.Function:
    """The function that `byte_tile` calls."""
    function, builder = _once(module, f"steinhaus.byte_tile.{size}", kinds)
    if not builder:
        return function
    quads, first, stride, limbs, scales, chosen, c, width, column, count, out, to, fresh = function.args
    word, vector = _I32.as_pointer(), ir.VectorType(_I32, 16)
    group = builder.gep(quads, [first])
    groups = [builder.bitcast(place, word) for place in (group, builder.gep(group, [stride]))]
    starts, factors = [], []
    for t in range(size):
        row = builder.load(builder.gep(chosen, [builder.add(c, ir.Constant(c.type, t))]))
        high = builder.gep(limbs, [builder.add(builder.mul(builder.mul(row, width), ir.Constant(c.type, 2)), column)])
        starts.append([builder.bitcast(place, word) for place in (high, builder.gep(high, [width]))])
        factors.append(builder.load(builder.gep(scales, [row])))
    sums = [cgutils.alloca_once_value(builder, ir.Constant(vector, None)) for _ in range(4 * size)]
    with cgutils.for_range(builder, count) as loop:
        offset = builder.mul(loop.index, ir.Constant(loop.index.type, 16))
        points = [_read(builder, builder.gep(pointer, [offset]), 4, 16) for pointer in groups]
        for t in range(size):
            for limb in range(2):
                factor = _splat(builder, builder.load(builder.gep(starts[t][limb], [loop.index]), align=4), 16)
                for g in range(2):
                    total = sums[4 * t + 2 * limb + g]
                    builder.store(_add_byte_products(builder, builder.load(total), points[g], factor), total)
    place = builder.gep(out, [to])
    for t in range(size):
        for g in range(2):
            high, low = (builder.sitofp(builder.load(sums[4 * t + 2 * limb + g]), float32x16.llvm) for limb in range(2))
            whole = _fuse(builder, high, ir.Constant(float32x16.llvm, [128.0] * 16), low)
            wide = _wide(builder, builder.gep(place, [ir.Constant(to.type, 32 * t + 16 * g)]))
            made = _fuse(builder, whole, _splat(builder, factors[t], 16), _before(builder, wide, fresh))
            builder.store(made, wide, align=4)
    builder.ret_void()
    return function


@intrinsic(prefer_literal=True)
def byte_tile(
    typingctx: Any, tile: Any, quads: Any, at: Any, stride: Any, limbs: Any, scales: Any, chosen: Any, c: Any,
    width: Any, column: Any, count: Any, out: Any, to: Any, fresh: Any,
) -> Any:  # fmt: skip
    """Add the products of two groups of sixteen points of bytes with `tile` rows, over 4 `count` features, to `out`; or
    write them there, where `fresh`.

    quads is uint8, four features after `4 q` of lane l of the two groups at flat index `at + 64 q + 4 l` and `at +
    stride + 64 q + 4 l`; limbs is int8, row j is scales[j] (128 high + low), high at flat index `2 width j + column`,
    low `width` further on; the tile's rows are chosen[c], chosen[c + 1], ...; out is as in `dot_tile`. Sums are exact
    for up to 2^15 features; then come two conversions, a fused sum and a fused product.
    """
    index = types.intp
    return types.void(
        tile, quads, index, index, limbs, scales, chosen, index, index, index, index, out, index, types.boolean
    ), _calling(_byte_tile, tile)


@intrinsic
def add_bytes(typingctx: Any, total: Any, points: Any, at: Any, limbs: Any, place: Any) -> Any:
    """total + sums of four products of sixty-four unsigned bytes, from `at` on, and as many signed ones, int32."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        a, b = (
            _read(builder, builder.bitcast(builder.gep(pointer, [index]), _I32.as_pointer()), 1, 16)
            for pointer, index in (values[1:3], values[3:5])
        )
        return _add_byte_products(builder, values[0], a, b)

    return int32x16(total, points, types.intp, limbs, types.intp), codegen


def _row_tile(module: ir.Module, size: int, kinds: Sequence[ir.Type]) -> ir.Function:
    """The function that `row_tile` calls."""
    function, builder = _once(module, f"steinhaus.row_tile.{size}", kinds)
    if not builder:
        return function
    points, rows, width, first, end, out = function.args
    fours, tile = (
        [builder.gep(pointer, [builder.mul(width, ir.Constant(width.type, i))]) for i in range(count)]
        for pointer, count in ((points, 4), (rows, size))
    )
    sums = [cgutils.alloca_once_value(builder, ir.Constant(float32x16.llvm, None)) for _ in range(4 * size)]
    with cgutils.for_range_slice(builder, first, end, ir.Constant(first.type, 16)) as (t, _):
        here = [_read(builder, builder.gep(pointer, [t]), 4, 16) for pointer in fours]
        for j, pointer in enumerate(tile):
            row = _read(builder, builder.gep(pointer, [t]), 4, 16)
            for i, point in enumerate(here):
                total = sums[4 * j + i]
                builder.store(_fuse(builder, point, row, builder.load(total)), total)
    for j in range(size):
        for i in range(4):
            place = builder.gep(out, [ir.Constant(width.type, 32 * j + i)])
            whole = _fold(builder, builder.load(sums[4 * j + i]), _fadd)
            builder.store(builder.fadd(builder.load(place), whole), place)
    builder.ret_void()
    return function


@intrinsic(prefer_literal=True)
def row_tile(typingctx: Any, tile: Any, points: Any, rows: Any, width: Any, first: Any, end: Any, out: Any) -> Any:
    """Add the products of four points with `tile` rows, over the features first <= t < end, to `out`: row j's at 32 j.

    points: (4, width), rows: (tile, width) float32; first, end: multiples of 16. All sums are in registers, in 16 lanes
    each, the features in lanes.
    """
    index = types.intp
    return types.void(tile, points, rows, index, index, index, out), _calling(_row_tile, tile)
