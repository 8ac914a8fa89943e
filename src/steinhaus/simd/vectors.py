"""Vectors of fixed width and what is done with them: sixteen float32 or int32, eight float64 or int64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 16  # of a vector of float32 or int32
_I32, _I64 = ir.IntType(32), ir.IntType(64)


class Vector(types.Type):
    """The Numba type of a vector of so many lanes."""

    def __init__(self, element: types.Type, lanes: int) -> None:
        super().__init__(name=f"{element}x{lanes}")
        self.element, self.lanes = element, lanes
        scalar = {
            types.float32: ir.FloatType(),
            types.float64: ir.DoubleType(),
            types.int32: _I32,
            types.int64: _I64,
            types.boolean: ir.IntType(1),
        }
        self.llvm = ir.VectorType(scalar[element], lanes)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, kind.llvm)


float32x16 = Vector(types.float32, 16)
int32x16 = Vector(types.int32, 16)
float64x8 = Vector(types.float64, 8)
int64x8 = Vector(types.int64, 8)
mask16 = Vector(types.boolean, 16)

Emit = Callable[..., Any]


def _operation(result: Callable[..., Any], emit: Emit, doc: str) -> Any:
    """Make an intrinsic: `result(*argument types)` is its type, `emit(builder, *values)` its instructions."""

    def typed(*arguments: Any) -> tuple[Any, Emit]:
        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> Any:
            return emit(builder, *values)

        return result(*arguments)(*arguments), codegen

    # Numba reads the number of arguments off the function's signature.
    one = lambda typingctx, a: typed(a)  # noqa: E731
    two = lambda typingctx, a, b: typed(a, b)  # noqa: E731
    three = lambda typingctx, a, b, c: typed(a, b, c)  # noqa: E731
    made = (one, two, three)[emit.__code__.co_argcount - 2]
    made.__doc__ = doc
    return intrinsic(made)


def _same(first: Any, *rest: Any) -> Any:
    return first


def _rounded(builder: ir.IRBuilder, a: ir.Value) -> ir.Value:
    kind = ir.FunctionType(a.type, [a.type])
    near = builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.rint.v8f64"), [a])
    return builder.fptosi(near, int64x8.llvm)


def _of_sixteen(builder: ir.IRBuilder, name: str, a: ir.Value) -> ir.Value:
    kind = ir.FunctionType(a.type, [a.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v16f32"), [a])


def _bits64(value: int) -> ir.Constant:
    return ir.Constant(int64x8.llvm, [value] * 8)


def _splat(builder: ir.IRBuilder, value: ir.Value, lanes: int) -> ir.Value:
    undefined = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    single = builder.insert_element(undefined, value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(single, undefined, ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes))


def _fuse(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    module, kind = builder.module, a.type
    name = f"llvm.fmuladd.v{kind.count}{'f32' if kind.element == ir.FloatType() else 'f64'}"
    function = cgutils.get_or_insert_function(module, ir.FunctionType(kind, [kind] * 3), name)
    return builder.call(function, [a, b, c])


def _maximum(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _minimum(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def _fold(builder: ir.IRBuilder, vector: ir.Value, join: Emit) -> ir.Value:
    """Join the lanes: halves onto each other until one is left, always in this order."""
    lanes = vector.type.count
    while lanes > 1:
        lanes //= 2
        undefined = ir.Constant(vector.type, ir.Undefined)
        low, high = (
            builder.shuffle_vector(
                vector, undefined, ir.Constant(ir.VectorType(_I32, lanes), list(range(start, start + lanes)))
            )
            for start in (0, lanes)
        )
        vector = join(builder, low, high)
    return builder.extract_element(vector, ir.Constant(_I32, 0))


def _constant(builder: ir.IRBuilder, value: ir.Value, like: ir.Value) -> ir.Value:
    return _splat(builder, value, like.type.count) if isinstance(like.type, ir.VectorType) else value


constant = _operation(
    lambda a, like: like, _constant, "A float64 in every lane, or as it is, of the type of the second argument."
)
splat = _operation(lambda a: float32x16, lambda builder, a: _splat(builder, a, 16), "Sixteen copies of a float32.")
splat_int = _operation(lambda a: int32x16, lambda builder, a: _splat(builder, a, 16), "Sixteen copies of an int32.")
rounded = _operation(lambda a: int64x8, _rounded, "Eight float64 as the nearest int64, ties to even.")
whole = _operation(
    _same,
    lambda builder, a: _of_sixteen(builder, "rint", a),
    "Sixteen float32, each the nearest whole number, ties to even.",
)
plus = _operation(_same, lambda builder, a, b: builder.add(a, b), "a + b, integers.")
times = _operation(_same, lambda builder, a, b: builder.mul(a, b), "a * b, integers.")
as_float = _operation(
    lambda a: float32x16, lambda builder, a: builder.sitofp(a, float32x16.llvm), "Sixteen int32 as float32."
)
as_int = _operation(
    lambda a: int32x16, lambda builder, a: builder.fptosi(a, int32x16.llvm), "Sixteen float32, whole numbers, as int32."
)
root = _operation(_same, lambda builder, a: _of_sixteen(builder, "sqrt", a), "The square root of sixteen float32.")
add = _operation(_same, lambda builder, a, b: builder.fadd(a, b), "a + b, vectors or floats.")
subtract = _operation(_same, lambda builder, a, b: builder.fsub(a, b), "a - b, vectors or floats.")
multiply = _operation(_same, lambda builder, a, b: builder.fmul(a, b), "a * b, vectors or floats.")
divide = _operation(_same, lambda builder, a, b: builder.fdiv(a, b), "a / b, vectors or floats.")
multiply_add = _operation(_same, _fuse, "a * b + c, the product rounded or not. For screens only.")
greater = _operation(lambda a, b: mask16, lambda builder, a, b: builder.fcmp_ordered(">", a, b), "Lanes where a > b.")
select = _operation(
    lambda m, a, b: a, lambda builder, m, a, b: builder.select(m, a, b), "a where the mask is set, b elsewhere."
)
maximum = _operation(_same, _maximum, "The larger of a and b, lane by lane.")
minimum = _operation(_same, _minimum, "The smaller of a and b, lane by lane.")
magnitude = _operation(
    _same,
    lambda builder, a: _maximum(builder, a, builder.fsub(ir.Constant(a.type, None), a)),
    "|a|, lane by lane.",
)
differs = _operation(
    lambda a, b: mask16, lambda builder, a, b: builder.icmp_signed("!=", a, b), "Lanes where a != b, int32."
)
bits = _operation(
    lambda m: types.uint32,
    lambda builder, m: builder.zext(builder.bitcast(m, ir.IntType(16)), _I32),
    "A mask as an integer, lane 0 the lowest bit.",
)
count = _operation(
    lambda m: types.int64,
    lambda builder, m: builder.zext(builder.ctpop(m), ir.IntType(64)),
    "How many bits of a uint32 are set.",
)
least = _operation(lambda a: a.element, lambda builder, a: _fold(builder, a, _minimum), "The smallest of the lanes.")
largest = _operation(lambda a: a.element, lambda builder, a: _fold(builder, a, _maximum), "The largest of the lanes.")
_fadd: Emit = lambda builder, a, b: builder.fadd(a, b)  # noqa: E731
fold = _operation(
    lambda a: a.element, lambda builder, a: _fold(builder, a, _fadd), "The sum of the lanes, in a fixed order."
)


@intrinsic
def pointer(typingctx: Any, array: Any) -> Any:
    """The address of an array's first element; indexed like the flat array, and free of reference counts."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        return context.make_array(array)(context, builder, values[0]).data

    return types.CPointer(array.dtype)(array), codegen


def _read(builder: ir.IRBuilder, pointer: ir.Value, size: int, lanes: int) -> ir.Value:
    wide = ir.VectorType(pointer.type.pointee, lanes).as_pointer()
    return builder.load(builder.bitcast(pointer, wide), align=size)


def _size(kind: types.Array) -> int:
    return int(kind.dtype.bitwidth) // 8


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> Any:
    """Sixteen elements of a float32 or int32 array, from an index on."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        return _read(builder, builder.gep(values[0], [values[1]]), _size(array), 16)

    return Vector(array.dtype, 16)(array, types.intp), codegen


@intrinsic
def load_flags(typingctx: Any, array: Any, index: Any) -> Any:
    """Where sixteen elements of a uint8 array, from an index on, are not zero."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        read = _read(builder, builder.gep(values[0], [values[1]]), 1, 16)
        return builder.icmp_unsigned("!=", read, ir.Constant(read.type, None))

    return mask16(array, types.intp), codegen


@intrinsic
def store(typingctx: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write sixteen elements into an array of their type, from an index on."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        pointer = builder.gep(values[0], [values[1]])
        builder.store(values[2], builder.bitcast(pointer, vector.llvm.as_pointer()), align=_size(array))
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), codegen


def _widening(lanes: int, element: types.Type, doc: str) -> Any:
    vector = Vector(element, lanes)

    def typed(typingctx: Any, array: Any, index: Any) -> Any:
        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
            read = _read(builder, builder.gep(values[0], [values[1]]), _size(array), lanes)
            if isinstance(array.dtype, types.Integer):
                return (builder.sitofp if array.dtype.signed else builder.uitofp)(read, vector.llvm)
            if array.dtype == element:
                return read
            narrower = array.dtype.bitwidth < element.bitwidth
            return (builder.fpext if narrower else builder.fptrunc)(read, vector.llvm)

        return vector(array, types.intp), codegen

    typed.__doc__ = doc
    return intrinsic(typed)


load_float64 = _widening(8, types.float64, "Eight elements of an array of any real type, as float64, from an index on.")


@intrinsic
def load_halves(typingctx: Any, array: Any, index: Any) -> Any:
    """Eight elements of an int64 array as pairs of float64, exactly: value = first * 2^32 + second, 0 <= second <
    2^32.
    """
    result = types.UniTuple(float64x8, 2)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        whole = _read(builder, builder.gep(values[0], [values[1]]), 8, 8)
        high = builder.ashr(whole, ir.Constant(whole.type, [32] * 8))
        low = builder.and_(whole, ir.Constant(whole.type, [2**32 - 1] * 8))
        return context.make_tuple(builder, result, [builder.sitofp(part, float64x8.llvm) for part in (high, low)])

    return result(array, types.intp), codegen


@intrinsic
def offset(typingctx: Any, pointer: Any, index: Any) -> Any:
    """The address of an element."""
    return pointer(pointer, types.intp), lambda context, builder, signature, values: builder.gep(values[0], [values[1]])


@intrinsic
def prefetch(typingctx: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of an element."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        byte = ir.IntType(8).as_pointer()
        address = builder.bitcast(builder.gep(values[0], [values[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [address, *(ir.Constant(_I32, flag) for flag in (0, 3, 1))])  # to read, to keep, data
        return context.get_dummy_value()

    return types.void(array, types.intp), codegen


def _by_bits(emit: Callable[[ir.IRBuilder, ir.Value, int], ir.Value], doc: str) -> Any:
    def typed(typingctx: Any, whole: Any, bits: Any) -> Any:
        number = int(bits.literal_value)

        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
            return emit(builder, values[0], number)

        return whole(whole, bits), codegen

    typed.__doc__ = doc
    return intrinsic(prefer_literal=True)(typed)


shifted = _by_bits(lambda builder, a, n: builder.ashr(a, _bits64(n)), "Eight int64 over 2^bits, rounded down.")
masked = _by_bits(lambda builder, a, n: builder.and_(a, _bits64(2**n - 1)), "The lowest bits of eight int64.")


@intrinsic
def none64(typingctx: Any) -> Any:
    """Eight zeros, int64."""
    return int64x8(), lambda context, builder, signature, values: ir.Constant(int64x8.llvm, None)


@intrinsic
def add_to(typingctx: Any, array: Any, index: Any, vector: Any) -> Any:
    """Add eight int64 to those of an array, from a flat index on."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        data = context.make_array(array)(context, builder, values[0]).data
        wide = builder.bitcast(builder.gep(data, [values[1]]), int64x8.llvm.as_pointer())
        builder.store(builder.add(builder.load(wide, align=8), values[2]), wide, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), codegen


@intrinsic
def claim(typingctx: Any, counter: Any, amount: Any) -> Any:
    """Add to an int64 that threads share, at once; returns what it was before."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        return builder.atomic_rmw("add", values[0], values[1], "monotonic")

    return types.int64(counter, types.int64), codegen


@intrinsic
def zeros64(typingctx: Any) -> Any:
    """Eight zeros, float64."""
    return float64x8(), lambda context, builder, signature, values: ir.Constant(float64x8.llvm, None)


def _wide(builder: ir.IRBuilder, place: ir.Value) -> ir.Value:
    return builder.bitcast(place, float32x16.llvm.as_pointer())
