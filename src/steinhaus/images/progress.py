"""How readers report their progress. They never print; the caller may pass a listener."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A listener that is called many times during a long step."""

    def __call__(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Take a report: the step, the amount done, the total (None: unknown), and the unit, "bytes" or "pictures"."""
        ...
