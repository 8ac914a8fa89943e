"""Progress bars on a terminal, drawn with rich."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column, Table
from rich.text import Text

from steinhaus.cli.words import amount, begun, found, paragraph
from steinhaus.study.events import Advanced, Event, Finished, Interrupted, Noted, Refining, RunFinished, Started

WIDTH = 24  # characters per bar


@contextmanager
def bars() -> Iterator[Bars]:
    """Show bars on the terminal behind standard error until the work is done."""
    console = Console(stderr=True, highlight=False)
    drawn = Bars(console)
    with Live(drawn, console=console, refresh_per_second=8, transient=True):
        yield drawn


class Bars:
    """One bar per K. Events only update the data; the bars are redrawn a few times a second."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self.clock = clock
        self.began = clock()
        name = Column(no_wrap=True, overflow="ellipsis")
        self.reader = Progress(
            TextColumn("{task.description}", markup=False, table_column=name),
            BarColumn(WIDTH),
            TextColumn("{task.fields[amount]}", markup=False),
            console=console,
        )
        self.runs = WithHeader(
            TextColumn("{task.description}"),
            BarColumn(WIDTH, table_column=Column("runs ended")),
            Figure("active"),
            Figure("iteration"),
            Figure("best", ",.3f", header="best inertia"),
            console=console,
        )
        self.rows: dict[int, Task] = {}  # K -> its bar

    def say(self, text: str) -> None:
        """Write the sentence above the bars."""
        self.console.print(paragraph(text, sys.stderr), markup=False, soft_wrap=True)

    def step(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Show the progress of a reader."""
        told = amount(done, total, unit)
        same = [task.id for task in self.reader.tasks if (task.description, task.total) == (what, total)]
        if same:
            self.reader.update(same[0], completed=done, amount=told)
            return
        _clear(self.reader)
        self.reader.add_task(what, total=total, completed=done, amount=told)

    def event(self, event: Event) -> None:
        """Record an event, to be drawn later."""
        match event:
            case Started():
                self._begin(event)
            case Advanced():
                for run in event.active:
                    self._see(run.k, run.iteration, run.inertia)
            case RunFinished():
                self._see(event.k, event.iterations, event.inertia)
                row = self.rows[event.k]
                self.runs.update(row.id, advance=1, active=row.fields["active"] - 1)
            case Refining():
                self._see(event.k, 0, event.inertia)
            case Noted():
                self.say(event.text)
            case Finished() | Interrupted():
                self.rows = {}
                if isinstance(event, Finished) and event.from_disk:
                    self.say(found(event))
            case _:
                pass

    def _begin(self, event: Started) -> None:
        _clear(self.reader)
        _clear(self.runs)
        rows, ended = {}, Counter(k for k, _ in event.finished)
        for k, runs in Counter(k for k, _ in event.runs).items():
            self.runs.add_task(
                f"K = {k}", total=runs, completed=ended[k], active=runs - ended[k], iteration=0, best=None
            )
            rows[k] = self.runs.tasks[-1]
        self.rows = rows  # in one assignment, because another thread draws them
        if event.finished or event.resumed:
            self.say(begun(event))

    def _see(self, k: int, iteration: int, inertia: float) -> None:
        """Record the latest iteration, and the best inertia so far."""
        seen = self.rows[k].fields
        best = inertia if seen["best"] is None else min(seen["best"], inertia)
        self.runs.update(self.rows[k].id, iteration=max(seen["iteration"], iteration), best=best)

    def __rich__(self) -> RenderableType:
        """Draw the reader, or one row per K. If not all fit, running ones stay."""
        if self.reader.tasks:
            return self.reader.get_renderable()
        if not (rows := self.rows):
            return Text("")
        shown = fitting(rows, max(1, self.console.height - 4))
        for k, row in rows.items():
            row.visible = k in shown
        ended = sum(int(row.completed) for row in rows.values())
        runs = sum(int(row.total or 0) for row in rows.values())
        hidden = f", {len(rows) - len(shown)} more values of K" if len(shown) < len(rows) else ""
        summary = f"{ended} of {runs} runs, {self.clock() - self.began:.0f} s{hidden}"
        return Group(self.runs.get_renderable(), Text(summary, style="dim"))


class Figure(ProgressColumn):
    """A figure from a task's fields; empty if it is not known."""

    def __init__(self, name: str, form: str = "", *, header: str | None = None) -> None:
        self.name, self.form = name, form
        super().__init__(Column(header or name, justify="right", no_wrap=True))

    def render(self, task: Task) -> Text:
        """Write it."""
        value = task.fields[self.name]
        return Text("" if value is None else format(value, self.form))


class WithHeader(Progress):
    """A table of tasks with a header."""

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        """Let rich make the table, and show its header."""
        table = super().make_tasks_table(tasks)
        table.show_header, table.header_style = True, "dim"
        return table


def fitting(rows: Mapping[int, Task], space: int) -> list[int]:
    """The values of K to show if not all fit: those with active runs before those that are done."""
    first = sorted(rows, key=lambda k: (rows[k].fields["active"] == 0, k))[:space]
    return sorted(first)


def _clear(progress: Progress) -> None:
    for task in progress.task_ids:
        progress.remove_task(task)
