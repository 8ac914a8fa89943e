"""How a command shows what it is doing: bars on a terminal, sparse lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

from steinhaus.cli.words import amount, counted, paragraph, tell
from steinhaus.study.events import (
    Advanced,
    Event,
    Finished,
    Interrupted,
    Noted,
    Progress,
    RunFinished,
    Started,
    as_dict,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

EVERY = 10.0  # seconds between two lines about runs that are still active
STOPS = {"CONVERGED": "converged", "TOLERANCE": "within tolerance", "MAX_ITER": "iteration limit"}


class Watcher(Protocol):
    """What a command tells of its progress."""

    def say(self, text: str) -> None:
        """Tell the user something in a sentence."""
        ...

    def step(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Hear from the readers of images: see `steinhaus.images.Progress`."""
        ...

    def event(self, event: Event) -> None:
        """Hear from a running study."""
        ...


def watching(quiet: bool, as_json: bool = False) -> AbstractContextManager[Watcher]:
    """How a command shows its progress: bars on a terminal, lines elsewhere, unless it was asked for something else."""
    if as_json:
        return nullcontext(JsonLines(sys.stdout))
    if quiet:
        return nullcontext(Quiet())
    return bars() if sys.stderr.isatty() else nullcontext(Lines(sys.stderr))


class Quiet:
    """Shows no progress; what the user should know is still said."""

    def say(self, text: str) -> None:
        """Write the sentence."""
        tell(text)

    def step(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Show nothing."""

    def event(self, event: Event) -> None:
        """Say what the study notes."""
        if isinstance(event, Noted):
            tell(event.text)


@dataclass
class JsonLines:
    """Every event of a study as one line of JSON, in the form of its `events.jsonl`."""

    stream: TextIO

    def say(self, text: str) -> None:
        """Write the sentence as a "noted" event."""
        self.event(Noted(text))

    def step(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Leave out how far a reader is."""

    def event(self, event: Event) -> None:
        """Write the event, and let a waiting reader have it."""
        self.stream.write(json.dumps(as_dict(event)) + "\n")
        self.stream.flush()


@dataclass
class Lines:
    """A line for each run that ends and, in a long silence, one about those that are active. For logs and pipes."""

    stream: TextIO
    clock: Callable[[], float] = time.monotonic
    restarts: dict[int, int] = field(default_factory=dict)  # K -> runs of it
    spoke: float = field(init=False)  # when the last line was written

    def __post_init__(self) -> None:
        self.spoke = self.clock()

    def say(self, text: str) -> None:
        """Write the sentence."""
        self._line(paragraph(text, self.stream))

    def step(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Write how far a reader is, in a long silence."""
        if self.clock() - self.spoke >= EVERY:
            self._line(f"{what}: {amount(done, total, unit)}")

    def event(self, event: Event) -> None:
        """Write what is worth a line."""
        match event:
            case Started():
                self.restarts = {k: sum(key[0] == k for key in event.runs) for k, _ in event.runs}
                self._line(begun(event))
            case RunFinished():
                stop = STOPS[event.stop]
                self._line(
                    f"K = {event.k}, run {event.restart + 1} of {self.restarts[event.k]}: inertia {event.inertia:,.3f} "
                    f"after {counted(event.iterations, 'iteration')}, {stop}"
                )
            case Advanced() if event.active and self.clock() - self.spoke >= EVERY:
                iteration = max(run.iteration for run in event.active)
                self._line(f"{counted(len(event.active), 'run')} active, iteration {iteration}")
            case Noted():
                self.say(event.text)
            case Finished() if event.from_disk:
                self._line(found(event))
            case _:
                pass

    def _line(self, text: str) -> None:
        self.spoke = self.clock()
        self.stream.write(text + "\n")
        self.stream.flush()


@dataclass
class Row:
    """What is shown of one K."""

    runs: int
    ended: int = 0
    active: int = 0
    iteration: int = 0
    best: float | None = None

    def see(self, inertia: float) -> None:
        """Keep the best inertia so far."""
        self.best = inertia if self.best is None else min(self.best, inertia)


@contextmanager
def bars() -> Iterator[Watcher]:
    """Bars on the terminal behind standard error, gone when the work is done."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False)
    drawn = Bars(console)
    with Live(drawn, console=console, refresh_per_second=8, transient=True):
        yield drawn


class Bars:
    """A bar for each K, drawn anew a few times a second while events only note down what to draw."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self.clock = clock
        self.began = clock()
        self.rows: dict[int, Row] = {}
        self.reading: tuple[str, int, int | None, str] | None = None

    def say(self, text: str) -> None:
        """Write the sentence above the bars."""
        self.console.print(paragraph(text, sys.stderr), markup=False, soft_wrap=True)

    def step(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Show how far a reader is."""
        self.reading = (what, done, total, unit)

    def event(self, event: Event) -> None:
        """Note down what has changed."""
        match event:
            case Started():
                self.reading = None
                self.rows = {}
                for key in event.runs:
                    row = self.rows.setdefault(key[0], Row(0))
                    row.runs += 1
                    row.ended += key in event.finished
                    row.active += key not in event.finished
                if event.finished or event.resumed:
                    self.say(begun(event))
            case Advanced():
                self._advance(event.active)
            case RunFinished():
                row = self.rows[event.k]
                row.ended += 1
                row.active -= 1
                row.iteration = max(row.iteration, event.iterations)
                row.see(event.inertia)
            case Noted():
                self.say(event.text)
            case Finished() | Interrupted():
                self.rows = {}
                if isinstance(event, Finished) and event.from_disk:
                    self.say(found(event))
            case _:
                pass

    def _advance(self, active: tuple[Progress, ...]) -> None:
        for run in active:
            row = self.rows[run.k]
            row.iteration = max(row.iteration, run.iteration)
            row.see(run.inertia)

    def __rich__(self) -> RenderableType:
        """Draw what is known now: the reader, or a row for each K that fits, those still running first to stay."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        if self.reading is not None:
            what, done, total, unit = self.reading
            bar = ProgressBar(total=total, completed=done, width=24, pulse=total is None)
            table = Table.grid(padding=(0, 2))
            table.add_row(
                Text(what, overflow="ellipsis", no_wrap=True), bar, Text(amount(done, total, unit), no_wrap=True)
            )
            return table
        if not self.rows:
            return Text("")
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("")
        table.add_column("runs ended")
        for name in ("active", "iteration", "best inertia"):
            table.add_column(name, justify="right", no_wrap=True)
        space = max(1, self.console.height - 4)
        shown = fitting(self.rows, space)
        for k in shown:
            row = self.rows[k]
            bar = ProgressBar(total=row.runs, completed=row.ended, width=24)
            best = "" if row.best is None else f"{row.best:,.3f}"
            table.add_row(f"K = {k}", bar, str(row.active or ""), str(row.iteration or ""), best)
        ended, runs = sum(row.ended for row in self.rows.values()), sum(row.runs for row in self.rows.values())
        hidden = f", {len(self.rows) - len(shown)} more values of K" if len(shown) < len(self.rows) else ""
        return Group(table, Text(f"{ended} of {runs} runs, {self.clock() - self.began:.0f} s{hidden}", style="dim"))


def fitting(rows: dict[int, Row], space: int) -> list[int]:
    """The Ks to show where not all fit: those with active runs before those that are done."""
    first = sorted(rows, key=lambda k: (rows[k].active == 0, k))[:space]
    return sorted(first)


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
