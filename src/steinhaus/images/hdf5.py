"""HDF5 files, such as USPS: named arrays, as in .npz archives. Groups are part of the names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images import npz_names
from steinhaus.images.collection import Images
from steinhaus.images.files import damage_named, modest, open_regular, reading, shown, source_name
from steinhaus.images.limits import Limits
from steinhaus.images.parts import ORDER, given
from steinhaus.images.pixels import stacked
from steinhaus.images.progress import Progress

_DEEPEST = 8  # groups within groups
_MOST = 10_000  # arrays per file
_FILTERS = {
    1: "gzip",
    2: "shuffle",
    3: "fletcher32",
    4: "szip",
    5: "nbit",
    6: "scaleoffset",
    32000: "lzf",
}  # h5py's own


def read(
    path: Path,
    *,
    images: str | None = None,
    labels: str | int | bool | None = None,
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    weights: str | None = None,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read an HDF5 file.

    Parameters
    ----------
    images, labels, weights
        Names of the arrays, with their groups: "train/data". Default: found by the same rules as in .npz files.
        labels=False: no labels.
    shape, full_scale
        As in `Images.from_arrays`.

    Raises
    ------
    DataError
        If the file is damaged, or an array holds no plain numbers or text.
    """
    name = shown(path)
    with _opened(path) as file, damage_named(name, "HDF5"), modest(name):
        there = dict(_arrays(file, name))
        weighted = npz_names.of_weights(list(there), name, weights)
        chosen = npz_names.chosen([key for key in there if key not in weighted], name, images, labels)
        for key in (*chosen.images, *chosen.labels, *weighted):
            _check(there[key], f"{name}: {key}", limits)
        pixels, places = stacked(
            [(f"{name}: {key}", there[key].dtype, there[key].shape) for key in chosen.images], limits
        )
        for key, place in zip(chosen.images, places, strict=True):
            place[...] = there[key][...]
        of_labels = [_labels(there[key]) for key in chosen.labels]
        of_weights = [there[key][...] for key in weighted]
    for key, place, label, values in zip(chosen.images, places, chosen.labels, of_labels, strict=bool(chosen.labels)):
        if len(values) != len(place):
            raise DataError(f"{name}: {label} holds {len(values):,} labels, but {key} holds {len(place):,} images.")
    sizes = [0, 0, 0]
    for part, place in zip(chosen.parts, places, strict=True):
        sizes[ORDER.index(part or "train")] += len(place)
    given_train, given_val = given(sizes)
    return Images.from_arrays(
        pixels, np.concatenate(of_labels) if of_labels else None, name=source_name(path), shape=shape,
        full_scale=full_scale, given_train=given_train, given_val=given_val, notes=chosen.notes,
        weights=np.concatenate(of_weights) if of_weights else None,
    )  # fmt: skip


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file for reading."""
    try:
        import h5py
    except ImportError:
        raise DataError(
            f"{shown(path)} is an HDF5 file; reading it needs the package h5py: pip install 'steinhaus[hdf5]'."
        ) from None
    with reading(path), open_regular(path):  # h5py would wait for a pipe
        pass
    with damage_named(shown(path), "HDF5"), modest(shown(path)):
        file = h5py.File(path, "r", locking=False)
    try:
        yield file
    finally:
        file.close()


def _arrays(file: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The arrays of a file by name, without groups that hold all arrays. Links out of the file are not followed."""
    found: list[tuple[tuple[str, ...], Any]] = []
    pending: list[tuple[tuple[str, ...], Any]] = [((), file)]
    for place, group in pending:  # the list grows in the loop
        for key in group:
            if type(group.get(key, getlink=True)).__name__ != "HardLink":
                continue
            item = group[key]
            if hasattr(item, "dtype") and hasattr(item, "shape"):
                found.append(((*place, key), item))
            elif hasattr(item, "keys") and len(place) < _DEEPEST:
                pending.append(((*place, key), item))
        if len(found) + len(pending) > _MOST:
            raise DataError(f"{name} holds more than {_MOST:,} arrays and groups. Save the arrays of images as .npz.")
    if not found:
        raise DataError(f"{name} holds no arrays.")
    groups = [place[:-1] for place, _ in found]
    common = 0
    while all(len(group) > common and group[common] == groups[0][common] for group in groups):
        common += 1
    return (("/".join(place[common:]), item) for place, item in found)


def _check(array: Any, where: str, limits: Limits) -> None:
    """Refuse an array that is not plain, not in this file, or too large."""
    import h5py

    if array.shape is None or not array.shape:
        raise DataError(f"{where} is a single value, not an array.")
    if array.dtype.kind not in "biufS" and h5py.check_string_dtype(array.dtype) is None:
        raise DataError(f"{where} holds {array.dtype}, not numbers.")
    if array.is_virtual or array.external:
        raise DataError(f"{where} has its values in other files, which are not opened. Save it as an array of its own.")
    how = array.id.get_create_plist()
    filters = {how.get_filter(place)[0] for place in range(how.get_nfilters())}
    if unknown := sorted(filters - _FILTERS.keys()):
        raise DataError(
            f"{where} is compressed by a method that h5py does not include ({unknown[0]}). Save it with gzip."
        )
    limits.check_memory(where, max(array.nbytes, _size(array.chunks or (), array.dtype.itemsize)))
    stored = array.id.get_storage_size()
    if array.size and not stored:
        raise DataError(f"{where} declares {array.nbytes:,} bytes, but none was written.")
    limits.check_ratio(where, stored, array.nbytes)


def _size(sides: tuple[int, ...], itemsize: int) -> int:
    return int(np.prod([*sides, itemsize], dtype=object))


def _labels(array: Any) -> NDArray[Any]:
    """Labels: numbers or text, (n,)."""
    import h5py

    values: NDArray[Any] = (array.asstr() if h5py.check_string_dtype(array.dtype) else array)[...]
    return values.reshape(-1) if values.ndim == 2 and 1 in values.shape else values
