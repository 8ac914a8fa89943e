"""Records of arrays, handed to compiled functions as one address.

A pass works on a hundred arrays. As arguments each costs Numba a third of a microsecond a call, to unpack it and to
count its references, and compile time besides. So `Handed` writes down once where a record's arrays begin, and
`taken` reads that inside a compiled function: arrays become addresses, indexed like the flat array.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.types import Type
from numba.extending import NativeValue, intrinsic, models, register_model, typeof_impl, unbox
from numba.np.numpy_support import from_dtype

_WORD = ir.IntType(64)


class HandedType(Type):
    """The Numba type of a record that was handed over."""

    def __init__(self, record: types.NamedTuple) -> None:
        super().__init__(name=f"Handed({record})")
        self.record = record


@register_model(HandedType)
class _HandedModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: HandedType) -> None:
        super().__init__(manager, kind, _WORD.as_pointer())


class Handed:
    """A record for compiled functions: a NamedTuple of contiguous arrays, numbers and such records.

    Numbers are those of now; what is in the arrays may change. The arrays live as long as this.
    """

    def __init__(self, record: NamedTuple) -> None:
        self.record = record
        words: list[np.ndarray[Any, Any]] = []
        self.kind = HandedType(_write(record, words))
        self._words = np.array(words, np.uint64)
        self.address = self._words.ctypes.data


def _write(value: Any, words: list[Any]) -> Any:
    """Append a word for each array and number; returns the type of what `taken` makes of it."""
    if isinstance(value, tuple):
        return types.NamedTuple([_write(part, words) for part in value], type(value))
    if isinstance(value, np.ndarray):
        if not value.flags.c_contiguous:
            raise ValueError(f"Arrays are handed over by address, but one of shape {value.shape} is not contiguous.")
        words.append(value.ctypes.data)
        return types.CPointer(from_dtype(value.dtype))
    number, word = np.asarray(value), np.zeros(1, np.uint64)
    word.view(number.dtype)[0] = number
    words.append(word[0])
    return from_dtype(number.dtype)


@typeof_impl.register(Handed)
def _typeof(value: Handed, _: Any) -> HandedType:
    return value.kind


@unbox(HandedType)
def _unbox(kind: HandedType, value: ir.Value, c: Any) -> NativeValue:
    address = c.pyapi.object_getattr_string(value, "address")
    words = c.builder.bitcast(c.pyapi.long_as_voidptr(address), _WORD.as_pointer())
    c.pyapi.decref(address)
    return NativeValue(words)


@intrinsic
def taken(typingctx: Any, handed: Any) -> Any:
    """The record that was handed over, with addresses in the place of arrays."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        place = 0

        def read(kind: Any) -> ir.Value:
            nonlocal place
            if isinstance(kind, types.NamedTuple):
                return context.make_tuple(builder, kind, [read(part) for part in kind.types])
            word = builder.gep(values[0], [ir.Constant(_WORD, place)])
            place += 1
            data = builder.load(builder.bitcast(word, context.get_data_type(kind).as_pointer()))
            return context.data_model_manager[kind].from_data(builder, data)

        return read(handed.record)

    return handed.record(handed), codegen
