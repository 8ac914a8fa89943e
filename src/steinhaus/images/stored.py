"""Pixels that stay on disk and are read one stretch at a time, for sets larger than memory."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.files import open_regular, reading, shown
from steinhaus.images.labels import Int64
from steinhaus.images.mapping import mapped

STRETCH = 32 << 20  # bytes read at once


class Store(Protocol):
    """The place of a set's pixels, (n, d), one image per row. Each kind of file has a class. Threads may share it."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]  # uint8, float32 or float64
    bounds: Int64  # (b + 1,) first rows of the pieces that are read as a whole, and the end of the last

    def read(self, first: int, end: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """The rows first..end - 1, (end - first, d) in C order; they are put into `out` if it is given."""
        ...

    def view(self, first: int, end: int) -> NDArray[Any] | None:
        """The same rows as a read-only view of the file; None if they have to be read."""
        ...

    def pick(self, rows: Int64) -> NDArray[Any]:
        """These few rows, (m, d)."""
        ...


class StoredPixels:
    """Pixels on disk, (n, h, w), (n, h, w, c) or (n, d), with the shape, dtype and rows of an array.

    Parameters
    ----------
    store
        The store that holds the pixels.
    image
        The shape of one image.
    take
        (m,) int64, the rows of the store that are the images, in this order. None: all rows.
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
        """The bytes that the pixels would take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """The images of an index, a slice or an array of indices, read into memory."""
        if isinstance(index, slice) and self.take is None and index.step in (None, 1):
            first, end, _ = index.indices(len(self))
            return self.source.read(first, max(first, end)).reshape(-1, *self.shape[1:])
        rows = np.arange(len(self))[index]
        places = rows if self.take is None else self.take[rows]
        picked = self.source.pick(np.atleast_1d(places)).reshape(-1, *self.shape[1:])
        return picked[0] if np.ndim(rows) == 0 else picked

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for stretch in self.stretches():
            yield from stretch

    def reshape(self, *shape: int) -> StoredPixels:
        """The same pixels as rows, (n, d), or as images."""
        n, *image = shape
        if image == [-1]:
            image = [self.size // max(1, len(self))]
        if n not in (-1, len(self)) or math.prod(image) != self.source.shape[1]:
            raise ValueError(f"cannot reshape pixels of shape {self.shape} into {shape}")
        return StoredPixels(self.source, tuple(image), self.take)

    def taken(self, rows: Int64) -> StoredPixels:
        """The images of these rows, (m,) int64, in this order. They stay on disk."""
        return StoredPixels(self.source, self.shape[1:], rows if self.take is None else self.take[rows])

    def stretches(self) -> Iterator[NDArray[Any]]:
        """Yield all images in order, some at a time."""
        step = max(1, STRETCH // max(1, self.source.shape[1] * self.dtype.itemsize))
        for first in range(0, len(self), step):
            end = min(first + step, len(self))
            rows = self.source.read(first, end) if self.take is None else self.source.pick(self.take[first:end])
            yield rows.reshape(-1, *self.shape[1:])


class FileStore:
    """An array in C order that begins at some byte of a file, such as a .npy file."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int) -> None:
        self.path, self.dtype, self.offset = path, dtype, offset
        self.shape = (shape[0], math.prod(shape[1:]))
        self.bounds = np.array([0, shape[0]], np.int64)

    def read(self, first: int, end: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """See `Store.read`."""
        out = np.empty((end - first, self.shape[1]), self.dtype) if out is None else out
        self._fill(out, [first], end - first)
        return out

    def view(self, first: int, end: int) -> NDArray[Any] | None:
        """See `Store.view`."""
        d = self.shape[1]
        return mapped(self.path, self.offset + first * d * self.dtype.itemsize, (end - first, d), self.dtype)

    def pick(self, rows: Int64) -> NDArray[Any]:
        """See `Store.pick`."""
        out = np.empty((len(rows), self.shape[1]), self.dtype)
        self._fill(out, rows.tolist(), 1)
        return out

    def _fill(self, out: NDArray[Any], rows: list[int], each: int) -> None:
        # in: out (m, d)
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
                        raise DataError(f"{shown(self.path)} is cut short: image {missing} is no longer there.")
                    done += got
