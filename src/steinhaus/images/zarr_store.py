"""The images of a Zarr array, left on disk."""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.labels import Int64
from steinhaus.images.mapping import mapped


class ZarrStore:
    """The images of a Zarr array, rows of (n, d). See `stored.Store`.

    Chunk files that hold only rows are mapped. Those with a checksum are mapped after Zarr has read and checked them
    once.

    Parameters
    ----------
    array, name
        The array, and its name in messages.
    folder
        Its folder on this machine's disks. None: it is elsewhere.
    """

    def __init__(self, array: Any, name: str, folder: Path | None = None) -> None:
        self._array = _checked(array)
        self._name = name
        self._folder = folder
        self.dtype = np.dtype(array.dtype)
        self.shape = (int(array.shape[0]), math.prod(array.shape[1:]))
        self._rows = int((array.shards or array.chunks)[0])
        self.bounds: Int64 = np.array([*range(0, self.shape[0], self._rows), self.shape[0]], np.int64)
        self._bare = _is_bare(array)
        self._checked: set[int] = set()  # chunks that Zarr has read

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = {**state, "_array": _checked(state["_array"])}  # shards are copied without the check

    def read(self, first: int, end: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """See `Store.read`."""
        from zarr.buffer.cpu import NDBuffer

        out = np.empty((end - first, self.shape[1]), self.dtype) if out is None else out
        buffer = NDBuffer.from_ndarray_like(out.reshape(end - first, *self._array.shape[1:]))
        self._read(lambda: self._array.get_basic_selection(slice(first, end), out=buffer), first, end)
        self._checked.update(range(first // self._rows, -(-end // self._rows)))
        return out

    def view(self, first: int, end: int) -> NDArray[Any] | None:
        """See `Store.view`."""
        chunk, row = divmod(first, self._rows)
        there = chunk in self._checked or not self._array.compressors
        if self._folder is None or not self._bare or not there or row + end - first > self._rows:
            return None
        key = self._array.metadata.encode_chunk_key((chunk, *([0] * (len(self._array.shape) - 1))))
        width = self.shape[1] * self.dtype.itemsize
        return mapped(self._folder / self._array.path / key, row * width, (end - first, self.shape[1]), self.dtype)

    def pick(self, rows: Int64) -> NDArray[Any]:
        """See `Store.pick`."""
        out = np.empty((len(rows), self.shape[1]), self.dtype)
        for place, row in enumerate(rows.tolist()):
            if (view := self.view(row, row + 1)) is None:
                out[place:] = self._indexed(rows[place:])
                break
            out[place] = view[0]
        return out

    def _indexed(self, rows: Int64) -> NDArray[Any]:
        picked = self._read(lambda: self._array.oindex[rows], int(rows.min()), int(rows.max()) + 1)
        return np.asarray(picked).reshape(len(rows), -1)

    def _read(self, get: Callable[[], Any], first: int, end: int) -> Any:
        try:
            with self._pace():
                return get()
        except Exception as error:  # damaged data make codecs and stores raise almost anything
            raise DataError(self._damage(first, end, error)) from error

    def _pace(self) -> Any:
        """A context in which Zarr reads at most as many chunks at once as there are cores."""
        import zarr

        return zarr.config.set({"async.concurrency": min(10, os.cpu_count() or 1)}) if self._folder else nullcontext()

    def _damage(self, first: int, end: int, error: Exception) -> str:
        """The message that names the unreadable chunk, found by reading chunks one at a time."""
        for start, stop in itertools.pairwise(self.bounds.tolist()):
            if start < end and stop > first:
                try:
                    self._array[start:stop]
                except Exception as cause:
                    return (
                        f"{self._name}: the chunk of images {start} to {stop - 1} cannot be read: "
                        f"{str(cause).rstrip('.') or type(cause).__name__}. Restore it, or import the set again."
                    )
        return f"{self._name}: images {first} to {end - 1} cannot be read: {error}."


def _checked(array: Any) -> Any:
    from steinhaus.images.zarr_frames import checked

    return checked(array)


def _is_bare(array: Any) -> bool:
    """Whether each chunk is a file of plain rows, with at most a checksum after them."""
    from zarr.codecs import BytesCodec, Crc32cCodec

    whole = array.chunks[1:] == array.shape[1:] and array.shards is None
    plain = not array.filters and all(isinstance(codec, Crc32cCodec) for codec in array.compressors)
    if array.metadata.zarr_format == 2:
        return whole and plain and array.metadata.order == "C"
    codec = array.serializer
    little = isinstance(codec, BytesCodec) and (codec.endian is None or codec.endian.value == sys.byteorder)
    return whole and plain and little
