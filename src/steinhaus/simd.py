"""Fixed-width vectors for Numba kernels: sixteen float32 or int32, eight float64.

LLVM's loop vectoriser does not keep a tile of accumulators in registers, so the innermost loops say what they mean:
these intrinsics emit LLVM vector instructions, which every processor's back end maps to what it has (one AVX-512
register, two AVX ones, four NEON ones). Lane arithmetic is IEEE 754 in one order, so results are the same on all of
them; only `multiply_add` and `dot_tile` may or may not round their products, and they are for screens alone.

Indices are flat: element 0 is the array's first, and arrays are contiguous. Nothing is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
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
plus = _operation(_same, lambda builder, a, b: builder.add(a, b), "a + b, integers.")
times = _operation(_same, lambda builder, a, b: builder.mul(a, b), "a * b, integers.")
as_float = _operation(
    lambda a: float32x16, lambda builder, a: builder.sitofp(a, float32x16.llvm), "Sixteen int32 as float32."
)
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


def _before(builder: ir.IRBuilder, wide: ir.Value, fresh: ir.Value) -> ir.Value:
    """What sixteen products have come to so far: nothing, where they are `fresh`."""
    nothing = ir.Constant(float32x16.llvm, None)
    return builder.select(builder.trunc(fresh, ir.IntType(1)), nothing, builder.load(wide, align=4))


def _dot_tile(module: ir.Module, size: int, kinds: Sequence[ir.Type]) -> ir.Function:
    """The function that `dot_tile` calls: one a module for each size, never inlined, so that it is compiled once."""
    name = f"steinhaus.dot_tile.{size}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
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
    size = int(tile.literal_value)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        function = _dot_tile(builder.module, size, [value.type for value in values[1:]])
        builder.call(function, values[1:])
        return context.get_dummy_value()

    index = types.intp
    return types.void(
        tile, lanes, index, index, rows, chosen, index, index, index, index, out, index, types.boolean
    ), codegen


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
    """The function that `byte_tile` calls, as `_dot_tile`."""
    name = f"steinhaus.byte_tile.{size}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
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
    size = int(tile.literal_value)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        function = _byte_tile(builder.module, size, [value.type for value in values[1:]])
        builder.call(function, values[1:])
        return context.get_dummy_value()

    index = types.intp
    return types.void(
        tile, quads, index, index, limbs, scales, chosen, index, index, index, index, out, index, types.boolean
    ), codegen


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
