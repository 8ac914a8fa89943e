"""What Dask says beside a command, kept from its terminal: there, whatever happens to a cluster is our one sentence."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

_ITS = ("asyncio", "distributed", "tornado")  # its loggers, and those of what it runs on


@contextmanager
def unlogged() -> Iterator[None]:
    """Nothing that Dask logs in this process is shown; files that its configuration names get it nevertheless.

    After an error that stays so to the process's end, because what is left of a lost cluster logs until then.
    """
    import distributed  # noqa: F401  whose handlers are made when it is imported

    terminals = _terminals()
    for handler in terminals:
        handler.addFilter(_is_of_others)
    yield
    for handler in terminals:
        handler.removeFilter(_is_of_others)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """No thread started here, and no process started by one, is sent a Ctrl-C, which a terminal sends to all."""
    resource_tracker.ensure_running()  # which would have the thread that starts it hear interrupts again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _terminals() -> list[logging.Handler]:
    """The handlers through which Dask's loggers write to a stream, and the one for loggers that have none."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if _is_its(name)]
    handlers = {handler for logger in loggers for handler in logger.handlers}
    streams = [h for h in handlers if isinstance(h, logging.StreamHandler) and not isinstance(h, logging.FileHandler)]
    return [*streams, *([logging.lastResort] if logging.lastResort else [])]


def _is_its(name: str) -> bool:
    return name.partition(".")[0] in _ITS


def _is_of_others(record: logging.LogRecord) -> bool:
    return not _is_its(record.name)
