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
from steinhaus.images.zarr_frames import check_frames
from steinhaus.images.zarr_store import ZarrStore
from steinhaus.wording import option

PIXELS = ("pixels", "images", "x", "X", "data")
LABELS = ("labels", "label", "y", "target")
ABOUT = "steinhaus"  # the attribute in which `importing` says what the pixels are
_CHUNK_NAME = 64  # bytes that the name of a chunk takes in memory
_BLANK = 1000  # chunks of labels that may be left out because they are blank: Zarr takes 0.2 ms for each


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
    """Read an array of images, or a group of one with labels.

    Parameters
    ----------
    path
        A folder, or the address of a store for fsspec ("s3://bucket/set.zarr").
    images
        The name of the array of images in a group; by default pixels, images, x or data.
    labels
        The name of the array of labels; by default labels, label, y or target. False: none.
    shape, full_scale
        As in `Images.from_arrays`.
    stored
        Whether the pixels stay where they are and are read chunk by chunk. None: where they are over the limit of
        memory. Only uint8, float32 and float64 can.
    missing
        Whether chunks that are not there are full of the array's fill value, as Zarr has it. Otherwise they are an
        error, but for up to 1,000 chunks of labels: Zarr does not write those that are blank.

    Raises
    ------
    DataError
        With the chunk that is missing or damaged.
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
    """What `importing` said of the pixels; nothing where another program made the store."""
    about = opened.attrs.get(ABOUT, {})
    if not isinstance(about, dict):
        raise DataError(f"{name}: its attribute {ABOUT!r} is not what an import writes: {str(about)[:40]!r}.")
    if about and not about.get("complete"):
        raise DataError(f"{name} is the beginning of an import. Give the command of the import again: it goes on.")
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
            raise DataError(f"{name}: its attribute {ABOUT!r} has the {key} {str(about[key])[:40]!r}: it was changed.")
    for key, what in (("label_names", "label names"), ("columns", "columns")):
        names = about.get(key)
        if names is not None and not (isinstance(names, list) and all(isinstance(label, str) for label in names)):
            raise DataError(f"{name}: its attribute {ABOUT!r} has {what} that are no list of text: it was changed.")
    return about


def _check_codecs(array: Any, name: str, limits: Limits) -> None:
    """Refuse what would run code, and chunks that take more memory than allowed, before anything is decoded."""
    about = array.metadata.to_dict()
    codecs = [about.get("compressor"), *(about.get("filters") or ()), *(about.get("codecs") or ())]
    if any("pickle" in str(codec).lower() for codec in codecs):
        raise DataError(
            f"{name} holds pickled Python objects, which can run any code when they are loaded; Steinhaus never loads "
            "one. Save its arrays as numbers or text."
        )
    if not array.shape or min(array.chunks, default=0) < 1:
        raise DataError(f"{name}: an array of shape {array.shape} in chunks of {array.chunks} holds no images.")
    limits.check_memory(f"{name}: a chunk", math.prod(array.chunks) * np.dtype(array.dtype).itemsize)


def _member(opened: Any, wanted: str | None, known: tuple[str, ...], name: str, what: str) -> Any:
    """An array of a group; the array itself where there is no group."""
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
    check_frames()
    try:
        return np.asarray(array[:])
    except Exception as error:
        raise DataError(
            f"{name}: its labels cannot be read: {str(error).rstrip('.') or type(error).__name__}."
        ) from error


def _check_blank(array: Any, path: Path | str, name: str, limits: Limits) -> None:
    """Refuse labels of which so many chunks are not there that reading none of them would take long."""
    counts = _counts(array)
    wanted = math.prod(counts)
    if wanted - _stored(array, counts, path, name, limits) > _BLANK:
        raise DataError(
            f"{name}: over {_BLANK:,} of the {wanted:,} chunks of its labels are missing. Restore what is lost; or, "
            f"where chunks are empty on purpose, open it with {option('missing', 'True', '')}."
        )


def _counts(array: Any) -> list[int]:
    """Along each axis, how many files of chunks there should be."""
    return [-(-side // chunk) for side, chunk in zip(array.shape, array.shards or array.chunks, strict=True)]


def _stored(array: Any, counts: list[int], path: Path | str, name: str, limits: Limits) -> int:
    """How many files there are of an array; elsewhere than on this machine's disks all that there should be."""
    if isinstance(path, Path):
        return sum(len(names) for _, _, names in os.walk(path / array.path))
    limits.check_memory(f"{name}: the list of its chunks", _CHUNK_NAME * math.prod(counts))
    return math.prod(counts)


def _check_chunks(array: Any, path: Path | str, name: str, limits: Limits) -> None:
    """Refuse an array with chunks that are not there, and say which."""
    files = array.shards or array.chunks
    counts = _counts(array)
    wanted = math.prod(counts)
    stored = _stored(array, counts, path, name, limits)
    if stored >= wanted and array.nchunks_initialized >= array.nchunks:  # Zarr lists all chunks that there should be
        return
    which = f"some of {wanted} chunks are"
    for number in range(min(stored + 1, wanted)) if isinstance(path, Path) else ():  # one of so many is not there
        place = _place(number, counts)
        key = array.metadata.encode_chunk_key(place)
        if not (path / array.path / key).exists():
            last = min((place[0] + 1) * files[0], array.shape[0]) - 1
            which = f"the chunk {key}, of images {place[0] * files[0]} to {last}, is"
            break
    raise DataError(
        f"{name}: {which} missing. Restore what is lost; or, where chunks are empty on purpose, open it with "
        f"{option('missing', 'True', '')}."
    )


def _place(number: int, counts: list[int]) -> tuple[int, ...]:
    """The chunk of this number, of so many along each axis, the last axis counted first."""
    place = []
    for count in reversed(counts):
        number, along = divmod(number, count)
        place.append(along)
    return tuple(reversed(place))
