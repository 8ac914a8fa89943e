"""IDX files, MNIST's own format (http://yann.lecun.com/exdb/mnist): magic number, big-endian sizes, then the values."""

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
from steinhaus.images.pixels import shape_text, stacked
from steinhaus.images.progress import Progress
from steinhaus.images.sniffing import IDX_NAME

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_PART = re.compile(r"train(ing)?|t10k|test", re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """What the first bytes of an IDX file declare."""

    raw: bytes
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the whole content, header included."""
        return len(self.raw) + math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Part:
    """A file of images and, where there are labels, the file of their labels."""

    images: Path
    labels: Path | None


Check = Callable[[Path, bytes, NDArray[Any]], None]  # sees each file's header and values


def read_file(
    path: Path,
    *,
    labels: Any = None,
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read one IDX file of images.

    Parameters
    ----------
    labels
        None: from the file beside it whose name says "labels" for "images", where there is one. False: none. Else a
        path to an IDX file, or one label an image.
    shape, full_scale
        As in `Images.from_arrays`.
    """
    beside = _labels_of(path) if labels is None else None
    given = None if labels is None or labels is False else labels
    if isinstance(given, (str, os.PathLike)):
        beside, given = Path(given).expanduser(), None
    pixels, found, _ = read_parts([Part(path, beside)], limits)
    return Images.from_arrays(
        pixels, found if given is None else given, name=source_name(path), shape=shape, full_scale=full_scale
    )


def read_folder(
    path: Path,
    *,
    labels: bool = True,
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read a folder of IDX files: a set of images with or without labels, in a train and a test part or in one.

    Parameters
    ----------
    labels
        False: leave the labels out.
    shape, full_scale
        As in `Images.from_arrays`.
    """
    parts = _parts(path)
    if not labels:
        parts = [Part(part.images, None) for part in parts]
    pixels, found, given = read_parts(parts, limits)
    return Images.from_arrays(
        pixels, found, name=source_name(path), shape=shape, full_scale=full_scale, given_train=given
    )


def read_parts(
    parts: list[Part], limits: Limits, check: Check | None = None
) -> tuple[NDArray[Any], NDArray[Any] | None, int | None]:
    """Read parts into one array each of images and labels, with no copy in between.

    Returns
    -------
    pixels
        All images, in the order of the parts.
    labels
        All labels, or None where no part has any.
    given_train
        The images of the first of two parts; None where there is one.

    Raises
    ------
    DataError
        Where a file is not what it says, or files do not belong together.
    """
    heads = [read_header(part.images, limits) for part in parts]
    for part, head in zip(parts, heads, strict=True):
        if len(head.shape) == 1:
            raise DataError(
                f"{shown(part.images)} holds {head.shape[0]:,} labels (one dimension), not images. Open the file of "
                f"images; its labels are found beside it."
            )
    pixels, places = stacked(
        [(shown(part.images), head.dtype, head.shape) for part, head in zip(parts, heads, strict=True)], limits
    )
    labelled = [part.labels is not None for part in parts]
    if any(labelled) and not all(labelled):
        bare = next(part for part in parts if part.labels is None)
        raise DataError(
            f"{shown(bare.images)} has no file of labels beside it, but other images of the same set have one."
        )
    labels: list[NDArray[Any]] = []
    for part, head, place in zip(parts, heads, places, strict=True):
        if part.labels is not None:
            labels.append(_read_labels(part.labels, part.images, head.shape[0], limits, check))
        _read_values(part.images, head, place, limits, check)
    given = heads[0].shape[0] if len(parts) == 2 else None
    return pixels, np.concatenate(labels) if labels else None, given


def read_header(path: Path, limits: Limits) -> Header:
    """Read what an IDX file declares, and hold it against the size of the file."""
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
        raise DataError(f"{content.name} declares {shape_text(shape)} values: it holds nothing.")
    return Header(magic + sizes, np.dtype(_DTYPES[magic[2]]), shape)


def _read_values(path: Path, head: Header, out: NDArray[Any], limits: Limits, check: Check | None) -> None:
    with open_content(path, limits) as content:
        if content.read(len(head.raw)) != head.raw:
            raise DataError(f"{content.name} changed while it was read. Try again.")
        content.fill_array(out, _declared(head))
    if check is not None:
        check(path, head.raw, out)


def _read_labels(path: Path, images: Path, n: int, limits: Limits, check: Check | None) -> NDArray[Any]:
    head = read_header(path, limits)
    if len(head.shape) != 1:
        raise DataError(f"{shown(path)} holds {_declared(head)}, not labels: a file of labels has one dimension.")
    if head.shape[0] != n:
        raise DataError(
            f"{shown(path)} holds {head.shape[0]:,} labels, but {shown(images)} holds {n:,} images: they do not "
            f"belong together."
        )
    limits.check_memory(shown(path), head.size)
    labels = np.empty(n, head.dtype)
    _read_values(path, head, labels, limits, check)
    return labels.astype(head.dtype.newbyteorder("="), copy=False)


def _declared(head: Header) -> str:
    if len(head.shape) == 1:
        return f"{head.shape[0]:,} labels"
    return f"{head.shape[0]:,} images of {shape_text(head.shape[1:])}"


def _labels_of(images: Path) -> Path | None:
    """The file of labels beside a file of images, by MNIST's convention of names."""
    plain = _unzipped(images.name)
    wanted = re.sub("idx[2-4]", "idx1", re.sub("images", "labels", plain))
    if "images" not in plain:
        return None
    return next((path for name in (wanted, f"{wanted}.gz") if os.path.isfile(path := images.parent / name)), None)


def _parts(folder: Path) -> list[Part]:
    """The parts of the one set that a folder holds, the training part first."""
    with reading(folder):
        names = sorted((name for name in os.listdir(folder) if IDX_NAME.search(name)), key=natural)
    plain = {_unzipped(name): folder / name for name in reversed(names)}  # raw before gzip, where there are both
    images = [name for name in plain if "labels" not in name and "idx1" not in name]
    if not images:
        raise DataError(
            f"{shown(folder)} holds no IDX file of images, only {', '.join(names)}. Are the images missing?"
        )
    images.sort(key=lambda name: (_is_test(name), natural(name)))
    sets = Counter(_PART.sub("*", name) for name in images)
    if len(sets) > 1 or len(images) > 2 or (len(images) == 2 and _is_test(images[0]) == _is_test(images[1])):
        raise DataError(
            f"{shown(folder)} holds more than one set of IDX images: {_listed(images)}. Open one of these files, or "
            f"give each set a folder."
        )
    return [Part(plain[name], _labels_of(plain[name])) for name in images]


def _is_test(name: str) -> bool:
    part = _PART.search(name)
    return part is not None and not part[0].lower().startswith("train")


def _unzipped(name: str) -> str:
    return name[:-3] if name.lower().endswith(".gz") else name


def _listed(names: Iterable[str], most: int = 6) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
