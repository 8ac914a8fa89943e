"""`open_images`: one door for every source."""

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
_DARK = 15  # times that a full pixel is above the likely one, where it is doubted

# What a path is -> module and function that read it. Imported only when needed.
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
        The name of a known set ("mnist", "digits"); a path: an IDX file, a .npy, .npz, Parquet or CSV file,
        a picture, a folder or tar files of pictures, a folder of IDX or Parquet files, a Zarr store, or its address for
        fsspec; or an array, (n, h, w), (n, h, w, c) or (n, d). A path is told by its
        content, not by its name. A folder that bears the name of a known set is opened as "./mnist".
    data
        The folder to look in first for the files of a known set; by default the one that the environment variable
        STEINHAUS_DATA names.
    limits
        What a source may ask for at most.
    progress
        Hears of downloads and of the reading of pictures.
    labels
        Which labels: the name or the number of a column or an array, counted from 0; "first", "last" or "none"; a file
        of labels, or labels themselves, one an image. By default those that the source is known to have.
    features
        What is clustered in place of the pixels: "pca:N", "hog", "colour", "given", a path to a file of vectors or to
        an ONNX network, an array, or `steinhaus.Features`, which also says what is done with them.
    features_folder
        Where features that take long to make are kept, by their content, and found again. None: in memory alone.
    **options
        Those of the reader: `read` in `npy`, `npz`, `table`, `pictures` or `folder`, `idx.read_file` or
        `idx.read_folder`; for a known set `download` (whether it may be fetched); for an array those of
        `Images.from_arrays`.

    Returns
    -------
    Images

    Raises
    ------
    DataError
        Where the source cannot be read, is not what it says, or goes over a limit; or where an option is not its
        reader's.

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
        told = f"Vectors lie beside the pictures: {images.beside.name}. They are clustered with {way}."
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
    """Open a source, and see to its labels."""
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
    """What is to be opened."""

    source: Any
    data: Path | None
    limits: Limits
    progress: Progress | None
    options: dict[str, Any]


def _scale_hint(images: Images) -> str | None:
    """A word about pictures of floats whose values reach beyond the 1 that is taken for a full pixel."""
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
        f"The pixels {kind} up to {reach:g}, and {full:g} is taken for a full pixel. If it is another value: "
        f"{option('full_scale', f'{likely:g}')}."
    )


def with_labels(images: Images, labels: Any) -> Images:
    """The same images with other labels, one an image."""
    indices, names = encode(labels, images.n, images.name)
    indices.setflags(write=False)
    return replace(images, labels=indices, label_names=names)


def _opened(asked: _Asked, labels: dict[str, Any]) -> Images:
    """Open a source; `labels` is empty, or says as {"labels": ...} which: a name, a number, a word; False: none."""
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
            f"{text} is an address; only files, and stores that end in .zarr, are opened. Download it first."
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
    """Whether a source is a known set, by name; a path of that name comes before those that are never downloaded."""
    known = KNOWN.get(text)
    return known is not None and (bool(known.mirrors) or not known.files or not os.path.lexists(text))


def _unnamed(images: Images, labels: dict[str, Any]) -> Images:
    """A source whose labels have no names to choose by."""
    if labels.get("labels"):
        raise _no_names(images.name, labels["labels"])
    return replace(images, labels=None, label_names=None) if labels else images


def _no_names(name: str, labels: Any) -> asking.NoSuchNameError:
    return asking.NoSuchNameError(
        f"{name} has no labels to choose by name or number, and there is no file {labels!r} of labels. Give a file "
        f"with one label an image, or none: {option('labels', repr('none'))}."
    )


def kind_of(source: str) -> str | None:
    """What a path is, as `sniffing.identify` tells; None where there is no such path, or nothing that can be read."""
    path = Path(source).expanduser()
    if is_known(source) or not os.path.lexists(path):
        return None
    try:
        return identify(path, DEFAULT_LIMITS)
    except DataError:
        return None


def can_stay(source: str) -> bool:
    """Whether the pixels of a source can stay where they are stored: `stored` is an option of its reader."""
    if is_known(source) or not os.path.lexists(os.path.expanduser(source)):
        return source.rstrip("/").endswith(".zarr")
    return identify(Path(source).expanduser(), DEFAULT_LIMITS) in ("npy", "parquet", "arrow", "zarr")


def data_status(data: str | os.PathLike[str] | None = None) -> list[SetStatus]:
    """Tell of every known set whether it can be opened without a download, and where it is. See `catalogue.SetStatus`.

    Parameters
    ----------
    data
        The folder to look in first; by default the one that STEINHAUS_DATA names.
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
