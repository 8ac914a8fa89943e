"""Measure the time of each stage of a command."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steinhaus.study.events import Event


@dataclass
class Stages:
    """The time of each stage of a command."""

    clock: Callable[[], float] = time.perf_counter
    seconds: dict[str, float] = field(default_factory=dict)
    since: float = field(init=False)

    def __post_init__(self) -> None:
        self.since = self.clock()

    def ended(self, stage: str) -> None:
        """Add the time since the last call to a stage."""
        now = self.clock()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self.since
        self.since = now

    def event(self, event: Event) -> None:
        """Separate the stages of a study by its events."""
        first = "seed the runs, first iteration"
        match event.name:
            case "started":
                self.ended("split the images, look for finished runs")
            case "advanced" if first not in self.seconds:
                self.ended(first)
            case "advanced" | "run_finished" | "checkpointed":
                self.ended("iterate")
            case "refining" | "refined":
                self.ended("refine")
            case "finished":
                self.ended("assign, name, write")
            case _:
                pass

    def text(self) -> str:
        """A line for each stage, and their sum."""
        lines = {**self.seconds, "in all, after the program's start": sum(self.seconds.values())}
        return "\n".join(f"{seconds:8.2f} s  {stage}" for stage, seconds in lines.items())
