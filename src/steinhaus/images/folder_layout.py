"""The label and the split part of each picture, from its place in the folder."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from steinhaus.errors import DataError
from steinhaus.images.files import natural, shown
from steinhaus.images.parts import ORDER, Part, one_part, part_of
from steinhaus.wording import option

_DEEPEST_PARTS = 8  # folders above those of a split's parts


@dataclass(frozen=True)
class Layout:
    """The pictures of a folder in reading order. If the folder has a split, training pictures come first."""

    files: list[str]  # relative, forward slashes
    labels: list[str] | None
    parts: list[Part] | None
    notes: tuple[str, ...]


def layout_of(root: Path, files: list[str], *, labels: bool = True) -> Layout:
    """Find the label and the split part of each picture from its place."""
    folders = [file.split("/")[:-1] for file in files]
    depth = _depth_of_parts(root, folders)
    below = depth is None or len({places[0] for places in folders}) == 1 or depth == 0
    if depth is None:
        names, notes = _labels(root, files, folders) if labels else (None, ())
        return Layout(files, names, None, (*notes, *_perhaps_parts(folders)))
    of_file = [cast(Part, part_of(places[depth])) for places in folders]
    order = sorted(range(len(files)), key=lambda row: ORDER.index(of_file[row]))  # stable: natural within a part
    files, parts = [files[row] for row in order], [of_file[row] for row in order]
    names, notes = None, ()
    if labels:
        of_label = [folders[row][depth + 1 :] if below else folders[row][:depth] for row in order]
        names, notes = _labels(root, files, of_label)
    return Layout(files, names, parts, (*notes, *one_part(parts)))


def _depth_of_parts(root: Path, folders: Sequence[Sequence[str]]) -> int | None:
    """The depth of the folders named after split parts; None if there are none.

    They hold all pictures. They lie at the top, in a folder that holds nothing else ("data/train"), or in the folder of
    each label ("cat/train").
    """
    if _is_below_labels(folders):
        return 1
    for depth in range(_DEEPEST_PARTS + 1):
        if not all(len(places) > depth for places in folders):
            return None
        names = {places[depth] for places in folders}
        found = [part for name in names if (part := part_of(name)) is not None]
        if len(found) == len(names) and (len(set(found)) > 1 or len(names) == 1):
            return depth
        apart = all(len(places) > depth + 1 for places in folders)  # each part holds folders
        if ("train" in found and len(set(found)) > 1) or (apart and {"train", "test"} & set(found)):
            others = sorted((name for name in names if part_of(name) is None), key=natural)
            raise DataError(
                f"{shown(root)} holds folders named after the parts of a split, and other folders: "
                f"{', '.join(others[:3])}. Move the others elsewhere, or open one folder alone."
            )
        if len(names) > 1:
            return None
    return None


def _is_below_labels(folders: Sequence[Sequence[str]]) -> bool:
    """Whether every label has a split of its own below it: "cat/train", "cat/test", "dog/train"."""
    if not all(len(places) > 1 for places in folders):
        return False
    tops, parts = {places[0] for places in folders}, {part_of(places[1]) for places in folders}
    return len(tops) > 1 and not any(map(part_of, tops)) and None not in parts and {"train"} < parts


def _perhaps_parts(folders: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """A note about a label that has the name of a split part."""
    named = sorted({places[0] for places in folders if places and part_of(places[0]) in ("train", "test")}, key=natural)
    if not named or len({places[0] for places in folders if places}) == 1:
        return ()
    return (
        f"The folder {named[0]} is taken as a label like the others, because not all folders are named after parts of "
        "a split.",
    )


def _labels(
    root: Path, files: Sequence[str], places: Sequence[Sequence[str]]
) -> tuple[list[str] | None, tuple[str, ...]]:
    """The label of each picture, which is the first folder on its path, and notes about the labels."""
    bare = sum(not place for place in places)
    if bare == len(files):
        return None, ()
    if bare:
        first = next(file for file, place in zip(files, places, strict=True) if not place)
        raise DataError(
            f"{shown(root)}: sub-folders are labels, but {bare:,} of {len(files):,} pictures lie in none; the first is "
            f"{first}. Move them into one, or read the folder without labels: {option('labels', repr('none'))}."
        )
    names = [unicodedata.normalize("NFC", place[0]) for place in places]
    below = {place[1] for place in places if len(place) > 1}
    if len(set(names)) == 1 and len(below) > 1 and all(len(place) > 1 for place in places):
        return names, (
            f"All pictures lie in {names[0]}, so they have one label. If the folders in it are labels "
            f"({', '.join(sorted(below, key=natural)[:3])}, ...), open that folder.",
        )
    pairs = {(place[0], place[1]) for place in places if len(place) > 1}
    again = sorted(name for name, count in Counter(name for _, name in pairs).items() if count > 1)
    if again:
        listed = ", ".join(sorted(again, key=natural)[:3])
        return names, (f"Labels: the upper folders. The folders {listed} lie in several of them, and are not labels.",)
    return names, ()
