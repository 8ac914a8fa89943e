"""Zarr arrays (versions 2 and 3 of the format), in a folder or in any store that fsspec reaches."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.asking import NoSuchNameError
from steinhaus.images.collection import Images
from steinhaus.images.files import damage_named, shown, source_name
from steinhaus.images.labels import check_count
from steinhaus.images.limits import Limits
from steinhaus.images.progress import Progress
from steinhaus.images.staying import stored_images
from steinhaus.images.zarr_store import ZarrStore
from steinhaus.wording import option

PIXELS = ("pixels", "images", "x", "X", "data")
LABELS = ("labels", "label", "y", "target")
ABOUT = "steinhaus"  # the attribute in which `importing` describes the pixels
_CHUNK_NAME = 64  # bytes of memory per name of a chunk
_BLANK = 1000  # largest number of blank chunks of labels that may be absent: Zarr needs 0.2 ms for each


def read(
    path: Path | str,
    *,
    images: str | None = None,
    labels: str | int | bool | None = None,
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    stored: bool | None = None,
    missing: bool = False,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read an array of images, or a group that holds images and labels.

    Parameters
    ----------
    path
        A folder, or an address for fsspec ("s3://bucket/set.zarr").
    images
        The name of the array of images in a group. Default: pixels, images, x or data.
    labels
        The name of the array of labels. Default: labels, label, y or target. False: no labels.
    shape, full_scale
        As in `Images.from_arrays`.
    stored
        Whether the pixels stay on disk and are read one chunk at a time. Default: only if they exceed the memory limit.
        Needs uint8, float32 or float64.
    missing
        Whether missing chunks hold the array's fill value, as in Zarr. Default False: they are an error. Up to 1,000
        chunks of labels may always be missing, because Zarr does not write blank chunks.

    Raises
    ------
    DataError
        If a chunk is missing or damaged. The message names it.
    """
    name = shown(path) if isinstance(path, Path) else path
    with damage_named(name, "a Zarr store"):
        opened = _opened(path, name)
        pixels = _member(opened, images, PIXELS, name, "images")
        if pixels is None:
            raise DataError(
                f"{name} holds no array of images ({', '.join(PIXELS)}). Name it: {option('images', '...')}"
            )
        _check_codecs(pixels, name, limits)
        about = _about(opened, name)
        n_bytes = math.prod(pixels.shape) * np.dtype(pixels.dtype).itemsize
        if not missing:
            _check_chunks(pixels, path, name, limits)
        found = None
        if labels is not False:
            asked = None if labels is None or labels is True else str(labels)
            found = _member(opened, asked, LABELS, name, "labels")
            if found is not None:
                _check_codecs(found, name, limits)
                check_count(int(found.shape[0]), int(pixels.shape[0]), name)
                if not missing:
                    _check_blank(found, path, name, limits)
                found = _labels(found, name, limits)
    names = about.get("label_names") if labels is None else None
    given: dict[str, Any] = {
        "name": about.get("name") or source_name(Path(str(path))),
        "full_scale": full_scale if full_scale is not None else about.get("full_scale"),
        "given_train": about.get("given_train"),
        "given_val": about.get("given_val") or 0,
        "usual_train": about.get("usual_train"),
        "columns": about.get("columns"),
        "licence": about.get("licence"),
        "source": about.get("source"),
    }
    store = ZarrStore(pixels, name, path if isinstance(path, Path) else None)
    if not (n_bytes > limits.memory if stored is None else stored):
        limits.check_memory(name, n_bytes)
        loaded = store.read(0, store.shape[0]).reshape(pixels.shape)
        return Images.from_arrays(loaded, found, label_names=names, shape=shape, **given)
    return stored_images(store, pixels.shape[1:], found, label_names=names, shape=shape, **given)


def _opened(path: Path | str, name: str) -> Any:
    try:
        import zarr
    except ImportError:
        raise DataError(
            f"{name} is a Zarr store; reading it needs the package zarr: pip install 'steinhaus[zarr]'."
        ) from None
    try:
        return zarr.open(str(path), mode="r")
    except Exception as error:
        raise DataError(f"{name} cannot be opened as a Zarr store: {str(error).rstrip('.')}.") from error


def _about(opened: Any, name: str) -> dict[str, Any]:
    """The description that `importing` wrote; empty if another program made the store."""
    about = opened.attrs.get(ABOUT, {})
    if not isinstance(about, dict):
        raise DataError(f"{name}: its attribute {ABOUT!r} was not written by an import: {str(about)[:40]!r}.")
    if about and not about.get("complete"):
        raise DataError(f"{name} is an unfinished import. Give the same import command again to finish it.")
    kinds = {
        "name": str,
        "full_scale": int | float,
        "given_train": int,
        "given_val": int,
        "usual_train": float,
        "licence": str,
        "source": str,
    }
    for key, kind in kinds.items():
        if not isinstance(about.get(key), kind | None) or isinstance(about.get(key), bool):
            raise DataError(
                f"{name}: its attribute {ABOUT!r} has an invalid {key}, {str(about[key])[:40]!r}: it was changed."
            )
    for key, what in (("label_names", "label names"), ("columns", "columns")):
        names = about.get(key)
        if names is not None and not (isinstance(names, list) and all(isinstance(label, str) for label in names)):
            raise DataError(f"{name}: its attribute {ABOUT!r} has {what} that are not a list of texts: it was changed.")
    return about


def _check_codecs(array: Any, name: str, limits: Limits) -> None:
    """Refuse codecs that can run code, and chunks that are too large, before anything is decoded."""
    about = array.metadata.to_dict()
    codecs = [about.get("compressor"), *(about.get("filters") or ()), *(about.get("codecs") or ())]
    if any("pickle" in str(codec).lower() for codec in codecs):
        raise DataError(
            f"{name} holds pickled Python objects, which can run any code when they are loaded; Steinhaus never loads "
            "them. Save its arrays as numbers or text."
        )
    if not array.shape or min(array.chunks, default=0) < 1:
        raise DataError(f"{name}: an array of shape {array.shape} in chunks of {array.chunks} holds no images.")
    limits.check_memory(f"{name}: a chunk", math.prod(array.chunks) * np.dtype(array.dtype).itemsize)


def _member(opened: Any, wanted: str | None, known: tuple[str, ...], name: str, what: str) -> Any:
    """An array of a group; the array itself if there is no group."""
    if hasattr(opened, "chunks"):
        return opened if known is PIXELS else None
    for key in known if wanted is None else (wanted,):
        with suppress(KeyError):
            if hasattr(array := opened[key], "chunks"):
                return array
    if wanted is not None:
        there = [key for key, _ in opened.arrays()]
        raise NoSuchNameError(f"{name} has no array {wanted!r} of {what}; it holds {', '.join(there) or 'none'}.")
    return None


def _labels(array: Any, name: str, limits: Limits) -> NDArray[Any]:
    limits.check_memory(f"{name}: its labels", math.prod(array.shape) * np.dtype(array.dtype).itemsize)
    from steinhaus.images.zarr_frames import checked

    try:
        return np.asarray(checked(array)[:])
    except Exception as error:
        raise DataError(
            f"{name}: its labels cannot be read: {str(error).rstrip('.') or type(error).__name__}."
        ) from error


def _check_blank(array: Any, path: Path | str, name: str, limits: Limits) -> None:
    """Refuse labels with so many missing chunks that filling them in would take long."""
    counts = _counts(array)
    wanted = math.prod(counts)
    if wanted - _stored(array, counts, path, name, limits) > _BLANK:
        raise DataError(
            f"{name}: over {_BLANK:,} of the {wanted:,} chunks of its labels are missing. Restore them or, if they are "
            f"empty on purpose, open it with {option('missing', 'True', '')}."
        )


def _counts(array: Any) -> list[int]:
    """The expected number of chunk files along each axis."""
    return [-(-side // chunk) for side, chunk in zip(array.shape, array.shards or array.chunks, strict=True)]


def _stored(array: Any, counts: list[int], path: Path | str, name: str, limits: Limits) -> int:
    """The number of files of an array on this machine's disks; for other stores, the expected number."""
    if isinstance(path, Path):
        return sum(len(names) for _, _, names in os.walk(path / array.path))
    limits.check_memory(f"{name}: the list of its chunks", _CHUNK_NAME * math.prod(counts))
    return math.prod(counts)


def _check_chunks(array: Any, path: Path | str, name: str, limits: Limits) -> None:
    """Refuse an array with missing chunks, and name one."""
    files = array.shards or array.chunks
    counts = _counts(array)
    wanted = math.prod(counts)
    stored = _stored(array, counts, path, name, limits)
    if stored >= wanted and array.nchunks_initialized >= array.nchunks:  # Zarr's own count lists every expected chunk
        return
    which = f"some of {wanted} chunks are"
    for number in range(min(stored + 1, wanted)) if isinstance(path, Path) else ():  # at least one of these is missing
        place = _place(number, counts)
        key = array.metadata.encode_chunk_key(place)
        if not (path / array.path / key).exists():
            last = min((place[0] + 1) * files[0], array.shape[0]) - 1
            which = f"the chunk {key}, of images {place[0] * files[0]} to {last}, is"
            break
    raise DataError(
        f"{name}: {which} missing. Restore it or, if chunks are empty on purpose, open it with "
        f"{option('missing', 'True', '')}."
    )


def _place(number: int, counts: list[int]) -> tuple[int, ...]:
    """The position of a chunk number along each axis, in C order."""
    place = []
    for count in reversed(counts):
        number, along = divmod(number, count)
        place.append(along)
    return tuple(reversed(place))
