"""Options in messages, as the user types them: `labels="none"` in Python, `--labels none` in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_IN_TERMINAL: ContextVar[bool] = ContextVar("in_terminal", default=False)


@contextmanager
def in_terminal() -> Iterator[None]:
    """Write options in messages as in a terminal, within this block."""
    token = _IN_TERMINAL.set(True)
    try:
        yield
    finally:
        _IN_TERMINAL.reset(token)


def option(name: str, value: str, typed: str | None = None) -> str:
    """An option with a value, as the user types it.

    Parameters
    ----------
    name
        The name of the parameter in Python. The command's option has the same name, with dashes.
    value
        The value as Python code.
    typed
        The value as typed in a terminal; by default `value` without quotes. "": the option is a flag.

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
    """The option of the command for a parameter in Python."""
    return "--limit" if name == "limits" else f"--{name.replace('_', '-')}"


def either(python: str, typed: str) -> str:
    """`python` in Python, `typed` in a terminal."""
    return typed if _IN_TERMINAL.get() else python
