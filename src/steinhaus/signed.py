"""Arrays and their description in one safetensors file, with a checksum over both, which detects any changed bit.

The safetensors library writes metadata in no fixed order. So there is one entry, `steinhaus`, which holds JSON in
canonical form, and the same content gives the same bytes. No code in a file is run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from steinhaus.canonical import canonical

Arrays = Mapping[str, NDArray[Any]]


class UnsignedError(ValueError):
    """The bytes are not a file of this form."""


def pack(arrays: Arrays, about: Mapping[str, Any]) -> bytes:
    """The bytes of a file with these arrays and this description."""
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    signed = {**about, "sha256": _checksum(arrays, about)}
    return bytes(safetensors.numpy.save(dict(arrays), metadata={"steinhaus": canonical(signed).decode()}))


def unpack(data: bytes, types: Mapping[str, str]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays of a file, and their description.

    Parameters
    ----------
    data
        The bytes of a file.
    types
        The types that arrays may have: the format's name -> NumPy's name.

    Raises
    ------
    ValueError
        The checksum does not fit the content. `UnsignedError`: the file has another form, or an array another type.
    safetensors.SafetensorError, TypeError, AttributeError, RecursionError
        The file is malformed in another way.
    """
    arrays = {}
    for name, held in safetensors.deserialize(data):  # type: ignore[no-untyped-call]
        _demand(held["dtype"] in types, f"the tensor {name!r} is of the type {held['dtype']}")
        arrays[name] = np.frombuffer(held["data"], types[held["dtype"]]).reshape(held["shape"]).copy()
    header = _parsed(data[8 : 8 + int.from_bytes(data[:8], "little")])
    _demand(list(header.get("__metadata__", {})) == ["steinhaus"], "its metadata are not those of a model or a study")
    about = _parsed(header["__metadata__"]["steinhaus"])
    if about.pop("sha256", None) != _checksum(arrays, about):
        raise ValueError("its checksum is not that of its content")
    return arrays, about


def _parsed(text: str | bytes) -> dict[str, Any]:
    """A JSON object without repeated keys, NaN and infinities."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _demand(len({key for key, _ in pairs}) == len(pairs), "a key stands twice in its header")
        return dict(pairs)

    def refuse(name: str) -> None:
        raise UnsignedError(f"{name} stands in its header")

    value = json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    _demand(isinstance(value, dict), "its header is no object")
    return dict(value)


def _demand(condition: bool, reason: str) -> None:
    if not condition:
        raise UnsignedError(reason)


def _checksum(arrays: Arrays, about: Mapping[str, Any]) -> str:
    sha = hashlib.sha256(canonical(dict(about)))
    for name, array in sorted(arrays.items()):
        sha.update(canonical([name, array.dtype.str, list(array.shape)]))
        sha.update(array.tobytes())
    return sha.hexdigest()
