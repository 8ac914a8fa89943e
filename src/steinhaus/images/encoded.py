"""Decode a sequence of encoded pictures, from an archive or a table, into one array."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images import npy
from steinhaus.images.collection import Beside, Images, Skipped
from steinhaus.images.limits import Limits
from steinhaus.images.parts import Part, counts, given, one_part
from steinhaus.images.pictures import BadPictureError, Look, decoded, quiet, to_one
from steinhaus.images.pixels import as_pixels
from steinhaus.images.progress import Progress

_REPORT_EVERY = 64  # pictures between two calls of `progress`


@dataclass(frozen=True)
class Encoded:
    """A picture as it is stored."""

    name: str  # its place in the source, for messages
    data: bytes | Path  # the file's content, or the file
    label: Any = None  # text or a number; None: none
    part: Part | None = None  # of the source's own split
    vector: bytes | None = None  # a .npy file with its features


def decode_all(
    pictures: Iterable[Encoded],
    look: Look,
    name: str,
    limits: Limits,
    progress: Progress | None,
    *,
    label_names: Sequence[str] | None = None,
) -> Images:
    """Decode pictures into memory. Pictures that cannot be read are listed in `skipped`.

    Raises
    ------
    DataError
        If no picture can be read, if they differ in size or mode and `look` names no common one, or if only some have
        labels.
    """
    kept: list[NDArray[np.uint8]] = []
    names: list[str] = []
    labels: list[Any] = []
    parts: list[Part | None] = []
    vectors: list[bytes | None] = []
    skipped: list[Skipped] = []
    held = 0
    for picture, pixels in pictures_of(pictures, look, name, limits, progress):
        if isinstance(pixels, str):
            skipped.append(Skipped(picture.name, pixels))
            continue
        if kept and pixels.shape != kept[0].shape:
            raise DataError(differing(name, picture.name, pixels.shape, kept[0].shape))
        held += pixels.nbytes
        limits.check_memory(name, held)
        kept.append(pixels)
        names.append(picture.name)
        labels.append(picture.label)
        parts.append(picture.part)
        vectors.append(picture.vector)
    if not kept:
        why = f" The first one, {skipped[0].file}, {skipped[0].reason}." if skipped else ""
        raise DataError(f"{name}: it holds no picture that can be read.{why}")
    given_train, given_val, notes = split_of(parts)
    images = Images.from_arrays(
        np.stack(kept), whole(labels, names, name), label_names=label_names, name=name, files=names, skipped=skipped,
        given_train=given_train, given_val=given_val, notes=notes,
    )  # fmt: skip
    return replace(images, beside=_beside(vectors, names, name))


def _beside(vectors: list[bytes | None], names: list[str], name: str) -> Beside | None:
    """The vectors beside the pictures; None if no picture has one."""
    if all(vector is None for vector in vectors):
        return None

    def read() -> NDArray[Any]:
        found = []
        for vector, picture in zip(vectors, names, strict=True):
            if vector is None:
                raise DataError(
                    f"{name}: {picture} has no vector beside it, but others have one. Every picture needs one."
                )
            found.append(npy.array_in(vector, f"{name}: the vector of {picture}").reshape(-1))
            if len(found[-1]) != len(found[0]):
                raise DataError(
                    f"{name}: the vector of {picture} has {len(found[-1]):,} values, but the first has "
                    f"{len(found[0]):,}."
                )
        return as_pixels(np.stack(found), name)[0]

    return Beside(".npy beside each picture", read)


def split_of(parts: Sequence[Part | None]) -> tuple[int | None, int, tuple[str, ...]]:
    """`given_train` and `given_val` of pictures in the order train, val, test, and notes about them."""
    known = [part for part in parts if part is not None]
    if not known:
        return None, 0, ()
    return *given(counts(known)), one_part(known)


def pictures_of(
    pictures: Iterable[Encoded], look: Look, name: str, limits: Limits, progress: Progress | None
) -> Iterator[tuple[Encoded, NDArray[np.uint8] | str]]:
    """Yield each picture with its pixels, or with the reason why it cannot be read."""
    with quiet():
        for row, picture in enumerate(pictures):
            if progress is not None and row % _REPORT_EVERY == 0:
                progress(f"Reading {name}", row, None, "pictures")
            try:
                yield picture, decoded(picture.data, look, limits)
            except BadPictureError as error:
                yield picture, str(error)


def whole(labels: list[Any], names: list[str], name: str) -> list[Any] | None:
    """The labels, if all pictures have one; None if no picture has one."""
    bare = [place for place, label in enumerate(labels) if label is None]
    if len(bare) == len(labels):
        return None
    if bare:
        raise DataError(
            f"{name}: {len(bare):,} of {len(labels):,} pictures have no label; the first is {names[bare[0]]}. Label "
            "all of them, or none."
        )
    return labels


def differing(name: str, picture: str, shape: tuple[int, ...], first: tuple[int, ...]) -> str:
    """The message for pictures of several sizes or modes."""
    return (
        f"{name}: {picture} is {_text(shape)}, but the first picture is {_text(first)}. Bring them to one with "
        f"{to_one()}."
    )


def _text(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}, {'RGB' if len(shape) > 2 else 'grey (L)'}"
