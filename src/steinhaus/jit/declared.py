"""Functions of the kernel language: source, types, and the types that a call binds."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any

from steinhaus.jit.types import (
    Array,
    Number,
    Scalar,
    Variable,
    Vector,
    bound,
    hints,
)
from steinhaus.jit.values import Value


class Declared:
    """A function of the kernel language."""

    def __init__(self, function: Callable[..., Any], inline: bool | None = None) -> None:
        self.function = function
        self.inline = inline
        self.fast = ""  # LLVM's flags for floating-point arithmetic
        self.linked = False  # whether other modules call this code; if not, each compiles a copy
        self.__name__, self.__doc__, self.__module__ = function.__name__, function.__doc__, function.__module__
        self.__wrapped__ = function

    def __call__(self, *arguments: Any) -> Any:
        """Run it as plain Python. All arguments must be numbers."""
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
        """The bindings of a call.

        An array's type variable takes the type of the array that is passed. `Number` takes the type of the first
        vector, or of the first number if there is no vector.
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
    """The functions of a source file: the first line, with decorators -> the function."""
    found = ast.walk(ast.parse("".join(linecache.getlines(path))))
    functions = [node for node in found if isinstance(node, ast.FunctionDef)]
    return {min([node.lineno, *(of.lineno for of in node.decorator_list)]): node for node in functions}


def unroll(*bounds: int) -> range:
    """A loop that is unrolled: its counter is known at compile time."""
    return range(*bounds)
