"""How many threads BLAS may use: a setting of the whole process, which our threads must not take from each other."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import threadpool_limits

_lock = threading.Lock()
_asked: list[int] = []  # by all who are at it now
_before: Any = None  # what gives the value back that stood before the first of them came


@contextmanager
def blas_threads(most: int | None) -> Iterator[None]:
    """Let BLAS use so many threads at most; None: as many as it would.

    Where several threads ask at once, the least that any of them asked for holds until it is done; the last one gives
    back what was there before the first.
    """
    if most is None:
        yield
        return
    _enter(most)
    try:
        yield
    finally:
        _leave(most)


def _enter(most: int) -> None:
    global _before  # noqa: PLW0603
    with _lock:
        _asked.append(most)
        limits = threadpool_limits(min(_asked), "blas")
        if len(_asked) == 1:
            _before = limits


def _leave(most: int) -> None:
    with _lock:
        _asked.remove(most)
        if _asked:
            threadpool_limits(min(_asked), "blas")
        else:
            _before.restore_original_limits()


def _begin_anew() -> None:
    """In the child of a fork: whoever was at it, or held the lock, is not there."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    if _asked:
        _asked.clear()
        _before.restore_original_limits()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
