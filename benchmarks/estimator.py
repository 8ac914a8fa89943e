"""The cost of the scikit-learn API: `KMeans.fit` compared with its engine, and `predict` with scikit-learn's.

    python benchmarks/estimator.py [--rounds 31] [--fits 7] [--predict-only] [--images 60000]

Everything runs in one process, interleaved: each round runs every function once and starts with another one. Ratios are
taken within a round. The output has medians with quartiles. The fits use MNIST's 60,000 training images in uint8: K =
10 to convergence, and K = 100 for 100 iterations, from rows drawn by `default_rng(0).choice`. The engine's time is that
of `engines.choose` and `lloyd` from the same start. Both libraries predict the 10,000 test images as uint8, float32 and
float64 from the same centroids, and the labels are compared. Labels of scikit-learn in float32 may differ; the others
must not. scikit-learn converts uint8 to float64 itself, as it does for its users.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import sklearn
from sklearn.cluster import KMeans as Theirs

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from steinhaus import KMeans, open_images
from steinhaus.engines import choose
from steinhaus.lloyd import lloyd
from steinhaus.points import Run

Seconds = dict[str, list[float]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31, help="of predict")
    parser.add_argument("--fits", type=int, default=7, help="rounds of fit")
    parser.add_argument("--predict-only", action="store_true")
    parser.add_argument(
        "--images", type=int, default=60_000, help="number of images to fit, from the first; at least 6,000"
    )
    options = parser.parse_args()
    images = open_images("mnist", data=os.environ.get("STEINHAUS_DATA") or None)
    train, test = images.rows[: options.images], np.ascontiguousarray(images.rows[60000:])
    print(f"scikit-learn {sklearn.__version__}; load {os.getloadavg()[0]:.1f}")
    for k, max_iter in ((10, 300), (100, 100)):
        start = train[np.random.default_rng(0).choice(len(train), k, replace=False)].astype(np.float64)
        if not options.predict_only:
            fit(train, start, max_iter, options.fits)
        predict(train, test, start, options.rounds)


def fit(x: np.ndarray, start: np.ndarray, max_iter: int, rounds: int) -> None:
    """Print the ratio of the estimator's fit to its engine's."""

    def engine() -> list[int]:
        points = choose(x)
        labels = [points.labels(done.key) for done in lloyd(points, [Run(0, start)], max_iter=max_iter)]
        points.close()
        return labels[0].tolist()

    def estimator() -> list[int]:
        return KMeans(len(start), init=start, tol=0, max_iter=max_iter).fit(x).labels_.tolist()

    assert engine() == estimator()
    seconds = interleaved({"engine": engine, "fit": estimator}, rounds)
    told(f"fit, K = {len(start)}, uint8", seconds, "fit", "engine")


def predict(train: np.ndarray, test: np.ndarray, start: np.ndarray, rounds: int) -> None:
    """Print the ratio of scikit-learn's predict to ours, for each type of images."""
    k = len(start)
    for dtype in (np.uint8, np.float32, np.float64):
        part, x = train[:6000].astype(dtype), test.astype(dtype)
        ours = KMeans(k, init=start, max_iter=10).fit(part)
        theirs = Theirs(k, init=start.astype(ours.cluster_centers_.dtype), n_init=1, max_iter=1).fit(part)
        theirs.cluster_centers_ = ours.cluster_centers_.copy()
        differ = int((ours.predict(x) != theirs.predict(x)).sum())
        assert dtype is np.float32 or not differ
        seconds = interleaved({"ours": lambda: ours.predict(x), "scikit-learn": lambda: theirs.predict(x)}, rounds)  # noqa: B023
        told(f"predict, K = {k}, {np.dtype(dtype).name}, {differ} labels differ", seconds, "scikit-learn", "ours")


def interleaved(functions: dict[str, Callable[[], Any]], rounds: int) -> Seconds:
    """The seconds of each function in each round."""
    names = list(functions)
    seconds: Seconds = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            gc.collect()
            began = perf_counter()
            functions[name]()
            seconds[name].append(perf_counter() - began)
    return seconds


def told(what: str, seconds: Seconds, over: str, under: str) -> None:
    """One line."""
    medians = ", ".join(f"{name} {1e3 * float(np.median(taken)):.2f} ms" for name, taken in seconds.items())
    low, middle, high = np.quantile(np.divide(seconds[over], seconds[under]), [0.25, 0.5, 0.75])
    print(f"{what}: {medians}; {over} / {under} {middle:.3f} ({low:.3f} to {high:.3f})", flush=True)


if __name__ == "__main__":
    main()
