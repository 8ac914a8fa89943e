"""Points on their way into lanes: single points in the frame, and transposes of sixteen of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from steinhaus.simd.vectors import _I32, _read, _size, _splat, float32x16


def small_integer(kind: Any) -> bool:
    """Whether an array's elements are their own frame: integers that float32 holds exactly."""
    return isinstance(kind.dtype, types.Integer) and kind.dtype.bitwidth <= 16


def _framed(builder: ir.IRBuilder, rows: Any, pointer: ir.Value, origin: ir.Value, scale: ir.Value) -> ir.Value:
    """Sixteen features of a point as float32: small integers as they are, others (x - origin) * scale in their own
    type.
    """
    vector = _read(builder, pointer, _size(rows), 16)
    if isinstance(rows.dtype, types.Integer):
        wide = float32x16.llvm if small_integer(rows) else ir.VectorType(ir.DoubleType(), 16)
        vector = (builder.sitofp if rows.dtype.signed else builder.uitofp)(vector, wide)
    if not small_integer(rows):
        vector = builder.fmul(builder.fsub(vector, origin), scale)
    return vector if vector.type == float32x16.llvm else builder.fptrunc(vector, float32x16.llvm)


def _origin(builder: ir.IRBuilder, rows: Any, offset: Any, values: Sequence[ir.Value]) -> tuple[Any, Any]:
    """The frame's offset from a feature on, and its scale, as vectors; nothing for small integers."""
    if small_integer(rows):
        return None, None
    offset_value, feature, scale = values
    return _read(builder, builder.gep(offset_value, [feature]), _size(offset), 16), _splat(builder, scale, 16)


@intrinsic
def load_framed(typingctx: Any, rows: Any, at: Any, offset: Any, feature: Any, scale: Any) -> Any:
    """Sixteen features of a point in the frame, float32: small integers as they are, others (x - offset[feature...])
    scale.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        origin, factor = _origin(builder, rows, offset, values[2:])
        return _framed(builder, rows, builder.gep(values[0], [values[1]]), origin, factor)

    return float32x16(rows, types.intp, offset, types.intp, scale), codegen


def _interleave(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, width: int) -> tuple[ir.Value, ir.Value]:
    """Swap the off-diagonal blocks of a pair of rows: one step of the transpose by halves."""
    low, high = [], []
    for lane in range(16):
        block, place = divmod(lane, width)
        low.append(lane if block % 2 == 0 else 16 + (block - 1) * width + place)
        high.append((block + 1) * width + place if block % 2 == 0 else 16 + lane)
    masks = (ir.Constant(ir.VectorType(_I32, 16), picks) for picks in (low, high))
    first, second = (builder.shuffle_vector(a, b, mask) for mask in masks)
    return first, second


def _transposed(builder: ir.IRBuilder, lanes: list[ir.Value]) -> list[ir.Value]:
    """Sixteen vectors, turned: element t of vector l becomes element l of vector t."""
    for width in (8, 4, 2, 1):
        for first in range(16):
            if first & width == 0:
                lanes[first], lanes[first | width] = _interleave(builder, lanes[first], lanes[first | width], width)
    return lanes


@intrinsic
def transpose_bytes(typingctx: Any, rows: Any, starts: Any, feature: Any, out: Any, to: Any) -> Any:
    """Turn sixty-four bytes of sixteen points into sixteen vectors of four features of each, for `byte_tile`.

    rows and starts are as in `transpose`; out is uint8, the first vector at flat index `to`.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        rows_at, starts_at, feature_value, out_at, to_value = values
        lanes, word = [], _I32.as_pointer()
        for lane in range(16):
            start = builder.load(builder.gep(starts_at, [ir.Constant(feature_value.type, lane)]))
            place = builder.gep(rows_at, [builder.add(start, feature_value)])
            lanes.append(_read(builder, builder.bitcast(place, word), 1, 16))
        place = builder.bitcast(builder.gep(out_at, [to_value]), ir.VectorType(_I32, 16).as_pointer())
        for t, vector in enumerate(_transposed(builder, lanes)):
            builder.store(vector, builder.gep(place, [ir.Constant(_I32, t)]), align=4)
        return context.get_dummy_value()

    return types.void(rows, starts, types.intp, out, types.intp), codegen


@intrinsic
def transpose(typingctx: Any, rows: Any, starts: Any, offset: Any, feature: Any, scale: Any, out: Any, to: Any) -> Any:
    """Turn sixteen features of sixteen points into sixteen vectors, a feature each, in the frame (see `load_framed`).

    rows is an array of points, feature t of point l at flat index `starts[l] + t`, starts (16,) int64; the features
    are those from `feature` on; out is float32, the first feature's vector at flat index `to`, the next ones' sixteen
    further on each.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        rows_at, starts_at, offset_at, feature_value, scale_value, out_at, to_value = values
        origin, factor = _origin(builder, rows, offset, (offset_at, feature_value, scale_value))
        lanes = []
        for lane in range(16):
            start = builder.load(builder.gep(starts_at, [ir.Constant(feature_value.type, lane)]))
            place = builder.gep(rows_at, [builder.add(start, feature_value)])
            lanes.append(_framed(builder, rows, place, origin, factor))
        place = builder.gep(out_at, [to_value])
        for t, vector in enumerate(_transposed(builder, lanes)):
            step = ir.Constant(to_value.type, 16 * t)
            wide = builder.bitcast(builder.gep(place, [step]), float32x16.llvm.as_pointer())
            builder.store(vector, wide, align=4)
        return context.get_dummy_value()

    return types.void(rows, starts, offset, types.intp, scale, out, types.intp), codegen
