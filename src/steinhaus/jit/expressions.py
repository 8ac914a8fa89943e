"""Expressions of the kernel language: names, fields, elements, arithmetic, conditions and calls."""

from __future__ import annotations

import ast
import builtins
import types as python
from collections.abc import Callable
from typing import Any

from steinhaus.jit.declared import Declared
from steinhaus.jit.operations import OPERATIONS
from steinhaus.jit.types import (
    Array,
    Bundle,
    Function,
    Literal,
    Record,
    Scalar,
    Variable,
    Vector,
    boolean,
    bound,
)
from steinhaus.jit.values import Bundled, Const, Place, Value, align, constant, llvm_of, type_of
from steinhaus.jit.writing import Writer

_ARITHMETIC = {
    ast.Add: ("add", "fadd"), ast.Sub: ("sub", "fsub"), ast.Mult: ("mul", "fmul"), ast.Div: (None, "fdiv"),
    ast.BitAnd: ("and", None), ast.BitOr: ("or", None), ast.BitXor: ("xor", None), ast.LShift: ("shl", None),
}  # fmt: skip
_COMPARED = {
    ast.Lt: ("lt", "olt"), ast.LtE: ("le", "ole"), ast.Gt: ("gt", "ogt"), ast.GtE: ("ge", "oge"),
    ast.Eq: ("eq", "oeq"), ast.NotEq: ("ne", "une"),
}  # fmt: skip
_FOLDED: dict[Any, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b, ast.FloorDiv: lambda a, b: a // b, ast.Mod: lambda a, b: a % b,
    ast.Pow: lambda a, b: a**b, ast.LShift: lambda a, b: a << b, ast.RShift: lambda a, b: a >> b,
    ast.BitAnd: lambda a, b: a & b, ast.BitOr: lambda a, b: a | b, ast.BitXor: lambda a, b: a ^ b,
    ast.Lt: lambda a, b: a < b, ast.LtE: lambda a, b: a <= b, ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b, ast.Eq: lambda a, b: a == b, ast.NotEq: lambda a, b: a != b,
}  # fmt: skip


class Expressions(Writer):
    """A writer of expressions."""

    def expression(self, node: ast.expr) -> Any:
        """The value of an expression."""
        return getattr(self, f"_e_{type(node).__name__.lower()}", self._unknown)(node)

    def _e_constant(self, node: ast.Constant) -> Any:
        return Const(node.value)

    def _e_name(self, node: ast.Name) -> Any:
        if node.id in self.fixed:
            return self.fixed[node.id]
        if node.id in self.variables:
            kind, slot = self.variables[node.id]
            return self.new(kind, f"load {kind.llvm}, ptr {slot}")
        if node.id in self.scope:
            return self._global(self.scope[node.id])
        builtin = getattr(builtins, node.id, None)
        if builtin is None:
            raise self.error(node, f"{node.id} is not defined")
        return builtin

    def _global(self, value: Any) -> Any:
        if isinstance(value, Variable):
            return bound(value, self.bindings)
        if isinstance(value, int | float) or hasattr(value, "item"):
            return Const(value.item() if hasattr(value, "item") else value)
        return value

    def _e_attribute(self, node: ast.Attribute) -> Any:
        of = self.expression(node.value)
        if isinstance(of, Place):
            return self.field(of, node.attr, node)
        if isinstance(of, Bundled) and node.attr in of.parts:
            return of.parts[node.attr]
        if isinstance(of, python.ModuleType) and hasattr(of, node.attr):
            return self._global(getattr(of, node.attr))
        raise self.error(node, f"{ast.unparse(node.value)} has no {node.attr!r}")

    def _e_subscript(self, node: ast.Subscript) -> Any:
        return self._element(node, self.expression(node.value), self.expression(node.slice))

    def _element(self, node: Any, array: Any, index: Any) -> Any:
        if isinstance(array, list):
            return array[index.value]
        if isinstance(array, Value) and isinstance(array.type, python.GenericAlias):
            return self.parts(node, array)[index.value]
        kind, at = self.address(node, array, index)
        return self.new(kind, f"load {kind.llvm}, ptr {at}, align {align(kind)}")

    def _store_element(self, node: Any, array: Any, index: Any, value: Any) -> None:
        kind, at = self.address(node, array, index)
        value = self.typed(value, kind, node)
        self.emit(f"store {kind.llvm} {value.text}, ptr {at}, align {align(kind)}")

    def _e_tuple(self, node: ast.Tuple) -> Any:
        return [self.expression(part) for part in node.elts]

    def _e_binop(self, node: ast.BinOp) -> Any:
        return self.binary(node, node.op, self.expression(node.left), self.expression(node.right))

    def binary(self, node: Any, op: ast.operator, a: Any, b: Any) -> Any:
        """An arithmetic operation."""
        if isinstance(a, Const) and isinstance(b, Const):
            return Const(_FOLDED[type(op)](a.value, b.value))
        if isinstance(a, Value) and isinstance(a.type, Array) and isinstance(op, ast.Add):
            kind = a.type.element
            return self.new(a.type, f"getelementptr inbounds {kind.llvm}, ptr {a.text}, i64 {self._index(b, node)}")
        a, b = self.alike(a, b, node)
        kind = a.type
        if isinstance(op, ast.FloorDiv | ast.Mod):
            return self._divided(node, op, a, b)
        if isinstance(op, ast.RShift):
            signed = (kind.element if isinstance(kind, Vector) else kind).kind == "i"
            return self.new(kind, f"{'ashr' if signed else 'lshr'} {kind.llvm} {a.text}, {b.text}")
        whole, floating = _ARITHMETIC.get(type(op), (None, None))
        name = floating if kind.floating else whole
        if name is None:
            raise self.error(node, f"{type(op).__name__} is not defined for {kind}")
        fast = self.fast if kind.floating else ""
        return self.new(kind, f"{name} {fast}{kind.llvm} {a.text}, {b.text}")

    def _divided(self, node: Any, op: ast.operator, a: Value, b: Value) -> Value:
        kind = a.type
        if kind.floating or isinstance(kind, Vector):
            raise self.error(node, "// and % are for integers")
        power = int(b.text) if b.text.isdecimal() else 0
        if power and power & (power - 1) == 0:
            shift = "ashr" if kind.kind == "i" else "lshr"
            if isinstance(op, ast.FloorDiv):
                return self.new(kind, f"{shift} {kind.llvm} {a.text}, {power.bit_length() - 1}")
            return self.new(kind, f"and {kind.llvm} {a.text}, {power - 1}")
        if kind.kind == "u":
            return self.new(
                kind, f"{'udiv' if isinstance(op, ast.FloorDiv) else 'urem'} {kind.llvm} {a.text}, {b.text}"
            )
        rest = self.new(kind, f"srem {kind.llvm} {a.text}, {b.text}")
        mixed = self.new(kind, f"xor {kind.llvm} {rest.text}, {b.text}")
        negative = self.new(boolean, f"icmp slt {kind.llvm} {mixed.text}, 0")
        some = self.new(boolean, f"icmp ne {kind.llvm} {rest.text}, 0")
        down = self.new(boolean, f"and i1 {negative.text}, {some.text}")
        if isinstance(op, ast.Mod):
            more = self.new(kind, f"select i1 {down.text}, {kind.llvm} {b.text}, {kind.llvm} 0")
            return self.new(kind, f"add {kind.llvm} {rest.text}, {more.text}")
        quotient = self.new(kind, f"sdiv {kind.llvm} {a.text}, {b.text}")
        less = self.new(kind, f"sext i1 {down.text} to {kind.llvm}")
        return self.new(kind, f"add {kind.llvm} {quotient.text}, {less.text}")

    def _e_unaryop(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            test = self.truth(node.operand)
            return Const(not test.value) if isinstance(test, Const) else self.new(boolean, f"xor i1 {test.text}, true")
        value = self.expression(node.operand)
        if isinstance(value, Const):
            return Const(-value.value if isinstance(node.op, ast.USub) else ~value.value)
        kind = value.type
        if isinstance(node.op, ast.USub):
            if kind.floating:
                return self.new(kind, f"fneg {kind.llvm} {value.text}")
            return self.new(kind, f"sub {kind.llvm} zeroinitializer, {value.text}")
        if isinstance(node.op, ast.Invert):
            return self.new(kind, f"xor {kind.llvm} {value.text}, {constant(-1, kind)}")
        return self._unknown(node)

    def _e_compare(self, node: ast.Compare) -> Any:
        left = self.expression(node.left)
        whole: Any = None
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.expression(comparator)
            here = self.compare(node, op, left, right)
            whole = here if whole is None else self.new(boolean, f"and i1 {whole.text}, {here.text}")
            left = right
        return whole

    def compare(self, node: Any, op: ast.cmpop, a: Any, b: Any) -> Any:
        """A comparison. For vectors the result is a mask."""
        if type(op) not in _COMPARED:
            raise self.error(node, f"{type(op).__name__} is not part of the kernel language")
        if not isinstance(a, Value) and not isinstance(b, Value):
            plain = [of.value if isinstance(of, Const) else of for of in (a, b)]
            return Const(_FOLDED[type(op)](*plain))
        a, b = self.alike(a, b, node)
        result = Vector(boolean, a.type.lanes) if isinstance(a.type, Vector) else boolean
        signed, ordered = _COMPARED[type(op)]
        if a.type.floating:
            return self.new(result, f"fcmp {ordered} {a.type.llvm} {a.text}, {b.text}")
        element = a.type.element if isinstance(a.type, Vector) else a.type
        if signed not in ("eq", "ne"):
            signed = f"{'s' if element.kind == 'i' else 'u'}{signed}"
        return self.new(result, f"icmp {signed} {a.type.llvm} {a.text}, {b.text}")

    def truth(self, node: ast.expr) -> Any:
        """A condition, i1. An integer is true if it is not 0."""
        value = self.expression(node)
        if isinstance(value, Const):
            return Const(bool(value.value))
        if value.type is boolean:
            return value
        return self.new(boolean, f"icmp ne {value.type.llvm} {value.text}, 0")

    def _e_boolop(self, node: ast.BoolOp) -> Any:
        joined = isinstance(node.op, ast.And)
        slot, after = "", ""
        value: Any = Const(joined)
        for part in node.values:
            value = self.truth(part)
            if isinstance(value, Const):
                if bool(value.value) != joined:  # this decides; the other parts are not evaluated
                    break
                continue
            if not slot:
                slot, after = self.slot("i1"), self.label("after")
            self.emit(f"store i1 {value.text}, ptr {slot}")
            more = self.label("more")
            yes, no = (more, after) if joined else (after, more)
            self.emit(f"br i1 {value.text}, label %{yes}, label %{no}")
            self.open = False
            self.block(more)
        if not slot:
            return value if isinstance(value, Const) else Const(joined)
        if isinstance(value, Const) and bool(value.value) != joined:
            self.emit(f"store i1 {constant(value.value, boolean)}, ptr {slot}")
        self.go(after)
        self.block(after)
        return self.new(boolean, f"load i1, ptr {slot}")

    def _e_ifexp(self, node: ast.IfExp) -> Any:
        test = self.truth(node.test)
        if isinstance(test, Const):
            return self.expression(node.body if test.value else node.orelse)
        yes, no, after = self.label("yes"), self.label("no"), self.label("after")
        self.emit(f"br i1 {test.text}, label %{yes}, label %{no}")
        self.open = False
        self.block(yes)
        mark, here = len(self.lines), self.expression(node.body)
        first = self.lines[mark:]
        del self.lines[mark:]
        self.lines.append("")  # the first value is stored here, once its type is known
        place = len(self.lines) - 1
        self.go(after)
        self.block(no)
        other = self.expression(node.orelse)
        kind = next((of.type for of in (here, other) if isinstance(of, Value)), None) or type_of(here.value)
        slot = self.slot(kind.llvm)
        other = self.typed(other, kind, node)
        self.emit(f"store {kind.llvm} {other.text}, ptr {slot}")
        here = self.typed(here, kind, node)
        self.lines[place] = "\n".join([*first, f"  store {kind.llvm} {here.text}, ptr {slot}"])
        self.go(after)
        self.block(after)
        return self.new(kind, f"load {kind.llvm}, ptr {slot}")

    # Calls

    def _e_call(self, node: ast.Call) -> Any:
        called = self.expression(node.func)
        arguments = [self.expression(argument) for argument in node.args]
        if node.keywords:
            raise self.error(node, "arguments are given by position")
        if isinstance(called, Scalar):
            return self.convert(arguments[0], called, node)
        if isinstance(called, Declared):
            return self._call(node, called, arguments, None)
        if isinstance(called, Value) and isinstance(called.type, Function):
            return self._call(node, called.type.model, arguments, called.text)
        if isinstance(called, type) and hasattr(called, "is_bundle"):
            kind = bound(called, self.bindings)
            if len(kind.fields) != len(arguments):
                raise self.error(node, f"{called.__name__} has {len(kind.fields)} fields, not {len(arguments)}")
            return Bundled(kind, {
                name: argument if isinstance(part, Record | Bundle) else self.typed(argument, part, node, name)
                for (name, part), argument in zip(kind.fields, arguments, strict=True)
            })  # fmt: skip
        if called in OPERATIONS:
            return OPERATIONS[called](self, node, *arguments)
        raise self.error(node, f"{called!r} cannot be called in a kernel")

    def _call(self, node: Any, called: Declared, arguments: list[Any], address: str | None) -> Any:
        bindings = called.bound_by(arguments, self.bindings)
        kinds, result = called.signature(bindings)
        if len(kinds) != len(arguments):
            raise self.error(node, f"{called.label} takes {len(kinds)} arguments, not {len(arguments)}")
        literals: list[Any] = []
        passed: list[str] = []
        for (name, kind), argument in zip(kinds.items(), arguments, strict=True):
            if isinstance(kind, Literal):
                if not isinstance(argument, Const):
                    raise self.error(node, f"{name} must be known at compile time")
                literals.append(argument.value)
            else:
                self._pass_on(argument, kind, passed, node, name)
        target = address or self.unit.name(called, tuple(literals), bindings)
        instruction = f"call {llvm_of(result)} {target}({', '.join(passed)})"
        if result is None:
            self.emit(instruction)
            return Const(0)
        return self.new(result, instruction)

    def _pass_on(self, argument: Any, kind: Any, passed: list[str], node: Any, name: str) -> None:
        """Pass an argument. Each part of a bundle is an argument of its own."""
        if isinstance(kind, Bundle):
            if not isinstance(argument, Bundled) or argument.type.python is not kind.python:
                raise self.error(node, f"{name} is a {kind.python.__name__}")
            for part, of in kind.fields:
                self._pass_on(argument.parts[part], of, passed, node, f"{name}.{part}")
        else:
            passed.append(f"{kind.llvm} {self.typed(argument, kind, node, name).text}")
