"""Points in parts: layouts, sums of parts, and the engine of a part with changing rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problems import ROOMY
from steinhaus.engines import choose
from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.engines.exact import parts
from steinhaus.lloyd import lloyd
from steinhaus.points import Run


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 2**32 - 1), st.booleans())
def test_a_layout_finds_every_point(sizes, seed, picked):
    bounds = np.cumsum([0, *sizes])
    rng = np.random.default_rng(seed)
    rows = rng.permutation(bounds[-1])[: rng.integers(1, bounds[-1] + 1)] if picked else np.arange(bounds[-1])
    layout = parts.Layout(bounds, rows if picked else None)
    assert layout.n == len(rows)
    held = np.concatenate([layout.members(part) for part in range(len(layout))])
    assert sorted(held.tolist()) == list(range(len(rows)))
    wanted = rng.integers(0, len(rows), 5)
    found = np.full(5, -1)
    for part, which, places in layout.locate(wanted):
        assert layout.members(part)[places].tolist() == wanted[which].tolist()
        assert [layout.row(part, place) for place in places.tolist()] == rows[wanted[which]].tolist()
        found[which] = wanted[which]
    assert found.tolist() == wanted.tolist()


def test_the_farthest_of_parts_are_the_farthest_of_all():
    one = np.array([[4, 0], [9, 1]]), np.array([5.0, 2.0])
    other = np.array([[3, 1], [1, 0]]), np.array([5.0, 3.0])
    assert parts.farthest([one, other], 3).tolist() == [[3, 1], [4, 0], [1, 0]]
    assert parts.farthest([(one[0][:0], one[1][:0]), other], 9).tolist() == [[3, 1], [1, 0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_rows_that_come_and_go_change_nothing(dtype, rng):
    x = rng.integers(0, 255, (1000, 50)).astype(dtype)
    whole, part = choose(x, threads=1), MemoryPoints(x.copy(), threads=1)
    run = Run(0, x[:6].astype(float))
    for _ in range(6):
        part.lend(None)
        part.lend(x.copy())
        (tally,), (expected,) = part.assign([run]), whole.assign([run])
        assert tally.sums.tolist() == expected.sums.tolist()
        assert part.knows(run)
        run = Run(0, run.centroids * 0.9 + 10)
        assert not part.knows(run)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_runs_that_sit_out_passes_get_the_labels_they_should(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 6, (1500, 40)).astype(np.float32) * 40 + 1e4
    fast, slow = choose(x, threads=1, memory=ROOMY), choose(x, threads=1, screen="none")
    centroids = {k: x[rng.choice(len(x), k, replace=False)].astype(float) for k in (5, 9, 7)}
    for _ in range(20):
        runs = [Run(k, centroids[k]) for k in centroids if rng.random() < 0.7] or [Run(5, centroids[5])]
        fast.assign(runs)
        for run, tally in zip(runs, slow.assign(runs), strict=True):
            assert fast.labels(run.key).tolist() == slow.labels(run.key).tolist()
            means = tally.sums[0] * 2.0**32 + tally.sums[1]
            means = slow.grid.offset + slow.grid.step * means / np.maximum(tally.counts, 1)[:, np.newaxis]
            centroids[run.key] = np.where(tally.counts[:, np.newaxis], means, run.centroids)


@pytest.mark.parametrize("memory", [None, ROOMY])
def test_an_engine_serves_one_set_of_runs_after_the_other(memory, rng):
    x = rng.integers(0, 255, (3000, 100)).astype(np.uint8)
    points = choose(x, threads=1, memory=memory)
    alike = set()
    for _ in range(3):
        (fit,) = lloyd(points, [Run(0, x[:8].astype(float))])
        alike.add((fit.history, fit.inertia, fit.centroids.tobytes()))
    assert len(alike) == 1


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 6))
def test_even_parts_are_of_about_one_size(sizes, wanted):
    bounds = np.cumsum([0, *sizes])
    n = int(bounds[-1])
    found = parts.evened(bounds, wanted)
    assert (found[0], found[-1]) == (0, n)
    assert (np.diff(found) > 0).all()
    assert len(found) - 1 <= wanted
    assert np.abs(np.diff(found) - n / wanted).max() <= n / (8 * wanted) + 1 or n < 8 * wanted


def test_even_parts_end_where_pieces_end_or_cut_large_ones():
    assert parts.evened(np.arange(0, 6401, 100), 2).tolist() == [0, 3200, 6400]
    assert parts.evened(np.array([0, 1000]), 4).tolist() == [0, 256, 512, 736, 1000]
    assert parts.evened(np.array([0, 3]), 2).tolist() == [0, 1, 3]
