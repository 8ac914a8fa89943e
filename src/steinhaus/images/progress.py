"""How readers say how far they are. They never print; whoever opens a source may listen."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A listener, called many times as a long step goes on."""

    def __call__(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Hear of a step: what is done, how far, of how much in all (None: not known), in "bytes" or "pictures"."""
        ...
