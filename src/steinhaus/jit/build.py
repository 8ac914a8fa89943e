"""Kernels as machine code: compiled on first use, stored in the user's cache, called by address.

The kernels of a module are compiled together, with everything they call, once for each binding of their type variables.
The name of a cache file is a digest of every source file of the package, of the processor and of LLVM. So stale code is
never run. Code is compiled anew if its file is damaged. If no file can be written, code is kept in memory alone.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from steinhaus.jit import target
from steinhaus.jit.declared import Declared
from steinhaus.jit.emitting import machine_code
from steinhaus.jit.handed import Handed, address_of, beginning, dtype_of
from steinhaus.jit.translate import Unit
from steinhaus.jit.types import Record, Scalar, f32, f64, scalar_of

VARIABLE = "STEINHAUS_CACHE"
_LOOSE = "reassoc nsz contract "
_PACKAGE = Path(__file__).parents[1]
_CTYPES = {
    "int8": ctypes.c_int8, "int16": ctypes.c_int16, "int32": ctypes.c_int32, "int64": ctypes.c_int64,
    "uint8": ctypes.c_uint8, "uint16": ctypes.c_uint16, "uint32": ctypes.c_uint32, "uint64": ctypes.c_uint64,
    "float32": ctypes.c_float, "float64": ctypes.c_double,
}  # fmt: skip
_kernels: dict[str, list[Kernel]] = {}  # module -> its kernels
_loaded: dict[str, Future[_Machine]] = {}  # module and types -> its code, or the promise of it
_translated: dict[str, tuple[str, set[str]]] = {}  # module and types -> what `assembly` gave ahead of time
_translating = threading.Lock()


class Bound:
    """A kernel for given types, callable from Python. Arrays and `Handed` records are passed by address."""

    def __init__(self, kernel: Kernel, address: int, bindings: dict[str, Scalar]) -> None:
        kinds, result = kernel.signature(bindings)
        self.address = address
        self._label = kernel.label
        self._names = [f"{name} of {kernel.label}" for name in kinds]
        self._kinds = list(kinds.values())
        self._types = {name: kind.name for name, kind in bindings.items()}
        self._dtypes = [dtype_of(kind) for kind in self._kinds]
        self._records = [kind.python if isinstance(kind, Record) else None for kind in self._kinds]
        passed: list[Any] = [
            _CTYPES[kind.name] if isinstance(kind, Scalar) else ctypes.c_void_p for kind in self._kinds
        ]
        returned: Any = None if result is None else _CTYPES[result.name]
        self._call = ctypes.CFUNCTYPE(returned, *passed)(address)

    def __call__(self, *arguments: Any) -> Any:
        """Run the kernel, without the interpreter's lock.

        Raises
        ------
        TypeError
            There are too few or too many arguments, or an array's or a record's type is not the parameter's.
        ValueError
            An array is not contiguous.
        """
        passed = list(arguments)
        if len(passed) != len(self._kinds):
            raise TypeError(f"{self._label} takes {len(self._kinds)} arguments, not {len(passed)}.")
        for place, given in enumerate(passed):
            kind = type(given)
            if kind is int or kind is float:
                continue
            if kind is Handed:
                if self._records[place] is not given.kind or given.types:
                    self._check_record(given, place)
                passed[place] = given.address
            elif isinstance(given, np.ndarray):
                if given.dtype is not self._dtypes[place] or not given.flags.c_contiguous:
                    address_of(given, self._kinds[place], self._names[place])
                passed[place] = beginning(given)
        return self._call(*passed)

    def _check_record(self, given: Handed, place: int) -> None:
        """Raise TypeError if a record is not of the parameter's class, or holds points of another type."""
        if self._records[place] is not given.kind:
            raise TypeError(f"{self._names[place]} is a {self._kinds[place]}, but a {given.kind.__name__} was given.")
        for variable, of in given.types.items():
            if self._types.get(variable, of) != of:
                raise TypeError(
                    f"{self._names[place]} is for {variable} {self._types[variable]}, but holds arrays of {of}."
                )


class Kernel(Declared):
    """A function that is called from Python as machine code."""

    def __init__(self, function: Callable[..., Any], fast: str = "") -> None:
        super().__init__(function)
        self.fast = fast
        self._bound: dict[Any, Bound] = {}
        _kernels.setdefault(function.__module__, []).append(self)

    def __getitem__(self, types: Any) -> Bound:
        """The kernel for a type of points, or for a pair of types: of points and of column numbers."""
        if types not in self._bound:
            bindings = _bindings(types)
            self._bound[types] = Bound(self, _machine(self.__module__, bindings).address(self.label), bindings)
        return self._bound[types]

    def __call__(self, *arguments: Any) -> Any:
        """Run the kernel, if it reads no points."""
        return self[()](*arguments)


def _bindings(types: Any) -> dict[str, Scalar]:
    """The types of `Kernel.__getitem__`, by the variables of the kernel language."""
    names = types if isinstance(types, tuple) else (types,)
    bindings = {name: scalar_of(of) for name, of in zip(("Point", "Column"), names, strict=False)}
    if "Point" in bindings:
        bindings["Origin"] = f32 if bindings["Point"] == f32 else f64
    return bindings


def kernel(function: Callable[..., Any]) -> Kernel:
    """A function that Python calls."""
    return Kernel(function)


def shared_kernel(function: Callable[..., Any]) -> Kernel:
    """A function that Python and kernels of other modules call. It reads no points, and is compiled once for all."""
    made = Kernel(function)
    made.linked = True
    return made


def loose_kernel(function: Callable[..., Any]) -> Kernel:
    """A function that Python calls, whose sums may be reordered and fused. The bounds hold for any order."""
    return Kernel(function, fast=_LOOSE)


def inner(function: Callable[..., Any]) -> Declared:
    """A function that kernels call. If its arguments are numbers, plain Python can call it too."""
    return Declared(function)


def loose(function: Callable[..., Any]) -> Declared:
    """A function that kernels call, whose sums may be reordered and fused."""
    declared = Declared(function)
    declared.fast = _LOOSE
    return declared


def inlined(function: Callable[..., Any]) -> Declared:
    """A function that kernels call, always inlined."""
    return Declared(function, inline=True)


def apart(function: Callable[..., Any]) -> Declared:
    """A function that kernels call, never inlined."""
    return Declared(function, inline=False)


class _Machine:
    """Loaded machine code of a module. Modules that are loaded later can call its shared kernels."""

    def __init__(self, module: str, code: bytes) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target.machine())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        for each in _kernels[module]:
            if each.linked:
                llvm.add_symbol(each.label, self.address(each.label))

    def address(self, name: str) -> int:
        return int(self._engine.get_function_address(name))


def loaded() -> int:
    """The number of modules whose kernels were compiled or loaded so far. Each set of types counts."""
    return len(_loaded)


def _machine(module: str, bindings: dict[str, Scalar]) -> _Machine:
    """The machine code of a module's kernels for these types. One thread compiles it; others wait for that thread."""
    key, made = _key(module, bindings), Future[_Machine]()
    first = _loaded.setdefault(key, made)
    if first is made:
        try:
            made.set_result(_load(module, bindings, key))
        except BaseException as error:
            _loaded.pop(key, None)
            made.set_exception(error)
            raise
    return first.result()


def _forget_unfinished() -> None:
    """Drop what other threads were compiling: in the child of a fork, they are gone."""
    for key, made in list(_loaded.items()):
        if not made.done():
            del _loaded[key]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_unfinished)
    os.register_at_fork(
        before=_translating.acquire, after_in_parent=_translating.release, after_in_child=_translating.release
    )


def _key(module: str, bindings: dict[str, Scalar]) -> str:
    return f"{module} {sorted(bindings.items(), key=str)}"


def _digest(module: str, key: str) -> str:
    """The name of a module's file of machine code."""
    return hashlib.sha256(f"{_sources()} {_outside(module)} {key}".encode()).hexdigest()


def _load(module: str, bindings: dict[str, Scalar], key: str) -> _Machine:
    digest = _digest(module, key)
    kept = _read(digest)
    if kept is None:
        kept = compiled(module, bindings)
        _write(digest, kept)
    needs, _, code = kept.partition(b"\n")
    for other in needs.decode().split():
        _machine(other, {})
    return _Machine(module, code)


@cache  # once in a process
def compile_ahead(*wanted: tuple[Kernel, Any]) -> None:
    """Compile the modules of kernels for types (see `Kernel`), in this order, on a thread of their own.

    Nothing is done for code that is stored. A process that ends waits for the module at hand alone. All are translated
    here, because `ast.parse` fails at times if two threads call it at once (python/cpython#106905).
    """
    folder = _folder()
    ahead: dict[str, tuple[str, dict[str, Scalar]]] = {}
    modules = [(kernel.__module__, _bindings(types)) for kernel, types in wanted]
    for module, bindings in modules:
        key = _key(module, bindings)
        if key not in ahead | _loaded and not (folder and (folder / _digest(module, key)).exists()):
            ahead[key] = module, bindings
            _translated[key] = found = assembly(module, bindings)
            modules += [(other, {}) for other in sorted(found[1])]
    if ahead:
        threading.Thread(target=_compile_all, args=(list(ahead.values()),), name="steinhaus compiler").start()


def _compile_all(modules: list[tuple[str, dict[str, Scalar]]]) -> None:
    for module, bindings in modules:
        if not threading.main_thread().is_alive():
            return
        with suppress(Exception):  # whoever needs the kernels gets the error
            _machine(module, bindings)


def assembly(module: str, bindings: dict[str, Scalar]) -> tuple[str, set[str]]:
    """The kernels of a module in LLVM's language, and the modules whose shared kernels they call."""
    with _translating:
        unit = Unit(bindings, module)
        for each in _kernels[module]:
            unit.name(each, exported=True)
        return unit.finish(), unit.needs


def compiled(module: str, bindings: dict[str, Scalar]) -> bytes:
    """The machine code of a module's kernels, after a line with the names of the modules that they call."""
    key = _key(module, bindings)
    text, needs = _translated.pop(key) if key in _translated else assembly(module, bindings)
    return " ".join(sorted(needs)).encode() + b"\n" + machine_code(text)


@cache
def _sources() -> str:
    """A digest of all that compiled code depends on: our sources, the processor, LLVM and Python."""
    told = hashlib.sha256(f"{llvmlite.__version__} {target.CPU} {target.FEATURES} {sys.version_info[:2]}".encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        told.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return told.hexdigest()


@cache
def _outside(module: str) -> str:
    """A digest of a module outside the package, as a test or a benchmark; "" for modules of the package."""
    path = Path(sys.modules[module].__file__ or "")
    return "" if path.is_relative_to(_PACKAGE) else hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _folder() -> Path | None:
    """The folder of machine code; None, with a warning, if it cannot be written."""
    named = os.environ.get(VARIABLE)
    if named:
        places = [Path(named)]
    else:
        base = os.environ.get("XDG_CACHE_HOME")
        places = [Path(base) / "steinhaus" / "kernels"] if base else []
        with suppress(RuntimeError):  # there is no home
            places.append(Path.home() / ".cache" / "steinhaus" / "kernels")
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.access(place, os.W_OK | os.X_OK):
                return place
        except OSError:
            continue
    _warn(", ".join(map(str, places)) or "there is no home folder")
    return None


@cache
def _warn(where: str) -> None:
    """Warn once that code cannot be stored there."""
    warnings.warn(
        f"Compiled kernels cannot be kept ({where}), so that every process compiles them anew. Set {VARIABLE} to a "
        "folder that can be written.",
        RuntimeWarning,
        stacklevel=3,
    )


def _read(digest: str) -> bytes | None:
    """The machine code under a digest; None if there is none, or if the file is damaged."""
    folder = _folder()
    if folder is None:
        return None
    try:
        kept = (folder / digest).read_bytes()
    except OSError:
        return None
    check, code = kept[:32], kept[32:]
    return code if check == hashlib.sha256(code).digest() else None


def _write(digest: str, code: bytes) -> None:
    """Store machine code. If that fails, it is kept in memory alone."""
    folder = _folder()
    if folder is None:
        return
    try:
        handle, name = tempfile.mkstemp(dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(name, folder / digest)
        except OSError:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:  # as a full disk
        _warn(f"{folder}: {error.strerror}")
