"""Compare the screen's inner pass with a target: products with directions from anchors, bounds, best and second.

`python benchmarks/mark.py`; use `--points` and `--rounds` for less. The target is the time of the same pass in C++ with
AVX-512 intrinsics, on two cores of the machine for which the project was planned: 0.7, 5.3 and 44 ms for 60,000 points,
64 directions and K = 10, 100 and 1000. Here all points and centroids are screened, nothing is skipped.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from machine import machine
from steinhaus.engines.bounds.scores import Frame
from steinhaus.engines.dense import candidates, certifying
from steinhaus.engines.dense.factors import TILE, Scores, apart, scores_of
from steinhaus.engines.dense.lanes import Readers, readers
from steinhaus.engines.dense.predict import framed
from steinhaus.engines.dense.records import Framed, Scratch, Tiles, scratch_of
from steinhaus.engines.dense.slices import RunSlice, Source, Tile
from steinhaus.engines.workers import Workers
from steinhaus.jit.build import kernel
from steinhaus.jit.handed import Handed
from steinhaus.jit.operations import load, store
from steinhaus.jit.types import Array, f32, i32, i64, u32

POINTS, DIRECTIONS, ROUNDS = 60_000, 64, 25
MARK = {10: 0.7e-3, 100: 5.3e-3, 1000: 44e-3}  # seconds


@kernel
def screen(
    points: Framed,
    readers: Readers,
    tiles: Tiles,
    scores: Scores,
    scratch: Scratch,
    kept: Array[f32],
    labels: Array[i32],
    k: i64,
    first: i64,
    end: i64,
) -> None:
    """Screen the tiles first <= t < end against all centroids; kept: (T, k, 32) products with their anchors."""
    source, out = Source(points, readers, tiles, scratch), scratch.out
    for number in range(first, end):
        tile = Tile(number, 32 * number, u32(0xFFFFFFFF), f32(0.0))
        run = RunSlice(0, 0, k, 0, k, 0, 0, k, kept)
        candidates.directed_products(tiles, tile, scores.rows, scratch.chosen, k, out)
        for c in range(k):
            at = 32 * (number * k + c)
            store(out, 32 * c, load(out, 32 * c, 16) + load(kept, at, 16))
            store(out, 32 * c + 16, load(out, 32 * c + 16, 16) + load(kept, at + 16, 16))
        certifying.bounds(source, tile, run, scores, tiles.norms, scratch.chosen, k)
        store(labels, 32 * number, load(scratch.found, 0, 16))
        store(labels, 32 * number + 16, load(scratch.found, 16, 16))


def measure(k: int, workers: Workers, points: int, rounds: int) -> float:
    """The median seconds of a pass, without the first two."""
    rng, n_tiles = np.random.default_rng(0), points // TILE
    ones = np.ones(points, np.float32)
    projections = rng.normal(size=(n_tiles, 2, DIRECTIONS, 16)).astype(np.float32)
    tiles = Tiles(np.arange(points), ones, ones, projections, DIRECTIONS, np.float32(1), np.float32(0), ones)
    scores = scores_of(rng.normal(size=(k, DIRECTIONS)).astype(np.float32))
    scores.slope[:], scores.lag[:], scores.floor[:] = 1e-4, 1e-2, 1e-6
    kept = rng.normal(size=(n_tiles, k, TILE)).astype(np.float32)
    labels = apart(points, np.int32)
    nothing = framed(np.zeros((1, 1)), Frame(np.zeros(1), 1.0, np.zeros(1), rounded=True))  # no feature is read
    scratch = [scratch_of(k, DIRECTIONS, False) for _ in range(workers.count)]
    for one in scratch:
        one.chosen[:] = np.arange(k)
    handed = [Handed(record) for record in (nothing, readers(np.float64), tiles, scores)]
    handed_scratch = [Handed(one) for one in scratch]

    def work(worker: int, first: int, end: int) -> None:
        screen(*handed, handed_scratch[worker], kept, labels, k, first, end)

    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        workers.each(work, n_tiles, max(8, n_tiles // (8 * workers.count)))
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:]))


def main() -> None:
    """Print a line for each K."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=POINTS, help="a multiple of 32; the target is for 60,000")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="at least 3")
    options = parser.parse_args()
    about = machine(2)
    print(", ".join(f"{name} {value}" for name, value in about.items() if isinstance(value, str | int)))
    workers = Workers(2)
    for k, mark in MARK.items():
        seconds = measure(k, workers, options.points, options.rounds)
        flops, ratio = 2.0 * options.points * k * DIRECTIONS / seconds / 1e9, seconds / mark
        print(f"K = {k:5}: {1e3 * seconds:6.2f} ms, {flops:4.0f} GFLOP/s; target {1e3 * mark:5.1f} ms; {ratio:.2f}")
    workers.close()


if __name__ == "__main__":
    main()
