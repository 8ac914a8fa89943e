"""The screen's inner pass beside a mark: products with leading directions from anchors, bounds, best and second best.

`python benchmarks/mark.py`; `--points` and `--rounds` for less. The mark is what the same pass took in C++ with AVX-512
intrinsics, on two cores of the machine for which the project was planned: 0.7, 5.3 and 44 ms for 60,000 points, 64
directions and K = 10, 100 and 1000. Here all points and centroids are screened, nothing is skipped.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numba import njit

from machine import machine
from steinhaus import simd
from steinhaus.engines import tiles
from steinhaus.engines.records import TILE, Known, apart, room_of, scores_of
from steinhaus.engines.workers import Workers
from steinhaus.handing import Handed, taken

POINTS, DIRECTIONS, ROUNDS = 60_000, 64, 25
MARK = {10: 0.7e-3, 100: 5.3e-3, 1000: 44e-3}  # seconds


@njit(nogil=True, error_model="numpy")
def screen(known, scores, slots, kept, scratch, first, end, labels):
    """Screen the tiles first <= t < end against all centroids, (k,); returns how many lanes stay open."""
    known, scores, room = taken(known), taken(scores), taken(scratch)
    chosen, k, left = room.chosen, slots.shape[1], 0
    slots, kept, labels = simd.pointer(slots), simd.pointer(kept), simd.pointer(labels)
    for tile in range(first, end):
        tiles.direct_products(tile, known, scores.rows, chosen, k, room.out)
        for c in range(k):
            base = 32 * (tile * k + c)
            simd.store(room.out, 32 * c, simd.add(simd.load(room.out, 32 * c), simd.load(kept, base)))
            simd.store(room.out, 32 * c + 16, simd.add(simd.load(room.out, 32 * c + 16), simd.load(kept, base + 16)))
        opened = tiles.bounds(
            room.out, chosen, k, 0, scores, known, known.norms, 32 * tile, room.upper, room.found, room.least
        )
        left += simd.count(opened)
        simd.store(labels, 32 * tile, simd.load(room.found, 0))
        simd.store(labels, 32 * tile + 16, simd.load(room.found, 16))
    return left


def measure(k: int, workers: Workers, points: int, rounds: int) -> float:
    """The median of the seconds that a pass takes, the first two left out."""
    rng, n_tiles = np.random.default_rng(0), points // TILE
    ones = np.ones(points, np.float32)
    known = Known(
        order=np.arange(points),
        norms=ones,
        residuals=ones,
        projections=rng.normal(size=(n_tiles, 2, DIRECTIONS, 16)).astype(np.float32),
        p=DIRECTIONS,
        reach=np.float32(1),
        floor=np.float32(0),
        coarse=ones,
    )
    scores = scores_of(rng.normal(size=(k, DIRECTIONS)).astype(np.float32))
    scores.slope[:], scores.lag[:], scores.floor[:] = 1e-4, 1e-2, 1e-6
    kept, slots = rng.normal(size=(n_tiles, k, TILE)).astype(np.float32), np.ones((1, k), np.uint8)
    labels = apart(points, np.int32)
    rooms = [room_of(k, DIRECTIONS, False) for _ in range(workers.count)]
    for room in rooms:
        room.chosen[:] = np.arange(k)
    handed, of, places = Handed(known), Handed(scores), [Handed(room) for room in rooms]

    def work(worker: int, first: int, end: int) -> None:
        screen(handed, of, slots, kept, places[worker], first, end, labels)

    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        workers.each(work, n_tiles, max(8, n_tiles // (8 * workers.count)))
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:]))


def main() -> None:
    """Print a line for each K."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=POINTS, help="a multiple of 32; the mark is for 60,000")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="at least 3")
    options = parser.parse_args()
    about = machine(2)
    print(", ".join(f"{name} {value}" for name, value in about.items() if isinstance(value, str | int)))
    workers = Workers(2)
    for k, mark in MARK.items():
        seconds = measure(k, workers, options.points, options.rounds)
        flops, ratio = 2.0 * options.points * k * DIRECTIONS / seconds / 1e9, seconds / mark
        print(f"K = {k:5}: {1e3 * seconds:6.2f} ms, {flops:4.0f} GFLOP/s; the mark {1e3 * mark:5.1f} ms; {ratio:.2f}")
    workers.close()


if __name__ == "__main__":
    main()
