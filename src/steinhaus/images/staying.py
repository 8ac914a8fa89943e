"""Collections whose pixels stay on disk. They are checked like others, one stretch at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from steinhaus.errors import DataError
from steinhaus.images.collection import Images
from steinhaus.images.labels import encode
from steinhaus.images.pixels import check_given_train, scale_of
from steinhaus.images.stored import STRETCH, Store, StoredPixels


def stored_images(
    store: Store,
    image: tuple[int, ...],
    labels: Any = None,
    *,
    name: str,
    label_names: Sequence[str] | None = None,
    shape: tuple[int, ...] | None = None,
    full_scale: float | None = None,
    given_train: int | None = None,
    given_val: int = 0,
    usual_train: float | int | str | None = None,
    columns: Sequence[str] | None = None,
    notes: Sequence[str] = (),
    licence: str | None = None,
    source: str | None = None,
) -> Images:
    """A collection whose pixels stay in a store.

    The parameters are those of `Images.from_arrays`. `image` is the shape of one picture.

    Raises
    ------
    DataError
        If the pixels need a conversion, are not finite, or do not fit the shape; or if the labels do not belong to
        them.
    """
    if store.dtype not in (np.uint8, np.float32, np.float64) or not store.dtype.isnative:
        raise DataError(
            f"{name} has dtype {store.dtype.str}; only uint8, float32 and float64 in this machine's byte order can "
            "stay on disk. Convert it first: steinhaus data import."
        )
    if 0 in store.shape:
        raise DataError(f"{name} holds no images.")
    image = tuple(shape or image)
    if len(image) == 3 and image[2] == 1:
        image = image[:2]
    if math.prod(image) != store.shape[1] or not 1 <= len(image) <= 3:
        raise DataError(f"{name}: an image has {store.shape[1]:,} values, which do not fit the shape {image}.")
    check_given_train(given_train, store.shape[0], name, given_val)
    _check_finite(store, name)
    indices, names = (None, None) if labels is None else encode(labels, store.shape[0], name, label_names)
    return Images(
        pixels=StoredPixels(store, image),
        labels=indices,
        label_names=names,
        name=name,
        full_scale=scale_of(full_scale, 255.0 if store.dtype == np.uint8 else 1.0, name),
        given_train=given_train,
        given_val=given_val,
        usual_train=usual_train,
        columns=None if columns is None else tuple(columns),
        notes=tuple(notes),
        licence=licence,
        source=source,
    )


def _check_finite(store: Store, name: str) -> None:
    """Refuse NaN and infinity, and name the first one. Reads all pixels of floats, and none of integers."""
    step = max(1, STRETCH // (store.shape[1] * store.dtype.itemsize))
    for first in range(0, store.shape[0] if store.dtype.kind == "f" else 0, step):
        rows = store.read(first, min(first + step, store.shape[0]))
        finite = np.isfinite(rows)
        if not finite.all():
            row, column = np.argwhere(~finite)[0].tolist()
            raise DataError(
                f"{name}: image {first + row} has the value {rows[row, column]} at {column}, but every pixel must be a "
                "finite number. Replace or leave out such values."
            )
