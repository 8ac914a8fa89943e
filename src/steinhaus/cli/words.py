"""What the command line says in words: paragraphs that fit the terminal, amounts, counts, how a study begins."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TextIO

import click

from steinhaus.study.events import Finished, Started


def paragraph(text: str, stream: TextIO, indent: int = 0) -> str:
    """A text wrapped to the width of the terminal behind a stream. No word is broken; nothing steers the terminal."""
    wrap = textwrap.TextWrapper(columns(stream), break_long_words=False, break_on_hyphens=False)
    wrap.initial_indent = wrap.subsequent_indent = " " * indent
    return "\n".join(wrap.fill("".join(map(visible, line))) for line in text.splitlines())


def visible(c: str) -> str:
    """A character that can be printed, or its escape."""
    return c if c.isprintable() else ascii(c)[1:-1]


def columns(stream: TextIO) -> int:
    """The width of the terminal behind a stream: COLUMNS where that is set, 80 where nothing is known."""
    said = os.environ.get("COLUMNS", "")
    if said.isdigit() and int(said) > 0:
        return max(20, int(said))
    try:
        return max(20, os.get_terminal_size(stream.fileno()).columns or 80)
    except (OSError, ValueError):  # no terminal, or no file at all
        return 80


def tell(text: str) -> None:
    """Say something to the user that is no result: on standard error."""
    print(paragraph(text, sys.stderr), file=sys.stderr, flush=True)


def complain(text: str) -> None:
    """Say what went wrong."""
    message = paragraph(f"Error: {text}", sys.stderr)
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        message = message.replace("Error:", click.style("Error:", fg="red", bold=True), 1)
    print(message, file=sys.stderr, flush=True)


def amount(done: int, total: int | None, unit: str) -> str:
    """How much of a step is done: "12.3 of 47.0 MB", "120 of 4,000 pictures"."""
    if unit == "bytes":
        return f"{done / 1e6:.1f} MB" if total is None else f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"
    if not unit:
        return ""
    return f"{done:,} {unit}" if total is None else f"{done:,} of {total:,} {unit}"


def counted(n: int, one: str) -> str:
    """1 run, 20 runs."""
    return f"{n:,} {one}" if n == 1 else f"{n:,} {one}s"


def begun(event: Started) -> str:
    """A sentence about a study that begins or goes on."""
    images = f"{event.n_train:,} images" + (f", {event.n_test:,} more to test" if event.n_test else "")
    ks = len({k for k, _ in event.runs})
    what = f"{counted(len(event.runs), 'run')} ({counted(ks, 'value')} of K) on {images}"
    if event.finished or event.resumed:
        return f"Going on with {what}: {len(event.finished)} ended before, {len(event.resumed)} are half-way."
    return f"Running {what}."


def found(event: Finished) -> str:
    """A sentence about a study that was there already."""
    return f"This study is done: {counted(event.runs, 'run')} found on disk, nothing to run."
