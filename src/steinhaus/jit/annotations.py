"""The types for fields of records. Type checkers see a NumPy array for `Array`, and `Any` for a number."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray as Array

    Column = Any
    Origin = Any
    Point = Any
    f32 = Any
    f64 = Any
    i8 = Any
    i32 = Any
    i64 = Any
    u8 = Any
    i16 = Any
    u64 = Any
else:
    from steinhaus.jit.types import Array, Column, Origin, Point, f32, f64, i8, i16, i32, i64, u8, u64

__all__ = ["Array", "Column", "Origin", "Point", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "u64"]
