"""Records of arrays, passed to kernels by one address.

A pass uses about a hundred arrays. `Handed` writes their addresses into memory once, and a kernel reads them when it
starts.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from steinhaus.jit.types import Array, Scalar, Variable, hints, i64

_WORD = 0xFFFFFFFFFFFFFFFF  # an i64 in two's complement


class Handed:
    """A record for kernels: a NamedTuple of contiguous arrays, numbers, addresses of functions, and such records.

    Numbers are copied when this object is made. The contents of arrays may change later. The arrays live as long as
    this object.

    Attributes
    ----------
    address
        The address of its words.
    types
        The types of arrays whose element is a type variable, by its name: {"Point": "float32"}.

    Raises
    ------
    TypeError
        An array's type is not that of its field.
    ValueError
        An array is not contiguous.
    """

    def __init__(self, record: NamedTuple) -> None:
        self.record = record
        self.kind: Any = type(record)
        self.types: dict[str, str] = {}
        words: list[int] = []
        _write(record, words, self.types)
        self._words = (ctypes.c_uint64 * len(words))(*words)
        self.address = ctypes.addressof(self._words)


# Record class -> for each field: its name, its type, the dtype if it is an array of one dtype, whether it is a number.
_fields: dict[type, list[tuple[str, Any, np.dtype[Any] | None, bool]]] = {}


def _write(record: Any, words: list[int], types: dict[str, str]) -> None:
    """Append a word for each array and number, and note the types that type variables have."""
    kind: Any = type(record)
    fields = _fields.get(kind)
    if fields is None:
        fields = _fields[kind] = [
            (name, told, dtype_of(told), isinstance(told, (Scalar, Variable))) for name, told in hints(kind).items()
        ]
    for (name, told, dtype, is_number), value in zip(fields, record, strict=True):
        if isinstance(value, np.ndarray):
            if value.dtype is dtype and value.flags.c_contiguous:
                words.append(beginning(value))
                continue
            words.append(address_of(value, told, f"{kind.__name__}.{name}"))
            if isinstance(told.element, Variable):
                types[told.element.name] = name_of(value.dtype)
        elif is_number:
            words.append(int(value) & _WORD if told is i64 else _word(value, told))
        elif isinstance(value, tuple):
            _write(value, words, types)
        else:
            words.append(int(value))  # the address of a function


def _word(value: Any, told: Any) -> int:
    """A number as a word of memory."""
    number = np.array([value], told.name if isinstance(told, Scalar) else None)
    word = np.zeros(8, np.uint8)
    word[: number.itemsize] = number.view(np.uint8)
    return int(word.view(np.uint64)[0])


def dtype_of(told: Any) -> np.dtype[Any] | None:
    """The dtype of arrays for this type; None if it allows several dtypes, or is no array."""
    return np.dtype(told.element.name) if isinstance(told, Array) and isinstance(told.element, Scalar) else None


@cache
def name_of(dtype: np.dtype[Any]) -> str:
    """The name of a dtype. NumPy computes it anew at each access, which takes longer than the rest of a call."""
    return dtype.name


def address_of(array: Any, told: Any, name: str) -> int:
    """The address of an array; TypeError or ValueError if its type or layout does not fit `told`."""
    if not isinstance(told, Array):
        raise TypeError(f"{name} is no array, but one of {array.dtype} was given.")
    wanted = name_of(array.dtype) if isinstance(told.element, Variable) else told.element.name
    if name_of(array.dtype) != wanted or not array.dtype.isnative:
        raise TypeError(f"{name} is an array of {wanted}, but one of {array.dtype} was given.")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} is handed over by address, but an array of shape {array.shape} is not contiguous.")
    return beginning(array)


def beginning(array: Any) -> int:
    """The address of a contiguous array. NumPy's own ways to it take three times as long."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError):  # read-only, or empty
        return int(array.__array_interface__["data"][0])
