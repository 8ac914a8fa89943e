"""How Numba compiles our functions: without the interpreter's lock, without fast-math, cached on disk.

Numba tells a stale cache by the time stamp and size of the one file that a function stands in. Our functions are
compiled together with others from other files, and files out of a wheel all bear the same time, so the cache's key
here also names the contents of every module that may compile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache
from numba.extending import overload

from steinhaus.simd import takes_bytes

_HOME = Path(__file__).parent
_MODULES = (
    _HOME / "arithmetic.py",
    _HOME / "handing.py",
    *sorted((_HOME / "simd").glob("*.py")),
    *sorted((_HOME / "engines").rglob("*.py")),
)
_CONTENTS = hashlib.sha256(b"".join(module.read_bytes() for module in _MODULES)).hexdigest()


class _Cache(FunctionCache):
    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (*super()._index_key(sig, codegen), _CONTENTS)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except (AttributeError, ImportError, EOFError):  # an index that names what an older version defined
            self.flush()
            return None


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function on first use, once for each set of argument types, and keep the result on disk."""
    dispatcher = njit(nogil=True, error_model="numpy", no_cfunc_wrapper=True, **options)(function)
    dispatcher._cache = _Cache(function)
    return dispatcher


def is_cached(function: Any) -> bool:
    """Whether the disk holds a compiled function of these very sources, for whatever types."""
    return any(key[-1] == _CONTENTS for key in function._cache._cache_file._load_index())


def compiled_loosely(function: Callable[..., Any]) -> Any:
    """Compile a function whose sums may be reordered and fused: for bounds, which allow for any order."""
    return compiled(function, fastmath={"reassoc", "contract", "nsz"})


# For functions that only compiled ones call: without the wrappers that Python would call, and kept within their
# callers.
inner = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
inlined = njit(nogil=True, error_model="numpy", inline="always")  # into its callers, before types are known


def by_type_of_points(chooser: Callable[..., Any]) -> Callable[..., Any]:
    """For functions with a version for points that are multiplied as bytes and one for others: `chooser` returns both.

    Its first argument is the points (`records.Rows`); the other version is not even looked at.
    """

    @wraps(chooser)
    def function(*arguments: Any) -> Any:
        raise NotImplementedError("This function is called by compiled ones alone.")

    def choose(*arguments: Any) -> Any:
        of_bytes, of_others = chooser(*arguments)
        chosen = of_bytes if takes_bytes(arguments[0].types[0].dtype) else of_others
        return getattr(chosen, "py_func", chosen)

    choose.__signature__ = signature(chooser)  # type: ignore[attr-defined]
    overload(function, jit_options={"nogil": True, "error_model": "numpy"}, strict=False)(choose)
    return function
