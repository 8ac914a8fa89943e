"""A replacement of the os module for `steinhaus.study.files`, in which file system calls fail or are listed."""

from __future__ import annotations

import errno
import os
import signal
import stat
from typing import Any

CALLS = {
    "open",
    "write",
    "fsync",
    "replace",
    "unlink",
    "mkdir",
    "listdir",
    "read",
    "fstat",
    "pread",
    "lseek",
    "ftruncate",
}


class FailingOs:
    """The os module, whose n-th call to the file system fails."""

    def __init__(self, n: int, failure: str) -> None:
        self.left = n
        self.failure = failure
        self.failed: str | None = None

    def __getattr__(self, name: str) -> Any:
        function = getattr(os, name)
        return self._counted(name, function) if name in CALLS else function

    def _counted(self, name: str, function: Any) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left != 0:
                return function(*args, **named)
            self.failed = name
            if name == "write":  # what the disk still took
                function(args[0], args[1][: len(args[1]) // 2])
            if self.failure == "crash":
                raise KeyboardInterrupt
            if self.failure == "SIGKILL":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(getattr(errno, self.failure), os.strerror(getattr(errno, self.failure)))

        return call


class RecordingOs:
    """The os module, that lists what is done to files on the way to disk."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        function = getattr(os, name)
        if name not in ("write", "fsync", "replace", "unlink", "mkdir"):
            return function

        def call(*args: Any, **named: Any) -> Any:
            folder = name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            self.calls.append("fsync of the folder" if folder else name)
            return function(*args, **named)

        return call
