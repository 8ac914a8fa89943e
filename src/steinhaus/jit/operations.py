"""Operations of kernels beyond arithmetic: vectors, memory, and a few functions of numbers.

Kernels call these names as functions. Lane arithmetic follows IEEE 754 in one order, so results are the same on all
processors. The exception is `fma`: it may or may not round its product, and is for bounds alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from steinhaus.jit import target
from steinhaus.jit.target import BYTE_LANES
from steinhaus.jit.types import Array, Scalar, Vector, boolean, i32, i64, u8, u16, u32
from steinhaus.jit.values import Const, Local, Value, align, constant
from steinhaus.jit.writing import Writer

OPERATIONS: dict[Any, Callable[..., Any]] = {}


def operation(emit: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function for kernels. `emit(translator, node, *arguments)` writes its instructions."""

    def only_in_kernels(*_: Any) -> Any:
        raise NotImplementedError("Only kernels can call this function.")

    only_in_kernels.__name__, only_in_kernels.__doc__ = emit.__name__, emit.__doc__
    OPERATIONS[only_in_kernels] = emit
    return only_in_kernels


def _also(*names: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let kernels call these functions of Python or NumPy by the same instructions."""

    def add(emit: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            OPERATIONS[name] = emit
        return emit

    return add


def _intrinsic(t: Writer, name: str, kind: Any, *values: Value) -> Value:
    """Call one of LLVM's functions on values of one type."""
    element = kind.element if isinstance(kind, Vector) else kind
    short = {"float": "f32", "double": "f64"}.get(element.llvm, element.llvm)
    whole = f"llvm.{name}.v{kind.lanes}{short}" if isinstance(kind, Vector) else f"llvm.{name}.{short}"
    function = t.unit.declare(whole, f"declare {kind.llvm} @{whole}({', '.join([kind.llvm] * len(values))})")
    return t.new(kind, f"call {kind.llvm} {function}({', '.join(f'{kind.llvm} {of.text}' for of in values)})")


# Functions of numbers and vectors


@_also(min)
def _min(t: Writer, node: Any, a: Any, b: Any) -> Any:
    return _chosen(t, node, a, b, "lt")


@_also(max)
def _max(t: Writer, node: Any, a: Any, b: Any) -> Any:
    return _chosen(t, node, a, b, "gt")


def _chosen(t: Writer, node: Any, a: Any, b: Any, how: str) -> Any:
    # As in Python: the first value, unless the second is smaller (larger).
    if isinstance(a, Const) and isinstance(b, Const):
        return Const((min if how == "lt" else max)(a.value, b.value))
    a, b = t.alike(a, b, node)
    kind = a.type
    signed = "u" if not kind.floating and kind.kind == "u" else "s"
    test = f"fcmp o{how}" if kind.floating else f"icmp {signed}{how}"
    better = t.new(boolean, f"{test} {kind.llvm} {b.text}, {a.text}")
    return t.new(kind, f"select i1 {better.text}, {kind.llvm} {b.text}, {kind.llvm} {a.text}")


@operation
def minimum(t: Writer, node: Any, a: Any, b: Any) -> Value:
    """The smaller of two vectors, lane by lane."""
    a, b = t.alike(a, b, node)
    below = t.new(a.type, f"fcmp olt {a.type.llvm} {a.text}, {b.text}")
    return _select(t, a.type, below, a, b)


@operation
def maximum(t: Writer, node: Any, a: Any, b: Any) -> Value:
    """The larger of two vectors, lane by lane."""
    a, b = t.alike(a, b, node)
    above = t.new(a.type, f"fcmp ogt {a.type.llvm} {a.text}, {b.text}")
    return _select(t, a.type, above, a, b)


def _select(t: Writer, kind: Any, mask: Value, a: Value, b: Value) -> Value:
    bits = f"<{kind.lanes} x i1>" if isinstance(kind, Vector) else "i1"
    return t.new(kind, f"select {bits} {mask.text}, {kind.llvm} {a.text}, {kind.llvm} {b.text}")


@operation
def select(t: Writer, node: Any, mask: Value, a: Any, b: Any) -> Value:
    """Take a where the mask is set, and b elsewhere."""
    a, b = t.alike(a, b, node)
    return _select(t, a.type, mask, a, b)


@_also(abs)
def _abs(t: Writer, node: Any, a: Any) -> Any:
    if isinstance(a, Const):
        return Const(abs(a.value))
    kind = a.type
    if kind.floating:
        return _intrinsic(t, "fabs", kind, a)
    minus = t.new(kind, f"sub {kind.llvm} zeroinitializer, {a.text}")
    below = t.new(boolean, f"icmp slt {kind.llvm} {a.text}, 0")
    return _select(t, kind, below, minus, a)


@_also(np.sqrt, math.sqrt)
def _sqrt(t: Writer, node: Any, a: Any) -> Any:
    return Const(math.sqrt(a.value)) if isinstance(a, Const) else _intrinsic(t, "sqrt", a.type, a)


@_also(np.rint)
def _rint(t: Writer, node: Any, a: Any) -> Any:
    return _intrinsic(t, "rint", a.type, a)


@_also(np.floor)
def _floor(t: Writer, node: Any, a: Any) -> Any:
    return _intrinsic(t, "floor", a.type, a)


@operation
def fma(t: Writer, node: Any, a: Any, b: Any, c: Any) -> Value:
    """Compute a * b + c. The product may be rounded or not, so this is for bounds alone."""
    kind = next(of.type for of in (a, b, c) if isinstance(of, Value) and isinstance(of.type, Vector))
    return _intrinsic(t, "fmuladd", kind, *(t.typed(of, kind, node) for of in (a, b, c)))


@operation
def fused(t: Writer, node: Any, a: Any, b: Any, c: Any) -> Value:
    """Compute a * b + c, rounded once, on every machine. Without an instruction for it, this is slow."""
    kind = next(of.type for of in (a, b, c) if isinstance(of, Value) and isinstance(of.type, Vector))
    return _intrinsic(t, "fma", kind, *(t.typed(of, kind, node) for of in (a, b, c)))


@operation
def bits_of(t: Writer, node: Any, a: Value) -> Value:
    """The bits of a float64 as an int64, or of a mask of 16 lanes as a uint32 with lane 0 lowest."""
    if isinstance(a.type, Vector):
        narrow = t.new(u16, f"bitcast {a.type.llvm} {a.text} to i{a.type.lanes}")
        return t.new(u32, f"zext i{a.type.lanes} {narrow.text} to i32")
    return t.new(i64, f"bitcast double {a.text} to i64")


@operation
def from_bits(t: Writer, node: Any, a: Any) -> Value:
    """The float64 with the bits of an int64."""
    from steinhaus.jit.types import f64

    return t.new(f64, f"bitcast i64 {t.typed(a, i64, node).text} to double")


@operation
def count_ones(t: Writer, node: Any, a: Value) -> Value:
    """The number of set bits of an integer, int64."""
    return t.convert(_intrinsic(t, "ctpop", a.type, a), i64, node)


@operation
def lowest_one(t: Writer, node: Any, a: Value) -> Value:
    """The place of the lowest set bit, int64. The integer must not be 0."""
    kind = a.type
    name = f"llvm.cttz.{kind.llvm}"
    function = t.unit.declare(name, f"declare {kind.llvm} @{name}({kind.llvm}, i1)")
    return t.convert(t.new(kind, f"call {kind.llvm} {function}({kind.llvm} {a.text}, i1 true)"), i64, node)


@operation
def floating(t: Writer, node: Any, kind: Scalar) -> Const:
    """Whether a type is a floating-point one, at compile time."""
    return Const(kind.floating)


@operation
def size_of(t: Writer, node: Any, kind: Scalar) -> Const:
    """The bytes of a type, at compile time."""
    return Const(kind.size)


@operation
def small_integer(t: Writer, node: Any, kind: Scalar) -> Const:
    """Whether a type is an integer of up to 16 bits, at compile time. Such points need no grid and no frame."""
    return Const(kind.kind in "iu" and kind.size <= 2)


@operation
def takes_bytes(t: Writer, node: Any, kind: Scalar) -> Const:
    """Whether values of a type are multiplied as bytes, at compile time."""
    return Const(target.takes_bytes(kind.name))


# Vectors


@operation
def splat(t: Writer, node: Any, a: Any, kind: Any, lanes: Any) -> Value:
    """A vector of `lanes` lanes that all hold one number."""
    return (
        t.splat(t.typed(a, kind, node), lanes.value)
        if isinstance(a, Value)
        else Value(kind.of(lanes.value), constant(a.value, kind.of(lanes.value)))
    )


@operation
def load(t: Writer, node: Any, array: Value, index: Any, lanes: Any) -> Value:
    """Load consecutive elements of an array as a vector."""
    kind = array.type.element.of(lanes.value)
    _, at = t.address(node, array, index)
    return t.new(kind, f"load {kind.llvm}, ptr {at}, align {align(kind)}")


@operation
def store(t: Writer, node: Any, array: Value, index: Any, vector: Value) -> Const:
    """Store a vector in consecutive elements of an array of its type."""
    element = vector.type.element if isinstance(vector.type, Vector) else vector.type
    if array.type.element not in (element, u8):
        raise t.error(node, f"{vector.type} does not fit into {array.type}")
    _, at = t.address(node, array, index)
    t.emit(f"store {vector.type.llvm} {vector.text}, ptr {at}, align {array.type.element.size}")
    return Const(0)


@operation
def local(t: Writer, node: Any, kind: Any, size: Any) -> Local:
    """An uninitialised local array of numbers or vectors. If the compiler knows all indices, it is in registers."""
    return Local(kind, t.slot(f"[{size.value} x {kind.llvm}]"), size.value)


@operation
def vector(t: Writer, node: Any, element: Scalar, lanes: Const) -> Any:
    """The type of a vector, for `local`."""
    return element.of(lanes.value)


@operation
def fold(t: Writer, node: Any, a: Value) -> Value:
    """The sum of the lanes. Halves are added until one lane is left, always in this order."""
    return _folded(
        t, a, lambda x, y: t.new(x.type, f"{'fadd' if x.type.floating else 'add'} {x.type.llvm} {x.text}, {y.text}")
    )


@operation
def least(t: Writer, node: Any, a: Value) -> Value:
    """The smallest of the lanes."""
    return _folded(
        t, a, lambda x, y: _select(t, x.type, t.new(None, f"fcmp olt {x.type.llvm} {x.text}, {y.text}"), x, y)
    )


@operation
def largest(t: Writer, node: Any, a: Value) -> Value:
    """The largest of the lanes."""
    return _folded(
        t, a, lambda x, y: _select(t, x.type, t.new(None, f"fcmp ogt {x.type.llvm} {x.text}, {y.text}"), x, y)
    )


def _folded(t: Writer, a: Value, join: Callable[[Value, Value], Value]) -> Value:
    lanes, element = a.type.lanes, a.type.element
    while lanes > 2:
        lanes //= 2
        a = join(*(_shuffled(t, a, a, range(first, first + lanes)) for first in (0, lanes)))
    return join(*(t.new(element, f"extractelement {a.type.llvm} {a.text}, i32 {lane}") for lane in (0, 1)))


def _shuffled(t: Writer, a: Value, b: Value, picks: Any) -> Value:
    kind = a.type.element.of(len(picks))
    mask = ", ".join(f"i32 {pick}" for pick in picks)
    return t.new(kind, f"shufflevector {a.type.llvm} {a.text}, {b.type.llvm} {b.text}, <{len(picks)} x i32> <{mask}>")


@operation
def transpose(t: Writer, node: Any, rows: Local) -> Const:
    """Transpose a local array in place. It holds as many vectors as each has lanes, a power of two."""
    kind, n = rows.type, rows.size
    places = [t.address(node, rows, Const(row))[1] for row in range(n)]
    values = [t.new(kind, f"load {kind.llvm}, ptr {place}, align {align(kind)}") for place in places]
    width = n // 2
    while width:
        for row in [row for row in range(n) if not row & width]:
            values[row], values[row | width] = (
                _interleaved(t, values[row], values[row | width], width, high) for high in (False, True)
            )
        width //= 2
    for place, value in zip(places, values, strict=True):
        t.emit(f"store {kind.llvm} {value.text}, ptr {place}, align {align(kind)}")
    return Const(0)


@operation
def least_of_each(t: Writer, node: Any, rows: Local) -> Value:
    """The smallest lane of each vector of a local array, as one vector. It holds as many as each has lanes.

    Half of the lanes of two vectors go into one, again and again.
    """
    kind, n = rows.type, rows.size
    places = [t.address(node, rows, Const(row))[1] for row in range(n)]
    values = [t.new(kind, f"load {kind.llvm}, ptr {place}, align {align(kind)}") for place in places]
    width = n // 2
    while width:
        ours = [lane + n if lane & width else lane for lane in range(n)]  # lanes that stay in their place
        theirs = [(lane ^ width) + n if lane & width else lane ^ width for lane in range(n)]
        for row in range(width):
            a, b = (_shuffled(t, values[row], values[row + width], picks) for picks in (ours, theirs))
            values[row] = _select(t, kind, t.new(None, f"fcmp olt {kind.llvm} {a.text}, {b.text}"), a, b)
        width //= 2
    return values[0]


def _interleaved(t: Writer, a: Value, b: Value, width: int, high: bool) -> Value:
    """One of a pair of vectors whose off-diagonal blocks of `width` lanes are swapped."""
    picks = []
    for lane in range(a.type.lanes):
        block, place = divmod(lane, width)
        if high:
            picks.append((block + 1) * width + place if block % 2 == 0 else a.type.lanes + lane)
        else:
            picks.append(lane if block % 2 == 0 else a.type.lanes + (block - 1) * width + place)
    return _shuffled(t, a, b, picks)


@operation
def convert(t: Writer, node: Any, a: Any, kind: Scalar) -> Value:
    """Convert a number, or the lanes of a vector, to another type. Results are rounded to the nearest."""
    return t.convert(a, kind, node)


@operation
def words(t: Writer, node: Any, array: Value, index: Any, lanes: Const) -> Value:
    """Load consecutive int32 from the memory of an array of any type."""
    _, at = t.address(node, array, index)
    kind = i32.of(lanes.value)
    return t.new(kind, f"load {kind.llvm}, ptr {at}, align {array.type.element.size}")


@operation
def word(t: Writer, node: Any, array: Value, index: Any) -> Value:
    """Load one int32 from an array of bytes."""
    _, at = t.address(node, array, index)
    return t.new(i32, f"load i32, ptr {at}, align {array.type.element.size}")


@operation
def add_byte_products(t: Writer, node: Any, total: Value, a: Value, b: Value) -> Value:
    """Add to total the four products of unsigned bytes of a and signed bytes of b, in each of sixteen int32."""
    lanes = BYTE_LANES
    if not lanes:
        raise t.error(node, "this processor does not multiply bytes")
    kind = i32.of(lanes)
    name = f"llvm.x86.avx512.vpdpbusd.{32 * lanes}"
    function = t.unit.declare(name, f"declare {kind.llvm} @{name}({', '.join([kind.llvm] * 3)})")

    def made(*values: Value) -> Value:
        return t.new(kind, f"call {kind.llvm} {function}({', '.join(f'{kind.llvm} {of.text}' for of in values)})")

    if lanes == 16:
        return made(total, a, b)
    low, high = (made(*(_shuffled(t, of, of, range(first, first + 8)) for of in (total, a, b))) for first in (0, 8))
    return _shuffled(t, low, high, range(16))


# Memory


@operation
def claim(t: Writer, node: Any, counter: Value, amount: Any) -> Value:
    """Add to an int64 that threads share, and return the value before. All threads see the same order of memory."""
    more = t.typed(amount, i64, node)
    return t.new(i64, f"atomicrmw add ptr {counter.text}, i64 {more.text} seq_cst")


@operation
def prefetch(t: Writer, node: Any, array: Value, index: Any) -> Const:
    """Prefetch the cache line of an element."""
    _, at = t.address(node, array, index)
    function = t.unit.declare("llvm.prefetch.p0", "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    t.emit(f"call void {function}(ptr {at}, i32 0, i32 3, i32 1)")
    return Const(0)


@operation
def as_bytes(t: Writer, node: Any, array: Any) -> Value:
    """An array's address, as an array of bytes."""
    return Value(Array(u8), array.slot if isinstance(array, Local) else array.text)
