"""A folder of picture files: sub-folders are labels, or the parts of a split.

Every picture becomes uint8, of one size and one mode (grey or RGB). Nothing in a folder is trusted: only regular files
are opened, the header's size is checked before a picture is decoded, and a picture that cannot be read is skipped and
listed.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images import npy
from steinhaus.images.collection import Beside, Images, Skipped
from steinhaus.images.files import kind_of, natural, open_regular, shown, source_name
from steinhaus.images.folder_layout import Layout, layout_of
from steinhaus.images.limits import Limits
from steinhaus.images.parts import counts, given
from steinhaus.images.pictures import BadPictureError, Look, decoded, mode_of, opened, orientation_of, quiet
from steinhaus.images.pixels import as_pixels
from steinhaus.images.progress import Progress
from steinhaus.images.sniffing import SUFFIXES
from steinhaus.wording import option

EMBEDDINGS = "embeddings.npy"  # vectors of a folder's pictures, one row per picture
_DEEPEST = 32  # folders within folders
_REPORT_EVERY = 64  # pictures between two calls of `progress`


@dataclass
class _Found:
    """The content of a folder."""

    files: list[str] = field(default_factory=list)  # relative, forward slashes
    skipped: list[Skipped] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)  # suffixes of files that are not pictures
    studies: list[str] = field(default_factory=list)  # folders that hold a study of Steinhaus

    def refuse(self, file: str, reason: str) -> None:
        """List a file as skipped."""
        self.skipped.append(Skipped(shown(file), reason))

    def notes(self) -> list[str]:
        """Notes on what was left out."""
        notes = []
        if self.studies:
            listed = ", ".join(shown(folder) for folder in self.studies[:3])
            more = f" and {len(self.studies) - 3} more" if len(self.studies) > 3 else ""
            notes.append(f"Left out, because they hold studies: {listed}{more}.")
        if n := sum(self.others.values()):
            files = "1 file that is no picture" if n == 1 else f"{n:,} files that are no pictures"
            notes.append(f"Left out: {files} ({_counts(self.others)}).")
        return notes


def read(
    path: Path,
    *,
    mode: str | None = None,
    size: tuple[int, int] | None = None,
    fit: str = "crop",
    background: int = 0,
    labels: bool = True,
    strict: bool = False,
    follow_links: bool = False,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read a folder of pictures, in the natural order of their names (2 before 10).

    Parameters
    ----------
    mode
        "L" (grey) or "RGB". Needed if the folder holds both. Default: the mode of the pictures.
    size
        (width, height) in pixels. Needed if the pictures differ in size. Default: the size of the pictures.
    fit
        How to bring a picture of another shape to `size`: "crop" its middle (the default), "pad" it with background, or
        "stretch" it.
    background
        The grey value, 0 to 255, behind transparent pixels and around padded pictures. Default 0.
    labels
        Whether sub-folders are labels: the top ones, or those within the folders of the split's parts. Default True.
    strict
        Whether a picture that cannot be read is an error. Default False: such pictures are listed in `skipped`.
    follow_links
        Whether to follow symbolic links. Default False: links are listed in `skipped`.

    Raises
    ------
    DataError
        If no picture can be read, or if the pictures differ in size or mode and you name no common one.
    """
    look = Look(mode, size, fit, background)
    found = _walk(path, follow_links)
    if strict and found.skipped:
        raise DataError(stopped(path / found.skipped[0].file, found.skipped[0].reason))
    layout = layout_of(path, _checked(path, found), labels=labels)
    with quiet():
        pixels, kept = _read_all(path, found, layout.files, look, strict=strict, limits=limits, progress=progress)
    parts = None if layout.parts is None else [layout.parts[row] for row in kept]
    given_train, given_val = (None, 0) if parts is None else given(counts(parts))
    images = Images.from_arrays(
        pixels,
        None if layout.labels is None else [layout.labels[row] for row in kept],
        name=source_name(path),
        given_train=given_train,
        given_val=given_val,
        files=[layout.files[row] for row in kept],
        skipped=found.skipped,
        notes=[*found.notes(), *layout.notes],
    )
    vectors = path / EMBEDDINGS
    if not vectors.is_file():
        return images
    return replace(images, beside=Beside(EMBEDDINGS, partial(_vectors, vectors, images.n, limits)))


def _vectors(path: Path, n: int, limits: Limits) -> NDArray[Any]:
    """The vectors in the file beside the pictures, in the order of the pictures."""
    values, _ = as_pixels(npy.array_of(path, limits), shown(path))
    if values.ndim != 2 or len(values) != n:
        raise DataError(
            f"{shown(path)} has the shape {values.shape} for {n:,} pictures; it must have one row per picture, in the "
            "order in which they are read."
        )
    return values


def found(path: Path, follow_links: bool = False) -> tuple[Layout, list[Skipped]]:
    """The pictures of a folder in the order of `read`, and the files that cannot be read."""
    there = _walk(path, follow_links)
    layout = layout_of(path, _checked(path, there))
    return replace(layout, notes=(*there.notes(), *layout.notes)), there.skipped


def _checked(root: Path, found: _Found) -> list[str]:
    """The pictures that were found. Refuses a folder that holds none."""
    if not found.files:
        raise DataError(_no_pictures(root, found))
    return found.files


def stopped(file: Path | str, reason: str) -> str:
    """The message of `strict` for the first file that cannot be read."""
    return f"{shown(file)} {reason}. (strict stops at the first such file.)"


def _walk(root: Path, follow_links: bool) -> _Found:
    """List a folder: pictures in natural order, refused files, and files that are not pictures."""
    found = _Found()
    pending = [("", 0)]  # folders to look into, with their depth
    seen = {os.path.realpath(root)}
    while pending:
        folder, depth = pending.pop()
        for name in _names(root, folder, found):
            file = f"{folder}/{name}" if folder else name
            try:
                mode = os.stat(root / file, follow_symlinks=follow_links).st_mode
            except OSError as error:
                found.refuse(file, f"cannot be followed: {error.strerror}")
                continue
            if not _is_utf8(name):
                found.refuse(file, "has a name that is not UTF-8 text; rename it")
            elif stat.S_ISDIR(mode):
                if _is_entered(root, file, depth, seen, found):
                    pending.append((file, depth + 1))
            elif stat.S_ISLNK(mode):
                found.refuse(file, f"is a symbolic link; {option('follow_links', 'True', '')} follows it")
            elif not stat.S_ISREG(mode):
                found.refuse(file, f"is {kind_of(mode)}")
            elif (suffix := Path(name).suffix.lower()) in SUFFIXES:
                found.files.append(file)
            elif file != EMBEDDINGS:
                found.others[suffix or "no ending"] += 1
    found.studies.sort(key=natural)
    found.files.sort(key=lambda file: [natural(part) for part in file.split("/")])
    found.skipped.sort(key=lambda skipped: natural(skipped.file))
    return found


def _is_entered(root: Path, folder: str, depth: int, seen: set[str], found: _Found) -> bool:
    """Whether to look into a folder. If not, the reason is listed."""
    real = os.path.realpath(root / folder)
    if _holds_study(root / folder):
        found.studies.append(folder)
    elif real in seen:
        found.refuse(folder, "was read already, by another path")
    elif depth == _DEEPEST:
        found.refuse(folder, f"lies more than {_DEEPEST} folders deep")
    else:
        seen.add(real)
        return True
    return False


def _names(root: Path, folder: str, found: _Found) -> list[str]:
    """The names in a folder, in natural order, without hidden files."""
    try:
        names = os.listdir(root / folder)
    except OSError as error:
        found.refuse(folder or ".", f"cannot be opened: {error.strerror}")
        return []
    return sorted((name for name in names if not name.startswith(".") and name != "__MACOSX"), key=natural)


def _read_all(
    root: Path, found: _Found, files: list[str], look: Look, *, strict: bool, limits: Limits, progress: Progress | None
) -> tuple[NDArray[np.uint8], list[int]]:
    """Decode pictures into one array, with their numbers. All must match the first, unless `look` names a shape."""
    pixels: NDArray[np.uint8] | None = None
    kept: list[int] = []
    what = f"Reading {source_name(root)}"
    for row, file in enumerate(files):
        if progress is not None and row % _REPORT_EVERY == 0:
            progress(what, row, len(files), "pictures")
        try:
            picture = decoded(root / file, look, limits)
        except BadPictureError as error:
            if strict:
                raise DataError(stopped(root / file, str(error))) from None
            found.refuse(file, str(error))
            continue
        if pixels is None:
            limits.check_memory(f"{shown(root)}, {len(files):,} pictures,", len(files) * picture.nbytes)
            pixels = np.empty((len(files), *picture.shape), np.uint8)
        if picture.shape != pixels.shape[1:]:
            raise DataError(_differ(root, files, look, limits))
        pixels[len(kept)] = picture
        kept.append(row)
    if progress is not None:
        progress(what, len(files), len(files), "pictures")
    if pixels is None:
        first = found.skipped[0]
        raise DataError(
            f"{shown(root)}: none of its {len(files):,} pictures can be read. The first, {first.file}, {first.reason}."
        )
    return pixels[: len(kept)], kept


def _differ(root: Path, files: list[str], look: Look, limits: Limits) -> str:
    """The message for pictures of several sizes or modes, with how many there are of each."""
    sizes: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    for file in files:
        try:
            with opened(root / file, limits) as image:
                modes["grey (L)" if mode_of(image) == "L" else "RGB"] += 1
                sides = image.size[::-1] if orientation_of(image) in (5, 6, 7, 8) else image.size
                sizes[f"{sides[0]} x {sides[1]}"] += 1
        except BadPictureError:
            continue
    parts, ways = [], []
    if look.size is None and len(sizes) > 1:
        parts.append(f"{len(sizes)} sizes: {_counts(sizes)}")
        ways.append(option("size", "(width, height)", "WIDTHxHEIGHT"))
    if look.mode is None and len(modes) > 1:
        parts.append(f"{len(modes)} modes: {_counts(modes)}")
        ways.append(f"{option('mode', repr('L'))} or {option('mode', repr('RGB'))}")
    found = " and of ".join(parts) or "several shapes"
    return f"{shown(root)} holds pictures of {found}. Bring them to one with {' and '.join(ways) or 'size and mode'}."


def _counts(counter: Counter[str], most: int = 6) -> str:
    listed = ", ".join(f"{what} ({count:,})" for what, count in counter.most_common(most))
    return listed + (f" and {len(counter) - most} more" if len(counter) > most else "")


def _holds_study(folder: Path) -> bool:
    """Whether a folder is a study's: it has a study.json of Steinhaus."""
    try:
        with open_regular(folder / "study.json") as file:
            return b'"schema"' in file.read(4096)
    except (OSError, DataError):
        return False


def _no_pictures(root: Path, found: _Found) -> str:
    if found.studies:
        return f"{shown(root)} holds no pictures except those of studies: {found.studies[0]}."
    if found.skipped:
        first = found.skipped[0]
        return f"{shown(root)} holds nothing that can be read. The first file, {first.file}, {first.reason}."
    held = f"it holds files that end in {_counts(found.others)}" if found.others else "there are only folders in it"
    return f"{shown(root)} holds no pictures ({', '.join(SUFFIXES)}): {held}. Tables and arrays are opened as files."


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
