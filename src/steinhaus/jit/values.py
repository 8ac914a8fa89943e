"""The values of names and expressions while a kernel is translated, and how LLVM writes their types."""

from __future__ import annotations

import struct
import types as python
from typing import Any, NamedTuple

from steinhaus.jit.types import (
    Bundle,
    Record,
    Scalar,
    Vector,
    boolean,
    f64,
)
from steinhaus.jit.types import i64 as _i64


class Value(NamedTuple):
    """A number, vector or address, or a tuple of these, that is known only when the function runs."""

    type: Any
    text: str


class Const(NamedTuple):
    """A number that is known at compile time. It takes the type of the other operand."""

    value: Any


class Place(NamedTuple):
    """A record: its words begin `word` words after a parameter's address."""

    type: Record
    base: str
    word: int


class Bundled(NamedTuple):
    """A bundle: the values of its fields."""

    type: Bundle
    parts: dict[str, Any]


class Local(NamedTuple):
    """A local array of a fixed number of elements."""

    type: Any  # of an element
    slot: str
    size: int


class KernelError(TypeError):
    """A function is not valid in the kernel language."""


def llvm_of(kind: Any) -> str:
    """The LLVM type of a result."""
    if kind is None:
        return "void"
    if isinstance(kind, python.GenericAlias):
        return "{" + ", ".join(llvm_of(part) for part in kind.__args__) + "}"
    return str(kind.llvm)


def constant(value: Any, kind: Any) -> str:
    """A number as LLVM writes it."""
    if isinstance(kind, Vector):
        return "<" + ", ".join([f"{kind.element.llvm} {constant(value, kind.element)}"] * kind.lanes) + ">"
    if kind.kind == "f":
        number = struct.unpack("f", struct.pack("f", value))[0] if kind.size == 4 else float(value)
        return f"0x{struct.unpack('>Q', struct.pack('>d', number))[0]:016X}"
    if kind.kind == "b":
        return "true" if value else "false"
    if isinstance(value, float) or int(value) != value:
        raise KernelError(f"{value} is not an integer")
    return str(int(value))


def type_of(value: Any) -> Scalar:
    """The type of a number without another operand."""
    return boolean if isinstance(value, bool) else _i64 if isinstance(value, int) else f64


def align(kind: Any) -> int:
    """The alignment of a number, or of the lanes of a vector, in bytes."""
    return int(kind.element.size) if isinstance(kind, Vector) else 8 if kind.llvm == "ptr" else int(kind.size)
