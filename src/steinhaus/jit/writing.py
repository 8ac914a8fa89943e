"""Write the instructions of one function in order, and check the type of every value."""

from __future__ import annotations

import ast
import types as python
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from steinhaus.jit.declared import Declared
from steinhaus.jit.types import (
    Array,
    Record,
    Scalar,
    Vector,
    boolean,
)
from steinhaus.jit.types import i64 as _i64
from steinhaus.jit.values import Const, KernelError, Local, Place, Value, constant, llvm_of

if TYPE_CHECKING:
    from steinhaus.jit.translate import Unit


class Writer:
    """One function on its way into LLVM's language."""

    def __init__(
        self, unit: Unit, declared: Declared, literals: tuple[Any, ...], bindings: Mapping[str, Scalar]
    ) -> None:
        self.unit, self.declared, self.bindings = unit, declared, bindings
        self.tree = declared.tree
        self.scope: Mapping[str, Any] = declared.function.__globals__
        self.kinds, self.result = declared.signature(bindings)
        self.literals = iter(literals)
        self.entry: list[str] = []
        self.lines: list[str] = []
        self.loads: dict[tuple[str, int], Value] = {}
        self.variables: dict[str, Value] = {}  # name -> type of the variable, and its slot
        self.fixed: dict[str, Any] = {}  # name -> a value that is known at compile time, or never changes
        self.loops: list[tuple[str, str]] = []  # labels that `continue` and `break` jump to
        self.count = 0
        self.open = True  # whether the current block still lacks its last instruction
        self.fast = ""

    def error(self, node: Any, told: str) -> KernelError:
        """An error that names the place."""
        line = getattr(node, "lineno", self.declared.function.__code__.co_firstlineno)
        return KernelError(f"{self.declared.label}, line {line}: {told}")

    def emit(self, line: str) -> None:
        """Write an instruction."""
        self.lines.append(f"  {line}")

    def new(self, kind: Any, instruction: str) -> Value:
        """Write an instruction that has a result."""
        self.count += 1
        self.emit(f"%v{self.count} = {instruction}")
        return Value(kind, f"%v{self.count}")

    def label(self, hint: str) -> str:
        """A label that no other block has."""
        self.count += 1
        return f"{hint}{self.count}"

    def block(self, label: str) -> None:
        """Begin a block."""
        if self.open:
            self.emit(f"br label %{label}")
        self.lines.append(f"{label}:")
        self.open = True

    def go(self, label: str) -> None:
        """End the block with a jump, unless it has ended."""
        if self.open:
            self.emit(f"br label %{label}")
            self.open = False

    def slot(self, kind: str) -> str:
        """Reserve memory for a variable."""
        self.count += 1
        self.entry.append(f"  %s{self.count} = alloca {kind}, align 64")
        return f"%s{self.count}"

    def _unknown(self, node: ast.AST) -> None:
        raise self.error(node, f"{type(node).__name__} is not part of the kernel language")

    # Types

    def typed(self, value: Any, kind: Any, node: Any = None, name: str = "") -> Any:
        """A value of a given type. Constants take that type; other values must have it already."""
        if isinstance(value, Const) and isinstance(kind, Scalar | Vector):
            try:
                return Value(kind, constant(value.value, kind))
            except KernelError as error:
                raise self.error(node, str(error)) from None
        if isinstance(value, Place) and isinstance(kind, Record):
            if value.type.python is not kind.python:
                raise self.error(node, f"{name} is a {kind.python.__name__}, not a {value.type.python.__name__}")
            if not value.word:
                return Value(kind, value.base)
            return self.new(kind, f"getelementptr inbounds i64, ptr {value.base}, i64 {value.word}")
        if isinstance(value, Local) and isinstance(kind, Array) and value.type == kind.element:
            return Value(kind, value.slot)
        if isinstance(value, Value) and isinstance(kind, Vector) and value.type == kind.element:
            return self.splat(value, kind.lanes)
        if not isinstance(value, Value) or value.type != kind:
            told = value.type if isinstance(value, Value | Place | Local) else value
            raise self.error(node, f"{name or 'a value'} should be {kind}, but is {told}")
        return value

    def alike(self, a: Any, b: Any, node: Any) -> tuple[Value, Value]:
        """Two values of one type. A number beside a vector is repeated in every lane."""
        if not isinstance(a, Value | Const) or not isinstance(b, Value | Const):
            raise self.error(node, f"{a} and {b} are not numbers")
        if isinstance(a, Value) and (isinstance(b, Const) or isinstance(a.type, Vector)):
            return a, self.typed(b, a.type, node)
        if isinstance(b, Value) and (isinstance(a, Const) or isinstance(b.type, Vector)):
            return self.typed(a, b.type, node), b
        if a.type != b.type:  # type: ignore[union-attr]
            raise self.error(node, f"{a.type} and {b.type} are mixed; convert one of them")  # type: ignore[union-attr]
        return a, b  # type: ignore[return-value]

    def splat(self, value: Value, lanes: int) -> Value:
        """A vector with a number in every lane."""
        if lanes == 1:
            return value
        kind = value.type.of(lanes)
        single = self.new(kind, f"insertelement {kind.llvm} undef, {value.type.llvm} {value.text}, i32 0")
        return self.new(
            kind, f"shufflevector {kind.llvm} {single.text}, {kind.llvm} undef, <{lanes} x i32> zeroinitializer"
        )

    def convert(self, value: Any, to: Scalar, node: Any = None) -> Value:
        """A number, or each of a vector's, as another type."""
        if isinstance(value, Const):
            number = float(value.value) if to.floating else bool(value.value) if to is boolean else int(value.value)
            return Value(to, constant(number, to))
        kind = value.type
        source = kind.element if isinstance(kind, Vector) else kind
        target = to.of(kind.lanes) if isinstance(kind, Vector) else to
        if not isinstance(source, Scalar):
            raise self.error(node, "only numbers can be converted")
        if source == to:
            return Value(kind, value.text)
        if to is boolean:
            return self.new(target, f"icmp ne {kind.llvm} {value.text}, zeroinitializer")
        if source.floating and to.floating:
            name = "fpext" if to.size > source.size else "fptrunc"
        elif source.floating:
            name = "fptosi" if to.kind == "i" else "fptoui"
        elif to.floating:
            name = "sitofp" if source.kind == "i" else "uitofp"
        elif to.size == source.size and source is not boolean:
            return Value(target, value.text)
        elif to.size < source.size:
            name = "trunc"
        else:
            name = "sext" if source.kind == "i" else "zext"
        return self.new(target, f"{name} {kind.llvm} {value.text} to {target.llvm}")

    # Memory

    def address(self, node: Any, array: Any, index: Any) -> tuple[Any, str]:
        """The type and the address of an element."""
        index = self._index(index, node)
        if isinstance(array, Local):
            kind = array.type.llvm
            at = self.new(None, f"getelementptr inbounds [{array.size} x {kind}], ptr {array.slot}, i64 0, i64 {index}")
            return array.type, at.text
        if not isinstance(array, Value) or not isinstance(array.type, Array):
            raise self.error(node, "only arrays have elements")
        kind = array.type.element
        stored = "i8" if kind is boolean else kind.llvm
        return kind, self.new(None, f"getelementptr inbounds {stored}, ptr {array.text}, i64 {index}").text

    def _index(self, index: Any, node: Any) -> str:
        if isinstance(index, Const):
            return constant(index.value, _i64)
        if index.type is _i64 or index.type.size == 8:
            return str(index.text)
        extend = "sext" if index.type.kind == "i" else "zext"
        return self.new(_i64, f"{extend} {index.type.llvm} {index.text} to i64").text

    def parts(self, node: ast.AST, value: Any) -> list[Any]:
        """The parts of a tuple or of a record."""
        if isinstance(value, list):
            return value
        if isinstance(value, Place):
            return [self.field(value, name, node) for name, _ in value.type.fields]
        if isinstance(value, Value) and isinstance(value.type, python.GenericAlias):
            kind = llvm_of(value.type)
            return [
                self.new(part, f"extractvalue {kind} {value.text}, {place}")
                for place, part in enumerate(value.type.__args__)
            ]
        raise self.error(node, "this is not a tuple")

    def field(self, of: Place, name: str, node: Any) -> Any:
        """A field of a record. It is read once, at the start of the function."""
        try:
            word, kind = of.type.place(name)
        except AttributeError as error:
            raise self.error(node, str(error)) from None
        word += of.word
        if isinstance(kind, Record):
            return Place(kind, of.base, word)
        if (of.base, word) not in self.loads:
            at = f"%w{len(self.loads)}"
            self.entry.append(f"  {at}.a = getelementptr inbounds i64, ptr {of.base}, i64 {word}")
            stored = "i8" if kind is boolean else kind.llvm
            self.entry.append(f"  {at} = load {stored}, ptr {at}.a, align 8, !invariant.load !0")
            if kind is boolean:
                self.entry.append(f"  {at}.b = trunc i8 {at} to i1")
                at = f"{at}.b"
            self.loads[of.base, word] = Value(kind, at)
        return self.loads[of.base, word]
