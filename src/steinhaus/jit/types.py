"""The types of the kernel language: numbers, vectors, arrays (addresses), records and functions.

Types are annotations. Types of numbers can also be called: `f32(x)` is a conversion, in kernels and in plain Python.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import GenericAlias
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Scalar:
    """A type of numbers, and at once the vector of one lane. `of(lanes)` makes vectors of more lanes."""

    name: str
    llvm: str
    size: int  # bytes in an array
    kind: str  # "i" signed, "u" unsigned, "f" floating, "b" boolean

    def __str__(self) -> str:
        return self.name

    def __call__(self, value: Any) -> Any:
        """The value as this type, in plain Python."""
        return np.dtype(self.name).type(value)

    @property
    def floating(self) -> bool:
        """Whether this is a floating-point number."""
        return self.kind == "f"

    def of(self, lanes: int) -> Scalar | Vector:
        """The vector of this many lanes."""
        return self if lanes == 1 else Vector(self, lanes)


@dataclass(frozen=True)
class Vector:
    """A type of vectors: several numbers that one instruction works on."""

    element: Scalar
    lanes: int

    def __str__(self) -> str:
        return f"{self.lanes} lanes of {self.element}"

    @property
    def llvm(self) -> str:
        """The type in LLVM's language."""
        return f"<{self.lanes} x {self.element.llvm}>"

    @property
    def floating(self) -> bool:
        """Whether its elements are floating-point numbers."""
        return self.element.floating


@dataclass(frozen=True)
class Array:
    """An array inside a kernel: the address of its first element, indexed flat, without checks."""

    element: Any  # a Scalar, or a Variable until it is bound

    llvm = "ptr"
    floating = False

    def __str__(self) -> str:
        return f"array of {self.element}"

    def __class_getitem__(cls, element: Any) -> Array:
        """`Array[f32]` in annotations."""
        return cls(element)


@dataclass(frozen=True)
class Variable:
    """A type that is known only when a kernel is compiled, as the type of the points' values."""

    name: str


@dataclass(frozen=True)
class Record:
    """A NamedTuple of arrays, numbers and records, passed by the address of its words (see `Handed`)."""

    python: type
    fields: tuple[tuple[str, Any], ...]

    llvm = "ptr"
    floating = False

    def __str__(self) -> str:
        return self.python.__name__

    @property
    def words(self) -> int:
        """The number of words, of 8 bytes each."""
        return sum(kind.words if isinstance(kind, Record) else 1 for _, kind in self.fields)

    def place(self, name: str) -> tuple[int, Any]:
        """The place of a field's first word, and the type of the field."""
        at = 0
        for field, kind in self.fields:
            if field == name:
                return at, kind
            at += kind.words if isinstance(kind, Record) else 1
        raise AttributeError(f"{self.python.__name__} has no field {name!r}")


@dataclass(frozen=True)
class Bundle:
    """A class of arrays, numbers and records that kernels pass to functions. It never stands in memory."""

    python: type
    fields: tuple[tuple[str, Any], ...]

    floating = False

    def __str__(self) -> str:
        return self.python.__name__


def bundle(cls: type) -> type:
    """Make a class of annotated fields a `Bundle`; kernels call it with its fields, in order."""
    cls.is_bundle = True  # type: ignore[attr-defined]
    return cls


@dataclass(frozen=True)
class Function:
    """The address of a compiled function with the signature of another one, the model."""

    model: Any  # an inner or a kernel

    llvm = "ptr"
    floating = False


@dataclass(frozen=True)
class Literal:
    """A parameter whose value is known at compile time. There is one function for each value."""


boolean = Scalar("bool", "i1", 1, "b")
i8, i16, i32, i64 = (Scalar(f"int{bits}", f"i{bits}", bits // 8, "i") for bits in (8, 16, 32, 64))
u8, u16, u32, u64 = (Scalar(f"uint{bits}", f"i{bits}", bits // 8, "u") for bits in (8, 16, 32, 64))
f32, f64 = Scalar("float32", "float", 4, "f"), Scalar("float64", "double", 8, "f")
F32x16, I32x16, F64x8, I64x8 = f32.of(16), i32.of(16), f64.of(8), i64.of(8)
literal = Literal()
Point = Variable("Point")  # the type of the points' values
Origin = Variable("Origin")  # the type of points in the frame: float32 for float32, else float64
Column = Variable("Column")  # the type of the column numbers of sparse points
Number = Variable("Number")  # of numbers and vectors: in each call, all arguments of this type have one type

_SCALARS = {kind.name: kind for kind in (boolean, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64)}


def scalar_of(dtype: Any) -> Scalar:
    """The type of the values of a NumPy array."""
    return _SCALARS[np.dtype(dtype).name]


def bound(kind: Any, bindings: Mapping[str, Any]) -> Any:
    """A type with its variables replaced; NamedTuple classes become records."""
    if isinstance(kind, Variable):
        return bindings.get(kind.name, u8)  # unbound in kernels that read no points; any type serves for their records
    if isinstance(kind, Array):
        return Array(bound(kind.element, bindings))
    if isinstance(kind, GenericAlias):
        return tuple[tuple(bound(part, bindings) for part in kind.__args__)]  # type: ignore[misc]
    return _made_of(kind, tuple(sorted(bindings.items(), key=str))) if isinstance(kind, type) else kind


@cache
def _made_of(kind: type, bindings: tuple[tuple[str, Any], ...]) -> Any:
    """A NamedTuple class as a record, a class made by `bundle` as a bundle, and any other class unchanged."""
    made = Record if issubclass(kind, tuple) else Bundle if hasattr(kind, "is_bundle") else None
    if made is None:
        return kind
    return made(kind, tuple((name, bound(field, dict(bindings))) for name, field in hints(kind).items()))


@cache
def hints(thing: Any) -> dict[str, Any]:
    """The annotations of a function or NamedTuple, with names from the module that defines it."""
    scope = getattr(thing, "__globals__", None) or vars(sys.modules[thing.__module__])
    written = {name: getattr(told, "__forward_arg__", told) for name, told in thing.__annotations__.items()}
    return {name: named(told, scope) if isinstance(told, str) else told for name, told in written.items()}


def named(annotation: str, scope: Mapping[str, Any]) -> Any:
    """The type that an annotation names: a name, `Array[f64]`, `tuple[f64, i64]`, `Function(f)` or None."""
    return _found(ast.parse(annotation, mode="eval").body, scope)


def _found(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Tuple):
        return tuple(_found(part, scope) for part in node.elts)
    if isinstance(node, ast.Subscript):
        return _found(node.value, scope)[_found(node.slice, scope)]
    if isinstance(node, ast.Call):
        return _found(node.func, scope)(*(_found(argument, scope) for argument in node.args))
    if isinstance(node, ast.Name):
        return scope[node.id] if node.id in scope else getattr(builtins, node.id)
    raise TypeError(f"{ast.unparse(node)} is not a type of the kernel language")
