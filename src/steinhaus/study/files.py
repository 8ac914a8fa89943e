"""All file system calls with which a study and its report write, so that tests can make the n-th one fail.

A whole file is written under a temporary name in the same folder, flushed to disk and renamed; then the folder is
flushed. A reader, or the next start after a crash, sees either the old file or the new one. POSIX only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from steinhaus.errors import StoreError

KEPT = "Finished work is kept. Fix this, then give the same command again."
HINTS = {
    errno.ENOSPC: " Free some space on that disk.",
    errno.EDQUOT: " Your quota on that disk is used up.",
    errno.EACCES: " Check the permissions.",
    errno.EROFS: " The disk is mounted read-only.",
}


@contextlib.contextmanager
def _explained(doing: str, path: Path, but: type[OSError] | tuple[()] = ()) -> Iterator[None]:
    """Turn errors of the system, except of type `but`, into a `StoreError` that names the file and the way out."""
    try:
        yield
    except but:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        hint = HINTS.get(error.errno or 0, "")
        raise StoreError(f"Cannot {doing} {path}: {reason}.{hint} {KEPT}") from error


def make_folder(path: Path) -> None:
    """Create a folder and its parents, if they are missing."""
    if path.is_dir():
        return
    with _explained("make the folder", path):
        if path.parent != path:
            make_folder(path.parent)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
        _flush_folder(path.parent)
    if not path.is_dir():
        raise StoreError(f"Cannot make the folder {path}: there is a file of that name. Choose another folder.")


def write(path: Path, data: bytes, *, flush: bool = True) -> None:
    """Write a whole file, so that readers see the old one or the new one. Writers of the same file take turns.

    Without `flush`, a power cut soon after may leave the file empty.
    """
    write_blocks(path, (data,), flush=flush)


def write_blocks(path: Path, blocks: Iterable[bytes], *, flush: bool = True) -> None:
    """Like `write`, for content in blocks."""
    temporary = temporary_name(path)
    with _explained("write", path):
        fd = _open_locked(temporary, fcntl.LOCK_EX)
        try:
            os.ftruncate(fd, 0)
            for block in blocks:
                _write_all(fd, block)
            if flush:
                os.fsync(fd)
            os.replace(temporary, path)
            if flush:
                _flush_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                if _is_open_as(fd, temporary):  # another writer may have replaced it
                    os.unlink(temporary)
            raise
        finally:
            os.close(fd)


def temporary_name(path: Path) -> Path:
    """The name of a file until it is complete."""
    return path.with_name(f".{path.name}.tmp")


def append(path: Path, line: bytes) -> None:
    """Append one line. If a crash left a torn line, it is ended first, so that only this line is lost."""
    with _explained("write", path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            end = os.lseek(fd, 0, os.SEEK_END)
            torn = end > 0 and os.pread(fd, 1, end - 1) != b"\n"
            _write_all(fd, (b"\n" if torn else b"") + line + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)


def write_at(path: Path, data: bytes, place: int) -> None:
    """Write into a file from byte `place`, and flush it to disk. The file is created if it is missing."""
    with _explained("write", path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            os.lseek(fd, place, os.SEEK_SET)
            _write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)


def rename(path: Path, name: str) -> None:
    """Rename a file within its folder, and flush the folder."""
    with _explained("rename", path):
        os.replace(path, path.with_name(name))
        _flush_folder(path.parent)


def read(path: Path, limit: int) -> bytes:
    """Read a whole regular file of at most `limit` bytes. It raises as `read_blocks` does."""
    return b"".join(read_blocks(path, limit))


def read_blocks(path: Path, limit: int) -> Iterator[bytes]:
    """Read a regular file of at most `limit` bytes, in blocks.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StoreError
        If it is not a regular file, is larger than the limit, or cannot be read.
    """
    with _explained("read", path, but=FileNotFoundError):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except NotADirectoryError as error:
            raise FileNotFoundError(*error.args) from None
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise StoreError(f"Cannot read {path}: it is not a regular file.")
            if status.st_size > limit:
                raise StoreError(
                    f"Cannot read {path}: it has {status.st_size} bytes, but files of its kind have at most {limit}."
                )
            while block := os.read(fd, 1 << 24):
                yield block
        finally:
            os.close(fd)


def names(folder: Path) -> list[str]:
    """The sorted names in a folder; empty if there is no folder."""
    with _explained("read the folder", folder):
        try:
            return sorted(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return []


def remove(path: Path) -> None:
    """Remove a file, if it exists, and flush its folder."""
    with _explained("remove", path), contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        _flush_folder(path.parent)


def open_locked(path: Path) -> int | None:
    """Open and lock a lock file. Return its descriptor, or None if another process holds it.

    The kernel holds the lock (flock), so it ends with its process.
    """
    with _explained("lock", path):
        try:
            return _open_locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None


def _open_locked(path: Path, how: int) -> int:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, how)
            if _is_open_as(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # its holder removed or renamed it just before it was locked here


def is_open_as(fd: int, path: Path) -> bool:
    """Whether the file of a descriptor still has this name."""
    with _explained("read", path):
        return _is_open_as(fd, path)


def _is_open_as(fd: int, path: Path) -> bool:
    try:
        there = os.stat(path, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return os.path.samestat(os.fstat(fd), there)


def rewrite(fd: int, path: Path, data: bytes) -> None:
    """Replace the content of an open file in place."""
    with _explained("write", path):
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
        _write_all(fd, data)


def close(fd: int) -> None:
    """Close a descriptor."""
    os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _flush_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
