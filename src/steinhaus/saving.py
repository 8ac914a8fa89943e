"""Write fitted estimators to safetensors files, and read them back with every part checked. No code in a file is run.

A file holds tensors (centroids, labels, counts, an array given as `init`) and one metadata entry, `steinhaus`: JSON
with the format's name and version, the class, its parameters, the other fitted attributes, and a SHA-256 over all of
it and the tensors. The same model gives the same bytes.
"""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray

from steinhaus.errors import ModelError, StoreError
from steinhaus.signed import pack, unpack
from steinhaus.study import files

FORMAT, VERSION = "steinhaus.estimator", 1
CLASSES = {
    "KMeans": "steinhaus.estimators.kmeans",
    "MiniBatchKMeans": "steinhaus.estimators.minibatch",
    "SphericalKMeans": "steinhaus.estimators.spherical",
}
LATER = ("refine", "refine_steps", "refine_time")  # newer parameters; files leave them out if they are None
TYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4"}
_PICKLES = (b"\x80", b"PK\x03\x04", b"\x1f\x8b", b"x\x9c")  # first bytes of pickles, of joblib's and of PyTorch's files


def save(estimator: Any, path: str | Path) -> None:
    """Write a fitted estimator to a file. An older file of that name is replaced in one step.

    Raises
    ------
    ModelError
        The estimator is not fitted, a parameter cannot be written as plain values, or the file cannot be written.
    """
    if type(estimator).__name__ not in CLASSES:
        raise ModelError(f"A {type(estimator).__name__} cannot be saved; {', '.join(CLASSES)} can.")
    if not hasattr(estimator, "cluster_centers_"):
        raise ModelError(f"This {type(estimator).__name__} has no centroids to save. Call fit first.")
    arrays: dict[str, NDArray[Any]] = {}
    given = sorted(estimator.get_params(deep=False).items())
    params = {name: _plain(name, value, arrays) for name, value in given if name not in LATER or value is not None}
    plain, tensors = estimator._state()
    arrays |= tensors
    about = {
        "format": FORMAT, "version": VERSION, "class": type(estimator).__name__, "params": params, "fitted": plain,
    }  # fmt: skip
    write(Path(path), pack(arrays, about))


def load(path: str | Path, *, limit: int = 8 << 30) -> Any:
    """Read a fitted estimator that `save` wrote.

    Parameters
    ----------
    path
        The file.
    limit
        The most bytes that the file may have. A larger file is refused before it is read. Default: 8 GiB.

    Returns
    -------
    estimator
        The estimator. Its predictions are bit for bit those of the one that was saved.

    Raises
    ------
    ModelError
        If the file cannot be read, is over the limit, or differs in any part from what `save` writes.

    Examples
    --------
    >>> import tempfile
    >>> from steinhaus import KMeans, load
    >>> kmeans = KMeans(2, init=[[1.0], [9.0]]).fit([[0.0], [1.0], [9.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kmeans.save(f"{folder}/model.safetensors")
    ...     load(f"{folder}/model.safetensors").predict([[8.0]]).tolist()
    [1]
    """
    data = _read(Path(path), limit)
    try:
        arrays, about = unpack(data, TYPES)
        return _restore(arrays, about)
    except (
        ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, safetensors.SafetensorError
    ) as error:  # fmt: skip
        if isinstance(error, safetensors.SafetensorError) and data.startswith(_PICKLES):
            reason = "it looks like a pickle or an archive, which could run code and is never loaded"
        elif isinstance(error, ValueError):
            reason = str(error)
        else:
            reason = f"it is malformed ({type(error).__name__}: {error})"
        raise ModelError(
            f"{path} is no model saved by Steinhaus: {reason}. Save it again with `estimator.save`."
        ) from error


def _plain(name: str, value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """The value for JSON. An array is added to `arrays`, and a reference stands in its place."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ModelError(f"{name} is {value}, which cannot be saved. Give a finite number.")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple | np.ndarray) and (array := np.asarray(value)).dtype.kind in "iuf":
        kind = array.dtype if array.dtype.str in TYPES.values() else np.dtype(np.float64)
        arrays[name] = np.ascontiguousarray(array, kind)
        return {"tensor": name}
    raise ModelError(
        f"{name} is a {type(value).__name__}, which cannot be written as plain values. "
        f"Set it to a plain value before saving: estimator.set_params({name}=...)."
    )


def _restore(arrays: Mapping[str, NDArray[Any]], about: dict[str, Any]) -> Any:
    _demand(sorted(about) == ["class", "fitted", "format", "params", "version"], "its parts are not those of a model")
    _demand(about["format"] == FORMAT, "it holds something else")
    _demand(about["version"] == VERSION, f"its version is {about['version']!r}, and this one reads {VERSION}")
    _demand(about["class"] in CLASSES, f"its class {about['class']!r} is unknown")
    kind = getattr(importlib.import_module(CLASSES[about["class"]]), about["class"])
    unused = dict(arrays)
    params = {name: _value(value, unused) for name, value in about["params"].items()}
    known = set(kind._get_param_names())
    _demand(known - {*LATER} <= set(params) <= known, "its parameters are not those of its class")
    estimator = kind(**params)
    estimator._validate_params()
    estimator._set_state(about["fitted"], unused)
    return estimator


def _value(value: Any, unused: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, dict) and set(value) == {"tensor"}:
        _demand(value["tensor"] in unused, f"the tensor {value['tensor']!r} is missing, or is named twice")
        return unused.pop(value["tensor"])
    return value


def _demand(condition: bool, reason: str) -> None:
    if not condition:
        raise ValueError(reason)


def _read(path: Path, limit: int) -> bytes:
    size = 0
    with contextlib.suppress(OSError):  # `files.read` will raise the error with its reason
        size = path.stat().st_size
    if size > limit:
        raise ModelError(
            f"{path} has {size:,} bytes, and the limit is {limit:,}. If you trust it, raise the limit: "
            f"load(path, limit={size})."
        )
    try:
        return files.read(path, limit)
    except FileNotFoundError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror}. Check the name.") from error
    except StoreError as error:
        raise ModelError(f"{_why(error)}Name a file that `estimator.save` wrote.") from error


def write(path: Path, data: bytes) -> None:
    """Write a model's file durably. After a crash, the old or the new file is complete. ModelError if it fails."""
    try:
        files.write(path, data)
    except StoreError as error:
        raise ModelError(f"{_why(error)}The model is not saved. An older file of that name is unchanged.") from error


def _why(error: StoreError) -> str:
    """The message of an error, without its sentence about studies."""
    return f"{str(error).removesuffix(files.KEPT).rstrip()} "
