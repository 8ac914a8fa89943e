"""MATLAB's .mat files up to version 7, such as SVHN and USPS: named arrays, with images along the last axis."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images import matlab_files, npz_names
from steinhaus.images.collection import Images
from steinhaus.images.files import open_regular, reading, shown, source_name
from steinhaus.images.limits import Limits
from steinhaus.images.parts import ORDER, given
from steinhaus.images.progress import Progress


def read(
    path: Path,
    *,
    images: str | None = None,
    labels: str | int | bool | None = None,
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    limits: Limits,
    progress: Progress | None,
) -> Images:
    """Read a .mat file.

    Parameters
    ----------
    images, labels
        Names of the arrays. Default: found by the same rules as in .npz files: X and y, train_data and so on.
        labels=False: no labels.
    shape, full_scale
        As in `Images.from_arrays`.
    """
    name = shown(path)
    with reading(path), open_regular(path) as file:
        there = matlab_files.arrays(file, os.fstat(file.fileno()).st_size, name)
        chosen = npz_names.chosen(list(there), name, images, labels)
        wanted = [*chosen.images, *chosen.labels]
        for key in wanted:
            if (fault := there[key].fault) is not None:
                raise DataError(f"{name}: {key} is {fault}, not a plain array.")
        found = {key: matlab_files.values(file, there[key], name, limits) for key in wanted}
    parts, of_labels, sizes = [], [], [0, 0, 0]
    for place, key in enumerate(chosen.images):
        beside = [chosen.labels[place]] if chosen.labels else npz_names.labels_beside(list(there), key)
        x = _images_first(found[key], {side for label in beside for side in there[label].shape if side > 1})
        parts.append(x)
        of_labels += [_as_vector(found[label]) for label in beside if chosen.labels]
        sizes[ORDER.index(chosen.parts[place] or "train")] += len(x)
    if any(part.shape[1:] != parts[0].shape[1:] or part.dtype != parts[0].dtype for part in parts):
        raise DataError(f"{name}: {' and '.join(chosen.images)} do not belong together: they differ in shape or type.")
    given_train, given_val = given(sizes)
    return Images.from_arrays(
        np.concatenate(parts), np.concatenate(of_labels) if of_labels else None, name=source_name(path), shape=shape,
        full_scale=full_scale, given_train=given_train, given_val=given_val, notes=chosen.notes,
    )  # fmt: skip


def _images_first(values: NDArray[Any], counts: set[int]) -> NDArray[Any]:
    """Move the images of an array to its first axis. MATLAB has them along the last, (h, w, c, n) or (h, w, n).

    `counts` holds the sides of the labels, one of which is the number of images. It is given even if labels are
    unwanted.
    """
    first, last = (values.shape[axis] in counts for axis in (0, -1))
    if (values.ndim >= 3 and (last or not first)) or (values.ndim == 2 and last and not first):
        return np.moveaxis(values, -1, 0)
    return values


def _as_vector(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels, (n, 1) or (1, n), as (n,). Several labels per image stay as they are."""
    return labels.reshape(-1) if max(labels.shape) == labels.size else labels
