"""From Python functions to LLVM's language: one function at a time, types as the annotations say, nothing guessed.

The kernel language is a small part of Python. Parameters and results bear types (`types`); a local variable has the
type of what is first assigned to it, and keeps it. Numbers of two types are never mixed: conversions are written out,
`f64(x)`. Literals take the type of what they meet. Statements are assignments, `for` over `range` or `unroll`, `while`,
`if`, `break`, `continue`, `return` and calls. Division of integers rounds down; indices are flat and are not checked; a
step of `range` that is no literal is positive.

A condition that is known at compile time leaves one of its branches out; `unroll(n)` writes a loop out; a parameter
annotated `literal` makes a function for each of its values.
"""

from __future__ import annotations

import ast
import builtins
import linecache
import struct
import types as python
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any, NamedTuple

from steinhaus.jit.types import (
    Array,
    Bundle,
    Function,
    Literal,
    Number,
    Record,
    Scalar,
    Variable,
    Vector,
    boolean,
    bound,
    f64,
    hints,
    named,
)
from steinhaus.jit.types import i64 as _i64


class Value(NamedTuple):
    """A number, vector, address or tuple of them, while a function runs."""

    type: Any
    text: str


class Const(NamedTuple):
    """A number that is known at compile time; it takes the type of what it meets."""

    value: Any


class Place(NamedTuple):
    """A record: its words begin `word` words after a parameter's address."""

    type: Record
    base: str
    word: int


class Bundled(NamedTuple):
    """What a bundle is made of."""

    type: Bundle
    parts: dict[str, Any]


class Local(NamedTuple):
    """A local array of a fixed number of elements."""

    type: Any  # of an element
    slot: str
    size: int


class Declared:
    """A function of the kernel language."""

    def __init__(self, function: Callable[..., Any], inline: bool | None = None) -> None:
        self.function = function
        self.inline = inline
        self.fast = ""  # LLVM's flags for floating-point arithmetic
        self.linked = False  # whether other modules call this one's code instead of a copy of their own
        self.__name__, self.__doc__, self.__module__ = function.__name__, function.__doc__, function.__module__
        self.__wrapped__ = function

    def __call__(self, *arguments: Any) -> Any:
        """Run it as plain Python: for functions of numbers alone."""
        return self.function(*arguments)

    @cached_property
    def tree(self) -> Any:
        """Its source."""
        code = self.function.__code__
        return _definitions(code.co_filename)[code.co_firstlineno]

    @property
    def label(self) -> str:
        """A name that no other function has."""
        return f"{self.__module__}.{self.__name__}"

    def signature(self, bindings: Mapping[str, Scalar]) -> tuple[dict[str, Any], Any]:
        """The types of its parameters and of its result; None: it has none."""
        told = {name: bound(kind, bindings) for name, kind in hints(self.function).items()}
        result = told.pop("return", None)
        return told, result

    def bound_by(self, arguments: list[Any], bindings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The bindings of a call: an array's type variable takes the type of the array that is passed, `Number` that
        of the first vector, or where there is none, of the first number.
        """
        pairs = list(zip(hints(self.function).values(), arguments, strict=False))
        numbers = [given.type for told, given in pairs if told is Number and isinstance(given, Value)]
        if numbers:
            number = next((kind for kind in numbers if isinstance(kind, Vector)), numbers[0])
            bindings = {**bindings, Number.name: number}
        for told, argument in pairs:
            generic = isinstance(told, Array) and isinstance(told.element, Variable)
            if generic and isinstance(argument, Value) and isinstance(argument.type, Array):
                bindings = {**bindings, told.element.name: argument.type.element}
        return bindings


@cache
def _definitions(path: str) -> dict[int, ast.FunctionDef]:
    """The functions of a source file, by the line that they, or their decorators, begin at."""
    found = ast.walk(ast.parse("".join(linecache.getlines(path))))
    functions = [node for node in found if isinstance(node, ast.FunctionDef)]
    return {min([node.lineno, *(of.lineno for of in node.decorator_list)]): node for node in functions}


class KernelError(TypeError):
    """A function is not one of the kernel language."""


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
        """The name of a function in this module; it is translated where it is new."""
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
        """Use a function of LLVM's own."""
        self.declarations[name] = declaration
        return f"@{name}"

    def finish(self) -> str:
        """The whole module."""
        while self._waiting:
            declared, literals, bindings, name, exported = self._waiting.pop()
            self.text.append(_Translator(self, declared, literals, bindings).function(name, exported))
        return "\n".join([*self.declarations.values(), *self.text, "!0 = !{}"])


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


class _Translator:
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
        self.variables: dict[str, Value] = {}  # type of the variable, and its slot
        self.fixed: dict[str, Any] = {}  # what is known at compile time, or never changes
        self.loops: list[tuple[str, str]] = []  # (where continue goes, where break goes)
        self.count = 0
        self.open = True  # whether the current block has no end yet
        self.fast = ""

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
        """A parameter; a bundle's parts are one each."""
        if isinstance(kind, Bundle):
            return Bundled(kind, {
                name: self._parameter(f"{text}.{name}", part, parameters) for name, part in kind.fields
            })  # fmt: skip
        parameters.append(f"{kind.llvm} {text}")
        return Place(kind, text, 0) if isinstance(kind, Record) else Value(kind, text)

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
        """Room for a variable."""
        self.count += 1
        self.entry.append(f"  %s{self.count} = alloca {kind}, align 64")
        return f"%s{self.count}"

    # Statements

    def body(self, statements: list[ast.stmt]) -> None:
        """Translate statements in order; what comes after a jump is left out."""
        for statement in statements:
            if not self.open:
                return
            getattr(self, f"_{type(statement).__name__.lower()}", self._unknown)(statement)

    def _unknown(self, node: ast.AST) -> None:
        raise self.error(node, f"{type(node).__name__} is not part of the kernel language")

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
            parts = self._parts(target, value)
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

    def _parts(self, node: ast.AST, value: Any) -> list[Any]:
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
            raise self.error(node, f"{name} is {told}, and stays so")
        if name not in self.variables:
            kind = value.type if isinstance(value, Value) else _type_of(value.value)
            self.variables[name] = Value(kind, self.slot(kind.llvm))
        kind, slot = self.variables[name]
        value = self.typed(value, kind, node, name)
        self.emit(f"store {kind.llvm} {value.text}, ptr {slot}")

    def _return(self, node: ast.Return) -> None:
        if node.value is None or self.result is None:
            self.emit("ret void")
        elif isinstance(self.result, python.GenericAlias):
            kind, whole = llvm_of(self.result), "undef"
            parts = self._parts(node, self.expression(node.value))
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

    # Expressions

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

    def field(self, of: Place, name: str, node: Any) -> Any:
        """A field of a record, read once, as the function begins."""
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

    def _e_subscript(self, node: ast.Subscript) -> Any:
        return self._element(node, self.expression(node.value), self.expression(node.slice))

    def _address(self, node: Any, array: Any, index: Any) -> tuple[Any, str]:
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

    def _element(self, node: Any, array: Any, index: Any) -> Any:
        if isinstance(array, list):
            return array[index.value]
        if isinstance(array, Value) and isinstance(array.type, python.GenericAlias):
            return self._parts(node, array)[index.value]
        kind, at = self._address(node, array, index)
        return self.new(kind, f"load {kind.llvm}, ptr {at}, align {_align(kind)}")

    def _store_element(self, node: Any, array: Any, index: Any, value: Any) -> None:
        kind, at = self._address(node, array, index)
        value = self.typed(value, kind, node)
        self.emit(f"store {kind.llvm} {value.text}, ptr {at}, align {_align(kind)}")

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
        """A comparison; of vectors, a mask."""
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
        """A condition, i1; integers are true where they are not 0."""
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
                if bool(value.value) != joined:  # the rest does not matter
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
        kind = next((of.type for of in (here, other) if isinstance(of, Value)), None) or _type_of(here.value)
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
        from steinhaus.jit.operations import OPERATIONS

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
        """Pass an argument; a bundle's parts are one each."""
        if isinstance(kind, Bundle):
            if not isinstance(argument, Bundled) or argument.type.python is not kind.python:
                raise self.error(node, f"{name} is a {kind.python.__name__}")
            for part, of in kind.fields:
                self._pass_on(argument.parts[part], of, passed, node, f"{name}.{part}")
        else:
            passed.append(f"{kind.llvm} {self.typed(argument, kind, node, name).text}")

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

    # Types

    def typed(self, value: Any, kind: Any, node: Any = None, name: str = "") -> Any:
        """A value that is to have a type: constants take it, everything else must have it."""
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
        """Two values of one type: numbers beside vectors stand in every lane."""
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
        """A number in every lane."""
        if lanes == 1:
            return value
        kind = value.type.of(lanes)
        single = self.new(kind, f"insertelement {kind.llvm} undef, {value.type.llvm} {value.text}, i32 0")
        return self.new(
            kind, f"shufflevector {kind.llvm} {single.text}, {kind.llvm} undef, <{lanes} x i32> zeroinitializer"
        )


def unroll(*bounds: int) -> range:
    """A loop that is written out, with its counter known at compile time."""
    return range(*bounds)


def _type_of(value: Any) -> Scalar:
    return boolean if isinstance(value, bool) else _i64 if isinstance(value, int) else f64


def _align(kind: Any) -> int:
    return int(kind.element.size) if isinstance(kind, Vector) else 8 if kind.llvm == "ptr" else int(kind.size)
