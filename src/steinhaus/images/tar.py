"""Tar files of pictures, in WebDataset's format: members with the same name up to the first dot belong together."""

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

_LABELS = (".cls", ".label")  # each holds a text or a number
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
    """Read the pictures of a tar file, or of a folder of tar files. Nothing is extracted to disk.

    Parameters
    ----------
    mode, size, fit, background
        See `folder.read`.
    labels
        Whether to read labels. Default True. They are in `x.cls` or `x.label` beside `x.png`, or under "label" or "cls"
        in `x.json`; if there are none of these, the folders in the archive are labels.

    Raises
    ------
    DataError
        If a file cannot be read (the message names it), and as in `encoded.decode_all`.
    """
    look, files = Look(mode, size, fit, background), shards(path)
    images = decode_all(encoded(files, labels, limits), look, source_name(path), limits, progress)
    return replace(images, notes=(*images.notes, *layout_of(files, labels, limits).notes))


def shards(path: Path) -> list[tuple[Path, Part | None]]:
    """The tar files of a path with their parts; in natural order, training files first."""
    if not path.is_dir():
        return [(path, None)]
    return ordered(path, (".tar",))


def encoded(files: Sequence[tuple[Path, Part | None]], labels: bool, limits: Limits) -> Iterator[Encoded]:
    """Yield the pictures of some tar files, training pictures first."""
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
    """Labels and parts of pictures, by their names in the archive, as its folders tell them."""

    labels: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def layout_of(files: Sequence[tuple[Path, Part | None]], labels: bool, limits: Limits) -> Layout:
    """Find labels and parts from folders, if no member gives a label and no file name a part.

    A folder that holds all pictures is neither a label nor a part.
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
                    return Layout()  # reading refuses the archive later
    folders = [key.split("/")[:-1] for key in keys]
    above = _shared(folders)
    if not folders or any(len(folder) <= above for folder in folders):
        return Layout()
    found = folder_layout.layout_of(files[0][0], ["/".join(key.split("/")[above:]) for key in keys], labels=labels)
    prefix = "".join(f"{name}/" for name in folders[0][:above])
    names = [prefix + file for file in found.files]
    of_label = dict(zip(names, found.labels, strict=True)) if found.labels is not None else {}
    of_part = dict(zip(names, found.parts, strict=True)) if found.parts is not None else {}
    told = ("Labels: the folders in the archive. If they are not labels: " + option("labels", repr("none")) + ".",)
    return Layout(of_label, of_part, (*(told if of_label else ()), *found.notes))


def _shared(folders: Sequence[Sequence[str]]) -> int:
    """The number of folders above all pictures, without those named after parts of a split."""
    above = 0
    while all(len(names) > above and names[above] == folders[0][above] for names in folders) and folders:
        if part_of(folders[0][above]) is not None:
            break
        above += 1
    return above


@contextmanager
def _read(file: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar file. Errors in it become a `DataError`."""
    try:
        with reading(file), open_regular(file) as stream, _archive(stream) as archive:
            yield archive
    except DataError:
        raise
    except (tarfile.TarError, ValueError, OverflowError) as error:  # errors of tarfile for damaged headers
        raise DataError(f"{shown(file)} cannot be read as a tar file: {str(error).rstrip('.')}.") from error


def _archive(stream: BinaryIO) -> tarfile.TarFile:
    clipped = Clipped(stream, os.fstat(stream.fileno()).st_size)
    return tarfile.open(fileobj=cast("IO[bytes]", clipped), mode="r:")


def _key_of(member: str) -> tuple[str, str]:
    """The name of a member's sample (up to the first dot), and its ending (from the dot)."""
    name = PurePosixPath(member)
    stem, _, ending = name.name.partition(".")
    return str(name.with_name(stem)) if stem else member, f".{ending.lower()}"


def _samples(archive: tarfile.TarFile, file: Path, labels: bool, limits: Limits) -> Iterator[tuple[str, Encoded]]:
    """Yield samples with their names. The members of a sample are neighbours; it ends when the name changes."""
    key, picture, label, vector = "", None, None, None
    for member in iter(archive.next, None):
        archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every member, so that callers can go back
        if not member.isreg():
            continue
        if points_outside(member.name):
            raise DataError(
                f"{shown(file)} holds a member named {shown(member.name)}, which points outside of the archive. No set "
                "of pictures has such."
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
    """A label as text; None if the JSON document has none."""
    text = data.decode("utf-8", "backslashreplace").strip()
    if ending != ".json":
        return text
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found = document.get("label", document.get("cls")) if isinstance(document, dict) else None
    return None if found is None else str(found)
