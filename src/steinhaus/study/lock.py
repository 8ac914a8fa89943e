"""Allow one writer per folder, by a lock file that names the writer and a kernel lock that ends with its process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import cast

from steinhaus.errors import StoreError
from steinhaus.study import files

LOCK = ".lock"


class Lock:
    """The right to write to a study's folder, held during a `with` block.

    A process that died leaves its lock file behind, but not its lock. If it ran on this machine, its file is taken
    over, and `taken_over` says so. If it ran on another machine, its file is taken over only with `break_lock`, because
    some network disks do not share locks between machines. A process whose lock was broken finds out before its next
    write (`check`).

    Parameters
    ----------
    folder
        An existing folder.
    break_lock
        Whether to take over from a process on another machine, alive or not. Default False.

    Raises
    ------
    StoreError
        On entering, if another process writes there, or if one on another machine may.
    """

    def __init__(self, folder: Path, *, break_lock: bool = False) -> None:
        self.path = folder / LOCK
        self.taken_over: str | None = None
        self._break = break_lock
        self._fd: int | None = None

    def __enter__(self) -> Lock:
        here = socket.gethostname()
        self._fd = files.open_locked(self.path)
        try:
            pid, host = self._holder()
            if self._fd is None:
                self._break_in(pid, host, here)
            elif host is not None:
                self._take_over(pid, host, here)
            said = json.dumps({"pid": os.getpid(), "host": here}).encode() + b"\n"
            files.rewrite(cast(int, self._fd), self.path, said)
        except BaseException:
            self._close()
            raise
        return self

    def _break_in(self, pid: int | None, host: str | None, here: str) -> None:
        """Refuse a lock that is held or, with `break_lock`, replace it."""
        if host in (here, None) or not self._break:
            raise StoreError(self._in_use(pid, host, here))
        files.remove(self.path)
        self._fd = files.open_locked(self.path)
        if self._fd is None:
            raise StoreError(f"{self.path.parent} was locked again while its lock was being broken. Try again.")
        self.taken_over = f"The lock of process {pid} on {host} was broken."

    def _take_over(self, pid: int | None, host: str, here: str) -> None:
        """Take over a lock file that nobody holds, unless its process may live on another machine."""
        if host != here and not self._break:
            raise StoreError(
                f"{self.path.parent} was locked by process {pid} on {host}, and {here} cannot tell whether that "
                "process is alive. If it is dead, add --break-lock (break_lock=True) to resume where it stopped."
            )
        state = "died" if host == here else "was said to be dead"
        self.taken_over = f"Process {pid} on {host}, which wrote to this folder, {state}. Its lock was taken over."

    def _in_use(self, pid: int | None, host: str | None, here: str) -> str:
        if host is None:
            return f"{self.path.parent} is in use by another process. Wait for it to end, or choose another folder."
        if host == here:
            return (
                f"{self.path.parent} is in use by process {pid} on this machine. "
                f"Wait for it to end or stop it (kill {pid}), or choose another folder."
            )
        return (
            f"{self.path.parent} is in use by process {pid} on {host}. Wait for it to end, or choose another folder. "
            f"If you are sure that it is dead, add --break-lock (break_lock=True)."
        )

    def _holder(self) -> tuple[int | None, str | None]:
        """The process and the machine in the lock file; (None, None) if it cannot be read."""
        try:
            said = json.loads(files.read(self.path, 4096))
            pid, host = said["pid"], said["host"]
        except (StoreError, OSError, ValueError, KeyError, TypeError, RecursionError):
            return None, None
        return (pid, host) if type(pid) is int and isinstance(host, str) and host.isprintable() else (None, None)

    def check(self) -> None:
        """Check that nobody broke the lock.

        Raises
        ------
        StoreError
            If another process broke it. Nothing more may be written then.
        """
        if self._fd is None or not files.is_open_as(self._fd, self.path):
            raise StoreError(
                f"The lock of {self.path.parent} was broken by another process, so this process stops writing there."
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with contextlib.suppress(StoreError):  # closing the descriptor releases the lock
                if self._fd is not None and files.is_open_as(self._fd, self.path):
                    files.remove(self.path)
        finally:
            self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            files.close(fd)
