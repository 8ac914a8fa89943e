"""MATLAB's .mat files up to version 7, as SVHN and USPS are published: arrays by name, images along the last axis."""

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
        Names of the arrays; by default found as those of .npz files are: X and y, train_data and so on. Of labels
        False: none.
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
                raise DataError(f"{name}: {key} is {fault}, and no plain array.")
        found = {key: matlab_files.values(file, there[key], name, limits) for key in wanted}
    parts, of_labels, sizes = [], [], [0, 0, 0]
    for place, key in enumerate(chosen.images):
        y = found[chosen.labels[place]].reshape(-1) if chosen.labels else None
        x = _images_first(found[key], None if y is None else len(y))
        parts.append(x)
        of_labels += [] if y is None else [y]
        sizes[ORDER.index(chosen.parts[place] or "train")] += len(x)
    if any(part.shape[1:] != parts[0].shape[1:] or part.dtype != parts[0].dtype for part in parts):
        raise DataError(f"{name}: {' and '.join(chosen.images)} do not belong together: they differ in shape or type.")
    given_train, given_val = given(sizes)
    return Images.from_arrays(
        np.concatenate(parts), np.concatenate(of_labels) if of_labels else None, name=source_name(path), shape=shape,
        full_scale=full_scale, given_train=given_train, given_val=given_val, notes=chosen.notes,
    )  # fmt: skip


def _images_first(values: NDArray[Any], n: int | None) -> NDArray[Any]:
    """An array with images along its first axis: MATLAB has them along the last, (h, w, c, n) or (h, w, n)."""
    if values.ndim >= 3 and (n is None or values.shape[-1] == n):
        return np.moveaxis(values, -1, 0)
    if values.ndim == 2 and n is not None and values.shape[1] == n != values.shape[0]:
        return values.T
    return values
