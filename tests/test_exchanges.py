"""Exchanges of single points: the compiled ones against the obvious way, and what they do to a clustering."""

from __future__ import annotations

import numpy as np

import naive
from steinhaus import exchanges
from steinhaus.engines import exchange, opened
from steinhaus.lloyd import lloyd
from steinhaus.points import Run


def squares_in_order(row, centroids):
    total = np.zeros(len(centroids))
    for t in range(len(row)):
        e = row[t] - centroids[:, t]
        total = total + e * e
    return total


def obviously(rows, labels, weights, centroids, counts):
    """Exchange rows one by one: new labels, centroids and counts."""
    labels, centroids, counts = labels.copy(), centroids.copy(), counts.copy()
    for i, (x, w) in enumerate(zip(rows, weights, strict=True)):
        j = labels[i]
        if counts[j] <= w:
            continue
        costs = squares_in_order(x, centroids) * (counts / (counts + w))
        costs[counts == 0] = np.inf
        costs[j] = squares_in_order(x, centroids)[j] * (counts[j] / (counts[j] - w))
        to = int(costs.argmin())
        if costs[to] < costs[j]:
            centroids[j] += -w / (counts[j] - w) * (x - centroids[j])
            centroids[to] += w / (counts[to] + w) * (x - centroids[to])
            counts[j] -= w
            counts[to] += w
            labels[i] = to
    return labels, centroids, counts


def test_compiled_exchanges_are_the_obvious_ones():
    moves = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        m, d, k = int(rng.integers(1, 80)), int(rng.choice([1, 2, 15, 16, 17, 33])), int(rng.integers(1, 40))
        rows = np.rint(rng.random((m, d)) * 3) / 2 if seed % 3 == 0 else rng.normal(size=(m, d)) * 10.0 ** (seed % 5)
        labels = rng.integers(k, size=m).astype(np.int32)
        weights = [np.ones(m), rng.integers(1, 5, m) + 0.0][seed % 2]
        counts = np.bincount(labels, weights, k).astype(float)
        centroids = np.zeros((k, d))
        np.add.at(centroids, labels, rows * weights[:, np.newaxis])
        centroids /= np.maximum(counts, 1.0)[:, np.newaxis]
        wanted = obviously(rows, labels, weights, centroids, counts)
        found, moved = exchange(rows, before := labels.copy(), weights, centroids, counts)
        assert (before.tolist(), found.tobytes(), counts.tolist()) == (
            wanted[0].tolist(), wanted[1].tobytes(), wanted[2].tolist()
        ), seed  # fmt: skip
        assert moved == np.count_nonzero(before != labels), seed
        moves += moved
    assert moves > 300


def test_they_lower_the_inertia_where_lloyd_has_ended(rng):
    k, x = 8, rng.normal(size=(60, 3))
    with opened(x) as points:
        fit = next(lloyd(points, [Run(0, x[:k])]))
        moved = exchanges.exchanged(points, fit)
        assert moved is not None
        assert ((x - moved[naive.labels(x, moved)]) ** 2).sum() < fit.inertia
        rounds = 0
        while moved is not None:
            further = next(lloyd(points, [Run(0, moved)]))
            assert further.inertia < fit.inertia
            fit, rounds = further, rounds + 1
            moved = exchanges.exchanged(points, fit)
        labels = points.labels(0)
        assert rounds > 0
        for i in range(len(x)):  # no move of one point lowers the inertia
            for to in set(range(k)) - {int(labels[i])}:
                other = labels.copy()
                other[i] = to
                if np.count_nonzero(other == labels[i]):
                    cost = sum(((x[other == j] - x[other == j].mean(0)) ** 2).sum() for j in range(k))
                    assert cost > fit.inertia * (1 - 1e-12)
