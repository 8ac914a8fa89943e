"""Measure whether each part of the engine pays: fits with all parts, and fits with one part switched off.

`python benchmarks/without.py` on a quiet machine prints a table in Markdown. A number is the processor time of all
threads without the part, divided by the time with it, as median of the rounds: 1.30 means that a fit without the part
takes 30 % more. A part that saves less than 15 % on every row is a candidate for deletion. No switch may change a
result, and the script checks this.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Callable
from functools import partial
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import scale
from machine import cores, machine, sentence
from steinhaus import KMeans
from steinhaus.engines import choose, nearest
from steinhaus.engines.cluster import ahead
from steinhaus.engines.dense import policy
from steinhaus.lloyd import lloyd
from steinhaus.points import Run
from workloads import SETS, WORKLOADS, prepare

ROWS = ("study", "k10", "k100", "k1000", "photographs-100", "embeddings", "noise")
NEVER = 2**62


def threshold(**values: int) -> Any:
    """Other thresholds of the screened engine."""
    return patch.object(policy, "THRESHOLDS", policy.THRESHOLDS._replace(**values))


PARTS: dict[str, Callable[[], Any]] = {
    "gaps and anchors": lambda: patch.object(policy.Policy, "fits", lambda self, sizes: False),
    "fewer directions for few centroids": lambda: threshold(few_centroids=0),
    "floats rounded to bytes": lambda: threshold(rounded_centroids=NEVER),
}


def fit(
    x: Any, starts: list[np.ndarray], iterations: int, clock: Callable[[], float] = process_time
) -> tuple[float, list[Any]]:
    """Seconds from the choice of the engine to the last label, and the results: centroids and inertias."""
    began = clock()
    opened = choose(x)
    runs = [Run(place, start.astype(np.float64)) for place, start in enumerate(starts)]
    found = list(lloyd(opened, runs, max_iter=iterations, tol=0.0))
    seconds = clock() - began
    opened.close()
    return seconds, [(done.key, done.centroids.tobytes(), done.history) for done in found]


def ratios(work: Callable[[], tuple[float, Any]], parts: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The time of some work without each part over the time with all parts, as medians of interleaved rounds."""
    times: dict[str, list[float]] = {"": [], **{name: [] for name in parts}}
    expected = work()[1]  # compiles, too
    for turn in range(rounds):
        names = list(times)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            if name:
                with parts[name]():
                    seconds, result = work()
            else:
                seconds, result = work()
            if sorted(result) != sorted(expected):
                raise SystemExit(f"Without {name!r}, the result differs: this is a bug.")
            times[name].append(seconds)
    return {name: statistics.median(a / b for a, b in zip(times[name], times[""], strict=True)) for name in parts}


def on_workers(x: np.ndarray, starts: list[np.ndarray], iterations: int, rounds: int) -> float:
    """The ratio for iterations that Dask's workers compute ahead."""
    import dask.array

    with scale.cluster(2):
        blocks = dask.array.from_array(x, chunks=(-(-len(x) // 2), -1))
        off = {"ahead": lambda: patch.object(ahead, "_FEW", 0)}
        return ratios(lambda: fit(blocks, starts, iterations, perf_counter), off, rounds)["ahead"]


def lists(k: int, rounds: int, points: int | None) -> dict[str, float]:
    """The ratios for lists of neighbours, and for sketches, in ten iterations after a start in two levels."""
    x = SETS["embeddings"](points or 200_000, 128)
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):  # clusters may be empty
        start = KMeans(k, init="hierarchical", max_iter=1, random_state=0).fit(x).cluster_centers_
    off = {
        "lists of neighbours": lambda: threshold(listed_centroids=NEVER),
        "sketches": lambda: threshold(sketched_features=NEVER),
    }
    return ratios(lambda: fit(x, [start], 10, perf_counter), off, rounds)


def labelling(x: np.ndarray, centroids: np.ndarray, rounds: int) -> float:
    """The ratio for labels alone: by a fit's first pass, over `nearest`."""
    centroids = centroids.astype(np.float64)

    def alone() -> tuple[float, Any]:
        began = process_time()
        labels = nearest(x, centroids)
        return process_time() - began, labels

    def by_a_pass() -> tuple[float, Any]:
        began = process_time()
        opened = choose(x)
        opened.assign([Run(0, centroids)])
        labels = np.array(opened.labels(0))
        seconds = process_time() - began
        opened.close()
        return seconds, labels

    turns = [(alone(), by_a_pass()) for _ in range(rounds + 1)][1:]
    if any(not np.array_equal(one[1], other[1]) for one, other in turns):
        raise SystemExit("The labels of `nearest` differ from those of a pass: this is a bug.")
    return statistics.median(other[0] / one[0] for one, other in turns)


def main() -> None:
    """Read the command line, measure, print."""
    options = _options()
    names = options.rows.split(",")
    rows = [workload for workload in WORKLOADS if workload.name in names]
    found: dict[str, dict[str, float]] = {}
    alone: dict[str, float] = {}
    for workload in rows:
        files = prepare(workload.data, workload.ks, size=options.points)
        x = np.load(files.own)
        starts = np.split(np.load(files.starts), np.cumsum(files.ks)[:-1])
        found[workload.name] = ratios(partial(fit, x, starts, workload.max_iter), PARTS, options.rounds)
        alone[workload.name] = labelling(x, starts[0], options.rounds)
        print(workload.name, {name: round(ratio, 2) for name, ratio in found[workload.name].items()}, flush=True)
    lines = [f"{sentence(machine(cores()))} {options.rounds} rounds.", ""]
    lines += [f"| without | {' | '.join(found)} |", f"| --- |{' --- |' * len(found)}"]
    lines += [f"| {part} | {' | '.join(f'{row[part]:.2f}' for row in found.values())} |" for part in PARTS]
    lines.append(f"| `nearest`: labels by a fit's pass | {' | '.join(f'{ratio:.2f}' for ratio in alone.values())} |")
    if options.dask:
        small = prepare("mnist-study", [10], size=options.points)
        ratio = on_workers(np.load(small.own), [np.load(small.starts)], 30, options.rounds)
        lines += ["", f"Iterations ahead on two Dask workers, MNIST, K = 10, 30 iterations: {ratio:.2f}."]
    if options.lists:
        kept = lists(options.lists, options.rounds, options.points)
        told = ", ".join(f"{name} {ratio:.2f}" for name, ratio in kept.items())
        lines += ["", f"200,000 x 128 embeddings, K = {options.lists}, 10 iterations, without: {told}."]
    print("\n".join(lines))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS), help="comma-separated: rows of compare.py")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--points", type=int, help="number of points instead of all, to try the script")
    parser.add_argument("--dask", action="store_true", help="measure iterations ahead, too")
    parser.add_argument("--lists", type=int, metavar="K", help="measure lists and sketches, too, for K clusters")
    return parser.parse_args()


if __name__ == "__main__":
    main()
