"""The state of a run between passes, for engines that keep only labels and sums."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from steinhaus.points import Int32, Int64


@dataclass
class Held:
    """The labels of a run, and the sums and counts of its clusters."""

    labels: Int32  # (n,), -1: no label yet
    sums: Int64  # (limbs, k, d)
    counts: Int64  # (k,)

    @classmethod
    def nothing(cls, n: int, limbs: int, k: int, d: int) -> Held:
        """A run before its first pass."""
        return cls(np.full(n, -1, np.int32), np.zeros((limbs, k, d), np.int64), np.zeros(k, np.int64))


def no_labels(key: Hashable) -> KeyError:
    """The error for a run without state."""
    return KeyError(f"No labels of run {key!r} are remembered: it was never assigned, or has been forgotten.")
