"""Pictures by where they lie in a folder: which label each has, and which part of the folder's own split."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from steinhaus.errors import DataError
from steinhaus.images.files import natural, shown
from steinhaus.images.parts import ORDER, Part, one_part, part_of
from steinhaus.wording import option

_DEEPEST_PARTS = 2  # folders above those of a split's parts


@dataclass(frozen=True)
class Layout:
    """The pictures of a folder in the order in which they are read: those to train first, where it has a split."""

    files: list[str]  # relative, forward slashes
    labels: list[str] | None
    parts: list[Part] | None
    notes: tuple[str, ...]


def layout_of(root: Path, files: list[str], *, labels: bool = True) -> Layout:
    """Tell from their places which label and which part of a split each picture has."""
    folders = [file.split("/")[:-1] for file in files]
    depth = _depth_of_parts(root, folders)
    if depth is None:
        names, notes = _labels(root, files, folders) if labels else (None, ())
        return Layout(files, names, None, notes)
    of_file = [cast(Part, part_of(places[depth])) for places in folders]
    order = sorted(range(len(files)), key=lambda row: ORDER.index(of_file[row]))  # stable: natural within a part
    files, parts = [files[row] for row in order], [of_file[row] for row in order]
    names, notes = None, ()
    if labels:
        names, notes = _labels(root, files, [folders[row][depth + 1 :] for row in order])
    return Layout(files, names, parts, (*notes, *one_part(parts)))


def _depth_of_parts(root: Path, folders: Sequence[Sequence[str]]) -> int | None:
    """How deep the folders lie that are named after the parts of a split; None where there are none.

    They hold all pictures, and lie at the top or in a folder that holds nothing else ("data/train").
    """
    for depth in range(_DEEPEST_PARTS + 1):
        if not all(len(places) > depth for places in folders):
            return None
        names = {places[depth] for places in folders}
        found = [part for name in names if (part := part_of(name)) is not None]
        if len(found) == len(names) and (len(set(found)) > 1 or len(names) == 1):
            return depth
        if "train" in found and len(set(found)) > 1:
            others = sorted((name for name in names if part_of(name) is None), key=natural)
            raise DataError(
                f"{shown(root)} holds folders that are named after the parts of a split, and others, "
                f"{', '.join(others[:3])}, that are none. Move these elsewhere, or open one folder alone."
            )
        if len(names) > 1:
            return None
    return None


def _labels(
    root: Path, files: Sequence[str], places: Sequence[Sequence[str]]
) -> tuple[list[str] | None, tuple[str, ...]]:
    """The label of each picture, the first of the folders that it lies in, and what is to be said of that."""
    bare = sum(not place for place in places)
    if bare == len(files):
        return None, ()
    if bare:
        first = next(file for file, place in zip(files, places, strict=True) if not place)
        raise DataError(
            f"{shown(root)}: sub-folders are labels, but {bare:,} of {len(files):,} pictures lie in none, the first "
            f"one {first}. Move them into one, or read the folder without labels: {option('labels', repr('none'))}."
        )
    names = [unicodedata.normalize("NFC", place[0]) for place in places]
    below = {place[1] for place in places if len(place) > 1}
    if len(set(names)) == 1 and len(below) > 1 and all(len(place) > 1 for place in places):
        return names, (
            f"All pictures lie in {names[0]}, which is their one label. If the folders in it are labels "
            f"({', '.join(sorted(below, key=natural)[:3])}, ...), open that folder.",
        )
    return names, ()
