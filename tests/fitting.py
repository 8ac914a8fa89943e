"""Fits of small hard problems, each named by its number and compared with the oracle bit for bit."""

from __future__ import annotations

from contextlib import closing, contextmanager, nullcontext
from functools import partial

import numpy as np
import pytest
import scipy.sparse

import naive
from problems import ROOMY
from steinhaus.engines import choose, opened
from steinhaus.engines.dense import points as dense_points
from steinhaus.engines.dense import policy, sketches
from steinhaus.engines.dense.points import MemoryPoints
from steinhaus.lloyd import lloyd
from steinhaus.points import Run

DTYPES = (np.uint8, np.int16, np.float32, np.float64)
SCREENS = ("auto", "compact", "compact", "drift", "drift", "plain", "none", "wide")
KINDS = (
    "noise", "clusters", "few values", "duplicates", "constant", "mostly zeros", "line", "near ties", "mirrored",
    "mixed columns", "two steps",
)  # fmt: skip


def made(rng, kind, n, d, k):
    """Points in [-1, 1] or so, (n, d) float64."""
    x = rng.random((n, d))
    if kind == "clusters":
        x = rng.random((k, d))[rng.integers(k, size=n)] + 10.0 ** rng.integers(-9, -1) * x
    elif kind == "few values":
        x = rng.integers(0, 3, (n, d)) / 2.0
    elif kind == "duplicates":
        x = x[rng.integers(max(1, n // 4), size=n)]
    elif kind == "constant":
        x[:, rng.random(d) < 0.5] = 0.25
    elif kind == "mostly zeros":
        x[rng.random((n, d)) < 0.9] = 0.0
    elif kind == "line":
        x = np.linspace(0, 1, n)[:, np.newaxis] * rng.normal(size=d)
    elif kind == "near ties":
        x = 1.0 + 1e-7 * x
    elif kind == "mirrored":  # as many points as can be lie as far from two of the starts
        x[n // 2 : 2 * (n // 2), 1:], x[n // 2 : 2 * (n // 2), 0] = x[: n // 2, 1:], 1.0 - x[: n // 2, 0]
    elif kind == "mixed columns":
        x = x * 10.0 ** rng.integers(-8, 1, d)
    elif kind == "two steps":  # what bytes leave of points is the same on both sides
        x = np.rint(100 * rng.random(d)) / 127.0 * rng.choice([-1.0, 1.0], (n, 1)) + 1e-3 * x
    return x


def typed(rng, x, dtype):
    """The points in their type: floats of any scale and offset, integers with ties."""
    if np.dtype(dtype).kind != "f":
        return np.rint(np.abs(x) * rng.choice([1, 2, 9, 250])).astype(dtype)
    most = 140 if dtype == np.float64 else 30
    scale = rng.choice([1.0, 1.0, 255.0, 10.0 ** rng.integers(-most, most)])
    return (x * scale + scale * rng.choice([0.0, 0.0, -3.0, 1e4])).astype(dtype)


def starting(rng, x, k):
    """Rows; or rows moved: by a little, by as much as the points spread, or one of them very far away."""
    start = x[rng.choice(len(x), k, replace=False)].astype(np.float64)
    spread = float(x.astype(np.float64).std()) + 1e-300
    how = rng.integers(5)
    if how == 1:
        start = start + rng.normal(size=start.shape) * spread
    elif how == 2:
        start = start + rng.normal(size=start.shape) * spread * 10.0 ** rng.integers(-12, -3)
    elif how == 3:
        start[rng.integers(k)] += spread * 10.0 ** rng.integers(1, 7)
    return start


def squares(x, placed):
    """The points' squares, from the middle of each column or 0: what sums of squares are as large as."""
    return float(np.square(x.astype(np.float64) - placed[0]).sum())


@contextmanager
def listing(sketches_kept=True, **thresholds):
    """Lists of neighbours whenever bytes can be multiplied, for any number of clusters, from the first pass on.

    No sketches are used unless `sketched_features` says so. They are never given up, unless `sketches_kept` is False.
    """
    eager = {
        "rounded_centroids": 1, "rounded_features": range(1, 1025), "listed_centroids": 1, "listed_features": 1,
        "listed_passes": 2**20, "sketched_features": 2**20, "sketched_products": 0,
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy, "THRESHOLDS", policy.THRESHOLDS._replace(**{**eager, **thresholds}))
        patch.setattr(dense_points, "rounding_pays", lambda *_: True)
        if sketches_kept:
            patch.setattr(sketches, "sketches_pay", lambda *_: True)
        yield


def wrong(number: int) -> str | None:
    """Fit problem `number`; None where every bit is the oracle's, and what was fitted where one is not."""
    rng = np.random.default_rng([7, number])
    n, d = int(rng.integers(1, 130)), int(rng.choice([1, 2, 3, 7, 15, 16, 17, 33, 64, 70]))
    k = int(rng.integers(1, min(n, 12 if rng.random() < 0.8 else 40) + 1))
    kind, dtype = str(rng.choice(KINDS)), DTYPES[rng.integers(len(DTYPES))]
    x = np.ascontiguousarray(typed(rng, made(rng, kind, n, d, k), dtype))
    start = starting(rng, x, k)
    screen, threads = str(rng.choice(SCREENS)), int(rng.choice([1, 1, 2]))
    way = str(rng.choice(["dense", "dense", "dense", "weights", "sparse"]))
    weights = rng.integers(0, 4, n).astype(np.float64) if way == "weights" else None
    if weights is not None:
        weights[rng.integers(n)] = 2.0
    placed = naive.sparse_grid(x) if way == "sparse" else naive.grid(x)
    limit, tol = int(rng.choice([2, 8, 40])), float(rng.choice([0.0, 0.0, 1e-2]))
    lists = way == "dense" and screen == "auto" and np.dtype(dtype).kind == "f" and rng.random() < 0.7
    room, sketched = int(rng.choice([30, 384])) if lists else 0, int(rng.choice([1, 2**20]))
    told = f"{number}: {kind}, {n} x {d} {np.dtype(dtype)}, K = {k}, {way}, screen {screen}, {threads} threads, {room=}"
    told += f", {sketched=}"
    expected = naive.lloyd(x, start, limit, tol, weights, placed)
    if way == "dense":
        small = partial(MemoryPoints, x) if lists else partial(choose, x, screen=screen, memory=ROOMY)
        with (
            listing(room=room, sketched_features=sketched) if lists else nullcontext(),
            closing(small(threads=threads)) as points,
        ):
            found = fitted(points, start, limit, tol)
    else:
        with opened(scipy.sparse.csr_array(x) if way == "sparse" else x, weights=weights, threads=threads) as points:
            found = fitted(points, start, limit, tol)
    labels, centroids, history, inertia, stop = expected
    outcome = (labels.tolist(), centroids.tobytes(), tuple(history), inertia, stop)
    return None if naive.same(found, outcome, 3.0 * squares(x, placed)) else told


def fitted(points, start, limit, tol):
    """One run's labels, centroids, history, inertia and stop."""
    (fit,) = (
        (points.labels(fit.key).tolist(), fit.centroids.tobytes(), fit.history, fit.inertia, fit.stop.name)
        for fit in lloyd(points, [Run("it", start)], max_iter=limit, tol=tol)
    )
    return fit
