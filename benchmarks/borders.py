"""Compare the screened, the compact and the wide engine on the same points, to place the borders between them.

A measurement has opening, k-means++ and all iterations, on clustered normal points in float64. Engines are interleaved.
Results are medians, in seconds of wall time and of processor time.

    python benchmarks/borders.py --rounds 5 --markdown borders.md
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import machine
from tables import rows

ENGINES: dict[str, dict[str, Any]] = {
    "screened": {"memory": 2**31},  # asking for memory selects the screened engine
    "compact": {"screen": "compact"},
    "wide": {"screen": "wide"},
}
SHAPES = [
    (1000, 256), (4000, 256), (100, 512), (500, 512), (1000, 512), (2000, 512), (4000, 512), (500, 1024), (1000, 1024),
    (2000, 1024), (500, 4096), (1000, 4096), (2000, 4096), (50, 20_000), (500, 16_384), (100_000, 20), (50_000, 35),
    (30_000, 64),
]  # fmt: skip
KS = (3, 10, 50)
TINY = [(60, 40), (30, 600)]


def main() -> None:
    """Measure and write."""
    options = _options()
    machine.keep_to(options.threads)
    body = [
        [f"{n:,} x {d:,}", str(k), *told, chosen]
        for n, d in (TINY if options.tiny else SHAPES)
        for k in KS
        if 3 * k <= n
        for told, chosen in [_row(n, d, k, options)]
    ]
    header = ["", "K", *(f"{name}, ms (processor)" for name in ENGINES), "chosen"]
    text = f"{machine.sentence(machine.machine(options.threads))}\n\n{rows(header, body)}\n"
    if options.markdown:
        options.markdown.write_text(text)
    print(text)


def _row(n: int, d: int, k: int, options: argparse.Namespace) -> tuple[list[str], str]:
    """The times of each engine, and the chosen engine."""
    import numpy as np

    from steinhaus.engines import engine_for

    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, d))[rng.integers(10, size=n)] + rng.normal(size=(n, d))
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ENGINES}
    for name in ENGINES:
        _fit(x, k, options.threads, name)  # compile
    for turn in range(options.rounds):
        for name in _turned(list(ENGINES), turn):
            taken[name].append(_fit(x, k, options.threads, name))
    told = [" (".join(f"{1e3 * median(of):.1f}" for of in zip(*taken[name], strict=True)) + ")" for name in ENGINES]
    chosen = engine_for(n, d, k)
    print(f"  {n} x {d}, K = {k}: {', '.join(told)}", flush=True)
    return told, "screened" if chosen == "auto" else chosen


def _turned(names: list[str], turn: int) -> Iterator[str]:
    """Yield the names, starting with another one in each round."""
    first = turn % len(names)
    yield from names[first:] + names[:first]


def _fit(x: Any, k: int, threads: int, name: str) -> tuple[float, float]:
    """Seconds of a fit: wall time and processor time."""
    from steinhaus.engines import choose
    from steinhaus.lloyd import lloyd
    from steinhaus.points import Run
    from steinhaus.seeding import Stream, starts

    began, cpu = perf_counter(), process_time()
    points = choose(x, k=k, threads=threads, **ENGINES[name])
    list(lloyd(points, [Run(0, starts(points, k, "k-means++", Stream(0, k, 0)))], tol=1e-4))
    points.close()
    return perf_counter() - began, process_time() - cpu


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=machine.cores(), help="cores to use (default: all)")
    parser.add_argument("--tiny", action="store_true", help="use tiny data, to try the script")
    parser.add_argument("--markdown", type=Path, help="the file for the table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
