"""A folder of picture files: sub-folders are labels.

Every picture becomes uint8, of one size and one mode (grey or RGB). Nothing in a folder is trusted: only regular files
are opened, their size is asked of their header before they are decoded, and one that cannot be read is listed and
skipped.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.collection import Images, Skipped
from steinhaus.images.files import kind_of, natural, shown, source_name
from steinhaus.images.limits import Limits
from steinhaus.images.pictures import SUFFIXES, BadPictureError, Look, decoded, mode_of, opened, orientation_of, quiet
from steinhaus.images.progress import Progress

_DEEPEST = 32  # folders within folders
_REPORT_EVERY = 64  # pictures between two calls of `progress`


@dataclass
class _Found:
    """What a folder holds."""

    files: list[str] = field(default_factory=list)  # relative, forward slashes
    skipped: list[Skipped] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)  # suffixes of files that are no pictures

    def refuse(self, file: str, reason: str) -> None:
        """List a file as skipped."""
        self.skipped.append(Skipped(shown(file), reason))


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
        "L" (grey) or "RGB". Needed where the folder holds both.
    size
        (width, height). Needed where pictures differ in size.
    fit
        Where a picture has another shape than `size`: "crop" its middle, "pad" it with background, or "stretch" it.
    background
        The grey value, 0 to 255, under transparent pixels and beside padded pictures.
    labels
        Whether sub-folders are labels: the first below the folder (below `train` and `test`, where it holds these two,
        which then are the source's own split).
    strict
        Whether the first picture that cannot be read is an error. Otherwise such pictures are listed in `skipped`.
    follow_links
        Whether symbolic links are followed. Otherwise they are listed in `skipped`.

    Raises
    ------
    DataError
        Where there are no pictures, none can be read, or they differ in size or mode and none is given.
    """
    look = Look(mode, size, fit, background)
    found = _walk(path, follow_links)
    if strict and found.skipped:
        raise DataError(stopped(path / found.skipped[0].file, found.skipped[0].reason))
    if not found.files:
        raise DataError(_no_pictures(path, found))
    parts = _given_parts(found.files)
    if parts:
        found.files.sort(key=lambda file: file.startswith("test/"))
    names = _labels(path, found.files, parts) if labels else None
    with quiet():
        pixels, kept = _read_all(path, found, look, strict=strict, limits=limits, progress=progress)
    files = [found.files[row] for row in kept]
    n_train = sum(file.startswith("train/") for file in files)
    return Images.from_arrays(
        pixels,
        None if names is None else [names[row] for row in kept],
        name=source_name(path),
        given_train=n_train if parts and 0 < n_train < len(files) else None,
        files=files,
        skipped=found.skipped,
    )


def found(path: Path) -> tuple[list[str], list[Skipped]]:
    """The pictures of a folder, relative to it, in the order in which `read` reads them; and what cannot be one."""
    there = _walk(path, follow_links=False)
    if not there.files:
        raise DataError(_no_pictures(path, there))
    if _given_parts(there.files):
        there.files.sort(key=lambda file: file.startswith("test/"))
    return there.files, there.skipped


def stopped(file: Path | str, reason: str) -> str:
    """What `strict` says of the first file that cannot be read."""
    return f"{shown(file)} {reason}. (strict stops at the first such file.)"


def labels_of(path: Path, files: list[str]) -> list[str] | None:
    """The label of each of these pictures: the sub-folder that it lies in; None where none lies in one."""
    return _labels(path, files, bool(_given_parts(files)))


def _walk(root: Path, follow_links: bool) -> _Found:
    """Everything in a folder: pictures in natural order, what is refused, and what is no picture."""
    found = _Found()
    pending = [("", 0)]  # folders to look into, and how deep they lie
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
                real = os.path.realpath(root / file)
                if real in seen:
                    found.refuse(file, "was read before, by another way")
                elif depth == _DEEPEST:
                    found.refuse(file, f"lies more than {_DEEPEST} folders deep")
                else:
                    seen.add(real)
                    pending.append((file, depth + 1))
            elif stat.S_ISLNK(mode):
                found.refuse(file, "is a symbolic link; follow_links=True follows it")
            elif not stat.S_ISREG(mode):
                found.refuse(file, f"is {kind_of(mode)}")
            elif (suffix := Path(name).suffix.lower()) in SUFFIXES:
                found.files.append(file)
            else:
                found.others[suffix or "no ending"] += 1
    found.files.sort(key=lambda file: [natural(part) for part in file.split("/")])
    found.skipped.sort(key=lambda skipped: natural(skipped.file))
    return found


def _names(root: Path, folder: str, found: _Found) -> list[str]:
    """What is in a folder, in natural order, without what systems hide."""
    try:
        names = os.listdir(root / folder)
    except OSError as error:
        found.refuse(folder or ".", f"cannot be opened: {error.strerror}")
        return []
    return sorted((name for name in names if not name.startswith(".") and name != "__MACOSX"), key=natural)


def _read_all(
    root: Path, found: _Found, look: Look, *, strict: bool, limits: Limits, progress: Progress | None
) -> tuple[NDArray[np.uint8], list[int]]:
    """Decode pictures into one array; which ones it holds. What the first one is, all must be, unless `look` says."""
    pixels: NDArray[np.uint8] | None = None
    kept: list[int] = []
    what = f"Reading {source_name(root)}"
    for row, file in enumerate(found.files):
        if progress is not None and row % _REPORT_EVERY == 0:
            progress(what, row, len(found.files), "pictures")
        try:
            picture = decoded(root / file, look, limits)
        except BadPictureError as error:
            if strict:
                raise DataError(stopped(root / file, str(error))) from None
            found.refuse(file, str(error))
            continue
        if pixels is None:
            limits.check_memory(f"{shown(root)}, {len(found.files):,} pictures,", len(found.files) * picture.nbytes)
            pixels = np.empty((len(found.files), *picture.shape), np.uint8)
        if picture.shape != pixels.shape[1:]:
            raise DataError(_differ(root, found.files, look, limits))
        pixels[len(kept)] = picture
        kept.append(row)
    if progress is not None:
        progress(what, len(found.files), len(found.files), "pictures")
    if pixels is None:
        first = found.skipped[0]
        raise DataError(
            f"{shown(root)}: none of its {len(found.files):,} pictures can be read. The first one, {first.file}, "
            f"{first.reason}."
        )
    return pixels[: len(kept)], kept


def _differ(root: Path, files: list[str], look: Look, limits: Limits) -> str:
    """The message for pictures of several sizes or modes: which there are, and how many of each."""
    sizes: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    for file in files:
        try:
            with opened(root / file, limits) as image:
                sides = image.size[::-1] if orientation_of(image) in (5, 6, 7, 8) else image.size
                sizes[f"{sides[0]} x {sides[1]}"] += 1
                modes["grey (L)" if mode_of(image) == "L" else "RGB"] += 1
        except BadPictureError:
            continue
    parts, ways = [], []
    if look.size is None and len(sizes) > 1:
        parts.append(f"{len(sizes)} sizes: {_counts(sizes)}")
        ways.append("size=(width, height)")
    if look.mode is None and len(modes) > 1:
        parts.append(f"{len(modes)} modes: {_counts(modes)}")
        ways.append('mode="L" or mode="RGB"')
    found = " and of ".join(parts) or "several shapes"
    return f"{shown(root)} holds pictures of {found}. Bring them to one with {' and '.join(ways) or 'size and mode'}."


def _counts(counter: Counter[str], most: int = 6) -> str:
    listed = ", ".join(f"{what} ({count:,})" for what, count in counter.most_common(most))
    return listed + (f" and {len(counter) - most} more" if len(counter) > most else "")


def _given_parts(files: Iterable[str]) -> bool:
    """Whether all pictures lie in two folders, train and test."""
    return {file.split("/")[0] if "/" in file else "" for file in files} == {"train", "test"}


def _labels(root: Path, files: list[str], parts: bool) -> list[str] | None:
    """The label of each picture: its first sub-folder. None where none has any."""
    places = [file.split("/")[parts:-1] for file in files]
    bare = sum(not place for place in places)
    if bare == len(files):
        return None
    if bare:
        first = next(file for file, place in zip(files, places, strict=True) if not place)
        raise DataError(
            f"{shown(root)}: sub-folders are labels, but {bare:,} of {len(files):,} pictures lie in none, the first "
            f"one {first}. Move them into one, or read the folder without labels: labels=False."
        )
    return [unicodedata.normalize("NFC", place[0]) for place in places]


def _no_pictures(root: Path, found: _Found) -> str:
    if found.skipped:
        first = found.skipped[0]
        return f"{shown(root)} holds nothing that may be read. The first file, {first.file}, {first.reason}."
    held = f"it holds files that end in {_counts(found.others)}" if found.others else "there are only folders in it"
    return f"{shown(root)} holds no pictures ({', '.join(SUFFIXES)}): {held}. Tables and arrays are opened as files."


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
