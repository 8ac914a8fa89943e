"""`open_images` opens every kind of source."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steinhaus.errors import DataError
from steinhaus.images import asking
from steinhaus.images.collection import Images
from steinhaus.images.known import KNOWN
from steinhaus.images.labels import encode
from steinhaus.images.limits import DEFAULT_LIMITS, Limits
from steinhaus.images.progress import Progress
from steinhaus.images.sniffing import READABLE, identify
from steinhaus.images.stored import StoredPixels
from steinhaus.wording import either, flag, option

if TYPE_CHECKING:
    from steinhaus.images.catalogue import SetStatus

_ONLY_IN_PYTHON = frozenset(("download", "mmap", "stored"))
_DARK = 15  # a full pixel more than so many times the likely one is doubtful

# Kind of a path -> module and function that read it. Imported only when needed.
_READERS = {
    "idx": ("idx", "read_file"),
    "idx folder": ("idx", "read_folder"),
    "npy": ("npy", "read"),
    "npz": ("npz", "read"),
    "csv": ("table", "read"),
    "picture": ("pictures", "read"),
    "folder": ("folder", "read"),
    "parquet": ("parquet", "read"),
    "arrow": ("parquet", "read"),
    "tar": ("tar", "read"),
    "zarr": ("zarr", "read"),
    "cifar": ("cifar", "read"),
    "vectors": ("vectors", "read"),
    "json lines": ("vectors", "read_json"),
    "matlab": ("matlab", "read"),
    "hdf5": ("hdf5", "read"),
}


def open_images(
    source: Any,
    *,
    data: str | os.PathLike[str] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
    labels: Any = None,
    features: Any = None,
    features_folder: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Images:
    """Open a collection of images.

    Parameters
    ----------
    source
        A path, the name of a known set ("mnist", "digits"), or an array (n, h, w), (n, h, w, c) or (n, d). A path may
        be a picture, a folder or tar files of pictures, an IDX, .npy, .npz, Parquet, Arrow or CSV file, a folder of IDX
        or Parquet files, a Zarr store, or the address of a Zarr store for fsspec. The kind of a path is found from its
        content, not from its name. To open a folder that has the name of a known set, write "./mnist".
    data
        The folder to search first for the files of a known set. Default: the folder that the environment variable
        STEINHAUS_DATA names.
    limits
        The largest sizes that a source may have. Default: `Limits()`.
    progress
        A function that is told how far downloads and reading are. Default: none.
    labels
        The labels: the name or number (from 0) of a column or an array; "first", "last" or "none"; a file of labels; or
        the labels themselves, one per image. Default: the labels that the source is known to have.
    features
        What to cluster instead of the pixels: "pca:N", "hog", "colour", "given", a path to a file of vectors or to an
        ONNX network, an array (n, d), or a `steinhaus.Features`. Default: the pixels.
    features_folder
        A folder that keeps features which take long to make, so that the next study finds them. Default: they are kept
        only in memory.
    **options
        Options of the source's kind, such as `shape`, `full_scale`, `columns` or `size`: see the "Sources" page. For a
        known set: `download`, whether files may be fetched (default True). For an array: the parameters of
        `Images.from_arrays`.

    Returns
    -------
    Images
        The collection.

    Raises
    ------
    DataError
        If the source cannot be read, is damaged, or goes over a limit; or if this kind of source has no such option.

    Examples
    --------
    >>> images = open_images("digits")
    >>> images.n, images.shape, images.full_scale
    (1797, (8, 8), 16.0)
    """
    labels = None if labels is True or (isinstance(labels, str) and labels == "auto") else labels
    images = _labelled(source, labels, data, limits, progress, options)
    if images.beside is not None:
        way = option("features", repr("given"))
        told = f"Vectors lie beside the pictures: {images.beside.name}. To cluster them: {way}."
        images = replace(images, notes=(*images.notes, told))
    if features is not None:
        from steinhaus.features.making import with_features

        folder = None if features_folder is None else Path(features_folder).expanduser()
        images = with_features(images, features, folder, limits=limits, progress=progress)
    hint = None if "full_scale" in options else _scale_hint(images)
    return images if hint is None else replace(images, notes=(*images.notes, hint))


def _labelled(
    source: Any,
    labels: Any,
    data: str | os.PathLike[str] | None,
    limits: Limits,
    progress: Progress | None,
    options: dict[str, Any],
) -> Images:
    """Open a source with the labels that the user asks for."""
    asked = _Asked(source, None if data is None else Path(data), limits, progress, options)
    if labels is None or asking.is_none(labels):
        return _opened(asked, {} if labels is None else {"labels": False})
    if asking.are_values(labels):
        if not isinstance(source, str | os.PathLike):
            return Images.from_arrays(source, labels, **options)
        return with_labels(_opened(asked, {"labels": False}), labels)
    file = asking.as_file(labels)
    if not isinstance(labels, os.PathLike) or file is None:
        try:
            return _opened(asked, {"labels": labels})
        except asking.NoSuchNameError:
            if file is None:
                raise
    from steinhaus.images import label_files

    labels, images = label_files.read(file, limits), _opened(asked, {"labels": False})
    values, notes = label_files.in_order(file, labels, images.files)
    return with_labels(replace(images, notes=(*images.notes, *notes)), values)


@dataclass(frozen=True)
class _Asked:
    """The arguments of `open_images`."""

    source: Any
    data: Path | None
    limits: Limits
    progress: Progress | None
    options: dict[str, Any]


def _scale_hint(images: Images) -> str | None:
    """A note about pictures whose values do not fit the value of a full pixel."""
    if not images.is_image or isinstance(images.pixels, StoredPixels) or images.skipped or images.files is not None:
        return None
    reach, full = float(images.pixels.max()), images.full_scale
    likely = next((scale for scale in (1, 16, 255, 4095, 65535) if reach <= scale), reach)
    if full == 1 and reach > 1:
        kind = "are floats"
    elif full in (255, 65535) and 0 < reach < full and likely < full / _DARK:
        kind = "go"
    else:
        return None
    return (
        f"The pixels {kind} up to {reach:g}, but a full pixel is taken to be {full:g}. To change this: "
        f"{option('full_scale', f'{likely:g}')}."
    )


def with_labels(images: Images, labels: Any) -> Images:
    """The same images with other labels, one per image."""
    indices, names = encode(labels, images.n, images.name)
    indices.setflags(write=False)
    return replace(images, labels=indices, label_names=names)


def _opened(asked: _Asked, labels: dict[str, Any]) -> Images:
    """Open a source. `labels` is empty, or {"labels": ...} with a name, a number or a word; False means none."""
    source, options, limits, progress = asked.source, asked.options, asked.limits, asked.progress
    if not isinstance(source, (str, os.PathLike)):
        _check_options(Images.from_arrays, options, "an array", given=("pixels", "labels"))
        return _unnamed(Images.from_arrays(source, **options), labels)
    text = os.fsdecode(source)
    if isinstance(source, str) and is_known(text):
        from steinhaus.images.catalogue import open_known

        _check_options(open_known, options, text, given=("name", "data", "limits", "progress"))
        return _unnamed(open_known(text, asked.data, limits, progress, **options), labels)
    if re.fullmatch(r"[a-z][a-z0-9+.-]+://.+\.zarr/?", text, re.IGNORECASE):
        from steinhaus.images import zarr

        _check_options(zarr.read, options, text, given=("path", "limits", "progress"))
        return zarr.read(text, limits=limits, progress=progress, **options, **labels)
    if re.match(r"[a-z][a-z0-9+.-]+://", text, re.IGNORECASE):
        raise DataError(
            f"{text} is an address. Only addresses of stores that end in .zarr can be opened. Download it first."
        )
    path = Path(text).expanduser()
    if not text or not os.path.lexists(path):
        raise DataError(_not_there(text))
    kind = identify(path, limits)
    module, function = _READERS[kind]
    reader: Callable[..., Images] = getattr(importlib.import_module(f"steinhaus.images.{module}"), function)
    _check_options(reader, options, f"{text} ({kind})", given=("path", "labels", "limits", "progress"))
    takes = inspect.signature(reader).parameters.get("labels")
    if labels.get("labels") and (takes is None or takes.annotation == "bool"):
        raise _no_names(text, labels["labels"])
    given = labels if takes is not None else {}
    return reader(path, limits=limits, progress=progress, **options, **given)


def is_known(text: str) -> bool:
    """Whether a source is the name of a known set. A path of that name wins over sets that are never downloaded."""
    known = KNOWN.get(text)
    return known is not None and (bool(known.mirrors) or not known.files or not os.path.lexists(text))


def _unnamed(images: Images, labels: dict[str, Any]) -> Images:
    """A source whose labels cannot be chosen by name."""
    if labels.get("labels"):
        raise _no_names(images.name, labels["labels"])
    return replace(images, labels=None, label_names=None) if labels else images


def _no_names(name: str, labels: Any) -> asking.NoSuchNameError:
    return asking.NoSuchNameError(
        f"{name} has no labels that can be chosen by name or number, and there is no file {labels!r}. Give a file with "
        f"one label per image, or none: {option('labels', repr('none'))}."
    )


def kind_of(source: str) -> str | None:
    """The kind of a path, as in `sniffing.identify`; None if it does not exist or cannot be read."""
    path = Path(source).expanduser()
    if is_known(source) or not os.path.lexists(path):
        return None
    try:
        return identify(path, DEFAULT_LIMITS)
    except DataError:
        return None


def can_stay(source: str) -> bool:
    """Whether the pixels of a source can stay on disk: its reader has the option `stored`."""
    if is_known(source) or not os.path.lexists(os.path.expanduser(source)):
        return source.rstrip("/").endswith(".zarr")
    return identify(Path(source).expanduser(), DEFAULT_LIMITS) in ("npy", "parquet", "arrow", "zarr")


def data_status(data: str | os.PathLike[str] | None = None) -> list[SetStatus]:
    """List the known sets: whether each opens without a download, and where it is.

    Parameters
    ----------
    data
        The folder to search first. Default: the folder that STEINHAUS_DATA names.

    Returns
    -------
    list of SetStatus
        One per known set: `known` describes it, `ready` says whether it opens without a download, `where` is its
        folder, and `looked` lists the folders searched. A set that is never downloaded is listed only if its files
        were found.

    Examples
    --------
    >>> [status.known.name for status in data_status() if status.known.name == "digits"]
    ['digits']
    """
    from steinhaus.images import catalogue

    return catalogue.data_status(data)


def _check_options(reader: Callable[..., Any], options: dict[str, Any], what: str, given: tuple[str, ...]) -> None:
    if not options:
        return
    known = [name for name in inspect.signature(reader).parameters if name not in given]
    for each in options:
        if each not in known:
            names = [either(name, flag(name)) for name in known if either("x", "") or name not in _ONLY_IN_PYTHON]
            has = f"its options are {', '.join(names)}" if names else "it has none"
            raise DataError(f"{what} has no option {either(repr(each), flag(each))}; {has}.")


def _not_there(text: str) -> str:
    close = difflib.get_close_matches(text.lower(), KNOWN, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"{text or 'The empty name'}: there is no such file or folder, and it is not the name of a known set "
        f"({', '.join(KNOWN)}).{hint} {READABLE}"
    )
