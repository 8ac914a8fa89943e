"""Exact sums over points that are larger than 64 bits."""

from __future__ import annotations

import numpy as np
import pytest

from steinhaus.engines.exact.grid import unit_grid
from steinhaus.engines.exact.rows import dense_rows
from steinhaus.engines.exact.totals import measure
from steinhaus.engines.workers import Workers


class Repeating(Workers):
    """A worker that does its task again and again, as if there were so many points."""

    def each(self, work, end, step):
        for _ in range(300):
            super().each(work, end, step)


def test_squares_of_many_small_integers_are_summed_exactly():
    """More points than memory holds here, of the largest values."""
    n, d = 2**13, 1024
    x = np.full((n, d), 2**16 - 1, np.uint16)
    found = measure(dense_rows(x, unit_grid(d)), np.ones(d), 1.0, Repeating(1))
    assert found.squares == 300 * n * d * (2**16 - 1) ** 2 > 2**63
    assert (found.sums == 300 * n * (2**16 - 1)).all()


@pytest.mark.parametrize(("kind", "d"), [(np.uint8, 37), (np.int8, 16), (np.uint8, 2**18 + 50)])
def test_bytes_are_summed_exactly(kind, d, rng):
    x = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, (5, d), endpoint=True).astype(kind)
    x[0] = np.iinfo(kind).max
    found, exact = measure(dense_rows(x, unit_grid(d)), np.ones(d), 1.0, Workers(2)), x.astype(np.int64)
    assert found.lengths.tolist() == (exact**2).sum(axis=1).tolist()
    assert (found.sums[0, 0] == exact.sum(axis=0)).all()
    assert found.squares == (exact**2).sum()
