"""Tar files of pictures, as WebDataset has them: members that share a name up to the first dot belong together."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from steinhaus.errors import DataError
from steinhaus.images.collection import Images
from steinhaus.images.encoded import Encoded, decode_all
from steinhaus.images.files import Clipped, open_regular, points_outside, reading, shown, source_name
from steinhaus.images.limits import Limits
from steinhaus.images.parts import Part
from steinhaus.images.pictures import Look
from steinhaus.images.progress import Progress
from steinhaus.images.shards import ordered
from steinhaus.images.sniffing import SUFFIXES

_LABELS = (".cls", ".label")  # a text or a number
_LONGEST_LABEL = 4096  # bytes
_LARGEST_VECTOR = 1 << 20  # bytes


def read(
    path: Path,
    *,
    mode: str | None = None,
    size: tuple[int, int] | None = None,
    fit: str = "crop",
    background: int = 0,
    labels: bool = True,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read the pictures of a tar file, or of a folder of them, shard after shard, without extracting anything.

    Parameters
    ----------
    mode, size, fit, background
        See `folder.read`.
    labels
        Whether labels are read: `x.cls` or `x.label` beside `x.png`, or "label" or "cls" in `x.json`.

    Raises
    ------
    DataError
        With the shard, where one cannot be read; or see `encoded.decode_all`.
    """
    look = Look(mode, size, fit, background)
    return decode_all(encoded(shards(path), labels, limits), look, source_name(path), limits, progress)


def shards(path: Path) -> list[tuple[Path, Part | None]]:
    """The tar files of a path and the part that each is of; in natural order, those to train first."""
    if not path.is_dir():
        return [(path, None)]
    return ordered(path, (".tar",))


def encoded(files: Sequence[tuple[Path, Part | None]], labels: bool, limits: Limits) -> Iterator[Encoded]:
    """The pictures of some shards, one after the other."""
    for file, part in files:
        try:
            with reading(file), open_regular(file) as stream, _archive(stream) as archive:
                for sample in _samples(archive, file, labels, limits):
                    yield replace(sample, part=part)
        except DataError:
            raise
        except (tarfile.TarError, ValueError, OverflowError) as error:  # what tarfile makes of damaged headers
            raise DataError(f"{shown(file)} cannot be read as a tar file: {str(error).rstrip('.')}.") from error


def _archive(stream: BinaryIO) -> tarfile.TarFile:
    clipped = Clipped(stream, os.fstat(stream.fileno()).st_size)
    return tarfile.open(fileobj=cast("IO[bytes]", clipped), mode="r:")


def _samples(archive: tarfile.TarFile, file: Path, labels: bool, limits: Limits) -> Iterator[Encoded]:
    """Members of one name are neighbours; a sample ends where the name changes."""
    key, picture, label, vector = "", None, None, None
    for member in iter(archive.next, None):
        archive.members.clear()  # type: ignore[attr-defined]  # which tarfile keeps, for whoever wants to go back
        if not member.isreg():
            continue
        if points_outside(member.name):
            raise DataError(
                f"{shown(file)} holds a member named {shown(member.name)}, which points outside; no set of pictures "
                f"has such."
            )
        name = PurePosixPath(member.name)
        stem, _, ending = name.name.partition(".")
        ending = f".{ending.lower()}"
        if (here := str(name.with_name(stem))) != key:
            if picture is not None:
                yield Encoded(f"{file.name}: {shown(key)}", picture, label, vector=vector)
            key, picture, label, vector = here, None, None, None
        if ending in SUFFIXES:
            if member.size > 8 * limits.picture:
                raise DataError(f"{shown(file)}: {shown(member.name)} is larger than a picture can be.")
            picture = _content(archive, member)
        elif ending == ".npy" and member.size <= _LARGEST_VECTOR:
            vector = _content(archive, member)
        elif labels and (ending in _LABELS or ending == ".json") and member.size <= _LONGEST_LABEL:
            label = _label(_content(archive, member), ending) or label
    if picture is not None:
        yield Encoded(f"{file.name}: {shown(key)}", picture, label, vector=vector)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    return b"" if stream is None else stream.read()


def _label(data: bytes, ending: str) -> str | None:
    """A label as text; None where a JSON document has none."""
    text = data.decode("utf-8", "backslashreplace").strip()
    if ending != ".json":
        return text
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found = document.get("label", document.get("cls")) if isinstance(document, dict) else None
    return None if found is None else str(found)
