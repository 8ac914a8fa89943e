"""Convert values of points to bytes if they are the same numbers."""

from __future__ import annotations

from steinhaus.jit.build import inlined, kernel
from steinhaus.jit.operations import bits_of, convert, floating, load, maximum, minimum, splat, store
from steinhaus.jit.types import Array, Number, Point, i64, u8, u32


@kernel
def to_bytes(x: Array[Point], first: i64, end: i64, out: Array[u8]) -> i64:
    """Write the values first <= t < end of points as bytes. x, out: (n, d).

    Returns 1 if a byte is another number than its value, or if a value is -0.0.
    """
    odd, whole = u32(0), first + (end - first) // 16 * 16
    for t in range(first, whole, 16):
        value = load(x, t, 16)
        byte = convert(_cut_off(value), u8)
        store(out, t, byte)
        odd = odd | (u32(0xFFFF) & ~bits_of(convert(byte, Point) == value)) | _negative_zeros(value)
    for t in range(whole, end):
        last = u8(_cut_off(x[t]))
        out[t] = last
        if Point(last) != x[t]:
            odd = u32(1)
        if floating(Point) and 1.0 / x[t] < 0.0:
            odd = u32(1)
    return i64(odd != u32(0))


@inlined
def _negative_zeros(value: Number) -> u32:
    """The lanes, a bit each, that hold -0.0, or less: a byte holds no sign."""
    if floating(Point):
        return bits_of(splat(1.0, Point, 16) / value < splat(0.0, Point, 16))
    return u32(0)


@inlined
def _cut_off(value: Number) -> Number:
    """Floats clipped to 0..255, which a byte can hold. Of integers, the conversion drops the upper bits."""
    if floating(Point):
        return minimum(maximum(value, 0.0), 255.0)
    return value
