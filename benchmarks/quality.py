"""Inertia against time: the quality of a clustering after so many seconds, for Steinhaus and its peers.

    python benchmarks/quality.py --plot quality.svg
    python benchmarks/quality.py --rows cloud-100,spam-100 --seeds 3

A row is a data set and K. A way is a call that ends in centroids: ours with 1 and 10 restarts, refined by breathing,
from a start in two levels, and refined with 1, 2, 5 and 10 steps at most; scikit-learn's k-means++ with 1 and 10
restarts; breathing k-means (`bkmeans`), faiss and superkmeans, if they are installed. Every way runs with each seed,
interleaved. Time is processor time of all threads, unless `--clock wall` is given: on a shared machine, wall time says
little. The inertia is that of the nearest centroids in float64, computed outside of the timing.

The sets of "The breathing k-means algorithm" are read from the folder `clustering`, and MNIST from `mnist`, in the
folder that STEINHAUS_DATA names. Rows without their set are skipped, with a message.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

Array = NDArray[Any]
Way = Callable[[Array, int, int], Array]  # points, K, seed -> centroids
ROWS = (
    *((name, k) for name in ("cloud", "spam", "norm25-new") for k in (50, 100, 200)),
    ("birch1", 100), ("intrusion", 25), ("mnist", 10), ("mnist", 100),
)  # fmt: skip
PUBLISHED = {  # mean inertia of breathing k-means, arXiv 2006.15666
    ("norm25-new", 50): 1.405e5, ("norm25-new", 100): 1.299e5, ("norm25-new", 200): 1.170e5, ("cloud", 50): 1.062e6,
    ("cloud", 100): 5.865e5, ("cloud", 200): 2.866e5, ("spam", 50): 5.770e6, ("spam", 100): 2.011e6,
    ("spam", 200): 6.470e5, ("intrusion", 25): 1.088e12,
}  # fmt: skip
TINY = (("tiny", 5),)
CLOCKS = {"processor": time.process_time, "wall": time.perf_counter}


@dataclass(frozen=True)
class Point:
    """The average result of a way on a row."""

    way: str
    seconds: float
    inertia: float


def ours(**options: Any) -> Way:
    """A fit of `steinhaus.KMeans`."""

    def fit(x: Array, k: int, seed: int) -> Array:
        from steinhaus import KMeans

        centroids: Array = KMeans(k, random_state=seed, **options).fit(x).cluster_centers_
        return centroids

    return fit


def scikit_learn(restarts: int) -> Way:
    """A fit of `sklearn.cluster.KMeans`."""

    def fit(x: Array, k: int, seed: int) -> Array:
        from sklearn.cluster import KMeans

        centroids: Array = KMeans(k, n_init=restarts, random_state=seed).fit(x).cluster_centers_
        return centroids

    return fit


def breathing(x: Array, k: int, seed: int) -> Array:
    """A fit of `bkmeans.BKMeans`."""
    from bkmeans import BKMeans

    centroids: Array = BKMeans(n_clusters=k, random_state=seed).fit(x).cluster_centers_
    return centroids


def faiss(x: Array, k: int, seed: int) -> Array:
    """faiss' `Kmeans`, all points, as many iterations as it takes by default."""
    import faiss

    kmeans = faiss.Kmeans(x.shape[1], k, seed=seed + 1, max_points_per_centroid=len(x), min_points_per_centroid=1)
    kmeans.train(np.ascontiguousarray(x, np.float32))
    centroids: Array = kmeans.centroids.astype(np.float64)
    return centroids


def superkmeans(x: Array, k: int, seed: int) -> Array:
    """superkmeans with its defaults."""
    from superkmeans import SuperKMeans

    centroids: Array = np.asarray(SuperKMeans(k, x.shape[1]).train(np.ascontiguousarray(x, np.float32)), np.float64)
    return centroids.reshape(k, -1)


WAYS: dict[str, tuple[str, Way]] = {
    "ours x 1": ("steinhaus", ours(n_init=1)),
    "ours x 10": ("steinhaus", ours(n_init=10)),
    "ours, two levels": ("steinhaus", ours(init="hierarchical")),
    **{f"ours, {m} steps": ("steinhaus", ours(refine="breathing", refine_steps=m)) for m in (1, 2, 5, 10)},
    "ours, refined": ("steinhaus", ours(refine="breathing")),
    "scikit-learn x 1": ("sklearn", scikit_learn(1)),
    "scikit-learn x 10": ("sklearn", scikit_learn(10)),
    "bkmeans": ("bkmeans", breathing),
    "faiss": ("faiss", faiss),
    "superkmeans": ("superkmeans", superkmeans),
}


def load(name: str) -> Array | None:
    """The points of a set, (n, d); None if the set is missing."""
    if name == "tiny":
        return np.random.default_rng(0).normal(size=(300, 3))
    folder = Path(os.environ.get("STEINHAUS_DATA", ""))
    if name == "mnist":
        from steinhaus.errors import SteinhausError
        from steinhaus.images import open_images

        try:
            rows: Array = open_images("mnist").split(0.6, 0, None).train.rows
        except SteinhausError:
            return None
        return rows
    path = folder / "clustering" / f"{name}.npz"
    return np.load(path)["x"] if path.exists() else None


def judged(x: Array, centroids: Array) -> float:
    """The sum of squared distances to the nearest centroids, computed for a part of the points at a time."""
    from steinhaus.engines import nearest

    at = np.ascontiguousarray(centroids, np.float64)
    labels = nearest(np.ascontiguousarray(x), at)
    parts = range(0, len(x), 4096)
    return float(sum(np.square(x[i : i + 4096].astype(np.float64) - at[labels[i : i + 4096]]).sum() for i in parts))


def measured(name: str, k: int, ways: list[str], seeds: int, clock: Callable[[], float]) -> list[Point]:
    """Run every way with every seed. A way that fails is skipped, with a message."""
    x = load(name)
    if x is None:
        print(f"{name}: the set is missing; see STEINHAUS_DATA.")
        return []
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for seed in range(-1, seeds):  # the first is not counted, because it compiles and starts threads
        for way in ways:
            began = clock()
            centroids = WAYS[way][1](x, k, max(seed, 0))
            seconds = clock() - began
            if seed >= 0:
                found[way].append((seconds, judged(x, centroids)))
    return [Point(way, *np.mean(of, axis=0).tolist()) for way, of in found.items()]


def lines(name: str, k: int, points: list[Point]) -> Iterator[str]:
    """A table of a row."""
    yield f"\n{name}, K = {k}\n{'':>20}{'seconds':>10}{'inertia':>14}{'of the best':>13}"
    best = min(point.inertia for point in points)
    for point in sorted(points, key=lambda point: point.seconds):
        yield f"{point.way:>20}{point.seconds:10.3f}{point.inertia:14.6g}{point.inertia / best - 1:13.2%}"
    if (name, k) in PUBLISHED:
        yield f"{'published breathing':>20}{'':10}{PUBLISHED[name, k]:14.6g}{PUBLISHED[name, k] / best - 1:13.2%}"


def draw(rows: dict[tuple[str, int], list[Point]], path: Path, clock: str) -> None:
    """A panel for each row: inertia against seconds."""
    import matplotlib.pyplot as plt

    wide = min(3, len(rows))
    high = -(-len(rows) // wide)
    figure, axes = plt.subplots(high, wide, figsize=(4.4 * wide, 3.4 * high), squeeze=False, layout="constrained")
    for ax in axes.flat[len(rows) :]:
        ax.set_axis_off()
    for ax, ((name, k), points) in zip(axes.flat, rows.items(), strict=False):
        for group, marker in (("ours", "o"), ("", "s")):
            for point in (point for point in points if point.way.startswith("ours") == (group == "ours")):
                ax.plot(point.seconds, point.inertia, marker, color="tab:blue" if group else "tab:orange")
                ax.annotate(point.way.removeprefix("ours, "), (point.seconds, point.inertia), fontsize=6)
        ax.set_xscale("log")
        ax.set_title(f"{name}, K = {k}", fontsize=9)
        ax.set_xlabel(f"seconds, {clock}")
        ax.set_ylabel("inertia")
    figure.savefig(path)


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", help="rows such as cloud-100,mnist-10 (default: all)")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="processor")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--tiny", action="store_true", help="use a few points, to try the script")
    options = parser.parse_args()
    wanted = None if options.rows is None else options.rows.split(",")
    rows = [row for row in (TINY if options.tiny else ROWS) if wanted is None or f"{row[0]}-{row[1]}" in wanted]
    ways = [way for way, (package, _) in WAYS.items() if find_spec(package) is not None]
    for package in sorted({package for package, _ in WAYS.values() if find_spec(package) is None}):
        print(f"{package} is not installed, so it is skipped.")
    found: dict[tuple[str, int], list[Point]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, k in rows:
            if points := measured(name, k, ways, options.seeds, CLOCKS[options.clock]):
                found[name, k] = points
                print("\n".join(lines(name, k, points)), flush=True)
    if options.plot is not None and found:
        draw(found, options.plot, options.clock)


if __name__ == "__main__":
    main()
