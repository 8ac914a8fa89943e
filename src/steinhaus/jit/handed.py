"""Records of arrays, handed to kernels as one address.

A pass works on a hundred arrays. `Handed` writes down once where a record's arrays begin; a kernel reads that as it
begins.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from steinhaus.jit.types import Array, Scalar, Variable, hints


class Handed:
    """A record for kernels: a NamedTuple of contiguous arrays, numbers, addresses of functions, and such records.

    Numbers are those of now; what is in the arrays may change. The arrays live as long as this.

    Raises
    ------
    TypeError
        An array's type is not that of its field.
    ValueError
        An array is not contiguous.
    """

    def __init__(self, record: NamedTuple) -> None:
        self.record = record
        words: list[int] = []
        _write(record, words)
        self._words = np.array(words, np.uint64)
        self.address = int(self._words.ctypes.data)


_fields: dict[type, list[tuple[str, Any]]] = {}


def _write(record: Any, words: list[int]) -> None:
    """Append a word for each array and number."""
    kind: Any = type(record)
    if kind not in _fields:
        _fields[kind] = list(hints(kind).items())
    for (name, told), value in zip(_fields[kind], record, strict=True):
        if isinstance(value, tuple):
            _write(value, words)
        elif isinstance(told, Array):
            words.append(address_of(value, told, f"{kind.__name__}.{name}"))
        elif isinstance(told, Scalar | Variable):
            number = np.array([value], told.name if isinstance(told, Scalar) else None)
            word = np.zeros(8, np.uint8)
            word[: number.itemsize] = number.view(np.uint8)
            words.append(int(word.view(np.uint64)[0]))
        else:
            words.append(int(value))  # the address of a function


def address_of(array: Any, told: Array, name: str) -> int:
    """The address of an array whose type was checked."""
    if not isinstance(told.element, Variable) and array.dtype.name != told.element.name:
        raise TypeError(f"{name} is an array of {told.element.name}, but one of {array.dtype} was given.")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} is handed over by address, but an array of shape {array.shape} is not contiguous.")
    return int(array.__array_interface__["data"][0])
