"""Sets in several files: which files belong to a set, their order, and the part of the split of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from steinhaus.errors import DataError
from steinhaus.images.files import natural, reading, shown
from steinhaus.images.parts import ORDER, Part, part_in, part_of

DEEPEST = 3  # levels of folders above the files


def folders(root: Path) -> Iterator[tuple[int, list[Path]]]:
    """Yield each folder's depth and its files in natural order, from the top down.

    Hidden files, links to folders, and folders that cannot be opened are left out.
    """
    pending = [(0, root)]
    for depth, place in pending:  # the list grows in the loop
        files: list[str] = []
        below: list[str] = []
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if not entry.name.startswith((".", "_")):
                        is_folder = entry.is_dir(follow_symlinks=False)
                        (below if is_folder else files).append(entry.name)
        except OSError:
            if not depth:
                with reading(root):
                    raise
            continue
        yield depth, [place / name for name in sorted(files, key=natural) if not (place / name).is_dir()]
        if depth < DEEPEST:
            pending += [(depth + 1, place / name) for name in sorted(below, key=natural)]


def found(root: Path, belongs: Callable[[str], object]) -> list[Path]:
    """The files of a folder that belong to a set; if it has none, those in its sub-folders."""
    files: list[Path] = []
    level = 0
    for depth, there in folders(root):
        if files and depth > level:
            break
        files += [file for file in there if belongs(file.name)]
        level = depth
    return files


def ordered(
    folder: Path, endings: tuple[str, ...], part_of_file: Callable[[str], Part | None] = part_in
) -> list[tuple[Path, Part | None]]:
    """The files of a set and the part of each, from the names of files or of their folders.

    Natural order, training files first. `part_of_file` finds the part from a file's name without its endings.

    Raises
    ------
    DataError
        If it is not clear which files belong together.
    """
    files = found(folder, lambda name: name.lower().endswith(endings))
    places = [file.relative_to(folder) for file in files]
    homes = {tuple(name for name in place.parts[:-1] if not part_of(name)) for place in places}
    if len(homes) > 1:
        listed = ", ".join(sorted(("/".join(home) or "." for home in homes), key=natural)[:6])
        raise DataError(f"{shown(folder)} holds more than one set, in the folders {listed}. Open one of them.")
    parts = [_part(place, part_of_file) for place in places]
    known = [part for part in parts if part is not None]
    if known and len(known) < len(parts):
        one = places[parts.index(known[0])].name
        other = places[parts.index(None)].name
        raise DataError(
            f"{shown(folder)}: {shown(one)} is named after a part of a split, but {shown(other)} is not. Open the "
            "files of one kind alone, or move them into a separate folder."
        )
    together = list(zip(files, parts, strict=True))
    return sorted(together, key=lambda pair: ORDER.index(pair[1] or "train"))


def _part(place: Path, part_of_file: Callable[[str], Part | None]) -> Part | None:
    """The part of a file, from its own name, or else from its folder's."""
    own = part_of_file(place.name.split(".")[0])
    return own or next((part for name in reversed(place.parts[:-1]) if (part := part_of(name))), None)
