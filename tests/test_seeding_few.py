"""Greedy k-means++ for few rows of bytes: its distances are exact. Its rows are those of `test_seeding_dense`."""

from __future__ import annotations

import numpy as np
import pytest

from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.engines.dense.policy import THRESHOLDS, Policy
from steinhaus.engines.dense.seeding_few import FewRows
from steinhaus.engines.workers import Workers
from steinhaus.jit.target import takes_bytes
from steinhaus.seeding import AHEAD, most_ahead

pytestmark = pytest.mark.skipif(
    not takes_bytes(np.dtype(np.uint8)), reason="bytes are not multiplied on this processor"
)


def bytes_of(rng, kind, n, d):
    """Points of bytes, (n, d)."""
    if kind == "any":
        return rng.integers(0, 256, (n, d), dtype=np.uint8)
    if kind == "corners":
        return (255 * rng.integers(0, 2, (n, d))).astype(np.uint8)
    return np.repeat(rng.choice([0, 127, 128, 255], (n, 1)), d, axis=1).astype(np.uint8)  # the largest sums


@pytest.mark.parametrize("kind", ["any", "corners", "even"])
@pytest.mark.parametrize("d", [1, 3, 15, 63, 64, 65, 130, 784, 2**15 - 1, 2**15, 2**15 + 1, 2**16 + 70])
def test_distances_are_exact(d, kind, rng):
    """Also of the last points, behind which no whole word can be read, and of each number of candidates at once."""
    for many in (1, 2, 3, 4, 5, 11):
        n = 140 if d < 1000 else 12
        x = bytes_of(rng, kind, n, d)
        points, workers = MemoryPoints(x, threads=1), Workers(1)
        few, candidates = FewRows(points._framed, workers, None, many), rng.integers(0, n, many)
        few._look(candidates)
        whole = x.astype(np.int64)
        exact = np.square(whole[candidates][:, np.newaxis] - whole).sum(axis=2)
        np.testing.assert_array_equal(few._compared.distances, exact)
        points.close()
        workers.close()


def test_bytes_alone_are_compared_so_if_memory_is_enough():
    for d, most in ((64, THRESHOLDS.few_rows), (784, THRESHOLDS.few_rows_directed)):
        n, at_once = 1000, most_ahead(most, most)
        bytewise, floats = (Policy(n, d, 8 * n * 5 * at_once, "auto", kind, kind) for kind in (True, False))
        assert [bytewise.few_rows(k, 5) for k in (1, most, most + 1)] == [1, most, THRESHOLDS.first_rows]
        assert bytewise.few_rows(most, 6) == 0
        assert floats.few_rows(most, 5) == 0


def test_the_most_rows_at_once():
    assert [most_ahead(k, k) for k in (1, 2, 50, 1000)] == [1, 1, 5, AHEAD]
    assert most_ahead(1000, 50) == 6
