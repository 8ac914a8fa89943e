"""Where runs begin: the random stream of each run, and the rows that it starts from.

Random numbers are drawn here, outside the engines, one stream per (seed, K, restart): so a run's start depends on nothing
else in its study, on no number of threads and on no engine.
"""

from __future__ import annotations

import numpy as np

from steinhaus.points import Int64

UInt64 = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]


class Stream:
    """A random stream that gives the same numbers with every version of NumPy.

    NumPy promises stable raw bits from `PCG64` and `SeedSequence` (NEP 19), but not from `Generator`'s distributions; so
    these are made here from the raw bits.

    Parameters
    ----------
    *key
        Non-negative integers that name the stream, (seed, k, restart) for a run.

    Examples
    --------
    >>> Stream(0, 10, 3).distinct(3, 100).tolist()
    [66, 47, 74]
    """

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def raw(self, n: int) -> UInt64:
        """Draw n words of 64 random bits, (n,) uint64."""
        return np.asarray(self._bits.random_raw(n), dtype=np.uint64)

    def uniform(self) -> float:
        """Draw a float in [0, 1), a multiple of 2^-53."""
        return int(self.raw(1)[0] >> np.uint64(11)) * 2.0**-53

    def below(self, bounds: Int64) -> Int64:
        """Draw one integer in [0, bound) for each bound, evenly, (m,) int64.

        By rejection: words at or above the largest multiple of the bound are drawn again.
        """
        span = bounds.astype(np.uint64)
        last = np.uint64(2**64 - 1)
        rejected = (last % span + np.uint64(1)) % span  # 2^64 mod bound words at the top would favour small numbers
        words = self.raw(len(span))
        while (again := np.flatnonzero(words > last - rejected)).size:
            words[again] = self.raw(again.size)
        return (words % span).astype(np.int64)

    def integers(self, n: int, below: int) -> Int64:
        """Draw n integers in [0, below), evenly, (n,) int64."""
        return self.below(np.full(n, below, np.int64))

    def distinct(self, m: int, n: int) -> Int64:
        """Draw m of the integers 0..n-1 without replacement, in random order, (m,) int64 (Fisher-Yates, the first m steps)."""
        swaps = self.below(n - np.arange(m, dtype=np.int64)) + np.arange(m)
        moved: dict[int, int] = {}
        drawn = np.empty(m, np.int64)
        for place, swap in enumerate(swaps.tolist()):
            drawn[place] = moved.get(swap, swap)
            moved[swap] = moved.get(place, place)
        return drawn

    def permutation(self, n: int) -> Int64:
        """Shuffle the integers 0..n-1, (n,) int64."""
        return self.distinct(n, n)


def random_rows(n: int, k: int, stream: Stream) -> Int64:
    """Draw the indices of k distinct rows of n, evenly, (k,) int64."""
    return stream.distinct(k, n)

