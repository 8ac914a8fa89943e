"""NumPy's .npz files: zip archives of .npy files."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images import npz_names
from steinhaus.images.collection import Images
from steinhaus.images.files import open_regular, points_outside, reading, shown, source_name
from steinhaus.images.limits import Limits
from steinhaus.images.npy import Header, read_header
from steinhaus.images.parts import ORDER, given
from steinhaus.images.pixels import stacked
from steinhaus.images.progress import Progress

_CHUNK = 1 << 20


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
    """Read a .npz file of images.

    Parameters
    ----------
    images, labels
        Names of the arrays. Default: found by name. Names like x_train, y_train, x_test and y_test (or train_images,
        X_val) make the source's own split. Else: images and labels, X and y, data and target, pixels and labels, arr_0
        and arr_1, or the only array. labels=False: no labels.
    shape, full_scale
        As in `Images.from_arrays`.
    weights
        Name of the array of weights, one per image. Default: no weights. If the name is that of one part of a split,
        the weights of the other parts are read, too.
    """
    with _archive(path) as archive:
        members = _members(archive, path, limits)
        weighted = npz_names.of_weights(list(members), shown(path), weights)
        chosen = npz_names.chosen([key for key in members if key not in weighted], shown(path), images, labels)
        image_keys, label_keys = chosen.images, chosen.labels
        heads = [_member_header(archive, members[key], path) for key in image_keys]
        parts = [(f"{shown(path)}: {key}", head.dtype, head.shape) for key, head in zip(image_keys, heads, strict=True)]
        for name, _, part_shape in parts:
            if not part_shape:
                raise DataError(f"{name} is a single number, not images.")
        pixels, places = stacked(parts, limits)
        for key, head, place in zip(image_keys, heads, places, strict=True):
            _read_member(archive, members[key], path, head, place)
        found = [_whole_member(archive, members[key], path, limits) for key in label_keys]
        of_images = [_whole_member(archive, members[key], path, limits) for key in weighted]
    for key, head, label_key, values in zip(image_keys, heads, label_keys, found, strict=bool(label_keys)):
        if values.shape[:1] != head.shape[:1]:
            raise DataError(
                f"{shown(path)}: {label_key} has shape {values.shape}, but {key} holds {head.shape[0]:,} images. There "
                "must be one label per image."
            )
        if (values.shape[1:], values.dtype.kind) != (found[0].shape[1:], found[0].dtype.kind):
            raise DataError(
                f"{shown(path)}: {label_keys[0]} and {label_key} do not belong together: labels of shape "
                f"{found[0].shape} ({found[0].dtype}) and of shape {values.shape} ({values.dtype})."
            )
    sizes = [0, 0, 0]
    for part, head in zip(chosen.parts, heads, strict=True):
        sizes[ORDER.index(part or "train")] += head.shape[0]
    given_train, given_val = given(sizes)
    return Images.from_arrays(
        pixels,
        np.concatenate(found) if found else None,
        name=source_name(path),
        shape=shape,
        full_scale=full_scale,
        given_train=given_train,
        given_val=given_val,
        notes=chosen.notes,
        weights=np.concatenate(of_images) if of_images else None,
    )


def only_array(path: Path, limits: Limits) -> NDArray[Any]:
    """The only array of a file, or the only array of labels."""
    with _archive(path) as archive:
        members = _members(archive, path, limits)
        named = [key for key in members if npz_names.is_labels(key)]
        keys = list(members) if len(members) == 1 else named
        if len(keys) != 1:
            raise DataError(
                f"{shown(path)} holds the arrays {', '.join(members)}, and it is not clear which holds labels. Save it "
                "alone."
            )
        return _whole_member(archive, members[keys[0]], path, limits)


def arrays(path: Path, limits: Limits) -> dict[str, NDArray[Any]]:
    """All arrays of an archive, by name."""
    with _archive(path) as archive:
        members = _members(archive, path, limits)
        return {name: _whole_member(archive, info, path, limits) for name, info in members.items()}


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive. Errors in it become a `DataError`."""
    try:
        with reading(path), open_regular(path) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except DataError:
        raise
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, ValueError) as error:
        # A damaged archive makes zipfile raise any of these. RuntimeError means an encrypted member.
        raise DataError(
            f"{shown(path)} is a damaged or unreadable zip archive ({error}). Fetch or save it again."
        ) from None


def _members(archive: zipfile.ZipFile, path: Path, limits: Limits) -> dict[str, zipfile.ZipInfo]:
    """The arrays of an archive, by name. All declared sizes are checked first."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if points_outside(info.filename):
            raise DataError(
                f"{shown(path)} holds a member named {info.filename!r}, which points outside of the archive. No .npz "
                "file has such a name."
            )
        key = info.filename.removesuffix(".npy")
        if key in members:
            raise DataError(
                f"{shown(path)} holds two members named {info.filename!r}, and it is not clear which one you mean. "
                "Save it again with np.savez."
            )
        if info.filename.endswith(".npy"):
            members[key] = info
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DataError(
                    f"{shown(path)}: {key} is compressed by a method that NumPy does not use. Save it with np.savez."
                )
            limits.check_ratio(f"{shown(path)}: {key}", info.compress_size, info.file_size)
    if not members:
        names = archive.namelist()
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise DataError(
            f"{shown(path)} is a zip archive, but not an .npz file: it holds {listed or 'nothing'}. Unpack it first."
        )
    return members


def _member_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Header:
    name = f"{shown(path)}: {info.filename}"
    with archive.open(info) as stream:
        head = read_header(stream, name)
    if head.size != info.file_size:
        raise DataError(
            f"{name} declares {head.declared}, {head.size:,} bytes with its header, but has {info.file_size:,}: the "
            "header is wrong."
        )
    return head


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, head: Header, out: NDArray[Any]) -> None:
    """Read the array of a member into `out`."""
    # in: out of the member's shape and dtype, C order
    buffer = np.empty(head.shape[::-1], head.dtype) if head.columns_first else out
    view = buffer.reshape(-1).view(np.uint8).data
    with cast(zipfile.ZipExtFile, archive.open(info)) as stream:
        stream.read(head.length)
        done = 0
        while done < len(view) and (got := stream.readinto(view[done : done + _CHUNK])):
            done += got
        if done < len(view) or stream.read(1):
            raise DataError(
                f"{shown(path)}: {info.filename} does not have the size that the archive declares: it is damaged."
            )
    if head.columns_first:
        out[...] = buffer.T


def _whole_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, limits: Limits) -> NDArray[Any]:
    head = _member_header(archive, info, path)
    limits.check_memory(f"{shown(path)}: {info.filename}", head.size)
    values = np.empty(head.shape, head.dtype)
    if head.shape:
        _read_member(archive, info, path, head, values)
    return values
