"""Bounds on margins, attacked with exact rationals, and the order of clusters that rests on them."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

import naive
from problems import ROOMY
from rational import dot, exactly, minus
from steinhaus.costs import by_utility
from steinhaus.engines import choose
from steinhaus.engines.bounds.distances import SMALL, float64_floor, settled_floor
from steinhaus.engines.bounds.margins import half_margin_above, half_margin_below, in_units
from steinhaus.engines.dense import second
from steinhaus.points import Margins, Run


def test_half_margins_are_bounds_in_spite_of_rounding(rng):
    for _ in range(1000):
        low = np.float32(rng.normal() * 10.0 ** rng.uniform(-30, 30))
        above = np.float32(rng.choice([low * (1 + rng.normal() * 1e-7), -low, rng.normal(), 0.0]))
        floor = np.float32(abs(rng.normal()) * rng.choice([0.0, 1e-9, 1.0, float(abs(low))]))
        exact = Fraction(float(low)) - Fraction(float(above))
        room = Fraction(float(floor)) * (1 - Fraction(1, 2**20))
        assert Fraction(float(half_margin_below(low, above, floor))) <= exact - room
        assert Fraction(float(half_margin_above(low, above, floor))) >= exact + room


@pytest.mark.parametrize("scale", [2.0**-399, 2.0**-60, 1.0, 2.0**399])
def test_margins_in_the_units_of_the_points_are_bounds(scale, rng):
    halves = np.array([*np.abs(rng.normal(size=200)) * 10.0 ** rng.uniform(-37, 37, 200), 0.0, -1.0], np.float32)
    least, most = in_units(halves, halves, scale)
    for half, low, high in zip(halves, least, most, strict=True):
        exact = 2 * Fraction(float(half)) / Fraction(scale) ** 2
        small = 2 * Fraction(SMALL) / Fraction(scale) ** 2
        assert low == 0.0 or Fraction(float(low)) <= exact - small * (1 - Fraction(1, 2**30))
        assert np.isinf(high) or Fraction(float(high)) >= exact + small * (1 - Fraction(1, 2**30))
    bad = np.full(2, np.nan, np.float32)
    assert [bound.tolist() for bound in in_units(bad, bad, scale)] == [[0.0, 0.0], [np.inf, np.inf]]


@pytest.mark.parametrize("place", [0.0, 1.0, 1e6])
def test_the_floor_is_above_what_float64_makes_of_a_margin(place, rng):
    for _ in range(100):
        d = int(rng.integers(1, 60))
        x, away = rng.normal(size=(2, d))
        a, b = x + away * 10.0 ** rng.integers(-9, 1), x - away * 10.0 ** rng.integers(-9, 2)
        x, a, b = (row + place for row in (x, a, b))
        m = np.full(d, place)
        y, e, f = (minus(exactly(row), exactly(m)) for row in (x, a, b))
        half = dot(y, minus(e, f)) - (dot(e, e) - dot(f, f)) / 2
        one, other = naive.squared_distances(x[np.newaxis], np.stack([a, b]))[0]
        room = Fraction(settled_floor(d)) * dot(y, y) / 7 + Fraction(float64_floor(d)) * (dot(e, e) + dot(f, f))
        assert abs(Fraction(float(other - one)) / 2 - half) <= room


@pytest.mark.parametrize("few", [1, 128])
def test_clusters_come_in_the_order_of_their_utilities(few, monkeypatch):
    monkeypatch.setattr(second, "_FEW", few)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(25, 70))[rng.integers(25, size=700)] + rng.normal(size=(700, 70))
        x = np.clip(np.rint(x * 40 + 128), 0, 255).astype(np.uint8) if seed % 3 else x.astype(np.float32)
        points = choose(x, threads=2, memory=ROOMY, screen="drift")
        centroids = points.rows(rng.choice(len(x), 30, replace=False))
        centroids[3] = centroids[9]  # utilities of 0
        for _ in range(4):
            points.assign([Run(0, centroids)])
            ordered = np.sort(naive.squared_distances(x, centroids), axis=1)
            wanted = ordered[:, 1] - ordered[:, 0]
            margins = points.margins(Run(0, centroids))
            assert (margins.least <= wanted).all()
            assert (wanted <= margins.most).all()
            assert (margins.most - margins.least).mean() < 0.3 * wanted.mean()
            rows = np.flatnonzero(rng.random(len(x)) < 0.3)
            assert margins.measured(rows).tolist() == wanted[rows].tolist()
            sums = np.bincount(points.labels(0), wanted, 30)
            assert list(by_utility(points, Run(0, centroids))) == np.argsort(sums, kind="stable").tolist()
            centroids = centroids + rng.normal(size=centroids.shape) * rng.choice([0.1, 5.0]) * x.std() / 40
        points.close()


class Bounded:
    """Points of one each cluster, whose margins are known: exact ones, and bounds."""

    def __init__(self, exact, least, most):
        self.totals = SimpleNamespace(weights=None)
        self.bounds = Margins(least, most, lambda rows: exact[rows])

    def labels(self, key):
        return np.arange(len(self.bounds.least))

    def margins(self, run):
        return self.bounds


@pytest.mark.parametrize("wide", [10, 40, 95])
def test_every_cluster_comes_once_in_the_order_of_utilities(rng, wide):
    exact = np.concatenate([rng.permutation(wide) / wide, 20.0 + rng.permutation(100 - wide)])
    least = np.where(exact < 1.0, 0.0, exact - 0.5)
    points = Bounded(exact, least, np.where(exact < 1.0, 10.0, exact + 0.5))
    found = list(by_utility(points, Run("r", np.zeros((100, 1)))))
    assert found == np.argsort(exact, kind="stable").tolist()
