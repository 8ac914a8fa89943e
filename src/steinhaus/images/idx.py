"""IDX files, the format of MNIST (http://yann.lecun.com/exdb/mnist): a magic number, big-endian sizes, values."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.collection import Images
from steinhaus.images.files import Content, natural, open_content, reading, shown, source_name
from steinhaus.images.limits import Limits
from steinhaus.images.parts import ORDER, given, one_part, part_in
from steinhaus.images.parts import Part as PartName
from steinhaus.images.pixels import shape_text, stacked
from steinhaus.images.progress import Progress
from steinhaus.images.shards import found
from steinhaus.images.sniffing import IDX_NAME
from steinhaus.wording import option

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


@dataclass(frozen=True)
class Header:
    """The header of an IDX file."""

    raw: bytes
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """The size of the whole content in bytes, with the header."""
        return len(self.raw) + math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Part:
    """A file of images and, if there is one, the file of their labels."""

    images: Path
    labels: Path | None


_MOST_LABELS = 64  # columns of a file of labels: QMNIST's has 8

Check = Callable[[Path, bytes, NDArray[Any]], None]  # sees each file's header and values


def read_file(
    path: Path,
    *,
    labels: bool = True,
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    transpose: bool = False,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read one IDX file of images.

    Parameters
    ----------
    labels
        Whether to read labels, from the file beside it that has "labels" for "images" in its name. Default True.
    shape, full_scale
        As in `Images.from_arrays`.
    transpose
        Whether images are stored column by column, as in EMNIST. Default False.
    """
    read = read_parts([Part(path, _labels_of(path) if labels else None)], limits)
    return Images.from_arrays(
        upright(read.pixels, transpose), read.labels, name=source_name(path), shape=shape,
        full_scale=full_scale, notes=read.notes,
    )  # fmt: skip


def read_folder(
    path: Path,
    *,
    images: str | None = None,
    labels: bool = True,
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    transpose: bool = False,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read a folder of IDX files: one set of images, with or without labels and a split.

    The files lie in the folder or in its sub-folders.

    Parameters
    ----------
    images
        The beginning of the names of the set's files, such as "emnist-letters". Needed if the folder holds several
        sets.
    labels
        Whether to read labels. Default True.
    transpose
        See `read_file`.
    shape, full_scale
        As in `Images.from_arrays`.
    """
    parts, names, notes = _parts(path, images)
    if not labels:
        parts = [Part(part.images, None) for part in parts]
    read = read_parts(parts, limits)
    sizes = [0, 0, 0]
    for name, size in zip(names, read.sizes, strict=True):
        sizes[ORDER.index(name or "train")] += size
    given_train, given_val = given(sizes) if len(parts) > 1 else (None, 0)
    return Images.from_arrays(
        upright(read.pixels, transpose), read.labels, name=images or source_name(path), shape=shape,
        full_scale=full_scale, given_train=given_train, given_val=given_val, notes=[*notes, *read.notes],
    )  # fmt: skip


def upright(pixels: NDArray[Any], transpose: bool) -> NDArray[Any]:
    """Images (n, h, w), with rows and columns swapped if `transpose` is set."""
    return np.ascontiguousarray(pixels.swapaxes(1, 2)) if transpose and pixels.ndim > 2 else pixels


@dataclass(frozen=True)
class Parts:
    """The content of several parts, joined."""

    pixels: NDArray[Any]
    labels: NDArray[Any] | None  # None if no part has labels
    sizes: tuple[int, ...]  # images of each part
    notes: tuple[str, ...]


def read_parts(parts: list[Part], limits: Limits, check: Check | None = None) -> Parts:
    """Read parts into one array of images and one of labels, without a copy in between.

    Raises
    ------
    DataError
        If a file is damaged, or if files do not belong together.
    """
    heads = [read_header(part.images, limits) for part in parts]
    for part, head in zip(parts, heads, strict=True):
        if len(head.shape) == 1:
            raise DataError(
                f"{shown(part.images)} holds {head.shape[0]:,} labels (one dimension), not images. Open the file of "
                "images; Steinhaus finds its labels beside it."
            )
    pixels, places = stacked(
        [(shown(part.images), head.dtype, head.shape) for part, head in zip(parts, heads, strict=True)], limits
    )
    labelled = [part.labels is not None for part in parts]
    if any(labelled) and not all(labelled):
        bare = next(part for part in parts if part.labels is None)
        raise DataError(
            f"{shown(bare.images)} has no file of labels beside it, but other images of the same set have one. "
            f"Without labels: {option('labels', repr('none'))}."
        )
    labels: list[NDArray[Any]] = []
    notes: dict[str, None] = {}
    for part, head, place in zip(parts, heads, places, strict=True):
        if part.labels is not None:
            found, note = _read_labels(part.labels, part.images, head.shape[0], limits, check)
            labels.append(found)
            notes |= dict.fromkeys(note)
        _read_values(part.images, head, place, limits, check)
    sizes = tuple(head.shape[0] for head in heads)
    return Parts(pixels, np.concatenate(labels) if labels else None, sizes, tuple(notes))


def read_header(path: Path, limits: Limits) -> Header:
    """Read the header of an IDX file, and compare it with the size of the file."""
    with open_content(path, limits) as content:
        head = _header(content)
        content.expect(head.size, _declared(head))
    return head


def _header(content: Content) -> Header:
    magic = content.read(4)
    if len(magic) < 4 or magic[:2] != b"\x00\x00" or magic[2] not in _DTYPES or not 1 <= magic[3] <= 4:
        raise DataError(
            f"{content.name} is not an IDX file: it begins with the bytes {magic.hex(' ') or '(none)'}; IDX files of "
            f"images begin with 00 00 08 03, of labels with 00 00 08 01."
        )
    sizes = content.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{content.name} is cut short: it ends within its header.")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    if 0 in shape:
        raise DataError(f"{content.name} declares {shape_text(shape)} values: it is empty.")
    return Header(magic + sizes, np.dtype(_DTYPES[magic[2]]), shape)


def _read_values(path: Path, head: Header, out: NDArray[Any], limits: Limits, check: Check | None) -> None:
    with open_content(path, limits) as content:
        if content.read(len(head.raw)) != head.raw:
            raise DataError(f"{content.name} changed while it was read. Try again.")
        content.fill_array(out, _declared(head))
    if check is not None:
        check(path, head.raw, out)


def read_labels(path: Path, limits: Limits) -> NDArray[Any]:
    """The labels of a file; of several columns, the first."""
    return _read_labels(path, path, read_header(path, limits).shape[0], limits, None)[0]


def _read_labels(
    path: Path, images: Path, n: int, limits: Limits, check: Check | None
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The labels of a file, one per image, and notes about them."""
    head = read_header(path, limits)
    if len(head.shape) > 2 or (len(head.shape) == 2 and head.shape[1] > _MOST_LABELS):
        raise DataError(
            f"{shown(path)} holds {_declared(head)}, not labels: a file of labels has one dimension, or a second of at "
            f"most {_MOST_LABELS} columns."
        )
    if head.shape[0] != n:
        raise DataError(
            f"{shown(path)} holds {head.shape[0]:,} labels, but {shown(images)} holds {n:,} images: they do not "
            f"belong together."
        )
    limits.check_memory(shown(path), head.size)
    labels = np.empty(head.shape, head.dtype)
    _read_values(path, head, labels, limits, check)
    labels = labels.astype(head.dtype.newbyteorder("="), copy=False)
    if labels.ndim == 1:
        return labels, ()
    note = f"The file of labels has {labels.shape[1]} columns; the first is used."
    return np.ascontiguousarray(labels[:, 0]), (note,) if labels.shape[1] > 1 else ()


def _declared(head: Header) -> str:
    if len(head.shape) == 1:
        return f"{head.shape[0]:,} labels"
    return f"{head.shape[0]:,} images of {shape_text(head.shape[1:])}"


def _labels_of(images: Path, among: Iterable[Path] | None = None) -> Path | None:
    """The file of labels of a file of images, by MNIST's naming convention: among these, or beside it."""
    stem = _stem(images.name)
    if "images" not in stem.lower():
        return None
    wanted = re.sub("images", "labels", stem, flags=re.IGNORECASE).lower()
    if among is None:
        with reading(images.parent):
            among = [images.parent / name for name in sorted(os.listdir(images.parent))]
    there = [path for path in among if _stem(path.name).lower() == wanted and path.is_file()]
    return min(there, key=lambda path: (path.suffix.lower() == ".gz", path.name), default=None)  # raw before gzip


def _parts(folder: Path, prefix: str | None) -> tuple[list[Part], list[PartName | None], tuple[str, ...]]:
    """The parts of a folder's one set, the training part first; their names, and notes."""
    files = found(folder, IDX_NAME.search)
    plain = {_unzipped(str(file.relative_to(folder))): file for file in reversed(files)}  # raw before gzip
    images = [name for name in plain if "labels" not in name.lower() and "idx1" not in name.lower()]
    if prefix is not None:
        images = [name for name in images if Path(name).name.startswith(prefix)]
    if not images:
        which = "" if prefix is None else f" whose name begins with {prefix!r}"
        held = _listed(str(file.relative_to(folder)) for file in files)
        raise DataError(f"{shown(folder)} holds no IDX file of images{which}, only {held}. Are the images missing?")
    parts = {name: part_in(_stem(Path(name).name)) for name in images}
    images.sort(key=lambda name: (ORDER.index(parts[name] or "train"), natural(name)))
    sets = Counter(_without_part(name) for name in images)
    if len(sets) > 1 or len(images) > len(set(parts.values())):
        raise DataError(
            f"{shown(folder)} holds more than one set of IDX images: {_listed(images)}. Open one of these files, or "
            f"the folder of one set, or say what the names of its files begin with: {option('images', '...')}."
        )
    inside = {str(Path(name).parent) for name in images} - {"."}
    notes = [f"The files lie in {_listed(sorted(inside, key=natural), 4)}."] if inside else []
    names = [parts[name] for name in images]
    if len(images) == 1 and names[0] is not None:
        notes += one_part([names[0]])
    return [Part(plain[name], _labels_of(plain[name], plain.values())) for name in images], names, tuple(notes)


def _without_part(name: str) -> str:
    """A file's path without the word that names a part: the same for all parts of one set."""
    places = [_stem(place) for place in Path(name).parts]
    folders = [place for place in places[:-1] if place != places[-1]]  # a folder may have the name of its file
    words = [word for word in re.split(r"[^A-Za-z0-9]+", places[-1]) if part_in(word) is None]
    return "/".join([*folders, "-".join(words).lower()])


def _stem(name: str) -> str:
    """A file's name without the endings of its format."""
    return IDX_NAME.sub("", _unzipped(name))


def _unzipped(name: str) -> str:
    return name[:-3] if name.lower().endswith(".gz") else name


def _listed(names: Iterable[str], most: int = 6) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
