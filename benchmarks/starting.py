"""The cost of starts: default calls, seeding alone, and starts in two levels, compared with peers.

    python benchmarks/starting.py --markdown starting.md
    python benchmarks/starting.py --rows mnist-100,seeding --rounds 1

All run in one process, interleaved: each round runs every peer once and starts with another one. All code is warm.
There are six kinds of rows.

- "peer": a default call, `KMeans(k, random_state=round).fit(x)`, of ours and of scikit-learn's. Bytes go to
  scikit-learn as float32.
- "given": a default call of ours, and the same iterations from the start that it began with.
- "seeding": only our `kmeans_plusplus`.
- "k-means||": only its rows, from an engine that was just opened, with bounds and without. Without bounds, all points
  are multiplied with all rows of a round.
- "two levels": ten iterations of ours from `init="hierarchical"` and from k-means++, and one of the former; superkmeans
  with its defaults, and in its flat mode; faiss' `Kmeans` and `SuperKmeans` with their defaults. Ours includes exact
  labels; theirs is only training. For all, the inertia is that of the nearest labels in float64, outside of the timing.
- "memory": the most memory that one iteration from `init="hierarchical"` takes beyond the data.

MNIST and birch1 are read from the folders `mnist` and `clustering` in the folder that STEINHAUS_DATA names. Rows
without their set are skipped, with a message.
"""

from __future__ import annotations

import argparse
import gc
import sys
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from machine import cores, keep_to, machine, sentence

Array = NDArray[Any]
ITERATIONS = 10  # our iterations after a start in two levels: as many as the peers' defaults
FEW = 1  # our iterations that reach the inertia of the peers on embeddings
_TINY, _TINY_K = 600, 6  # rows and clusters of a trial


@dataclass(frozen=True)
class Row:
    """A measurement on a data set; `data` is a name for `everyday_rows.load`, or "embeddings:n:d"."""

    name: str
    kind: str
    data: str
    k: int


ROWS = (
    Row("mnist-10", "peer", "mnist:float32", 10),
    Row("mnist-100", "peer", "mnist:float32", 100),
    Row("mnist-500", "peer", "mnist:float32", 500),
    Row("mnist-uint8-10", "peer", "mnist:uint8", 10),
    Row("birch1", "peer", "published:birch1", 100),
    Row("given-mnist-500", "given", "mnist:float32", 500),
    Row("given-mnist-1000", "given", "mnist:float32", 1000),
    Row("given-embeddings", "given", "embeddings:200000:128", 1000),
    Row("seeding", "seeding", "embeddings:500000:128", 2048),
    Row("scalable-mnist", "k-means||", "mnist:uint8", 100),
    Row("scalable", "k-means||", "embeddings:200000:128", 200),
    Row("two-levels", "two levels", "embeddings:500000:128", 2048),
    Row("two-levels-million", "two levels", "embeddings:1000000:128", 4096),
    Row("two-levels-wide", "two levels", "embeddings:250000:1024", 2000),
    Row("two-levels-memory", "memory", "embeddings:1000000:128", 16_384),
)
TITLES = {
    "peer": "Default calls beside scikit-learn's",
    "given": "Default calls beside the same iterations from a given start",
    "seeding": "Seeding alone",
    "k-means||": "k-means|| alone, with bounds and without",
    "two levels": "Starts in two levels",
    "memory": "Memory of starts in two levels",
}
COLUMNS = {
    "peer": ("ours, s", "scikit-learn, s", "scikit-learn / ours"),
    "given": ("default, s", "given start, s", "default / given"),
    "seeding": ("seconds",),
    "k-means||": ("with bounds, s", "without, s", "without / with"),
    "two levels": ("who", "seconds", "inertia", "of ours"),
    "memory": ("data, MB", "beyond the data, MB", "of the data"),
}

Call = Callable[[int], Any]
Measured = dict[str, tuple[list[float], float | None]]  # for each call: seconds in every round, inertia of the last


def main() -> None:
    """Read the command line, measure, write."""
    options = _options()
    keep_to(options.threads)  # before any library counts cores
    from everyday_rows import NotHere

    about, body, left_out = machine(options.threads), {kind: [] for kind in TITLES}, []
    for row in _chosen(options.rows):
        try:
            x = load(row.data, options.tiny)
        except NotHere as reason:
            left_out.append(f"{row.name}, {reason}")
            print(f"  {row.name} is skipped: {reason}", flush=True)
            continue
        k = min(row.k, _TINY_K) if options.tiny else row.k
        if row.kind == "memory":
            body[row.kind].append(memory_line(row, x, k, options.threads))
            continue
        calls = KINDS[row.kind](x, k, options.threads)
        if row.kind == "two levels" and options.who:
            calls = {name: call for name, call in calls.items() if any(part in name for part in options.who)}
        body[row.kind] += lines(row, x, k, measured(x, calls, options.rounds, judged=row.kind == "two levels"))
    text = document(about, body, left_out, options.tiny)
    if options.markdown:
        options.markdown.write_text(text)
    print(f"\n{text}")


def load(data: str, tiny: bool) -> Array:
    """A data set, (n, d), C-contiguous; tiny: only its first rows."""
    import everyday_rows
    from workloads import SETS

    kind, *sizes = data.split(":")
    if kind != "embeddings":
        return everyday_rows.load(data, tiny)
    n, d = map(int, sizes)
    return np.ascontiguousarray(SETS["embeddings"](_TINY if tiny else n, d))


def measured(x: Array, calls: dict[str, Call], rounds: int, *, judged: bool) -> Measured:
    """Seconds of every call in every round; judged: also the inertia of the centroids of the last round."""
    from measure import judge
    from peers import Outcome

    names, seconds, found = list(calls), {name: [] for name in calls}, {}
    for turn in range(-1, rounds):  # the first compiles, imports and wakes threads
        first = max(turn, 0) % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            began = perf_counter()
            found[name] = calls[name](max(turn, 0))
            if turn >= 0:
                seconds[name].append(perf_counter() - began)
                print(f"    {name}: {seconds[name][-1]:.3f} s", flush=True)
    costs = {name: judge(x, Outcome(found[name], None, 0))[0] if judged else None for name in names}
    return {name: (seconds[name], costs[name]) for name in names}


def default_calls(x: Array, k: int, threads: int) -> dict[str, Call]:
    """Ours and scikit-learn's."""
    from sklearn.cluster import KMeans as Theirs

    from steinhaus import KMeans

    floats = x.astype(np.float32) if x.dtype == np.uint8 else x
    return {
        "ours": lambda turn: KMeans(k, random_state=turn).fit(x),
        "scikit-learn": lambda turn: Theirs(k, random_state=turn).fit(floats),
    }


def given_starts(x: Array, k: int, threads: int) -> dict[str, Call]:
    """Ours, and only the iterations of the same call."""
    from steinhaus import KMeans
    from steinhaus.estimators.functions import kmeans_plusplus

    start = kmeans_plusplus(x, k, random_state=0)[0]  # the start of the default call
    return {
        "default": lambda _: KMeans(k, random_state=0).fit(x),
        "given": lambda _: KMeans(k, init=start).fit(x),
    }


def seeding_alone(x: Array, k: int, threads: int) -> dict[str, Call]:
    """Only the choice of rows."""
    from steinhaus.estimators.functions import kmeans_plusplus

    return {"ours": lambda turn: kmeans_plusplus(x, k, random_state=turn)}


def scalable_alone(x: Array, k: int, threads: int) -> dict[str, Call]:
    """The rows of k-means||, with the bounds of seeding and without them."""
    from steinhaus.engines.dense import framed
    from steinhaus.engines.dense.points import MemoryPoints
    from steinhaus.seeding import Stream, starts

    usual = framed.THRESHOLDS

    def drawn(rows_added: int) -> Call:
        def call(turn: int) -> Array:
            framed.THRESHOLDS = usual._replace(rows_added=rows_added)
            with closing(MemoryPoints(x, threads=threads)) as points:
                found = starts(points, k, "k-means||", Stream(turn, k, 0))
            framed.THRESHOLDS = usual
            return found

        return call

    return {"with bounds": drawn(usual.rows_added), "without": drawn(len(x) + 1)}


def two_levels(x: Array, k: int, threads: int) -> dict[str, Call]:
    """Ours from both starts, and the installed peers. Each returns its centroids."""
    from steinhaus import KMeans

    def ours(init: str, iterations: int) -> Call:
        return lambda turn: KMeans(k, init=init, max_iter=iterations, random_state=turn).fit(x).cluster_centers_

    calls = {
        f"ours, hierarchical, {FEW} iteration": ours("hierarchical", FEW),
        "ours, hierarchical": ours("hierarchical", ITERATIONS),
        "ours, k-means++": ours("k-means++", ITERATIONS),
    }
    for name, peer in (("superkmeans", _superkmeans), ("faiss", _faiss)):
        try:
            calls |= peer(x, k, threads)
        except ImportError:
            print(f"  {name} is not installed, so it is skipped", flush=True)
    return calls


def memory_line(row: Row, x: Array, k: int, threads: int) -> list[str]:
    """The line of a row of memory: the peak of a fit, less what was resident before it."""
    from measure import peak_memory
    from steinhaus import KMeans

    def fit(rows: Array, clusters: int) -> None:
        KMeans(clusters, init="hierarchical", max_iter=1, random_state=0, n_threads=threads).fit(rows)

    fit(x[: len(x) // 8], min(k, 100))  # compiles
    gc.collect()
    before = peak_memory(reset=True)
    fit(x, k)
    peak = peak_memory()
    what = f"{row.name}: {x.shape[0]:,} x {x.shape[1]:,} {x.dtype}, K = {k:,}"
    if before is None or peak is None:
        return [what, f"{x.nbytes / 1e6:,.0f}", "this system does not tell", ""]
    return [what, f"{x.nbytes / 1e6:,.0f}", f"{(peak - before) / 1e6:,.0f}", f"{(peak - before) / x.nbytes:.2f} x"]


def _superkmeans(x: Array, k: int, threads: int) -> dict[str, Call]:
    from superkmeans import SuperKMeans

    def train(hierarchical: bool | None) -> Call:
        return lambda turn: SuperKMeans(
            k, x.shape[1], hierarchical=hierarchical, n_threads=threads, seed=turn
        ).train(x)  # fmt: skip

    return {"superkmeans, as it comes": train(None), "superkmeans, flat": train(False)}


def _faiss(x: Array, k: int, threads: int) -> dict[str, Call]:
    import faiss

    faiss.omp_set_num_threads(threads)

    def train(name: str) -> Call:
        def call(turn: int) -> Array:
            model = getattr(faiss, name)(x.shape[1], k, niter=ITERATIONS, seed=turn)
            model.train(x)
            return np.asarray(model.centroids)

        return call

    return {f"faiss, {name}": train(name) for name in ("Kmeans", "SuperKmeans") if hasattr(faiss, name)}


KINDS = {
    "peer": default_calls,
    "given": given_starts,
    "seeding": seeding_alone,
    "k-means||": scalable_alone,
    "two levels": two_levels,
}


def lines(row: Row, x: Array, k: int, found: Measured) -> list[list[str]]:
    """The lines of a row in the table of its kind."""
    from tables import spread

    what = f"{row.name}: {x.shape[0]:,} x {x.shape[1]:,} {x.dtype}, K = {k:,}"
    told = {name: spread(seconds) for name, (seconds, _) in found.items()}
    if row.kind == "seeding":
        return [[what, told["ours"]]]
    if row.kind == "two levels":
        (first, least), *_ = found.values()
        return [
            [what, name, told[name], f"{cost:.5g}", f"{median(seconds) / median(first):.2f} x, {cost / least:.4f}"]
            for name, (seconds, cost) in found.items()
        ]
    (one, _), (other, _) = found.values()
    above, below = (one, other) if row.kind == "given" else (other, one)
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    return [[what, *told.values(), spread(ratios)]]


def document(about: dict[str, Any], body: dict[str, list[list[str]]], left_out: list[str], tiny: bool) -> str:
    """The machine and the tables."""
    from tables import rows

    parts = [
        f"{'**Tiny sets: these times say nothing.** ' if tiny else ''}Measured on {datetime.now(UTC):%Y-%m-%d}: "
        f"{sentence(about)} Seconds and ratios: median (min to max) of the rounds."
    ]
    parts += [
        f"### {TITLES[kind]}\n\n{rows(('', *COLUMNS[kind]), found)}" for kind, found in body.items() if found
    ]  # fmt: skip
    if left_out:
        parts.append(f"Skipped: {'; '.join(left_out)}.")
    return "\n\n".join(parts) + "\n"


def _chosen(names: list[str] | None) -> list[Row]:
    if names and (unknown := set(names) - {row.name for row in ROWS}):
        known = ", ".join(row.name for row in ROWS)
        raise SystemExit(f"There are no rows {', '.join(sorted(unknown))}. There are {known}.")
    return [row for row in ROWS if not names or row.name in names]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--rows", type=lambda text: text.split(","), help="names of rows (default: all)")
    parser.add_argument("--who", type=lambda text: text.split(","), help="parts of names of two levels (default: all)")
    parser.add_argument("--threads", type=int, default=cores(), help="threads of each library (default: all cores)")
    parser.add_argument("--tiny", action="store_true", help="use a few rows of each set, to try the script")
    parser.add_argument("--markdown", type=Path, help="the file for the tables")
    return parser.parse_args()


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Number of distinct clusters")
    main()
