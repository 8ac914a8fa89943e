"""CIFAR-10 and CIFAR-100 in their binary version (https://www.cs.toronto.edu/~kriz/cifar.html).

Each record is one label byte (CIFAR-100: a coarse and a fine one), then 3,072 bytes of pixels: red, green and blue,
32 x 32 each.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.collection import Images
from steinhaus.images.files import open_content, shown, source_name
from steinhaus.images.limits import Limits
from steinhaus.images.parts import ORDER, Part, given, one_part, part_in
from steinhaus.images.progress import Progress
from steinhaus.images.shards import ordered
from steinhaus.wording import option

_PIXELS = 3 * 32 * 32
_KINDS = {_PIXELS + 1: 10, _PIXELS + 2: 100}  # bytes per record -> classes
_NAMES = {10: ("batches.meta.txt",), 100: ("fine_label_names.txt", "coarse_label_names.txt")}


def read(path: Path, *, labels: str | int | bool | None = None, limits: Limits, progress: Progress | None) -> Images:
    """Read a file, or a folder of them.

    Parameters
    ----------
    labels
        For CIFAR-100, "fine" (the default) or "coarse". False: no labels.

    Raises
    ------
    DataError
        If a file is cut short, or holds a label that its set does not have.
    """
    pairs = ordered(path, (".bin",), _part) if path.is_dir() else [(path, None)]
    sizes = {file: file.stat().st_size for file, _ in pairs}
    record = next((width for width in _KINDS if all(size and size % width == 0 for size in sizes.values())), None)
    if record is None:
        raise DataError(
            f"{shown(path)}: CIFAR's binary files hold records of {_PIXELS + 1:,} or {_PIXELS + 2:,} bytes, and these "
            f"sizes do not fit ({', '.join(f'{file.name}: {size:,}' for file, size in list(sizes.items())[:3])}): cut "
            "short?"
        )
    classes = _KINDS[record]
    limits.check_memory(shown(path), sum(sizes.values()))
    blocks, counts = [], [0, 0, 0]
    for file, part in pairs:
        with open_content(file, limits) as content:
            block = np.empty((sizes[file] // record, record), np.uint8)
            content.fill_array(block, f"{len(block):,} images of 32 x 32 x 3")
        blocks.append(block)
        counts[ORDER.index(part or "train")] += len(block)
    whole = np.concatenate(blocks)
    column, coarse = _column(labels, classes)
    found = None if column is None else whole[:, column].astype(np.int64)
    if found is not None and (most := int(found.max())) >= (20 if coarse else classes):
        raise DataError(
            f"{shown(path)} holds the label {most}, which CIFAR-{classes} does not have: it is another file."
        )
    parts: list[Part] = [part for _, part in pairs if part is not None]
    given_train, given_val = given(counts)
    names = None if found is None else _label_names(pairs[0][0].parent, classes, coarse)
    pixels: NDArray[np.uint8] = whole[:, -_PIXELS:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Images.from_arrays(
        pixels, found, label_names=names, name=source_name(path), given_train=given_train, given_val=given_val,
        notes=one_part(parts) if parts else (),
    )  # fmt: skip


def _part(stem: str) -> Part | None:
    """The part of a file by its name: data_batch_1, ... train."""
    return "train" if stem.startswith("data_batch") else part_in(stem)


def _column(labels: str | int | bool | None, classes: int) -> tuple[int | None, bool]:
    """The byte of a record that is the label, and whether it is CIFAR-100's coarse label."""
    if labels is False:
        return None, False
    if labels is None or (classes == 100 and labels == "fine"):
        return int(classes == 100), False
    if classes == 100 and labels == "coarse":
        return 0, True
    known = f"{option('labels', repr('fine'))} or {option('labels', repr('coarse'))}" if classes == 100 else "one kind"
    raise DataError(f"CIFAR-{classes} has no labels {labels!r}; it has {known}.")


def _label_names(folder: Path, classes: int, coarse: bool) -> list[str] | None:
    """The class names, from the text file beside the data; None if there is no such file."""
    file = folder / _NAMES[classes][coarse]
    wanted = 20 if coarse else classes
    if not file.is_file() or file.stat().st_size > 1 << 16:
        return None
    names = [line.strip() for line in file.read_text("utf-8", "replace").splitlines() if line.strip()]
    return names if len(names) == wanted == len(set(names)) else None
