"""Open files safely: only regular files, gzip within limits, and every failure names the file."""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.images.limits import Limits, raised, size_text

GZIP_MAGIC = b"\x1f\x8b"
_DEFLATE_MOST = 1032  # deflate cannot expand further: 258 bytes from 2 bits (zlib's technical notes)
_CHUNK = 1 << 20
_ENDINGS = re.compile(
    r"\.(gz|idx|npy|npz|zarr|parquet|arrow|feather|tar|fvecs|bvecs|jsonl|ndjson|mat|csv|tsv|txt|png|jpe?g|webp|bmp|tiff?|avif|hei[cf])$|[-.]idx[1-4][-.]ubyte$",
    re.IGNORECASE,
)

# Names of paths that are neither regular files nor folders.
_KINDS = {
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
}


class Content:
    """The content of a file: its bytes or, if it is gzip-compressed, the bytes it expands to."""

    def __init__(self, path: Path, file: BinaryIO, limits: Limits) -> None:
        self.name = shown(path)
        self.stored = os.fstat(file.fileno()).st_size  # bytes on disk
        self.compressed = file.read(2) == GZIP_MAGIC
        file.seek(0)
        self._stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if self.compressed else file
        self._limits = limits
        self._given = 0

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        data = bytearray(size)
        return bytes(data[: self.fill(memoryview(data))])

    def readline(self) -> bytes:
        """The next line with its line end. Refuses lines longer than the limit."""
        line = self._stream.readline(self._limits.line + 1)
        if len(line) > self._limits.line:
            raise DataError(
                f"{self.name}: a line is longer than {size_text(self._limits.line)}. Is it a table? If you trust it, "
                f"{raised('line', '...')}."
            )
        self._count(len(line))
        return line

    def fill(self, view: memoryview) -> int:
        """Fill a buffer with the next bytes, and return how many there were."""
        done = 0
        while done < len(view):
            got = cast(io.BufferedIOBase, self._stream).readinto(view[done : done + _CHUNK])
            if not got:
                break
            done += got
            self._count(got)
        return done

    def fill_array(self, array: NDArray[Any], what: str) -> None:
        """Fill an array in C order with the rest of the content, which must have exactly its size.

        `what` says what the content declares.
        """
        # in: array of any shape and dtype, C order
        size = self._given + array.nbytes
        self.fill(array.reshape(-1).view(np.uint8).data)
        if self._given < size:
            raise DataError(f"{self.name} declares {what}, {size:,} bytes, but has {self._given:,}: it is cut short.")
        if self.read(1):
            raise DataError(f"{self.name} goes on after the data that its header declares: the header is wrong.")

    def expect(self, size: int, what: str) -> None:
        """Compare the size that a header declares with the size of the file, before anything is allocated."""
        if self.compressed:
            most = self.stored * _DEFLATE_MOST
            if size > most:
                raise DataError(
                    f"{self.name} declares {what}, {size_text(size)}, but its {size_text(self.stored)} of gzip data "
                    f"cannot hold more than {size_text(most)}: the header is wrong, or the file is cut short."
                )
            self._limits.check_ratio(self.name, self.stored, size)
        elif size != self.stored:
            less = "cut short" if size > self.stored else "longer than its header says"
            raise DataError(
                f"{self.name} declares {what}, {size_text(size)} ({size:,}), but the file has {size_text(self.stored)} "
                f"({self.stored:,}): it is {less}."
            )

    def _count(self, got: int) -> None:
        self._given += got
        if self.compressed:
            self._limits.check_ratio(self.name, self.stored, self._given)


class Clipped(io.RawIOBase):
    """A file that never reads past its end.

    Pillow and tarfile ask for as many bytes as a damaged file declares. Python's own files allocate that many before
    they look how many there are.
    """

    def __init__(self, file: BinaryIO, stored: int) -> None:
        self._file, self._stored = file, stored

    def read(self, size: int = -1) -> bytes:  # noqa: D102
        left = max(0, self._stored - self._file.tell())
        return self._file.read(left if size < 0 else min(size, left))

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:  # noqa: D102
        return self._file.seek(place, whence)

    def tell(self) -> int:  # noqa: D102
        return self._file.tell()

    def seekable(self) -> bool:  # noqa: D102
        return True

    def readable(self) -> bool:  # noqa: D102
        return True


@contextmanager
def open_content(path: Path, limits: Limits) -> Iterator[Content]:
    """Open the content of a regular file. A failure to read or expand it becomes a `DataError` that names the file."""
    with reading(path), open_regular(path) as file:
        yield Content(path, file, limits)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors in reading a file into a `DataError` that names it."""
    try:
        yield
    except EOFError:
        raise DataError(
            f"{shown(path)} is cut short: its gzip data end too early. Was the download interrupted? Fetch it again."
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{shown(path)} is damaged: its gzip data cannot be expanded ({error}). Fetch it again."
        ) from None
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror or error}.") from error


@contextmanager
def modest(where: str) -> Iterator[None]:
    """Turn a `MemoryError` that damaged data cause in another package into a `DataError` that says where."""
    try:
        yield
    except MemoryError as error:
        reason = str(error).rstrip(".") or "no size is given"
        raise DataError(f"{where} asks for more memory than there is ({reason}): is it damaged?") from error


@contextmanager
def damage_named(where: str, kind: str) -> Iterator[None]:
    """Turn any error that damaged data cause in another package into a `DataError` that says where."""
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise DataError(f"{where} cannot be read as {kind}: {reason}.") from error


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file. Never waits for a pipe and never wakes a device.

    Raises
    ------
    DataError
        If the path is a pipe, a device, a socket or a folder.
    OSError
        If it cannot be opened.
    """
    _check_regular(path, os.stat(path).st_mode)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    file = os.fdopen(os.open(path, flags), "rb")
    try:
        _check_regular(path, os.fstat(file.fileno()).st_mode)  # again, because the path may have changed in between
    except DataError:
        file.close()
        raise
    return file


def kind_of(mode: int) -> str:
    """The kind of a path by its file mode, in words."""
    return _KINDS.get(stat.S_IFMT(mode), "no regular file")


def shown(path: Path | str) -> str:
    """A path as text that prints anywhere. Bytes that are not UTF-8 become backslash escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def points_outside(member: str) -> bool:
    """Whether a member's name leads out of its archive: it is absolute, has a drive, or has parent folders.

    Examples
    --------
    >>> [points_outside(name) for name in ("a/b.png", "../b.png", "/b.png", "C:b.png")]
    [False, True, True, True]
    """
    place = PurePosixPath(member.replace("\\", "/"))
    return place.is_absolute() or ".." in place.parts or re.match("[A-Za-z]:", member) is not None


def source_name(path: Path) -> str:
    """The name of a source: its file name without the endings of its format.

    Examples
    --------
    >>> source_name(Path("sets/train-images-idx3-ubyte.gz")), source_name(Path("v1.2/points.csv"))
    ('train-images', 'points')
    """
    name = shown(path.name or path.resolve().name)
    while (shorter := _ENDINGS.sub("", name)) not in (name, ""):
        name = shorter
    return name


def natural(name: str) -> list[tuple[str, int, str]]:
    """A sort key for natural order: digit2 before digit10. The order is the same on every file system.

    Examples
    --------
    >>> sorted(["b10", "b9", "a"], key=natural)
    ['a', 'b9', 'b10']
    """
    parts = re.split(r"([0-9]+)", unicodedata.normalize("NFC", name))
    numbers = [*map(int, parts[1::2]), -1]
    return [*((text, number, "") for text, number in zip(parts[::2], numbers, strict=True)), ("", -1, name)]


def _check_regular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise DataError(
            f"{shown(path)} is {kind_of(mode)}; only regular files are read. Save its content to a file first."
        )
