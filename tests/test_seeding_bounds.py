"""The slacks of seeding alone, against exact rational arithmetic."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

import naive
from rational import dot, exactly, minus
from steinhaus.engines.bounds import distances, rounding, scores
from steinhaus.engines.bounds.bytes import NOT_ROUNDED, WIDER, quantiser_of
from steinhaus.engines.bounds.seeding import cannot_improve, halves_below, most_gained, threshold
from steinhaus.engines.dense.centroids import prepare
from steinhaus.engines.dense.directions import _basis_of
from steinhaus.engines.dense.factors import TILE, factors_of, width_of
from steinhaus.engines.dense.policy import Capacity
from steinhaus.engines.dense.products import halve_rows
from steinhaus.engines.dense.records import CentroidFrame, centroid_frame_of
from steinhaus.engines.dense.seeding_screen import pack_directions, packed_of, round_candidates, round_directions
from steinhaus.engines.dense.state import batch_of
from steinhaus.engines.dense.survey import _scale_of, tiles_of
from steinhaus.engines.exact.grid import steps
from steinhaus.jit.handed import Handed


def measured(x, c):
    """The squared distance as engines measure it."""
    return float(naive.squared_distances(x[np.newaxis], c[np.newaxis])[0, 0])


def rows_near_the_edge(rng, d, scale):
    """A point, the row that is nearest to it and a candidate about twice as far from that row, beyond the point."""
    off = rng.normal(size=d) * 2.0 ** rng.integers(-20, 21, d)
    r = rng.choice([0.0, 1.0, 1e4]) * rng.normal(size=d)
    stretch = 2.0 * (1.0 + rng.choice([0.0, 1e-4, 2e-4, -1e-4, 1e-3]) * rng.uniform(0.9, 1.1))
    x, c = r + off, r + stretch * off
    if rng.random() < 0.3:
        c = c + 1e-3 * rng.normal(size=d) * np.abs(off)
    return scale * x, scale * r, scale * c


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30, 2.0**440, 1e-150, 1e-158])
def test_a_candidate_that_is_left_out_is_nearer_to_no_point_of_the_row(scale, rng):
    left_out = 0
    for _ in range(1500):
        d = int(rng.integers(1, 60))
        x, r, c = rows_near_the_edge(rng, d, scale)
        own, other = measured(x, r), measured(x, c)
        for farthest in (own, own * rng.uniform(1, 2)):  # a tile's largest
            if cannot_improve(measured(c, r), farthest):
                left_out += 1
                assert other >= own
    assert left_out or scale < 1e-149


def test_a_candidate_is_not_left_out_for_the_distances_that_underflow(rng):
    """Squares of 2^-1074: what is measured of them is far from what they are."""
    unit, d = 2.0**-537, 40
    r = np.zeros(d)
    x, c = np.full(d, 0.7 * unit), np.full(d, 1.39 * unit)
    x[0] = c[0] = 1.18 * unit
    assert measured(x, c) == 0 < measured(x, r)
    assert measured(c, r) > 8 * measured(x, r)
    assert not cannot_improve(measured(c, r), measured(x, r))
    for _ in range(2000):
        x, r, c = rng.normal(size=(3, d)) * unit * rng.choice([0.5, 1.0, 2.0])
        if measured(x, c) < measured(x, r):
            assert not cannot_improve(measured(c, r), measured(x, r))


def framed(rng, x, kind):
    """The frame of points as the engine has it, of integers or of floats."""
    d = x.shape[1]
    if kind == "integers":
        return scores.Frame(np.zeros(d), 1.0, x.mean(0), rounded=False, bytewise=False)
    if kind == "bytes":
        return scores.Frame(np.zeros(d), 1.0, x.mean(0), rounded=False, bytewise=True)
    low, high = x.min(0), x.max(0)
    offset = low / 2 + high / 2
    step = steps(np.maximum(-low, high), np.maximum(high - offset, offset - low))
    scale = _scale_of(float(step.max()), np.dtype(np.float64))
    reference = (x.mean(0) - offset) * scale
    if kind == "far reference":  # nothing rests on where it is
        reference = reference + 3 * rng.normal(size=d)
    return scores.Frame(offset, scale, reference, rounded=True)


def products(frame, z):
    """z . m as float32 sums it, and how far m was rounded."""
    if not frame.bytewise:
        return (z * frame.reference.astype(np.float32)).sum(axis=1, dtype=np.float32).astype(np.float64), 0.0
    d, rest = len(frame.reference), np.empty(1)
    factors = factors_of(1, d, True)
    halve_rows(frame.reference[np.newaxis].copy(), 1, d, Handed(factors), rest)
    whole = 128 * factors.high[0, :d].astype(np.int64) + factors.low[0, :d]
    return (z.astype(np.int64) @ whole * factors.scales[0]).astype(np.float32).astype(np.float64), float(rest[0])


def points_of(rng, kind, d, scale):
    """Points, and rows at distances of all sizes from them."""
    x = rng.normal(size=(6, d)) + rng.choice([0.0, 0.0, 1e4, 1e8])
    if kind in ("integers", "bytes"):
        x = np.rint(rng.integers(0, 256, (6, d)) * rng.choice([1.0, 1.0, 0.01]))
        return x, np.roll(x, 1, axis=0)
    x *= scale
    return x, x + rng.normal(size=(6, d)) * scale * 10.0 ** rng.integers(-12, 1, (6, 1))


def halved_points(rng, kind, scale):
    """Points, rows, a frame, and what `halves_below` gives for the points."""
    x, rows = points_of(rng, kind, int(rng.integers(1, 80)), scale)
    frame = framed(rng, x, kind)
    placed = (x - frame.offset) * frame.scale
    along, rest = products(frame, placed.astype(np.float32))
    lengths = np.square(placed).sum(axis=1)
    return x, rows, frame, halves_below(frame, rounding.norms_above(lengths).astype(np.float64), lengths, along, rest)


@pytest.mark.parametrize(
    ("kind", "scale"),
    [
        *itertools.product(
            ["floats", "far reference"], [2.0**450, 1e30, 1.0, 1e-30, 2.0**-115, 2.0**-125, 1e-60, 1e-160]
        ),
        ("integers", 1.0),
        ("bytes", 1.0),
    ],
)
def test_a_candidate_below_the_threshold_is_not_nearer(kind, scale, rng):
    """The threshold is below (|y|^2 - D) / 2, less what the bounds of scores leave to it: float64's rounding of
    centroids, relative to (|z| + |m|)^2; D may be measured too small.
    """
    for _ in range(60):
        x, rows, frame, halves = halved_points(rng, kind, scale)
        d = x.shape[1]
        m, s, room = exactly(frame.reference), Fraction(frame.scale), Fraction(distances.float64_floor(d))
        for i in range(len(x)):
            closest = measured(x[i], rows[i])
            found = Fraction(float(threshold(halves[i], closest * frame.scale**2)))
            y = [(a - o) * s - b for a, o, b in zip(exactly(x[i]), exactly(frame.offset), m, strict=True)]
            size = Fraction(math.sqrt(dot(y, y))) + Fraction(frame.reach)
            largest = Fraction(closest) * s * s * (1 + 3 * Fraction(rounding.gamma(d + 3, rounding.UNIT64)))
            assert found <= (dot(y, y) - largest) / 2 - room * size * size / 4 - Fraction(2.0**-140)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 1 / 3, -1 / 3, 3e-46, -3e-46, 1e38, -1e38, 1e-40])
def test_thresholds_are_never_rounded_up(value):
    assert Fraction(float(threshold(np.float64(value), np.float64(0.0)))) < Fraction(value)


def test_distances_that_differ_by_the_last_bits_are_told_apart_by_no_threshold(rng):
    """Candidates that are nearer, by as little as can be: their exact scores are above the threshold."""
    nearer = 0
    for _ in range(1500):
        d = int(rng.integers(1, 60))
        x = rng.normal(size=(1, d))
        off = rng.normal(size=d) * 10.0 ** rng.integers(-9, 1)
        r = x[0] + off
        c = x[0] + off[::-1] * (1 - rng.integers(0, 3) * 2.0 ** -rng.integers(40, 54))
        own, other = measured(x[0], r), measured(x[0], c)
        if not other < own:
            continue
        nearer += 1
        frame = scores.Frame(np.zeros(d), 1.0, rng.normal(size=d), rounded=True)
        along, rest = products(frame, x.astype(np.float32))
        lengths = np.square(x).sum(axis=1)
        half = halves_below(frame, rounding.norms_above(lengths).astype(np.float64), lengths, along, rest)[0]
        m = exactly(frame.reference)
        y, e = ([a - b for a, b in zip(exactly(row), m, strict=True)] for row in (x[0], c))
        assert dot(y, e) - dot(e, e) / 2 > Fraction(float(threshold(half, own)))
    assert nearer > 100


@pytest.mark.parametrize(
    ("kind", "scale"),
    [
        *itertools.product(["floats", "far reference"], [2.0**450, 1.0, 1e-30, 2.0**-125, 1e-60, 1e-160]),
        ("integers", 1.0),
        ("bytes", 1.0),
    ],
)
def test_no_candidate_gains_more_than_its_bound(kind, scale, rng):
    """By its exact score, the lowest of all upper bounds. D - E, and the integers of both, at all scales."""
    nearer = 0
    for _ in range(60):
        x, rows, frame, halves = halved_points(rng, kind, scale)
        m, o, s = exactly(frame.reference), exactly(frame.offset), Fraction(frame.scale)
        for i in range(len(x)):
            own, c = measured(x[i], rows[i]), x[i] + (rows[i] - x[i]) * rng.choice([0.0, 1e-9, 0.5, 0.99, 1 - 1e-9])
            y, e = ([(a - b) * s - r for a, b, r in zip(exactly(row), o, m, strict=True)] for row in (x[i], c))
            if not (other := measured(x[i], c)) < own:
                continue
            nearer += 1
            score = dot(y, e) - dot(e, e) / 2
            over = score - Fraction(float(threshold(halves[i], own * frame.scale**2)))
            assert (Fraction(own) - Fraction(other)) * s * s <= 2 * over
            factor = math.ldexp(1.0, min(900, int(rng.integers(1, 62)) - math.frexp(own)[1]))
            least = np.nextafter(np.array([float(over)]), -np.inf)  # no more than what is known exactly
            bound = most_gained(least, np.ones(1), factor / frame.scale**2)[0]
            assert math.floor(Fraction(own) * Fraction(factor)) - math.floor(
                Fraction(other) * Fraction(factor)
            ) <= Fraction(float(bound))
    assert nearer > 50


def test_a_gain_that_is_not_known_has_no_bound():
    assert most_gained(np.array([np.nan, np.inf, 0.0]), np.array([1.0, 1.0, 0.0]), 2.0**40).tolist() == [
        np.inf, np.inf, 0.0,
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["bytes", "rounded"])
@pytest.mark.parametrize("far", [1.0, 1e-3, 1e-12, 0.0])
def test_scores_from_one_byte_a_feature_are_not_above_their_bounds(kind, far, rng):
    """Products are exact here, and added up as the kernel does, in float32."""
    for _ in range(15):
        d = int(rng.integers(1, 90))
        if kind == "bytes":
            x = rng.integers(0, 256, (8, d)).astype(np.float64)
            frame = scores.Frame(np.zeros(d), 1.0, x.mean(0), rounded=False, bytewise=True)
            quantiser = NOT_ROUNDED
        else:
            x = rng.normal(size=(8, d)) * rng.choice([0.01, 1.0])
            frame = scores.Frame(np.zeros(d), 1.0, x.mean(0) + 0.1 * rng.normal(size=d), rounded=True)
            quantiser = quantiser_of(frame, frame.place(x[:4]))  # others may be cut off
        rows = np.ascontiguousarray(frame.reference + far * (x[::-1][:4] - frame.reference))
        basis, step = scores.Basis(np.empty((d, 0), np.float32), 0.0), float(quantiser.step)
        rates = scores.rates(frame, basis, quantiser.rate) if step else scores.rates(frame, basis)
        width = width_of(d, True)
        record = CentroidFrame(
            frame.offset, 1.0, frame.reference, basis.directions.astype(np.float64), d, 0, width, step, rates
        )
        packed = packed_of(4, 1, width)
        round_candidates(Handed(packed), Handed(record), rows, 4, np.empty(d))
        z = x.astype(np.float32)
        norms = rounding.norms_above(np.square(x).sum(axis=1))
        whole, rounded = z, norms
        if step:
            y = z - frame.reference.astype(np.float32)
            q = np.clip(np.rint(y * quantiser.per_step), -128, 127)
            rho = np.sqrt(np.square(y - q * quantiser.step).sum(axis=1, dtype=np.float32)) * quantiser.factor
            whole, rounded = q + 128, (norms + np.float32(frame.reach)) * quantiser.share + (rho + quantiser.tail)
        sums = (whole.astype(np.int64) @ packed.limbs[:, :d].astype(np.int64).T).astype(np.float32)
        error = rounded[:, np.newaxis] * packed.slopes[:, 1] + (
            norms[:, np.newaxis] * packed.slopes[:, 0] + packed.floor
        )
        found = sums * packed.scale - packed.half
        most = np.array([[norms.max(), rounded.max(), 0.0]] * 8, np.float32)
        above = above_in(packed, sums, most)
        m = exactly(frame.reference)
        for i in range(8):
            y = minus(exactly(x[i]), m)
            for j in range(4):
                e = minus(exactly(rows[j]), m)
                off = abs(Fraction(float(found[i, j])) - (dot(y, e) - dot(e, e) / 2))
                room = Fraction(distances.float64_floor(d)) * Fraction(float(norms[i]) + frame.reach) ** 2
                assert off <= Fraction(float(error[i, j])) + room
                assert dot(y, e) - dot(e, e) / 2 <= Fraction(float(above[i, j])) + room


@pytest.mark.parametrize("kind", ["floats", "bytes"])
@pytest.mark.parametrize("far", [1.0, 1e-3, 1e-12, 0.0])
def test_scores_from_one_byte_a_direction_are_not_above_their_bounds(kind, far, rng):
    """Coordinates come as float32 sums them; those beyond what is rounded to are cut off."""
    for _ in range(40):
        d, n = int(rng.integers(17, 90)), 2 * TILE
        if kind == "bytes":
            x = rng.integers(0, 256, (n, d)).astype(np.float64)
            frame = scores.Frame(np.zeros(d), 1.0, x.mean(0), rounded=False, bytewise=True)
        else:
            x = rng.normal(size=(n, d)) * rng.choice([0.01, 1.0])
            frame = scores.Frame(np.zeros(d), 1.0, x.mean(0) + 0.1 * rng.normal(size=d), rounded=True)
        directions = np.linalg.qr(rng.normal(size=(d, 16)))[0].astype(np.float32)
        basis = _basis_of(directions.T)
        z = x.astype(np.float32)
        shift = (frame.reference @ directions.astype(np.float64)).astype(np.float32)
        coordinates = np.ascontiguousarray((z[:, :, np.newaxis] * directions).sum(axis=1, dtype=np.float32) - shift)
        norms = rounding.norms_above(np.square(x).sum(axis=1))
        along, rest = products(frame, z)
        squares = np.square(coordinates.astype(np.float64)).sum(axis=1)
        rests = scores.residuals(frame, basis, norms.astype(np.float64), along, rest, squares)
        step = float(np.abs(coordinates[:8]).max()) / 127.0
        packed, order = packed_of(4, 2, 16), rng.permutation(n)
        pack_directions(Handed(packed), coordinates, order, norms[order], rests[order], step, 0, 2)
        rows = np.ascontiguousarray(frame.reference + far * (x[::-1][:4] - frame.reference))
        directed = directed_scores(frame, basis, rows)
        round_directions(Handed(packed), Handed(directed), 16, step, frame.reach, 4, np.empty(16))
        quads = packed.quads.reshape(2, 2, 4, 16, 4).transpose(0, 1, 3, 2, 4).reshape(n, 16).astype(np.int64)
        assert not packed.limbs[:, 16:].any()
        sums = (quads @ packed.limbs[:, :16].astype(np.int64).T).astype(np.float32)
        found = sums * packed.scale - packed.half
        above = above_in(packed, sums, packed.sizes.max(axis=2).repeat(TILE, axis=0))
        error = packed.sizes.transpose(0, 2, 1).reshape(n, 3) @ packed.slopes.T + packed.floor
        m = exactly(frame.reference)
        for position in rng.choice(n, 6, replace=False).tolist():
            i = order[position]
            y = minus(exactly(x[i]), m)
            room = Fraction(distances.float64_floor(d)) * Fraction(float(norms[i]) + frame.reach) ** 2
            for j in range(4):
                e = minus(exactly(rows[j]), m)
                off = abs(Fraction(float(found[position, j])) - (dot(y, e) - dot(e, e) / 2))
                assert off <= Fraction(float(error[position, j])) + room
                assert dot(y, e) - dot(e, e) / 2 <= Fraction(float(above[position, j])) + room


def above_in(packed, sums, most):
    """Upper bounds by the largest error of any lane, as `_list_reaching` computes them.

    sums: (n, m) products; most: (n, 3) the largest factors of each point's tile.
    """
    error = np.zeros((len(most), len(packed.floor)), np.float32) + packed.floor
    for part in range(3):
        error += most[:, part, np.newaxis] * packed.slopes[:, part]
    raised = error * np.float32(WIDER) - packed.half
    return (sums.astype(np.float64) * packed.scale + raised).astype(np.float32)


def directed_scores(frame, basis, rows):
    """Scores of rows from the directions alone, as an engine prepares them."""
    d, p, k = len(frame.reference), basis.p, len(rows)
    batch = batch_of([0], np.array([k]), np.zeros(1, np.int64), Capacity(1, d, p, 1, 1, frame.bytewise, False, False))
    batch.exact[:] = rows
    tiles = tiles_of(np.ones(TILE), frame)._replace(p=p, projections=np.empty((1, 2, p, 16), np.float32))
    record = Handed(centroid_frame_of(frame, basis, NOT_ROUNDED))
    prepare(batch.handed(tiles), record, 0, k, 0, 1, np.empty((4, d)), np.empty((4, p)))
    return batch.directed
