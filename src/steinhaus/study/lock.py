"""One writer a folder: a lock file that says who writes, and a lock of the kernel's that ends with its process."""

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
    """The right to write to a study's folder, held from `with` to its end.

    A process that died leaves its lock file behind, but not its lock. Left by this machine, it is taken over, and
    `taken_over` says so. Left by another machine it is not, because not every network disk shares locks between
    machines: `break_lock` takes it over all the same. A process whose lock was broken finds out before its next write
    (`check`).

    Parameters
    ----------
    folder
        An existing folder.
    break_lock
        Take over from a process of another machine, alive or not.

    Raises
    ------
    StoreError
        On entering: another process writes there, or one of another machine may.
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
        """Of a lock that is held: refuse it, or put one of our own in its place."""
        if host in (here, None) or not self._break:
            raise StoreError(self._in_use(pid, host, here))
        files.remove(self.path)
        self._fd = files.open_locked(self.path)
        if self._fd is None:
            raise StoreError(f"{self.path.parent} was locked again while its lock was being broken. Try again.")
        self.taken_over = f"The lock of process {pid} on {host} was broken."

    def _take_over(self, pid: int | None, host: str, here: str) -> None:
        """Of a lock file that nobody holds: judge whether its process is dead, here, or may live elsewhere."""
        if host != here and not self._break:
            raise StoreError(
                f"{self.path.parent} was locked by process {pid} on {host}, and whether that process is alive cannot "
                f"be seen from {here}. If it is dead, add --break-lock (break_lock=True) to go on where it stopped."
            )
        state = "died" if host == here else "was said to be dead"
        self.taken_over = f"Process {pid} on {host}, which wrote here before, {state}; its lock was taken over."

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
        """What the lock file says: process and machine; (None, None) where it says nothing readable."""
        try:
            said = json.loads(files.read(self.path, 4096))
            pid, host = said["pid"], said["host"]
        except (StoreError, OSError, ValueError, KeyError, TypeError, RecursionError):
            return None, None
        return (pid, host) if type(pid) is int and isinstance(host, str) and host.isprintable() else (None, None)

    def check(self) -> None:
        """Make sure that nobody broke the lock.

        Raises
        ------
        StoreError
            Somebody did; nothing more may be written.
        """
        if self._fd is None or not files.is_open_as(self._fd, self.path):
            raise StoreError(
                f"The lock of {self.path.parent} was broken by another process; this one stops writing there."
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with contextlib.suppress(StoreError):  # the lock itself goes with the descriptor
                if self._fd is not None and files.is_open_as(self._fd, self.path):
                    files.remove(self.path)
        finally:
            self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            files.close(fd)
