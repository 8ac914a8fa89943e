"""Clustering of a part by one thread: the same bits as in plain NumPy, on any number of threads."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from steinhaus.engines import choose
from steinhaus.engines.splitting import kernels, seeding_kernels
from steinhaus.engines.splitting import parts as splitting
from steinhaus.engines.splitting.parts import PointsInParts
from steinhaus.engines.splitting.records import LANES, TAKEN, room_for
from steinhaus.jit.handed import Handed
from steinhaus.seeding import Stream

F32 = np.float32


def fused(a, b, c):
    """a b + c of float32, rounded once; the product is exact in float64."""
    return (np.float64(a) * np.float64(b) + np.float64(c)).astype(F32)


class Naive:
    """A part in plain NumPy: y (n, width) float32, weights (n,)."""

    def __init__(self, x, centre, scale, weights):
        width = -(-x.shape[1] // LANES) * LANES
        self.y = np.zeros((len(x), width), F32)
        self.y[:, : x.shape[1]] = (x.astype(np.float64) - centre) * scale
        squares = np.zeros((len(x), LANES), F32)
        for t in range(0, width, LANES):
            block = self.y[:, t : t + LANES]
            squares = fused(block, block, squares)
        while squares.shape[1] > 1:
            half = squares.shape[1] // 2
            squares = squares[:, :half] + squares[:, half:]
        self.norms, self.weights = squares[:, 0], weights

    def scores(self, rows):
        """(n, width), (m, width) -> (n, m) float32."""
        halves = np.array([F32(0.5 * np.cumsum(row.astype(np.float64) ** 2)[-1]) for row in rows])
        sums = np.zeros((len(self.y), len(rows)), F32)
        for t in range(self.y.shape[1]):
            sums = fused(rows[:, t], self.y[:, t : t + 1], sums)
        return sums - halves

    def distances(self, rows):
        return np.maximum(self.norms[:, np.newaxis] - F32(2.0) * self.scores(rows), F32(0.0))

    def choose(self, k, words):
        words = iter(words.tolist())

        def drawn(costs):
            ends = np.cumsum(costs)
            share = (next(words) >> 11) / 2.0**53 * ends[-1]
            return min(int(np.searchsorted(ends, share, side="right")), len(costs) - 1)

        chosen, gains = [drawn(self.weights)], [1e300]
        closest = self.distances(self.y[chosen])[:, 0]
        while len(chosen) < k:
            total = np.cumsum(closest * self.weights)[-1]
            if total == 0:
                chosen.append(next(words) % len(self.y))
                gains.append(0.0)
                continue
            drawn_now = [drawn(closest * self.weights) for _ in range(LANES)]
            table = self.distances(self.y[drawn_now])
            for _ in range(min(len(chosen), TAKEN, k - len(chosen))):
                nearer = np.minimum(table, closest[:, np.newaxis])
                left = np.cumsum(nearer * self.weights[:, np.newaxis], axis=0)[-1]
                best = int(left.argmin())
                chosen.append(drawn_now[best])
                gains.append(total - left[best])
                total, closest = left[best], nearer[:, best]
        return self.y[chosen], np.array(gains)

    def iterate(self, centroids, iterations):
        centroids = centroids.copy()
        for _ in range(iterations):
            scores = self.scores(centroids)
            labels, most = scores.argmax(axis=1), scores.max(axis=1)
            costs = np.maximum(self.norms - F32(2.0) * most, F32(0.0)) * self.weights
            for j in range(len(centroids)):
                own = labels == j
                if self.weights[own].sum() > 0:
                    sums = np.cumsum(self.y[own] * self.weights[own, np.newaxis], axis=0)[-1]
                    centroids[j] = sums / self.weights[own].sum()
                else:
                    far = int(costs.argmax())
                    costs[far], centroids[j] = 0.0, self.y[far]
        return centroids


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int32])
@pytest.mark.parametrize(("n", "d", "k"), [(61, 1, 5), (203, 19, 40), (130, 32, 120)])
def test_it_has_the_bits_of_plain_numpy(n, d, k, dtype, rng):
    x = (40 * rng.random((n, d)) + 100 * rng.integers(0, 2, (n, 1))).astype(dtype)
    weights = rng.integers(0, 4, n).astype(np.float64) if k == 40 else np.ones(n)
    numbers, centre, scale = rng.permutation(n), x[0].astype(np.float64) + 0.3, 2.0**-7
    room = room_for(n, k, d)
    handed, words = Handed(room), Stream(n, k).raw(seeding_kernels.words_for(k))
    room.weights[:n] = weights
    naive = Naive(x[numbers], centre, scale, weights)
    kernels.bring[x.dtype](x, numbers, n, centre, scale, handed, 0)
    np.testing.assert_array_equal(room.rows[:n], naive.y)
    np.testing.assert_array_equal(room.norms[:n], naive.norms)
    seeding_kernels.choose(handed, n, k, words)
    rows, gains = naive.choose(k, words)
    np.testing.assert_array_equal(room.centroids[:k], rows)
    np.testing.assert_array_equal(room.gains[:k], gains)
    kernels.iterate(handed, n, k, 3)
    np.testing.assert_array_equal(room.centroids[:k], naive.iterate(rows, 3))


def test_clusters_without_points_take_the_points_that_cost_most():
    x = np.array([[0.0], [1.0], [2.0], [50.0], [90.0]])
    room = room_for(5, 3, 1)
    handed = Handed(room)
    kernels.bring[x.dtype](x, np.arange(5), 5, np.zeros(1), 1.0, handed, 0)
    room.centroids[:3, 0] = 0.0, 1000.0, 2000.0
    kernels.iterate(handed, 5, 3, 1)
    assert room.centroids[:3, 0].tolist() == [F32(143 / 5), 90.0, 50.0]


def test_parts_of_equal_points_get_the_rows_that_they_ask_for():
    x = np.ones((40, 3), np.float32)
    with closing(choose(x)) as points, closing(PointsInParts(points, x, None, 1)) as parts:
        (found,) = parts.choose([np.arange(40)], x[:1].astype(np.float64), [7], Stream(0).raw)
        assert found.gains[1:].tolist() == [0.0] * 6
        centroids = parts.iterate([np.arange(40)], np.zeros((1, 3)), [found.rows], 2)
    np.testing.assert_array_equal(centroids[0], np.ones(3))


def test_a_part_without_rows_is_left_out(rng):
    x = rng.normal(size=(50, 4))
    parts, centres = [np.arange(20), np.empty(0, np.int64), np.arange(20, 50)], rng.normal(size=(3, 4))
    with closing(choose(x)) as points, closing(PointsInParts(points, x, None, 2)) as found:
        seeds = found.choose(parts, centres, [4, 0, 6], Stream(1).raw)
        assert [len(each.gains) for each in seeds] == [4, 0, 6]
        assert found.iterate(parts, centres, [each.rows for each in seeds], 1).shape == (10, 4)


@pytest.mark.parametrize(("threads", "at_once"), [(1, 2**18), (2, 250)])
def test_labels_of_some_points_have_the_bits_of_plain_numpy(threads, at_once, rng, monkeypatch):
    monkeypatch.setattr(splitting, "_LABELLED", at_once)  # values, of 13 features: 19 rows
    x, numbers = rng.normal(size=(300, 13)), rng.permutation(300)[:200]
    centre, centroids = x[0] + 0.1, x[rng.permutation(300)[:37]] + 1e-3
    with closing(choose(x)) as points, closing(PointsInParts(points, x, None, threads)) as parts:
        labels, scale = parts.label(numbers, centre, centroids), parts._scale
    naive = Naive(x[numbers], centre, scale, np.ones(200))
    rows = Naive(centroids, centre, scale, np.ones(37)).y
    np.testing.assert_array_equal(labels, naive.scores(rows).argmax(axis=1))
    nearest = np.square(x[numbers, np.newaxis] - centroids).sum(axis=2).argmin(axis=1)
    assert (labels == nearest).mean() > 0.99
