"""Show the progress of a command: bars on a terminal, a few lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from steinhaus.cli.words import amount, begun, counted, found, paragraph, tell
from steinhaus.study.events import Advanced, Event, Finished, Noted, Refined, RunFinished, Started, as_dict

EVERY = 10.0  # seconds between two lines about active runs
STOPS = {"CONVERGED": "converged", "TOLERANCE": "within tolerance", "MAX_ITER": "iteration limit"}


class Watcher(Protocol):
    """A listener to the progress of a command."""

    def say(self, text: str) -> None:
        """Tell the user a sentence."""
        ...

    def step(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Take a report of a reader: see `steinhaus.images.Progress`."""
        ...

    def event(self, event: Event) -> None:
        """Take an event of a running study."""
        ...


def watching(quiet: bool, as_json: bool = False) -> AbstractContextManager[Watcher]:
    """The listener for a command: bars on a terminal, lines elsewhere, unless the user asks for JSON or quiet."""
    if as_json:
        return nullcontext(JsonLines(sys.stdout))
    if quiet:
        return nullcontext(Quiet())
    if not sys.stderr.isatty():
        return nullcontext(Lines(sys.stderr))
    from steinhaus.cli.bars import bars

    return bars()


class Quiet:
    """Shows no progress, but still says what the user should know."""

    def say(self, text: str) -> None:
        """Write the sentence."""
        tell(text)

    def step(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Show nothing."""

    def event(self, event: Event) -> None:
        """Say the notes of the study."""
        if isinstance(event, Noted):
            tell(event.text)


@dataclass
class JsonLines:
    """Writes every event of a study as one line of JSON, as in its `events.jsonl`."""

    stream: TextIO

    def say(self, text: str) -> None:
        """Write the sentence as a "noted" event."""
        self.event(Noted(text))

    def step(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Ignore the progress of readers."""

    def event(self, event: Event) -> None:
        """Write the event and flush it."""
        self.stream.write(json.dumps(as_dict(event)) + "\n")
        self.stream.flush()


@dataclass
class Lines:
    """Writes one line per run that ends and, after a long silence, one about the active runs. For logs and pipes."""

    stream: TextIO
    clock: Callable[[], float] = time.monotonic
    restarts: dict[int, int] = field(default_factory=dict)  # K -> number of its runs
    spoke: float = field(init=False)  # when the last line was written

    def __post_init__(self) -> None:
        self.spoke = self.clock()

    def say(self, text: str) -> None:
        """Write the sentence."""
        self._line(paragraph(text, self.stream))

    def step(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Write the progress of a reader after a long silence."""
        if self.clock() - self.spoke >= EVERY:
            self._line(f"{what}: {amount(done, total, unit)}")

    def event(self, event: Event) -> None:
        """Write a line about the important events."""
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
            case Refined():
                gain = 100 * (1 - event.inertia / event.before) if event.before else 0.0
                self._line(
                    f"K = {event.k}, run {event.restart + 1} refined: inertia {event.inertia:,.3f}, {gain:.2f} % "
                    f"lower, {counted(event.steps, 'step')}, {event.took:.1f} s"
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
