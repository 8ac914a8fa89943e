"""Keep Dask's own log out of the terminal: there, one sentence of Steinhaus describes what happened to a cluster."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

_ITS = ("asyncio", "distributed", "tornado")  # Dask's loggers, and those of its libraries


@contextmanager
def unlogged() -> Iterator[None]:
    """Show nothing that Dask logs in this process. Files named in its configuration still get the log.

    After an error, the log stays hidden to the end of the process, because the rest of a lost cluster logs until then.
    """
    import distributed  # noqa: F401  its handlers are made when it is imported

    terminals = _terminals()
    for handler in terminals:
        handler.addFilter(_is_of_others)
    yield
    for handler in terminals:
        handler.removeFilter(_is_of_others)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Threads started here, and their processes, do not get a Ctrl-C, which a terminal sends to all processes."""
    resource_tracker.ensure_running()  # otherwise the thread that starts it would get interrupts again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _terminals() -> list[logging.Handler]:
    """The handlers with which Dask's loggers write to a stream, and the handler of last resort."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if _is_its(name)]
    handlers = {handler for logger in loggers for handler in logger.handlers}
    streams = [h for h in handlers if isinstance(h, logging.StreamHandler) and not isinstance(h, logging.FileHandler)]
    return [*streams, *([logging.lastResort] if logging.lastResort else [])]


def _is_its(name: str) -> bool:
    return name.partition(".")[0] in _ITS


def _is_of_others(record: logging.LogRecord) -> bool:
    return not _is_its(record.name)
