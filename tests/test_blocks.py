"""Points read block by block: the same bits as in memory, for any blocks, any memory, any choice of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problems import problems
from steinhaus.engines import choose
from steinhaus.engines.stream.points import BlockPoints
from steinhaus.errors import DataError, PlanError
from steinhaus.lloyd import lloyd
from steinhaus.points import Run
from steinhaus.seeding import Stream, starts


class Stored:
    """An array that is read piece by piece, and counts what was read."""

    def __init__(self, x, pieces, *, lies=False):
        self.lies = lies  # whether rows can be used where they lie
        self.x, self.shape, self.dtype = x, x.shape, x.dtype
        self.bounds = np.unique(np.r_[0, np.asarray(pieces, np.int64), len(x)])
        self.read_rows = 0

    def read(self, first, end, out=None):
        self.read_rows += end - first
        if out is None:
            return self.x[first:end].copy()
        out[:] = self.x[first:end]
        return out

    def view(self, first, end):
        if not self.lies:
            return None
        self.read_rows += end - first
        return self.x[first:end]

    def pick(self, rows):
        return self.x[rows]


def outcomes(points, runs, *, max_iter=20, tol=0.0):
    """Everything that must be the same of every run."""
    found = {}
    try:
        for fit in lloyd(points, runs, max_iter=max_iter, tol=tol):
            labels = points.labels(fit.key)
            found[fit.key] = labels.tolist(), fit.centroids.tobytes(), fit.history, fit.inertia, fit.stop.name
    finally:
        points.close()
    return found


def enough(x):
    """Memory for blocks of 32 rows."""
    return 16 * 32 * x.shape[1] * x.dtype.itemsize


@settings(max_examples=40, deadline=None)
@given(problems(), st.lists(st.integers(1, 149), max_size=5), st.sampled_from([1, 3]), *3 * [st.booleans()])
def test_blocks_are_as_memory_bit_for_bit(problem, pieces, threads, tight, picked, lies):
    x, start = problem
    order = np.random.default_rng(len(x)).permutation(len(x))[: -(-len(x) * 2 // 3)] if picked else None
    start = start[: len(x) if order is None else len(order)]
    source = Stored(x, [piece for piece in pieces if piece < len(x)], lies=lies)
    runs = [Run("it", start), Run("half", start[: len(start) // 2 + 1])]
    blocks = BlockPoints(source, take=order, threads=threads, memory=enough(x) if tight else None)
    inside = choose(x if order is None else x[order], threads=1)
    assert outcomes(blocks, runs, max_iter=6) == outcomes(inside, runs, max_iter=6)


@pytest.mark.parametrize("init", ["random", "k-means++", "k-means||"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_seeding_and_tolerance_too(init, dtype, rng):
    x = rng.integers(0, 255, (2000, 70)).astype(dtype)

    def study(points):
        runs = [Run(r, starts(points, 12, init, Stream(0, 12, r))) for r in range(2)]
        return outcomes(points, runs, tol=1e-3)

    assert study(BlockPoints(Stored(x, [1, 900, 1400]))) == study(choose(x))


def test_one_read_a_pass_for_all_runs(rng):
    x = rng.integers(0, 255, (3000, 64)).astype(np.uint8)
    source = Stored(x, range(0, 3000, 100))
    points = BlockPoints(source, memory=2**20)
    found = outcomes(points, [Run(k, x[:k] / 1.0) for k in (3, 5, 9)], max_iter=300)
    assert {stop for *_, stop in found.values()} == {"CONVERGED"}
    passes = max(len(history) for _, _, history, _, _ in found.values())
    assert source.read_rows == passes * 3000
    assert points.reading.passes == passes
    assert points.reading.read == x.nbytes * passes


def test_what_is_remembered_stays_within_memory(rng):
    x = rng.integers(0, 255, (20_000, 96)).astype(np.uint8)
    alike = set()
    for memory in (600_000, 2_500_000, 8_000_000, 100_000_000):
        points = BlockPoints(Stored(x, range(0, 20_000, 512)), memory=memory, threads=1)
        runs = [Run(k, x[:k] / 1.0) for k in (4, 6)]
        held = []
        for _ in range(4):
            points.assign(runs)
            held.append(points.nbytes)
        assert max(held) <= memory
        alike.add(points.labels(6).tobytes())
        points.close()
    assert len(alike) == 1


def test_a_row_that_is_not_finite_is_named_wherever_it_stands(rng):
    x = rng.random((1000, 5)).astype(np.float32)
    x[703, 3] = np.nan
    with pytest.raises(DataError, match="row 703, column 3 holds nan"):
        BlockPoints(Stored(x, range(0, 1000, 50)), memory=enough(x))
    with pytest.raises(DataError, match="row 703, column 3"):
        BlockPoints(Stored(x, [500]), take=np.arange(999, 400, -1))
    BlockPoints(Stored(x, [500]), take=np.arange(600)).close()


def test_an_error_of_the_source_ends_the_pass(rng):
    x = rng.integers(0, 9, (100, 4)).astype(np.uint8)

    class Broken(Stored):
        def read(self, first, end, out=None):
            if first >= 50:
                raise DataError("The piece from row 50 on is damaged.")
            return super().read(first, end, out)

    points = BlockPoints(Broken(x, [50]), memory=enough(x))
    with pytest.raises(DataError, match="from row 50"):
        points.assign([Run(0, x[:2] / 1.0)])
    points.close()


def test_too_little_memory_is_refused(rng):
    x = rng.integers(0, 9, (100, 4)).astype(np.uint8)
    with pytest.raises(PlanError, match="too little"):
        BlockPoints(Stored(x, []), memory=100)
