"""Pixels that stay where they are stored, and are read a stretch at a time: for sets larger than memory."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.files import open_regular, reading, shown
from steinhaus.images.labels import Int64, encode

if TYPE_CHECKING:
    from steinhaus.images.collection import Images

_STRETCH = 32 << 20  # bytes read in one go


class Store(Protocol):
    """Where the pixels of a set are, an image a row of (n, d); one a kind of file. Several threads may read it."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]  # uint8, float32 or float64
    bounds: Int64  # (b + 1,) where the pieces begin that are read as a whole, and where the last one ends

    def read(self, first: int, end: int) -> NDArray[Any]:
        """The rows first..end, in C order."""
        ...

    def pick(self, rows: Int64) -> NDArray[Any]:
        """These few rows, (m, d)."""
        ...


class StoredPixels:
    """An array of pixels, (n, h, w), (n, h, w, c) or (n, d), as far as its shape, its type and its rows go.

    Parameters
    ----------
    store
        Where the pixels are.
    image
        The shape of one image.
    take
        (m,) rows of the store: the images are these, in this order; None: all of them.
    """

    def __init__(self, store: Store, image: tuple[int, ...], take: Int64 | None = None) -> None:
        self.source = store
        self.take = take
        self.dtype = store.dtype
        self.shape = (store.shape[0] if take is None else len(take), *image)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of pixels of all images."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """What the pixels would take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """The images of a number, a slice or an array of numbers, read into memory."""
        rows = np.arange(len(self))[index]
        places = rows if self.take is None else self.take[rows]
        picked = self.source.pick(np.atleast_1d(places)).reshape(-1, *self.shape[1:])
        return picked[0] if np.ndim(rows) == 0 else picked

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for stretch in self.stretches():
            yield from stretch

    def reshape(self, *shape: int) -> StoredPixels:
        """The same pixels as rows, (n, d), or as images again."""
        n, *image = shape
        if image == [-1]:
            image = [self.size // max(1, len(self))]
        if n not in (-1, len(self)) or math.prod(image) != self.source.shape[1]:
            raise ValueError(f"cannot reshape pixels of shape {self.shape} into {shape}")
        return StoredPixels(self.source, tuple(image), self.take)

    def taken(self, rows: Int64) -> StoredPixels:
        """The images of these rows, in this order, left where they are."""
        return StoredPixels(self.source, self.shape[1:], rows if self.take is None else self.take[rows])

    def stretches(self) -> Iterator[NDArray[Any]]:
        """All images in order, some at a time."""
        step = max(1, _STRETCH // max(1, self.source.shape[1] * self.dtype.itemsize))
        for first in range(0, len(self), step):
            end = min(first + step, len(self))
            rows = self.source.read(first, end) if self.take is None else self.source.pick(self.take[first:end])
            yield rows.reshape(-1, *self.shape[1:])


class FileStore:
    """An array in C order in a file, from some byte on: a .npy file, say."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int) -> None:
        self.path, self.dtype, self.offset = path, dtype, offset
        self.shape = (shape[0], math.prod(shape[1:]))
        self.bounds = np.array([0, shape[0]], np.int64)

    def read(self, first: int, end: int) -> NDArray[Any]:
        """See `Store.read`."""
        out = np.empty((end - first, self.shape[1]), self.dtype)
        self._fill(out, [first], end - first)
        return out

    def pick(self, rows: Int64) -> NDArray[Any]:
        """See `Store.pick`."""
        out = np.empty((len(rows), self.shape[1]), self.dtype)
        self._fill(out, rows.tolist(), 1)
        return out

    def _fill(self, out: NDArray[Any], rows: list[int], each: int) -> None:
        width = self.shape[1] * self.dtype.itemsize
        view = out.reshape(-1).view(np.uint8).data
        with reading(self.path), open_regular(self.path) as file:
            for place, row in enumerate(rows):
                done, wanted = place * each * width, (place + 1) * each * width
                file.seek(self.offset + row * width)
                while done < wanted:
                    got = cast(io.BufferedIOBase, file).readinto(view[done:wanted])
                    if not got:
                        missing = row + done // width - place * each
                        raise DataError(f"{shown(self.path)} is cut short: image {missing} is not there any more.")
                    done += got


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
    licence: str | None = None,
    source: str | None = None,
) -> Images:
    """A collection whose pixels stay in a store. The parameters are those of `Images.from_arrays`; image: a picture's
    shape.

    Raises
    ------
    DataError
        Where the pixels would have to be converted, are not finite, or do not fill the shape; or where labels do not
        belong to them.
    """
    from steinhaus.images.collection import Images

    if store.dtype not in (np.uint8, np.float32, np.float64) or not store.dtype.isnative:
        raise DataError(
            f"{name} has dtype {store.dtype.str}; only uint8, float32 and float64 in this machine's byte order are "
            "read from where they are stored. Bring it to one of these first: steinhaus data import."
        )
    if 0 in store.shape:
        raise DataError(f"{name} holds no images.")
    image = tuple(shape or image)
    if len(image) == 3 and image[2] == 1:
        image = image[:2]
    if math.prod(image) != store.shape[1] or not 1 <= len(image) <= 3:
        raise DataError(f"{name}: an image has {store.shape[1]:,} values, which do not fill the shape {image}.")
    _check_finite(store, name)
    indices, names = (None, None) if labels is None else encode(labels, store.shape[0], name, label_names)
    return Images(
        pixels=StoredPixels(store, image),
        labels=indices,
        label_names=names,
        name=name,
        full_scale=float(full_scale or (255 if store.dtype == np.uint8 else 1)),
        given_train=given_train,
        licence=licence,
        source=source,
    )


def _check_finite(store: Store, name: str) -> None:
    """Refuse NaN and infinity, and say where the first one is; reads all pixels of floats, none of integers."""
    step = max(1, _STRETCH // (store.shape[1] * store.dtype.itemsize))
    for first in range(0, store.shape[0] if store.dtype.kind == "f" else 0, step):
        rows = store.read(first, min(first + step, store.shape[0]))
        finite = np.isfinite(rows)
        if not finite.all():
            row, column = np.argwhere(~finite)[0].tolist()
            raise DataError(
                f"{name}: image {first + row} has the value {rows[row, column]} at {column}; every pixel must be a "
                "finite number. Replace or leave out such values."
            )
