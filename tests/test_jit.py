"""The kernel language: every statement and operation against plain Python and NumPy, and what it refuses.

A kernel of numbers and arrays is plain Python too: `kernel.function` runs it.
"""

from __future__ import annotations

import ctypes
import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jit_points import Inner, Outer, Slice, converted, of_points, of_records
from steinhaus.jit import build
from steinhaus.jit.build import inlined, inner, kernel, loose_kernel
from steinhaus.jit.declared import Declared, unroll
from steinhaus.jit.handed import Handed
from steinhaus.jit.operations import (
    bits_of,
    count_ones,
    fma,
    fold,
    fused,
    largest,
    least,
    least_of_each,
    load,
    local,
    lowest_one,
    maximum,
    minimum,
    select,
    splat,
    store,
    transpose,
    vector,
)
from steinhaus.jit.translate import Unit
from steinhaus.jit.types import (
    Array,
    Function,
    Number,
    boolean,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    literal,
    u8,
    u16,
    u32,
    u64,
)
from steinhaus.jit.values import KernelError

LIMIT = 7
INTEGERS = st.integers(-(2**31), 2**31)
FLOATS = st.floats(width=64) | st.integers(-9, 9).map(lambda value: value / 2)


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    """A cache of these tests alone: machine code is kept by the package's sources, and these kernels stand outside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(build.VARIABLE, str(tmp_path_factory.mktemp("kernels")))
        build._folder.cache_clear()
        doubled(1.0)  # compiles all of this module
        yield
    build._folder.cache_clear()


# Numbers


@kernel
def of_integers(a: i64, b: i64, out: Array[i64]) -> None:
    out[0], out[1], out[2] = a + b, a - b, a * b
    out[3], out[4], out[5] = a // b, a % b, -a
    out[6], out[7], out[8], out[9] = a & b, a | b, a ^ b, ~a
    out[10], out[11], out[12] = a << 3, a >> 3, (a >> (b & 7)) << (b & 7)
    out[13], out[14], out[15] = min(a, b), max(a, b), abs(a)
    out[16], out[17], out[18], out[19] = a // 8, a % 8, a // 7, a % 7
    out[20], out[21], out[22], out[23] = a // -7, a % -7, 100 // b, 2**3 - 7 // 2
    out[24], out[25], out[26] = i64(a < b), i64(a <= b), i64(a == b)
    out[27], out[28], out[29] = i64(a > b), i64(a >= b), i64(a != b)
    out[30], out[31] = i64(-5 < a < b), i64(not a)


@given(INTEGERS, INTEGERS.filter(bool))
def test_integers_are_those_of_python(a, b):
    found, expected = np.zeros((2, 32), np.int64)
    of_integers(a, b, found)
    of_integers.function(a, b, expected)
    assert found.tolist() == expected.tolist()


@kernel
def of_floats(a: f64, b: f64, out: Array[f64]) -> None:
    out[0], out[1], out[2], out[3] = a + b, a - b, a * b, a / b
    out[4], out[5], out[6] = -a, abs(a), a * a - b
    out[7], out[8], out[9] = np.sqrt(abs(a)), np.rint(a), np.floor(a)
    out[10], out[11], out[12] = min(a, b), max(a, b), math.sqrt(abs(b))
    out[13], out[14], out[15] = f64(a < b), f64(a <= b), f64(a == b)
    out[16], out[17], out[18] = f64(a > b), f64(a >= b), f64(a != b)
    out[19], out[20], out[21] = a + 1, 2.0**-1000 * a, f64(f32(a))
    out[22], out[23] = a * -np.inf, f64(not a < b)


@given(FLOATS, FLOATS)
def test_floats_are_those_of_numpy(a, b):
    found, expected = np.zeros((2, 24))
    of_floats(a, b, found)
    with np.errstate(all="ignore"):
        of_floats.function(np.float64(a), np.float64(b), expected)
    assert np.array_equal(found, expected, equal_nan=True)
    same = ~np.isnan(found)
    assert np.array_equal(np.signbit(found)[same], np.signbit(expected)[same])


@kernel
def of_single_floats(a: f32, b: f32, out: Array[f32]) -> None:
    total = f32(0.0)
    total += a * b + f32(1.0) / b
    out[0], out[1], out[2] = total, a * 0.1, np.sqrt(abs(a))
    out[3], out[4] = f32(f64(a) * f64(b)), f32(i64(3))


@given(st.floats(-1e3, 1e3, width=32), st.floats(1, 1e3, width=32))
def test_single_floats_round_after_each_operation(a, b):
    found, expected = np.zeros((2, 5), np.float32)
    of_single_floats(a, b, found)
    of_single_floats.function(np.float32(a), np.float32(b), expected)
    assert found.tobytes() == expected.tobytes()


@kernel
def without_sign(a: u32, b: u32, out: Array[u32]) -> None:
    out[0], out[1], out[2], out[3] = a // b, a % b, a >> u32(4), a + b
    out[4], out[5], out[6], out[7] = a // 8, a % 8, u32(a < b), max(a, b)


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_integers_without_sign_wrap_and_are_never_negative(a, b):
    out = np.zeros(8, np.uint32)
    without_sign(a, b, out)
    assert out.tolist() == [a // b, a % b, a >> 4, (a + b) % 2**32, a // 8, a % 8, int(a < b), max(a, b)]


TYPES = [boolean, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64]


@pytest.mark.parametrize("dtype", [kind.name for kind in TYPES])
def test_points_of_every_type_are_converted(dtype):
    kind = np.dtype(dtype)
    ends = (0, 1) if kind.kind == "b" else (-99, 99) if kind.kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)
    x = np.array([*ends, 0, 1], kind)
    wide, whole, back, bits = np.empty(4), np.empty(4, np.int64), np.empty_like(x), np.empty(3, np.int64)
    converted[kind](x, 4, wide, whole, back, bits)
    assert wide.tolist() == x.astype(np.float64).tolist()
    assert whole.tolist() == x.astype(np.int64).tolist()
    assert back.tolist() == x.tolist()
    assert bits.tolist() == [kind.kind == "f", kind.itemsize, kind.kind in "iu" and kind.itemsize <= 2]


@kernel
def narrowed(x: i64, y: f64, a: Array[i8], b: Array[u16], c: Array[u64]) -> None:
    a[0], a[1], b[0], b[1] = i8(x), i8(y), u16(x), u16(y)
    c[0], c[1] = u64(x), u64(i64(i16(x)) & 0xFF)


def test_narrower_integers_keep_the_lowest_bits_and_floats_lose_their_fractions():
    a, b, c = np.zeros(2, np.int8), np.zeros(2, np.uint16), np.zeros(2, np.uint64)
    narrowed(-3 * 2**16 + 300, 99.9, a, b, c)
    assert (a.tolist(), b.tolist()) == ([44, 99], [300, 99])
    assert c.tolist() == [2**64 - 3 * 2**16 + 300, 300 & 0xFF]


# Statements


@kernel
def found_by_search(x: Array[i64], n: i64, start: i64, out: Array[i64]) -> i64:
    """Loops with all that can leave them; conditions that must not be looked at."""
    steps, i = 0, start
    while True:
        steps += 1
        if i >= n or x[i] < 0:
            break
        i += 1
        if x[i - 1] % 2:
            continue
        out[0] += x[i - 1]
    for j in range(n):
        for k in range(j, n, 2):
            if k == 5:
                break
            if x[k] == x[j] and k != j:
                continue
            out[1] += x[k] - j
        if out[1] > 100:
            out[2] = j
            break
    for j in range(n - 1, -1, -1):
        out[3] = 3 * out[3] + x[j]
    for j in range(n):
        if x[j] == 3:
            return 100 + j
        elif x[j] == 4:
            steps += 10
        else:
            steps += 20
    pass
    return steps if i < n else -steps


@given(st.lists(st.integers(-3, 9), max_size=12), st.integers(0, 3))
def test_loops_and_conditions_are_those_of_python(x, start):
    x = np.array(x, np.int64)
    found, expected = np.zeros((2, 4), np.int64)
    assert found_by_search(x, len(x), start, found) == found_by_search.function(x, len(x), start, expected)
    assert found.tolist() == expected.tolist()


@kernel
def truths(a: i64, b: i64, out: Array[i64]) -> None:
    out[0] = i64((a > 0 and b > 0) or a == b)
    out[1] = i64(not (a and b))
    out[2] = i64((a > 0 or b > 0) and a != 3 and True)
    out[3] = i64(False or a > b)
    flag = a > b
    if flag:
        out[4] = 1
    is_set: boolean = True
    is_set = is_set and b < 5
    out[5] = i64(is_set)
    out[6] = (1 if a > 0 else 2) if b > 0 else 3
    out[7] = 4 if LIMIT > 5 else a


@given(st.integers(-4, 4), st.integers(-4, 6))
def test_truths_are_those_of_python(a, b):
    found, expected = np.zeros((2, 8), np.int64)
    truths(a, b, found)
    truths.function(a, b, expected)
    assert found.tolist() == expected.tolist()


@inner
def divided(a: i64, b: i64) -> tuple[i64, f64]:
    return a // b, f64(a) / f64(b)


@inner
def marked(out: Array[f64], at: i64) -> None:
    if at > 3:
        return
    out[at] = 1.0


@kernel
def of_tuples(a: i64, b: i64, out: Array[f64]) -> None:
    a, b = b, a
    whole, part = divided(a, b)
    out[0], out[1], out[2], out[3] = f64(whole), part, f64(divided(b, a)[0]), divided(b, a)[1]
    whole = last = 9
    out[4] = f64(whole + last)
    marked(out + 5, 0)
    marked(out + 5, 7)
    rest = out + 6
    rest[0] = 5.0
    rest[0] += 0.5


def test_tuples_and_parts_of_arrays():
    out = np.zeros(14)
    of_tuples(3, 7, out)
    assert out.tolist() == [2.0, 7 / 3, 0.0, 3 / 7, 18.0, 1.0, 5.5] + 7 * [0.0]


# What is known when a function is compiled


@inlined
def powers(most: literal, x: f64, out: Array[f64]) -> f64:
    """A function for each value of `most`: no other branch is looked at, be it ever so wrong."""
    if most == 3:
        return x + 1
    elif most > 9:
        return x.nothing + undefined  # noqa: F821
    kept = local(f64, most)
    total = 1.0
    for p in unroll(most):
        total *= x
        kept[p] = total
    for p in unroll(1, most, 2):
        out[p] = kept[p]
    return total


@kernel
def unrolled(x: f64, out: Array[f64]) -> f64:
    return powers(4, x, out) + 1000.0 * powers(2, x, out + 10) + 1e6 * powers(3, x, out)


def test_literals_make_functions_of_their_own():
    out = np.zeros(20)
    assert unrolled(3.0, out) == 81.0 + 9000.0 + 4e6
    assert {place: out[place] for place in np.flatnonzero(out)} == {1: 9.0, 3: 81.0, 11: 9.0}


@inlined
def sum_and_error(a: Number, b: Number) -> tuple[Number, Number]:
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@kernel
def by_number(a: Array[f64], b: Array[f64], s: Array[f64], e: Array[f64]) -> None:
    high, low = sum_and_error(load(a, 0, 8), load(b, 0, 8))
    store(s, 0, high)
    store(e, 0, low)
    s[8], e[8] = sum_and_error(a[8], b[8])
    single, error = sum_and_error(load(a, 9, 1), b[9])
    store(s, 9, single)
    store(e, 9, error)
    high, low = sum_and_error(a[0], load(b, 0, 8))
    store(s, 10, high)


def test_a_function_of_numbers_is_one_of_vectors_too(rng):
    a, b, s, e = rng.normal(size=(4, 18))
    by_number(a, b, s, e)
    assert s[:10].tolist() == (a + b)[:10].tolist()
    assert e[:10].tolist() == [math.fsum((x, y, -(x + y))) for x, y in zip(a[:10], b[:10], strict=True)]
    assert s[10:].tolist() == (a[0] + b[:8]).tolist()


# Vectors


@kernel
def of_vectors(a: Array[f32], b: Array[f32], out: Array[f32], whole: Array[i64]) -> None:
    x, y = load(a, 0, 16), load(b, 0, 16)
    store(out, 0, x + y * 2.0 - 1.0 / y)
    store(out, 16, minimum(x, y))
    store(out, 32, maximum(x, 0.5))
    store(out, 48, select(x < y, x, splat(9.0, f32, 16)))
    store(out, 64, np.sqrt(abs(x)) + np.rint(-x))
    store(out, 80, splat(a[3], f32, 16))
    store(out, 96, select((x < y) & (y > 0.0) | (x == y), x, y))
    out[112], out[113], out[114] = fold(x), least(x), largest(x)
    mask = bits_of(x < y)
    whole[0] = i64(mask)
    whole[1] = count_ones(mask)
    whole[2] = lowest_one(mask | u32(1 << 15))
    store(out, 128, fma(x, y, x))
    store(out, 144, fused(x, y, x))


def test_vectors_are_arrays_of_sixteen(rng):
    a, b = rng.normal(size=(2, 16)).astype(np.float32)
    out, whole = np.zeros(160, np.float32), np.zeros(3, np.int64)
    of_vectors(a, b, out, whole)
    blocks = out.reshape(10, 16)
    below = a < b
    expected = [
        a + b * 2 - 1 / b, np.minimum(a, b), np.maximum(a, np.float32(0.5)), np.where(below, a, np.float32(9)),
        np.sqrt(np.abs(a)) + np.rint(-a), np.full(16, a[3]),
    ]  # fmt: skip
    assert [block.tolist() for block in blocks[:6]] == [block.tolist() for block in expected]
    assert blocks[6].tolist() == np.where(below & (b > 0), a, b).tolist()
    folded = a.copy()
    while len(folded) > 1:
        folded = folded[: len(folded) // 2] + folded[len(folded) // 2 :]
    assert out[112:115].tolist() == [folded[0], a.min(), a.max()]
    bits = sum(1 << lane for lane in range(16) if below[lane])
    assert whole.tolist() == [bits, bits.bit_count(), ((bits | 1 << 15) & -(bits | 1 << 15)).bit_length() - 1]
    assert np.allclose(blocks[8], a * b + a, rtol=1e-5, atol=1e-6)
    exact = [Fraction(float(p)) * Fraction(float(q)) + Fraction(float(p)) for p, q in zip(a, b, strict=True)]
    assert blocks[9].tolist() == [float(np.float32(float(one))) for one in exact]


@kernel
def turned(values: Array[f32], out: Array[f32]) -> None:
    rows = local(vector(f32, 16), 16)
    for row in unroll(16):
        rows[row] = load(values, 16 * row, 16)
    store(out, 256, least_of_each(rows))
    transpose(rows)
    for row in unroll(16):
        store(out, 16 * row, rows[row])


def test_vectors_are_transposed_and_have_a_smallest_lane(rng):
    values, out = rng.permutation(256).astype(np.float32), np.empty(272, np.float32)
    turned(values, out)
    assert out[:256].tolist() == values.reshape(16, 16).T.reshape(-1).tolist()
    assert out[256:].tolist() == values.reshape(16, 16).min(axis=1).tolist()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_points_become_vectors(rng, dtype):
    x = (rng.random(8) * 100 - 50 * (dtype != "uint8")).astype(dtype)
    out, whole = np.zeros(19), np.zeros(9, np.int64)
    of_points[x.dtype](x, out, whole)
    v = x.astype(np.float64)
    q = np.floor(v * 0.3).astype(np.int64)
    assert out[:8].tolist() == (v * v).tolist()
    assert whole[:8].tolist() == ((q >> 1) + (q & 3) - (q << 2) + (q | 1) + (q ^ 5)).tolist()
    assert out[8] == ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
    assert out[9:17].tolist() == (v * v + (v * v + 1)).tolist()
    assert out[17] == out[8]
    assert whole[8] == out[:1].view(np.int64)[0]
    assert out[18] == out[0]


@loose_kernel
def loosely(x: Array[f64], n: i64) -> f64:
    total = 0.0
    for i in range(n):
        total += x[i] * x[i]
    return total


def test_loose_sums_are_near(rng):
    x = rng.random(1000)
    assert loosely(x, 1000) == pytest.approx((x * x).sum(), rel=1e-13)


# Records


@pytest.mark.parametrize("flag", [False, True])
def test_records_are_read_by_their_fields(flag):
    x = Outer(np.array([5, 6, 7], np.int16), 3, Inner(2.5, np.array([1.0, 2.0, 3.0])), flag, 200)
    out = np.zeros(3)
    assert of_records[np.int16](Handed(x), out) == (2.5 if flag else -1.0) + 4 + 4
    assert out.tolist() == [200.0, 5.0, 3.5]
    x.values[2] = 17  # what is in an array may change
    assert of_records[np.int16](Handed(x), out) == (2.5 if flag else -1.0) + 4 + 14


@kernel
def doubled(x: f64) -> f64:
    return 2.0 * x


@kernel
def tripled(x: f64) -> f64:
    return 3.0 * x


class Chosen(NamedTuple):
    of: Function(doubled)


@kernel
def by_address(chosen: Chosen, x: f64) -> f64:
    return chosen.of(x) + doubled(1.0)


def test_functions_are_called_by_address():
    assert by_address(Handed(Chosen(doubled[()].address)), 5.0) == 12.0
    assert by_address(Handed(Chosen(tripled[()].address)), 5.0) == 17.0


# What is refused when it is called


def test_arguments_of_another_type_are_refused():
    with pytest.raises(TypeError, match=r"out of test_jit.of_integers is an array of int64, but one of float64"):
        of_integers(1, 1, np.zeros(32))
    with pytest.raises(TypeError, match=r"out of test_jit.of_integers is an array of int64, but one of >i8"):
        of_integers(1, 1, np.zeros(32, ">i8"))
    with pytest.raises(ValueError, match=r"out of test_jit.of_integers .* shape \(32,\) is not contiguous"):
        of_integers(1, 1, np.zeros(64, np.int64)[::2])
    with pytest.raises(TypeError, match=r"b of test_jit.of_integers is no array"):
        of_integers(1, np.zeros(2), np.zeros(32, np.int64))
    with pytest.raises(TypeError, match=r"test_jit.of_integers takes 3 arguments, not 2"):
        of_integers(1, 1)
    with pytest.raises(ctypes.ArgumentError, match="argument 1"):
        of_integers(1.5, 1, np.zeros(32, np.int64))
    with pytest.raises(TypeError, match=r"x of jit_points.converted is an array of int16, but one of int32"):
        converted[np.int16](np.zeros(2, np.int32), 2, *4 * [np.zeros(2)])


def test_records_of_another_type_are_refused():
    inner_record = Inner(1.0, np.zeros(2))
    with pytest.raises(TypeError, match=r"Inner.offset is an array of float64, but one of int64"):
        Handed(Inner(1.0, np.zeros(2, np.int64)))
    with pytest.raises(ValueError, match=r"Inner.offset .* not contiguous"):
        Handed(Inner(1.0, np.zeros(4)[::2]))
    with pytest.raises(TypeError, match=r"x of jit_points.of_records is a Outer, but a Inner was given"):
        of_records[np.int16](Handed(inner_record), np.zeros(3))
    with pytest.raises(TypeError, match=r"for Point int16, but holds arrays of uint8"):
        of_records[np.int16](Handed(Outer(np.zeros(3, np.uint8), 3, inner_record, True, 1)), np.zeros(3))


# What is refused when it is compiled


def mixes(a: i64, b: f64) -> f64:
    return a + b


def mixes_widths(a: f32, b: f64) -> f64:
    c = f32(1.0)
    return c * b


def changes_its_type(a: f64) -> f64:
    b = 1
    b = a
    return b


def returns_another(a: i64) -> f64:
    return a


def ends_early(a: i64) -> i64:
    if a > 0:
        return 1


def wrong_field(x: Outer) -> i64:
    return x.missing


def wrong_field_of_bundle(x: Outer, out: Array[f64]) -> i64:
    part = Slice(x, 1, out)
    return part.missing


def wrong_index(a: i64) -> i64:
    return a[0]


def wrong_argument(x: Array[f32]) -> f64:
    return loosely(x, 3)


def wrong_record(x: Inner) -> f64:
    return of_records(x, x.offset)


def too_few(x: Array[f64]) -> f64:
    return loosely(x)


def by_name(x: Array[f64]) -> f64:
    return loosely(x, n=3)


def not_a_literal(x: f64, n: i64, out: Array[f64]) -> f64:
    return powers(n, x, out)


def undefined_name(a: i64) -> i64:
    return a + nowhere  # noqa: F821


def not_whole(a: i64) -> i64:
    return a + 0.5


def divides_integers(a: i64) -> i64:
    return a / 2


def floors_floats(a: f64) -> f64:
    return a // 2.0


def shifts_floats(a: f64) -> f64:
    return a << 2


def tries(a: i64) -> i64:
    try:
        return a
    finally:
        pass


def comprehends(a: i64) -> i64:
    return max(a for _ in range(2))


def looks_within(a: i64) -> boolean:
    return a in (1, 2)


def calls_anything(a: i64) -> i64:
    return sorted(a)


def loops_over_arrays(a: Array[f64]) -> f64:
    for value in a:
        return value
    return 0.0


def too_many_names(a: i64, b: i64) -> f64:
    c, d, e = divided(a, b)
    return f64(c) + d + e


def keeps_a_tuple(a: i64, b: i64) -> f64:
    pair = divided(a, b)
    return pair[1]


def keeps_a_type(a: i64) -> f64:
    kind = f64
    return kind(a)


def changes_a_record(x: Inner) -> f64:
    x = 3
    return f64(x)


def changes_a_turn(out: Array[f64]) -> None:
    for turn in unroll(2):
        turn = 3.0  # noqa: PLW2901
        out[0] = turn


def stores_another(a: i64, out: Array[f64]) -> None:
    out[0] = a


def stores_vectors(x: Array[f32], out: Array[f64]) -> None:
    store(out, 0, load(x, 0, 8))


REFUSED = [
    (mixes, 1, "int64 and float64 are mixed; convert one of them"),
    (mixes_widths, 2, "float32 and float64 are mixed"),
    (changes_its_type, 2, "b should be int64, but is float64"),
    (returns_another, 1, "should be float64, but is int64"),
    (ends_early, 0, "ends without a result"),
    (wrong_field, 1, "Outer has no field 'missing'"),
    (wrong_field_of_bundle, 2, "part has no 'missing'"),
    (wrong_index, 1, "only arrays have elements"),
    (wrong_argument, 1, "x should be array of float64, but is array of float32"),
    (wrong_record, 1, "x is a Outer, not a Inner"),
    (too_few, 1, "loosely takes 2 arguments, not 1"),
    (by_name, 1, "arguments are given by position"),
    (not_a_literal, 1, "most must be known at compile time"),
    (undefined_name, 1, "nowhere is not defined"),
    (not_whole, 1, "0.5 is not an integer"),
    (divides_integers, 1, "Div is not defined for int64"),
    (floors_floats, 1, "// and % are for integers"),
    (shifts_floats, 1, "LShift is not defined for float64"),
    (tries, 1, "Try is not part of the kernel language"),
    (comprehends, 1, "GeneratorExp is not part of the kernel language"),
    (looks_within, 1, "In is not part of the kernel language"),
    (calls_anything, 1, "cannot be called in a kernel"),
    (loops_over_arrays, 1, "loops are over range or unroll"),
    (too_many_names, 1, "2 values for 3 names"),
    (keeps_a_tuple, 1, "pair would be a tuple; give each of its values a name"),
    (keeps_a_type, 1, "kind would be"),
    (changes_a_record, 1, "x is a record or an array, and cannot be assigned again"),
    (changes_a_turn, 2, "turn is known at compile time, and cannot be assigned again"),
    (stores_another, 1, "should be float64, but is int64"),
    (stores_vectors, 1, "8 lanes of float32 does not fit into array of float64"),
]


@pytest.mark.parametrize(("function", "line", "message"), REFUSED, ids=[of[0].__name__ for of in REFUSED])
def test_an_error_names_the_function_and_the_line(function, line, message):
    unit = Unit({})
    unit.name(Declared(function))
    with pytest.raises(KernelError) as caught:
        unit.finish()
    place = f"test_jit.{function.__name__}, line {function.__code__.co_firstlineno + line}: "
    assert str(caught.value).startswith(place)
    assert message in str(caught.value)
