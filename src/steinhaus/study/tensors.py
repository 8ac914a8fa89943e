"""Write and read finished runs and checkpoints as safetensors files. Reading checks every part.

Values are in the engine's units, so a run resumes with the same bits. A checksum over arrays and metadata finds any
flipped bit. The safetensors library writes metadata in no fixed order, so there is a single entry, `steinhaus`, which
holds JSON. The same run therefore gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import safetensors
from numpy.typing import NDArray

from steinhaus.points import Fit, Float64, Int64, Run, Stop
from steinhaus.signed import Arrays, UnsignedError, pack, unpack
from steinhaus.study.events import Key

LARGEST = 2.0**480  # largest value of a point or a centroid
TYPES = {"F64": "<f8", "I64": "<i8"}


def key_name(key: Key) -> str:
    """(10, 3) -> k010-r03."""
    return f"k{key[0]:03d}-r{key[1]:02d}"


def encode_fit(fit: Fit, study: str) -> bytes:
    """The bytes of a finished run; `study` is the digest of its study."""
    k, restart = cast(Key, fit.key)
    about = {"study": study, "k": k, "restart": restart, "stop": fit.stop.name, "inertia": fit.inertia}
    arrays = {
        "centroids": fit.centroids,
        "sizes": np.asarray(fit.counts, np.int64),
        "inertia": np.array(fit.history, np.float64),
    }
    return pack(arrays, about)


def decode_fit(data: bytes, study: str, key: Key, d: int, n: int) -> Fit:
    """The finished run, from the bytes of its file.

    Parameters
    ----------
    data
        The bytes of the file.
    study
        The digest of the study that it must belong to.
    key
        The run that it must be.
    d, n
        The features and the number of the points.

    Raises
    ------
    ValueError
        If it is another run, or if it was changed.
    """
    arrays, about = _unpack(data, study)
    if [about.get("k"), about.get("restart")] != list(key):
        raise ValueError("it is another run")
    inertia, stop = about.get("inertia"), _stop(about.get("stop"))
    if not isinstance(inertia, float) or not math.isfinite(inertia) or stop is None:
        raise ValueError("its end is missing")
    counts: Int64 = _array(arrays, "sizes", np.int64, (key[0],))
    if counts.min() < 0 or sum(counts.tolist()) != n:  # a sum of int64 would overflow
        raise ValueError("its sizes do not add up to the number of images")
    history = _history(arrays, "inertia")
    if not history:
        raise ValueError("it has no iterations")
    return Fit(key, _centroids(arrays, "centroids", key[0], d), counts, history, inertia, stop)


def encode_checkpoint(active: Iterable[Run], study: str) -> bytes:
    """The bytes of a checkpoint of the active runs."""
    arrays: dict[str, NDArray[Any]] = {}
    stops = {}
    for run in active:
        name = key_name(cast(Key, run.key))
        arrays[f"{name}.centroids"] = run.centroids
        arrays[f"{name}.inertia"] = np.array(run.history, np.float64)
        stops[name] = run.stop.name if run.stop else None
    return pack(arrays, {"study": study, "stops": stops})


def decode_checkpoint(data: bytes, study: str, keys: Iterable[Key], d: int) -> dict[Key, Run]:
    """The given runs that a checkpoint holds.

    Raises
    ------
    ValueError
        If it is not a checkpoint of this study, or if it was changed.
    """
    arrays, about = _unpack(data, study)
    stops = about.get("stops")
    if not isinstance(stops, dict):
        raise ValueError("it does not say which runs it holds")
    runs = {}
    for key in keys:
        if (name := key_name(key)) in stops:
            centroids = _centroids(arrays, f"{name}.centroids", key[0], d)
            runs[key] = Run(key, centroids, _history(arrays, f"{name}.inertia"), _stop(stops[name]))
    return runs


def _unpack(data: bytes, study: str) -> tuple[Arrays, dict[str, Any]]:
    try:
        arrays, about = unpack(data, TYPES)
    except (
        UnsignedError, safetensors.SafetensorError, KeyError, TypeError, AttributeError, RecursionError
    ) as error:  # fmt: skip
        raise ValueError(f"it is not a safetensors file of a study ({type(error).__name__}: {error})") from error
    if about.get("study") != study:
        raise ValueError("it belongs to another study")
    return arrays, about


def _array(arrays: Arrays, name: str, dtype: type, shape: tuple[int, ...]) -> NDArray[Any]:
    array = arrays.get(name)
    if array is None or array.dtype != dtype or array.shape != shape:
        raise ValueError(f"{name} is missing or has another shape")
    return array


def _centroids(arrays: Arrays, name: str, k: int, d: int) -> Float64:
    centroids = _array(arrays, name, np.float64, (k, d))
    if not (np.abs(centroids) <= LARGEST).all():
        raise ValueError(f"{name} holds NaN, infinity, or values that are too large to square")
    return centroids


def _history(arrays: Arrays, name: str) -> tuple[float, ...]:
    history = arrays.get(name)
    if history is None or history.ndim != 1 or history.dtype != np.float64 or not np.isfinite(history).all():
        raise ValueError(f"{name} is missing, or is not a list of finite numbers")
    return tuple(history.tolist())


def _stop(name: object) -> Stop | None:
    if name is None:
        return None
    if not isinstance(name, str) or name not in Stop.__members__:
        raise ValueError("it ended for an unknown reason")
    return Stop[name]
