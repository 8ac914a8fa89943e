"""Inertia against time: the quality of a clustering after so many seconds, for Steinhaus and its peers.

    python benchmarks/quality.py --plot quality.svg
    python benchmarks/quality.py --rows cloud-100,spam-100 --seeds 3

A row is a data set and K. A way is a call that ends in centroids: ours with 1 and 10 restarts and 5 from random rows,
from a start in two levels, refined with 1, 2, 5 and 10 steps at most and to the end, and the best of 4 refined;
scikit-learn's k-means++ with 1, 10 and 100 restarts; breathing k-means (`bkmeans`), faiss and superkmeans (flat and in
two levels), if they are installed. Large rows leave some ways out: see `WAYS_OF`. Every way runs with each seed,
interleaved. Time is processor time of all threads, unless `--clock wall` is given: on a shared machine, wall time says
little. The inertia is that of the nearest centroids in float64, computed outside of the timing.

`--keep FILE` adds what was measured to a JSON file, in place of what it held of the same rows and ways, and plots and
verdicts are of all that it holds. So rows can be measured one after the other. `docs/quality.json` is such a file.

The sets of "The breathing k-means algorithm" are read from the folder `clustering`, and MNIST from `mnist`, in the
folder that STEINHAUS_DATA names. Rows without their set are skipped, with a message. The embeddings are those of
`workloads.py`.
"""

from __future__ import annotations

import argparse
import json
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
    ("birch1", 100), ("intrusion", 25), ("mnist", 10), ("mnist", 50), ("mnist", 100), ("embeddings", 2048),
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


def superkmeans(hierarchical: bool) -> Way:
    """superkmeans with its defaults, of all points at once or in two levels."""

    def fit(x: Array, k: int, seed: int) -> Array:
        from superkmeans import SuperKMeans

        kmeans = SuperKMeans(k, x.shape[1], hierarchical=hierarchical, seed=seed)
        centroids: Array = np.asarray(kmeans.train(np.ascontiguousarray(x, np.float32)), np.float64)
        return centroids.reshape(k, -1)

    return fit


def refined_best_of(many: int) -> Way:
    """The best of several fits of `steinhaus.KMeans` that are refined, each with a seed of its own."""

    def fit(x: Array, k: int, seed: int) -> Array:
        from steinhaus import KMeans

        seeds = range(many * seed, many * (seed + 1))
        fits = [KMeans(k, random_state=one, refine="breathing").fit(x) for one in seeds]
        centroids: Array = min(fits, key=lambda fit: fit.inertia_).cluster_centers_
        return centroids

    return fit


WAYS: dict[str, tuple[str, Way]] = {
    "ours x 1": ("steinhaus", ours(n_init=1)),
    "ours x 10": ("steinhaus", ours(n_init=10)),
    "ours, random x 5": ("steinhaus", ours(init="random", n_init=5)),
    "ours, two levels": ("steinhaus", ours(init="hierarchical")),
    **{f"ours, {m} steps": ("steinhaus", ours(refine="breathing", refine_steps=m)) for m in (1, 2, 5, 10)},
    "ours, refined": ("steinhaus", ours(refine="breathing")),
    "ours, refined x 4": ("steinhaus", refined_best_of(4)),
    "scikit-learn x 1": ("sklearn", scikit_learn(1)),
    "scikit-learn x 10": ("sklearn", scikit_learn(10)),
    "scikit-learn x 100": ("sklearn", scikit_learn(100)),
    "bkmeans": ("bkmeans", breathing),
    "faiss": ("faiss", faiss),
    "superkmeans": ("superkmeans", superkmeans(hierarchical=False)),
    "superkmeans, two levels": ("superkmeans", superkmeans(hierarchical=True)),
}
LONG = ("scikit-learn x 100", "ours, two levels", "ours, refined x 4")
WAYS_OF = {  # ways that are left out, because they take minutes, or are of no use for so few clusters
    **{row: LONG for row in ROWS if row[0] in ("birch1", "intrusion", "mnist")},
    ("embeddings", 2048): (
        "ours x 10", "ours, random x 5", "ours, refined", "ours, refined x 4", "scikit-learn x 10", LONG[0], "bkmeans",
    ),
}  # fmt: skip


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
    if name == "embeddings":
        from workloads import SETS

        return np.ascontiguousarray(SETS["embeddings"](500_000))
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
    ways = [way for way in ways if way not in WAYS_OF.get((name, k), ())]
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    some = x[::8] if len(x) >= 32 * k else x
    for way in ways:
        WAYS[way][1](some, k, 0)  # compiles, and starts threads
    for seed in range(seeds):
        for way in ways:
            began = clock()
            centroids = WAYS[way][1](x, k, seed)
            seconds = clock() - began
            found[way].append((seconds, judged(x, centroids)))
    return [Point(way, *np.mean(of, axis=0).tolist()) for way, of in found.items()]


def lines(name: str, k: int, points: list[Point]) -> Iterator[str]:
    """A table of a row."""
    yield f"\n{name}, K = {k}\n{'':>24}{'seconds':>10}{'inertia':>14}{'of the best':>13}"
    best = min(point.inertia for point in points)
    for point in sorted(points, key=lambda point: point.seconds):
        yield f"{point.way:>24}{point.seconds:10.3f}{point.inertia:14.6g}{point.inertia / best - 1:13.2%}"
    if (name, k) in PUBLISHED:
        yield f"{'published breathing':>24}{'':10}{PUBLISHED[name, k]:14.6g}{PUBLISHED[name, k] / best - 1:13.2%}"
    yield verdict(points)


def curve(points: list[Point]) -> list[Point]:
    """Our ways that no other of ours beats in time and inertia, the fastest first."""
    ours = sorted((point for point in points if point.way.startswith("ours")), key=lambda point: point.seconds)
    return [point for at, point in enumerate(ours) if all(point.inertia < other.inertia for other in ours[:at])]


def beyond(point: Point, ours: list[Point]) -> bool:
    """Whether a peer's point lies below and left of our curve: the straight lines that join our points."""
    if not ours or point.seconds < ours[0].seconds:
        return point.inertia <= (ours[0].inertia if ours else np.inf)
    at = np.interp(np.log(point.seconds), np.log([of.seconds for of in ours]), [of.inertia for of in ours])
    return bool(point.inertia < at)


def verdict(points: list[Point]) -> str:
    """Which of the peers' points lie below and left of our curve, in words; empty if none of our ways was measured."""
    ours = curve(points)
    found = [point.way for point in points if not point.way.startswith("ours") and beyond(point, ours)]
    return f"Below and left of our curve: {', '.join(found) or 'none'}." if ours else ""


def draw(rows: dict[tuple[str, int], list[Point]], path: Path, clock: str) -> None:
    """A panel for each row: per cent above the lowest inertia against seconds, our curve joined."""
    from matplotlib.figure import Figure

    from steinhaus.plots.style import ACCENT, INK, MUTED, SECOND

    wide = min(3, len(rows))
    figure = Figure(figsize=(4.4 * wide, 3.6 * -(-len(rows) // wide)), layout="constrained")
    axes = figure.subplots(-(-len(rows) // wide), wide, squeeze=False)
    for ax in axes.flat[len(rows) :]:
        ax.set_axis_off()
    for ax, ((name, k), points) in zip(axes.flat, rows.items(), strict=False):
        best = min(point.inertia for point in points)
        above = {point.way: 100 * (point.inertia / best - 1) for point in points}
        joined = curve(points)
        ax.plot([of.seconds for of in joined], [above[of.way] for of in joined], "-", color=ACCENT, linewidth=1.5)
        for point in sorted(points, key=lambda point: (point.inertia, point.seconds)):
            ours = point.way.startswith("ours")
            ax.plot(point.seconds, above[point.way], "o" if ours else "s", color=ACCENT if ours else SECOND, ms=5)
            if point.way.endswith("steps"):  # they stand on the line from one run to the refined one
                continue
            ax.annotate(
                point.way.removeprefix("ours, ").removeprefix("ours "), (point.seconds, above[point.way]),
                (-6 if ours else 6, 0), textcoords="offset points", fontsize=7, color=INK if ours else SECOND,
                ha="right" if ours else "left", va="center",
            )  # fmt: skip
        if (name, k) in PUBLISHED:
            ax.axhline(100 * (PUBLISHED[name, k] / best - 1), color=MUTED, linewidth=1, linestyle=":")
        ax.set_xscale("log")
        ax.set_yscale("symlog", linthresh=1.0)
        ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.margins(x=0.45, y=0.12)
        ax.set_title(f"{name}, K = {k}", fontsize=10)
        ax.set_xlabel(f"seconds, {clock}")
        ax.set_ylabel("% above the lowest inertia")
    figure.savefig(path)


def kept(path: Path) -> dict[tuple[str, int], list[Point]]:
    """The rows in a file of `--keep`."""
    rows = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return {
        (row.rsplit("-", 1)[0], int(row.rsplit("-", 1)[1])): [Point(way, *point) for way, point in of.items()]
        for row, of in rows.items()
    }


def keep(path: Path, found: dict[tuple[str, int], list[Point]]) -> dict[tuple[str, int], list[Point]]:
    """Add rows to a file, in place of the same ways of these rows; return all that it holds."""
    rows = kept(path)
    for row, points in found.items():
        rows[row] = list(({point.way: point for point in (*rows.get(row, []), *points)}).values())
    rows = {row: rows[row] for row in sorted(rows, key=(*ROWS, *TINY).index)}
    lines = [
        f'  "{name}-{k}": {{\n'
        + ",\n".join(f'    "{point.way}": [{point.seconds:.4g}, {point.inertia:.7g}]' for point in points)
        + "\n  }"
        for (name, k), points in rows.items()
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    return rows


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", help="rows such as cloud-100,mnist-10 (default: all)")
    parser.add_argument("--ways", help="ways such as 'ours x 10;ours, refined' (default: all)")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="processor")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--keep", type=Path, help="a JSON file to which the measured points are added")
    parser.add_argument("--tiny", action="store_true", help="use a few points, to try the script")
    options = parser.parse_args()
    wanted = None if options.rows is None else options.rows.split(",")
    rows = [row for row in (TINY if options.tiny else ROWS) if wanted is None or f"{row[0]}-{row[1]}" in wanted]
    ways = [way for way, (package, _) in WAYS.items() if find_spec(package) is not None]
    if options.ways is not None:
        ways = [way for way in ways if way in options.ways.split(";")]
    for package in sorted({package for package, _ in WAYS.values() if find_spec(package) is None}):
        print(f"{package} is not installed, so it is skipped.")
    found: dict[tuple[str, int], list[Point]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, k in rows:
            if points := measured(name, k, ways, options.seeds, CLOCKS[options.clock]):
                found[name, k] = points
                print("\n".join(lines(name, k, points)), flush=True)
    if options.keep is not None:
        found = keep(options.keep, found)
    if options.plot is not None and found:
        draw(found, options.plot, options.clock)


if __name__ == "__main__":
    main()
