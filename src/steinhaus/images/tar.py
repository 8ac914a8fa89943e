"""Tar files of pictures, as WebDataset has them: members that share a name up to the first dot belong together."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from steinhaus.errors import DataError
from steinhaus.images import folder_layout
from steinhaus.images.collection import Images
from steinhaus.images.encoded import Encoded, decode_all
from steinhaus.images.files import Clipped, open_regular, points_outside, reading, shown, source_name
from steinhaus.images.limits import Limits
from steinhaus.images.parts import ORDER, Part, part_of
from steinhaus.images.pictures import Look
from steinhaus.images.progress import Progress
from steinhaus.images.shards import ordered
from steinhaus.images.sniffing import SUFFIXES
from steinhaus.wording import option

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
        Whether labels are read: `x.cls` or `x.label` beside `x.png`, or "label" or "cls" in `x.json`; or, where there
        is none of these, the folders in the archive, as in a folder of pictures.

    Raises
    ------
    DataError
        With the shard, where one cannot be read; or see `encoded.decode_all`.
    """
    look, files = Look(mode, size, fit, background), shards(path)
    images = decode_all(encoded(files, labels, limits), look, source_name(path), limits, progress)
    return replace(images, notes=(*images.notes, *layout_of(files, labels, limits).notes))


def shards(path: Path) -> list[tuple[Path, Part | None]]:
    """The tar files of a path and the part that each is of; in natural order, those to train first."""
    if not path.is_dir():
        return [(path, None)]
    return ordered(path, (".tar",))


def encoded(files: Sequence[tuple[Path, Part | None]], labels: bool, limits: Limits) -> Iterator[Encoded]:
    """The pictures of some shards, one after the other; those to train first."""
    there = layout_of(files, labels, limits)
    parts: list[Part | None] = [part for part in ORDER if part in there.parts.values()]
    for wanted in parts or [None]:
        for file, part in files:
            with _read(file) as archive:
                for key, sample in _samples(archive, file, labels, limits):
                    if there.parts.get(key) == wanted:
                        label = sample.label if sample.label is not None else there.labels.get(key)
                        yield replace(sample, part=wanted or part, label=label)


@dataclass(frozen=True)
class Layout:
    """What the folders in an archive tell of its pictures: by their names in it."""

    labels: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def layout_of(files: Sequence[tuple[Path, Part | None]], labels: bool, limits: Limits) -> Layout:
    """Tell labels and parts by folders, where no member tells a label and no shard's name a part.

    A folder that holds all pictures is none of these.
    """
    if any(part is not None for _, part in files):
        return Layout()
    keys: list[str] = []
    for file, _ in files:
        with _read(file) as archive:
            for member in iter(archive.next, None):
                archive.members.clear()  # type: ignore[attr-defined]
                key, ending = _key_of(member.name)
                if ending in (*_LABELS, ".json"):
                    return Layout()
                if member.isreg() and ending in SUFFIXES:
                    keys.append(key)
                if member.isreg() and points_outside(member.name):
                    return Layout()  # which is refused when it is read
    folders = [key.split("/")[:-1] for key in keys]
    above = _shared(folders)
    if not folders or any(len(folder) <= above for folder in folders):
        return Layout()
    found = folder_layout.layout_of(files[0][0], ["/".join(key.split("/")[above:]) for key in keys], labels=labels)
    prefix = "".join(f"{name}/" for name in folders[0][:above])
    names = [prefix + file for file in found.files]
    of_label = dict(zip(names, found.labels, strict=True)) if found.labels is not None else {}
    of_part = dict(zip(names, found.parts, strict=True)) if found.parts is not None else {}
    told = ("Labels: the folders in the archive. If they are none: " + option("labels", repr("none")) + ".",)
    return Layout(of_label, of_part, (*(told if of_label else ()), *found.notes))


def _shared(folders: Sequence[Sequence[str]]) -> int:
    """How many folders lie above all pictures, but those named after parts of a split."""
    above = 0
    while all(len(names) > above and names[above] == folders[0][above] for names in folders) and folders:
        if part_of(folders[0][above]) is not None:
            break
        above += 1
    return above


@contextmanager
def _read(file: Path) -> Iterator[tarfile.TarFile]:
    """A tar file; what can go wrong in it becomes a `DataError`."""
    try:
        with reading(file), open_regular(file) as stream, _archive(stream) as archive:
            yield archive
    except DataError:
        raise
    except (tarfile.TarError, ValueError, OverflowError) as error:  # what tarfile makes of damaged headers
        raise DataError(f"{shown(file)} cannot be read as a tar file: {str(error).rstrip('.')}.") from error


def _archive(stream: BinaryIO) -> tarfile.TarFile:
    clipped = Clipped(stream, os.fstat(stream.fileno()).st_size)
    return tarfile.open(fileobj=cast("IO[bytes]", clipped), mode="r:")


def _key_of(member: str) -> tuple[str, str]:
    """What names a sample, and the ending of a member of it: up to the first dot, and from it on."""
    name = PurePosixPath(member)
    stem, _, ending = name.name.partition(".")
    return str(name.with_name(stem)) if stem else member, f".{ending.lower()}"


def _samples(archive: tarfile.TarFile, file: Path, labels: bool, limits: Limits) -> Iterator[tuple[str, Encoded]]:
    """Samples and their names: members of one name are neighbours; a sample ends where the name changes."""
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
        here, ending = _key_of(member.name)
        if here != key:
            if picture is not None:
                yield key, Encoded(f"{file.name}: {shown(key)}", picture, label, vector=vector)
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
        yield key, Encoded(f"{file.name}: {shown(key)}", picture, label, vector=vector)


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
