"""Records of arrays, handed to kernels as one address.

A pass works on a hundred arrays. `Handed` writes their addresses into memory once, and a kernel reads them when it
begins.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from steinhaus.jit.types import Array, Scalar, Variable, hints, i64


class Handed:
    """A record for kernels: a NamedTuple of contiguous arrays, numbers, addresses of functions, and such records.

    Numbers are copied now. The contents of the arrays may change later. The arrays live as long as this object.

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
        self._words = np.array(words, np.uint64)
        self.address = int(self._words.ctypes.data)


_fields: dict[type, list[tuple[str, Any, np.dtype[Any] | None]]] = {}  # of a record: name, type, an array's only dtype


def _write(record: Any, words: list[int], types: dict[str, str]) -> None:
    """Append a word for each array and number, and note what type variables stand for."""
    kind: Any = type(record)
    fields = _fields.get(kind)
    if fields is None:
        fields = _fields[kind] = [(name, told, dtype_of(told)) for name, told in hints(kind).items()]
    for (name, told, dtype), value in zip(fields, record, strict=True):
        if isinstance(value, np.ndarray):
            if value.dtype is not dtype or not value.flags.c_contiguous:
                address_of(value, told, f"{kind.__name__}.{name}")
                if isinstance(told.element, Variable):
                    types[told.element.name] = name_of(value.dtype)
            words.append(value.__array_interface__["data"][0])
        elif isinstance(value, tuple):
            _write(value, words, types)
        elif isinstance(told, Scalar | Variable):
            words.append(_word(value, told))
        else:
            words.append(int(value))  # the address of a function


def _word(value: Any, told: Any) -> int:
    """A number as a word of memory."""
    if told is i64:
        return int(value) & 0xFFFFFFFFFFFFFFFF
    number = np.array([value], told.name if isinstance(told, Scalar) else None)
    word = np.zeros(8, np.uint8)
    word[: number.itemsize] = number.view(np.uint8)
    return int(word.view(np.uint64)[0])


def dtype_of(told: Any) -> np.dtype[Any] | None:
    """The only type that arrays for this may have; None: any type, or they are no arrays."""
    return np.dtype(told.element.name) if isinstance(told, Array) and isinstance(told.element, Scalar) else None


@cache
def name_of(dtype: np.dtype[Any]) -> str:
    """The name of a type of arrays; NumPy works it out anew each time, which takes longer than all the rest."""
    return dtype.name


def address_of(array: Any, told: Any, name: str) -> int:
    """The address of an array whose type was checked."""
    if not isinstance(told, Array):
        raise TypeError(f"{name} is no array, but one of {array.dtype} was given.")
    wanted = name_of(array.dtype) if isinstance(told.element, Variable) else told.element.name
    if name_of(array.dtype) != wanted or not array.dtype.isnative:
        raise TypeError(f"{name} is an array of {wanted}, but one of {array.dtype} was given.")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} is handed over by address, but an array of shape {array.shape} is not contiguous.")
    return int(array.__array_interface__["data"][0])
