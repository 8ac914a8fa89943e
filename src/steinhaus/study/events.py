"""What happens while a study runs: one stream for the screen (`watch`) and for the folder's `events.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

Key = tuple[int, int]  # (k, restart)


@dataclass(frozen=True)
class Started:
    """The study begins, or goes on."""

    name: ClassVar[str] = "started"
    runs: tuple[Key, ...]  # all of the study
    finished: tuple[Key, ...]  # found finished in the folder
    resumed: tuple[Key, ...]  # found in the checkpoint, and gone on with
    n_train: int
    n_test: int
    machine: dict[str, Any]
    versions: dict[str, str]


@dataclass(frozen=True)
class Noted:
    """Something that the user should know: a lock that was taken over, a damaged checkpoint."""

    name: ClassVar[str] = "noted"
    text: str


@dataclass(frozen=True)
class RunProgress:
    """Where an active run stands."""

    k: int
    restart: int
    iteration: int
    inertia: float  # after that iteration, of pixels scaled to 0..1


@dataclass(frozen=True)
class Advanced:
    """All active runs have done one more iteration. Not kept in `events.jsonl`: the runs have their histories."""

    name: ClassVar[str] = "advanced"
    active: tuple[RunProgress, ...]


@dataclass(frozen=True)
class Checkpointed:
    """The active runs are on disk as they stand."""

    name: ClassVar[str] = "checkpointed"
    active: int


@dataclass(frozen=True)
class RunFinished:
    """A run ended, and is kept."""

    name: ClassVar[str] = "run_finished"
    k: int
    restart: int
    iterations: int
    inertia: float  # of the final labels, of pixels scaled to 0..1
    stop: str  # points.Stop, by name


@dataclass(frozen=True)
class Refining:
    """The best run of a K has been refined by one more step. Not kept in `events.jsonl`."""

    name: ClassVar[str] = "refining"
    k: int
    step: int
    inertia: float  # the best so far, of pixels scaled to 0..1


@dataclass(frozen=True)
class Refined:
    """The best run of a K is refined, and what came of it is kept."""

    name: ClassVar[str] = "refined"
    k: int
    restart: int  # the run that it began with
    steps: int
    before: float  # the run's inertia, of pixels scaled to 0..1
    inertia: float
    took: float  # seconds


@dataclass(frozen=True)
class Interrupted:
    """The study was stopped from outside, and can go on."""

    name: ClassVar[str] = "interrupted"
    active: int


@dataclass(frozen=True)
class Finished:
    """The study is complete. From disk, nothing had to be done."""

    name: ClassVar[str] = "finished"
    runs: int
    from_disk: bool = False


Event = Started | Noted | Advanced | Checkpointed | RunFinished | Refining | Refined | Interrupted | Finished


def as_dict(event: Event) -> dict[str, Any]:
    """An event in JSON's types, its name first under "event"."""
    return {"event": event.name, **asdict(event)}


def parse(data: bytes) -> list[dict[str, Any]]:
    """The events of an `events.jsonl`; a line that is torn or no event is left out."""
    return [line for text in data.split(b"\n") if (line := _line(text)) is not None]


def _line(text: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) and isinstance(line.get("event"), str) else None


def run_seconds(lines: Iterable[Mapping[str, Any]]) -> dict[Key, float]:
    """Seconds of work on the study until each run ended, over all sessions; time between sessions does not count.

    All runs advance together, so this is not what a run would take alone.
    """
    ended: dict[Key, float] = {}
    before = session = 0.0
    for line in lines:
        seconds = line.get("seconds")
        if line["event"] == "started":
            before, session = before + session, 0.0
        if isinstance(seconds, float) and 0 <= seconds < float("inf"):
            session = seconds
        k, restart = line.get("k"), line.get("restart")
        if line["event"] == "run_finished" and isinstance(k, int) and isinstance(restart, int):
            ended[k, restart] = before + session
    return ended


def refining_seconds(lines: Iterable[Mapping[str, Any]]) -> dict[int, float]:
    """K -> seconds that refining it took."""
    took: dict[int, float] = {}
    for line in lines:
        k, seconds = line.get("k"), line.get("took")
        if line["event"] == "refined" and isinstance(k, int) and isinstance(seconds, float) and 0 <= seconds < 1e300:
            took[k] = seconds
    return took
