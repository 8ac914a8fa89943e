"""Translate Python functions into LLVM's language, one at a time. Types come from the annotations alone.

The kernel language is a small part of Python. Parameters and results have types (`types`). A local variable has the
type of the first value that it gets. Numbers of two types are never mixed: conversions are written out, as `f64(x)`. A
literal takes the type of the other operand. Statements are assignments, `for` over `range` or `unroll`, `while`, `if`,
`break`, `continue`, `return` and calls. Division of integers rounds down. Indices are flat and are not checked. The
step of a `range` must be a literal or positive.

If a condition is known at compile time, only the branch that is taken is compiled. `unroll(n)` unrolls a loop. A
parameter annotated `literal` makes one function for each of its values.
"""

from __future__ import annotations

import ast
import types as python
from collections.abc import Mapping
from typing import Any

from steinhaus.jit.declared import Declared, unroll
from steinhaus.jit.expressions import Expressions
from steinhaus.jit.types import (
    Bundle,
    Literal,
    Record,
    Scalar,
    boolean,
    bound,
    named,
)
from steinhaus.jit.types import i64 as _i64
from steinhaus.jit.values import Bundled, Const, Local, Place, Value, llvm_of, type_of


class Unit:
    """The text of one LLVM module: some kernels, and all functions that they call."""

    def __init__(self, bindings: Mapping[str, Scalar], module: str = "") -> None:
        self.bindings = bindings
        self.module = module
        self.needs: set[str] = set()  # modules whose kernels are called
        self.text: list[str] = []
        self.declarations: dict[str, str] = {}
        self._names: dict[tuple[Any, ...], str] = {}
        self._waiting: list[tuple[Declared, tuple[Any, ...], Mapping[str, Scalar], str, bool]] = []

    def name(
        self,
        declared: Declared,
        literals: tuple[Any, ...] = (),
        bindings: Mapping[str, Scalar] | None = None,
        *,
        exported: bool = False,
    ) -> str:
        """The name of a function in this module. A new one is translated first."""
        bindings = self.bindings if bindings is None else bindings
        if declared.linked and declared.__module__ != self.module:
            kinds, result = declared.signature({})
            self.needs.add(declared.__module__)
            passed = ", ".join(kind.llvm for kind in kinds.values())
            self.declarations[declared.label] = f'declare {llvm_of(result)} @"{declared.label}"({passed})'
            return f'@"{declared.label}"'
        key = (declared, literals, tuple(sorted(bindings.items(), key=str)))
        if key not in self._names:
            suffix = "" if exported else f".{len(self._names)}"
            self._names[key] = name = f'@"{declared.label}{suffix}"'
            self._waiting.append((declared, literals, bindings, name, exported))
        return self._names[key]

    def declare(self, name: str, declaration: str) -> str:
        """Declare a function of LLVM; return its name."""
        self.declarations[name] = declaration
        return f"@{name}"

    def finish(self) -> str:
        """The whole module."""
        while self._waiting:
            declared, literals, bindings, name, exported = self._waiting.pop()
            self.text.append(Translator(self, declared, literals, bindings).function(name, exported))
        return "\n".join([*self.declarations.values(), *self.text, "!0 = !{}"])


class Translator(Expressions):
    """One function on its way into LLVM's language."""

    # The function as a whole

    def function(self, name: str, exported: bool) -> str:
        """The text of the function."""
        parameters: list[str] = []
        for place, (argument, kind) in enumerate(self.kinds.items()):
            if isinstance(kind, Literal):
                self.fixed[argument] = Const(next(self.literals))
                continue
            given = self._parameter(f"%p{place}", kind, parameters)
            if isinstance(given, Value):
                self._assign_name(argument, given)
            else:
                self.fixed[argument] = given
        self.fast = self.declared.fast
        self.body(self.tree.body)
        if self.open:
            if self.result is not None:
                raise self.error(self.tree, "it ends without a result")
            self.emit("ret void")
        inlined = {None: "", True: " alwaysinline", False: " noinline"}[self.declared.inline]
        linkage = "" if exported else "internal "
        head = f"define {linkage}{llvm_of(self.result)} {name}({', '.join(parameters)}) nounwind{inlined} {{"
        return "\n".join([head, "entry:", *self.entry, "  br label %body", "body:", *self.lines, "}"])

    def _parameter(self, text: str, kind: Any, parameters: list[str]) -> Any:
        """A parameter. Each part of a bundle is a parameter of its own."""
        if isinstance(kind, Bundle):
            return Bundled(kind, {
                name: self._parameter(f"{text}.{name}", part, parameters) for name, part in kind.fields
            })  # fmt: skip
        parameters.append(f"{kind.llvm} {text}")
        return Place(kind, text, 0) if isinstance(kind, Record) else Value(kind, text)

    # Statements

    def body(self, statements: list[ast.stmt]) -> None:
        """Translate statements in order. Statements after a jump are left out."""
        for statement in statements:
            if not self.open:
                return
            getattr(self, f"_{type(statement).__name__.lower()}", self._unknown)(statement)

    def _pass(self, node: ast.Pass) -> None:
        pass

    def _expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.expression(node.value)

    def _assign(self, node: ast.Assign) -> None:
        value = self.expression(node.value)
        for target in node.targets:
            self._store(target, value)

    def _annassign(self, node: ast.AnnAssign) -> None:
        kind = bound(named(ast.unparse(node.annotation), self.scope), self.bindings)
        assert node.value
        self._store(node.target, self.typed(self.expression(node.value), kind, node))

    def _augassign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Subscript):
            array = self.expression(node.target.value)
            index = self.expression(node.target.slice)
            before = self._element(node, array, index)
            self._store_element(node, array, index, self.binary(node, node.op, before, self.expression(node.value)))
            return
        before = self.expression(node.target)
        self._store(node.target, self.binary(node, node.op, before, self.expression(node.value)))

    def _store(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Tuple):
            parts = self.parts(target, value)
            if len(parts) != len(target.elts):
                raise self.error(target, f"{len(parts)} values for {len(target.elts)} names")
            for part, of in zip(target.elts, parts, strict=True):
                self._store(part, of)
        elif isinstance(target, ast.Subscript):
            self._store_element(target, self.expression(target.value), self.expression(target.slice), value)
        elif isinstance(target, ast.Name):
            self._assign_name(target.id, value, target)
        else:
            self._unknown(target)

    def _assign_name(self, name: str, value: Any, node: Any = None) -> None:
        if isinstance(value, Place | Local | Bundled | Declared):
            self.fixed[name] = value
            return
        if isinstance(value, list) or (isinstance(value, Value) and isinstance(value.type, python.GenericAlias)):
            raise self.error(node, f"{name} would be a tuple; give each of its values a name")
        if not isinstance(value, Value | Const):
            raise self.error(node, f"{name} would be {value!r}, which is no value")
        if name in self.fixed:
            told = "known at compile time" if isinstance(self.fixed[name], Const) else "a record or an array"
            raise self.error(node, f"{name} is {told}, and cannot be assigned again")
        if name not in self.variables:
            kind = value.type if isinstance(value, Value) else type_of(value.value)
            self.variables[name] = Value(kind, self.slot(kind.llvm))
        kind, slot = self.variables[name]
        value = self.typed(value, kind, node, name)
        self.emit(f"store {kind.llvm} {value.text}, ptr {slot}")

    def _return(self, node: ast.Return) -> None:
        if node.value is None or self.result is None:
            self.emit("ret void")
        elif isinstance(self.result, python.GenericAlias):
            kind, whole = llvm_of(self.result), "undef"
            parts = self.parts(node, self.expression(node.value))
            for place, (part, of) in enumerate(zip(parts, self.result.__args__, strict=True)):
                text = self.typed(part, of, node).text
                whole = self.new(None, f"insertvalue {kind} {whole}, {of.llvm} {text}, {place}").text
            self.emit(f"ret {kind} {whole}")
        else:
            value = self.typed(self.expression(node.value), self.result, node)
            self.emit(f"ret {self.result.llvm} {value.text}")
        self.open = False

    def _if(self, node: ast.If) -> None:
        test = self.truth(node.test)
        if isinstance(test, Const):
            self.body(node.body if test.value else node.orelse)
            return
        yes, no, after = self.label("yes"), self.label("no"), self.label("after")
        self.emit(f"br i1 {test.text}, label %{yes}, label %{no if node.orelse else after}")
        self.open = False
        self.block(yes)
        self.body(node.body)
        reached = self.open or not node.orelse
        self.go(after)
        if node.orelse:
            self.block(no)
            self.body(node.orelse)
            reached |= self.open
            self.go(after)
        if reached:
            self.block(after)

    def _while(self, node: ast.While) -> None:
        test, inside, after = self.label("test"), self.label("inside"), self.label("after")
        self.block(test)
        condition = self.truth(node.test)
        if isinstance(condition, Const):
            self.go(inside if condition.value else after)
        else:
            self.emit(f"br i1 {condition.text}, label %{inside}, label %{after}")
            self.open = False
        self._loop(inside, test, after, node.body)
        self.go(test)
        self.block(after)

    def _loop(self, inside: str, again: str, after: str, statements: list[ast.stmt]) -> None:
        self.block(inside)
        self.loops.append((again, after))
        self.body(statements)
        self.loops.pop()

    def _break(self, node: ast.Break) -> None:
        self.go(self.loops[-1][1])

    def _continue(self, node: ast.Continue) -> None:
        self.go(self.loops[-1][0])

    def _for(self, node: ast.For) -> None:
        if not isinstance(node.iter, ast.Call) or not isinstance(node.target, ast.Name):
            raise self.error(node, "loops are over range or unroll, by one name")
        over = self.expression(node.iter.func)
        bounds = [self.expression(argument) for argument in node.iter.args]
        if over is unroll:
            for turn in range(*(of.value for of in bounds)):
                self.fixed[node.target.id] = Const(turn)
                self.body(node.body)
            self.fixed.pop(node.target.id, None)
            return
        if over is not range:
            raise self.error(node, "loops are over range or unroll")
        first, end, step = (
            (Const(0), *bounds, Const(1)) if len(bounds) == 1 else (*bounds, Const(1)) if len(bounds) == 2 else bounds
        )
        first, end, step = (self.typed(of, _i64, node) for of in (first, end, step))
        counter = self.slot("i64")
        self.emit(f"store i64 {first.text}, ptr {counter}")
        test, inside, again, after = (self.label(hint) for hint in ("test", "inside", "again", "after"))
        self.block(test)
        now = self.new(_i64, f"load i64, ptr {counter}")
        down = step.text.startswith("-")
        more = self.new(boolean, f"icmp {'sgt' if down else 'slt'} i64 {now.text}, {end.text}")
        self.emit(f"br i1 {more.text}, label %{inside}, label %{after}")
        self.open = False
        self.block(inside)
        self._assign_name(node.target.id, now, node)
        self.loops.append((again, after))
        self.body(node.body)
        self.loops.pop()
        self.block(again)
        now = self.new(_i64, f"load i64, ptr {counter}")
        following = self.new(_i64, f"add nsw i64 {now.text}, {step.text}")
        self.emit(f"store i64 {following.text}, ptr {counter}")
        self.go(test)
        self.block(after)
