"""Float32 numbers in 16 bits, in the order of the numbers. Kernels call these names as functions."""

from __future__ import annotations

from typing import Any

from steinhaus.jit.operations import operation
from steinhaus.jit.types import f32, i16, i32
from steinhaus.jit.values import Value
from steinhaus.jit.writing import Writer


@operation
def shortened(t: Writer, node: Any, a: Value) -> Value:
    """Float32 numbers in 16 bits, rounded toward 0, as int16 that are in the order of the numbers."""
    lanes = a.type.lanes
    kind = i32.of(lanes)
    bits = t.new(kind, f"bitcast {a.type.llvm} {a.text} to {kind.llvm}")
    return t.new(i16.of(lanes), f"trunc {kind.llvm} {_shift(t, 'ashr', _ordered(t, bits), 16).text} to <{lanes} x i16>")


@operation
def lengthened(t: Writer, node: Any, a: Value) -> Value:
    """The float32 numbers that `shortened` has left."""
    kind = i32.of(a.type.lanes)
    wide = t.new(kind, f"sext {a.type.llvm} {a.text} to {kind.llvm}")
    bits = _ordered(t, _shift(t, "shl", wide, 16))
    high = _shift(t, "shl", _shift(t, "lshr", bits, 16), 16)
    return t.new(f32.of(a.type.lanes), f"bitcast {kind.llvm} {high.text} to {f32.of(a.type.lanes).llvm}")


def _ordered(t: Writer, bits: Value) -> Value:
    """The bits of float32 numbers as int32 in their order, or the other way round: all but the sign, if it is set."""
    kind = bits.type
    negative, rest = _shift(t, "ashr", bits, 31), t.splat(Value(i32, str(2**31 - 1)), kind.lanes)
    flipped = t.new(kind, f"and {kind.llvm} {negative.text}, {rest.text}")
    return t.new(kind, f"xor {kind.llvm} {bits.text}, {flipped.text}")


def _shift(t: Writer, how: str, bits: Value, by: int) -> Value:
    places = t.splat(Value(i32, str(by)), bits.type.lanes)
    return t.new(bits.type, f"{how} {bits.type.llvm} {bits.text}, {places.text}")
