"""Options in messages, as the reader types them: `labels="none"` in Python, `--labels none` in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_IN_TERMINAL: ContextVar[bool] = ContextVar("in_terminal", default=False)


@contextmanager
def in_terminal() -> Iterator[None]:
    """Messages within this block are read in a terminal."""
    token = _IN_TERMINAL.set(True)
    try:
        yield
    finally:
        _IN_TERMINAL.reset(token)


def option(name: str, value: str, typed: str | None = None) -> str:
    """An option with a value, as the reader types it.

    Parameters
    ----------
    name
        The parameter's name in Python; the command's is the same, with dashes.
    value
        The value as Python has it.
    typed
        The value as it is typed; by default the same without quotes. "": the option is a flag.

    Examples
    --------
    >>> option("follow_links", "True", ""), option("labels", '"none"')
    ('follow_links=True', 'labels="none"')
    >>> with in_terminal():
    ...     option("follow_links", "True", ""), option("labels", '"none"')
    ('--follow-links', '--labels none')
    """
    value = value.replace("'", '"')
    if not _IN_TERMINAL.get():
        return f"{name}={value}"
    given = value.strip('"') if typed is None else typed
    return f"{flag(name)} {given}".rstrip()


def flag(name: str) -> str:
    """The command's option for a parameter of Python."""
    return "--limit" if name == "limits" else f"--{name.replace('_', '-')}"


def either(python: str, typed: str) -> str:
    """The one text in Python, the other in a terminal."""
    return typed if _IN_TERMINAL.get() else python
