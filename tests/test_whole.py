"""Points of other types that are whole numbers from 0 to 255: kept as bytes, and the same to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from steinhaus.engines.dense import survey
from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.engines.dense.whole import whole_bytes
from steinhaus.engines.workers import Workers
from steinhaus.lloyd import lloyd
from steinhaus.points import Run

KINDS = ["float32", "float64", "int64", "uint32"]


@pytest.mark.parametrize("dtype", KINDS)
def test_values_that_are_bytes_become_bytes(dtype, rng):
    x = rng.integers(0, 256, (70, 33)).astype(dtype)
    assert whole_bytes(x, Workers(2)).tolist() == x.tolist()
    for value in (256, 2**24) if dtype == "uint32" else (256, -1, 2**24):
        for place in (69, 32), (0, 1), (40, 7):
            other = x.copy()
            other[place] = value
            assert whole_bytes(other, Workers(2)) is None


@pytest.mark.parametrize("value", [0.5, -0.0, np.nan, np.inf, -np.inf, 254.99998, np.nextafter(0, 1, dtype=np.float32)])
def test_values_that_are_no_bytes_stay(value, rng):
    for place in (500, 3), (0, 0), (999, 28):
        x = rng.integers(0, 256, (1000, 29)).astype(np.float32)
        x[place] = value
        assert whole_bytes(x, Workers(1)) is None


@pytest.mark.parametrize("dtype", KINDS[:3])
def test_bytes_of_another_type_are_that_type_to_the_last_bit(dtype, rng, monkeypatch):
    x = np.minimum(rng.integers(0, 256, (900, 41)), rng.integers(1, 256, 41)).astype(dtype)
    x[:, 3], x[:, 4] = 7, 0
    as_bytes = [MemoryPoints(x, threads=threads) for threads in (1, 2, 7)]
    monkeypatch.setattr(survey, "whole_bytes", lambda *_: None)
    other = MemoryPoints(x, threads=1)
    start = Run(0, x[:5].astype(np.float64))
    (tally,), (expected,) = other.assign([start]), lloyd(other, [start])
    for points in as_bytes:
        assert "bytes" in points.explain(5)
        assert [part.tolist() for part in vars(points.grid).values()] == [
            part.tolist() for part in vars(other.grid).values()
        ]
        assert points.totals.sums.tolist() == other.totals.sums.tolist()
        assert points.totals.squares.tolist() == other.totals.squares.tolist()
        assert points.squares == other.squares
        assert points.rows(np.arange(9)).tolist() == other.rows(np.arange(9)).tolist()
        assert points.assign([start])[0].sums.tolist() == tally.sums.tolist()
        (fit,) = lloyd(points, [start])
        assert (fit.history, fit.inertia) == (expected.history, expected.inertia)
        assert fit.centroids.tolist() == expected.centroids.tolist()
