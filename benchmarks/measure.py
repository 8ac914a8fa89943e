"""One measurement in a separate process. It reads its task as JSON on standard input and writes one line of JSON.

Load the data, warm up (an eighth of the points, at most 5 iterations: compilation, thread pools, lazy imports), start
the clock, fit, stop it. Peak memory is the largest resident size during the fit, less what was resident just before it.
Afterwards, outside of the timing, the same function checks every peer's fit in float64.
"""

from __future__ import annotations

import gc
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from machine import keep_to
from peers import PEERS, Array, Job, Outcome
from workloads import PASS

STATUS = Path("/proc/self/status")


def main() -> None:
    """Run the task on standard input."""
    spec = json.load(sys.stdin)
    keep_to(spec["threads"])
    measured = one_pass(spec) if spec["peer"] == PASS else one_fit(spec)
    print(json.dumps(measured))


def one_fit(spec: dict[str, Any]) -> dict[str, Any]:
    """Fit, timed; then judge."""
    peer = PEERS[spec["peer"]]
    fit = peer.begin(spec["threads"])
    x = np.load(spec["own"] if peer.dtype == "own" else spec["float32"])
    if peer.dtype == "float64":
        x = x.astype(np.float64)
    starts = np.split(np.load(spec["starts"]), np.cumsum(spec["ks"])[:-1])
    fit(_warm_up(x, starts, spec))
    job = Job(x, starts, spec["max_iter"], spec["iterations"], spec["threads"])
    repeated = -1
    kernels = -1
    while repeated < 2 and kernels != (kernels := _kernels()):  # again, if code was compiled during the measurement
        repeated += 1
        gc.collect()
        before = peak_memory(reset=True)
        began = perf_counter()
        outcomes = fit(job)
        seconds = perf_counter() - began
        peak = peak_memory()
    judged = [judge(x, outcome) for outcome in outcomes] if spec["judge"] else []
    return {
        "seconds": seconds,
        "peak": peak - before if peak and before else None,
        "data": x.nbytes,
        "iterations": [outcome.iterations for outcome in outcomes],
        "inertia": [inertia for inertia, _ in judged],
        "not_nearest": None if not judged or judged[0][1] is None else sum(wrong or 0 for _, wrong in judged),
        "repeated": repeated,
    }


def _warm_up(x: Array, starts: list[Array], spec: dict[str, Any]) -> Job:
    part = x[: max(len(x) // 8, min(len(x), 2 * max(spec["ks"])))]
    return Job(part, starts, min(5, spec["max_iter"]), [min(5, i) for i in spec["iterations"]], spec["threads"])


def _kernels() -> int:
    """The number of our modules with machine code. If it grew, code was compiled or loaded."""
    build = sys.modules.get("steinhaus.jit.build")
    return build.loaded() if build else 0


def peak_memory(*, reset: bool = False) -> int | None:
    """Peak resident bytes since the last reset; None if the system does not tell."""
    if reset:
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return None
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def judge(x: Array, outcome: Outcome) -> tuple[float, int | None]:
    """The inertia of the nearest labels for these centroids, in float64, and the number of labels that are not nearest.

    A label counts as wrong if its squared distance exceeds the smallest by more than a billionth. This slack is for
    rounding in this function.
    """
    centre = outcome.centroids.mean(axis=0, dtype=np.float64)
    centroids = outcome.centroids - centre
    halves = np.einsum("kd,kd->k", centroids, centroids) / 2
    inertia, wrong = 0.0, 0
    for first in range(0, len(x), 4096):
        rows = x[first : first + 4096] - centre
        squares = np.einsum("nd,nd->n", rows, rows)
        scores = rows @ centroids.T - halves
        nearest = squares - 2 * scores.max(axis=1)
        inertia += float(nearest.sum())
        if outcome.labels is not None:
            labels = outcome.labels[first : first + 4096].astype(np.int64)
            own = squares - 2 * np.take_along_axis(scores, labels[:, np.newaxis], axis=1)[:, 0]
            wrong += int(np.count_nonzero(own - nearest > 1e-9 * nearest + 1e-12 * squares))
    return inertia, None if outcome.labels is None else wrong


def one_pass(spec: dict[str, Any]) -> dict[str, Any]:
    """A plain float32 BLAS pass with argmin, for all starts side by side: the faster of two ways, each the best of 5.

    One way is NumPy in one piece, BLAS with its own threads; the other is blocks of 2,048 points shared out over
    threads, BLAS with one thread each.
    """
    from threadpoolctl import threadpool_limits

    x = np.load(spec["float32"])
    centroids = np.ascontiguousarray(np.load(spec["starts"]))
    halves = np.einsum("kd,kd->k", centroids, centroids) / 2
    threads = spec["threads"]

    def labels(part: Array) -> Array:
        scores = part @ centroids.T
        scores -= halves
        return scores.argmax(axis=1)

    blocks = [x[first : first + 2048] for first in range(0, len(x), 2048)]
    seconds: dict[str, float] = {}
    with ThreadPoolExecutor(threads) as pool:
        ways = {"one piece": lambda: [labels(x)], "blocks": lambda: list(pool.map(labels, blocks))}
        if len(x) * len(centroids) * 4 > 2**31:
            del ways["one piece"]
        for way, run in ways.items():
            with threadpool_limits(1) if way == "blocks" else nullcontext():
                run()
                for _ in range(5):
                    began = perf_counter()
                    run()
                    seconds[way] = min(seconds.get(way, np.inf), perf_counter() - began)
    return {"seconds": min(seconds.values()), "ways": seconds, "data": x.nbytes}


if __name__ == "__main__":
    main()
