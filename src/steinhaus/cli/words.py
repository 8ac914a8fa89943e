"""The words of the command line: paragraphs that fit the terminal, amounts, counts, the first line of a study."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TextIO

import click

from steinhaus.study.events import Finished, Started


def paragraph(text: str, stream: TextIO, indent: int = 0) -> str:
    """A text wrapped to the width of a stream's terminal. Words stay whole; control characters are escaped."""
    wrap = textwrap.TextWrapper(columns(stream), break_long_words=False, break_on_hyphens=False)
    wrap.initial_indent = wrap.subsequent_indent = " " * indent
    return "\n".join(wrap.fill("".join(map(visible, line))) for line in text.splitlines())


def visible(c: str) -> str:
    """The character, if it can be printed, or its escape."""
    return c if c.isprintable() else ascii(c)[1:-1]


def columns(stream: TextIO) -> int:
    """The width of the terminal behind a stream: COLUMNS if it is set, and 80 if nothing is known."""
    said = os.environ.get("COLUMNS", "")
    if said.isdigit() and int(said) > 0:
        return max(20, int(said))
    try:
        return max(20, os.get_terminal_size(stream.fileno()).columns or 80)
    except (OSError, ValueError):  # not a terminal, or not a file
        return 80


def tell(text: str) -> None:
    """Tell the user something that is not a result, on standard error."""
    print(paragraph(text, sys.stderr), file=sys.stderr, flush=True)


def complain(text: str) -> None:
    """Tell the user an error."""
    message = paragraph(f"Error: {text}", sys.stderr)
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        message = message.replace("Error:", click.style("Error:", fg="red", bold=True), 1)
    print(message, file=sys.stderr, flush=True)


def amount(done: int, total: int | None, unit: str) -> str:
    """The amount that is done: "12.3 of 47.0 MB", "120 of 4,000 pictures"."""
    if unit == "bytes":
        return f"{done / 1e6:.1f} MB" if total is None else f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"
    if not unit:
        return ""
    return f"{done:,} {unit}" if total is None else f"{done:,} of {total:,} {unit}"


def counted(n: int, one: str) -> str:
    """1 run, 20 runs."""
    return f"{n:,} {one}" if n == 1 else f"{n:,} {one}s"


def begun(event: Started) -> str:
    """The sentence at the start of a study, new or resumed."""
    images = f"{event.n_train:,} images" + (f", {event.n_test:,} more to test" if event.n_test else "")
    ks = len({k for k, _ in event.runs})
    what = f"{counted(len(event.runs), 'run')} ({counted(ks, 'value')} of K) on {images}"
    if event.finished or event.resumed:
        return f"Resuming {what}: {len(event.finished)} finished before, {len(event.resumed)} interrupted."
    return f"Running {what}."


def found(event: Finished) -> str:
    """The sentence about a study that is already finished."""
    return f"This study is finished: {counted(event.runs, 'run')} found on disk, nothing to run."
