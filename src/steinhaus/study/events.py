"""Events of a running study: one stream for the screen (`watch`) and for the folder's `events.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

Key = tuple[int, int]  # (k, restart)


@dataclass(frozen=True)
class Started:
    """The study starts or resumes."""

    name: ClassVar[str] = "started"
    runs: tuple[Key, ...]  # all runs of the study
    finished: tuple[Key, ...]  # finished in an earlier session
    resumed: tuple[Key, ...]  # resumed from the checkpoint
    n_train: int
    n_test: int
    machine: dict[str, Any]
    versions: dict[str, str]


@dataclass(frozen=True)
class Noted:
    """A note for the user, such as a lock that was taken over or a damaged checkpoint."""

    name: ClassVar[str] = "noted"
    text: str


@dataclass(frozen=True)
class RunProgress:
    """The progress of an active run."""

    k: int
    restart: int
    iteration: int
    inertia: float  # after this iteration, for pixels scaled to 0..1


@dataclass(frozen=True)
class Advanced:
    """All active runs have done one more iteration. Not kept in `events.jsonl`, because runs have histories."""

    name: ClassVar[str] = "advanced"
    active: tuple[RunProgress, ...]


@dataclass(frozen=True)
class Checkpointed:
    """The active runs were saved to disk."""

    name: ClassVar[str] = "checkpointed"
    active: int


@dataclass(frozen=True)
class RunFinished:
    """A run ended and was saved."""

    name: ClassVar[str] = "run_finished"
    k: int
    restart: int
    iterations: int
    inertia: float  # of the final labels, for pixels scaled to 0..1
    stop: str  # the name of a points.Stop


@dataclass(frozen=True)
class Refining:
    """The best run of a K was refined by one more step. Not kept in `events.jsonl`."""

    name: ClassVar[str] = "refining"
    k: int
    step: int
    inertia: float  # the best so far, for pixels scaled to 0..1


@dataclass(frozen=True)
class Refined:
    """The refining of a K ended, and its result was saved."""

    name: ClassVar[str] = "refined"
    k: int
    restart: int  # the run that was refined
    steps: int
    before: float  # inertia of that run, for pixels scaled to 0..1
    inertia: float
    took: float  # seconds


@dataclass(frozen=True)
class Interrupted:
    """The study was interrupted, and can be resumed."""

    name: ClassVar[str] = "interrupted"
    active: int


@dataclass(frozen=True)
class Finished:
    """The study is complete. If it came from disk, there was nothing to do."""

    name: ClassVar[str] = "finished"
    runs: int
    from_disk: bool = False


Event = Started | Noted | Advanced | Checkpointed | RunFinished | Refining | Refined | Interrupted | Finished


def as_dict(event: Event) -> dict[str, Any]:
    """An event in types of JSON. Its name comes first, under "event"."""
    return {"event": event.name, **asdict(event)}


def parse(data: bytes) -> list[dict[str, Any]]:
    """The events of an `events.jsonl`. Torn lines and lines that are not events are left out."""
    return [line for text in data.split(b"\n") if (line := _line(text)) is not None]


def _line(text: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) and isinstance(line.get("event"), str) else None


def run_seconds(lines: Iterable[Mapping[str, Any]]) -> dict[Key, float]:
    """Seconds of work on the study until each run ended, over all sessions, without the time between them.

    All runs advance together, so a run alone would take less time.
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
    """K -> seconds of its refining."""
    took: dict[int, float] = {}
    for line in lines:
        k, seconds = line.get("k"), line.get("took")
        if line["event"] == "refined" and isinstance(k, int) and isinstance(seconds, float) and 0 <= seconds < 1e300:
            took[k] = seconds
    return took
