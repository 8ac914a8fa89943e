"""The kernels for pixels, compiled before they are needed: on two cores, in two processes.

Numba compiles one function at a time, whatever the number of threads, and `kernels.assign` takes as long as all others
together. So another process compiles that one, and Numba's cache on disk brings it here.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from steinhaus.centroids import inertia, means, shift
from steinhaus.compiled import is_cached
from steinhaus.engines import kernels
from steinhaus.engines.memory import MemoryPoints
from steinhaus.engines.workers import available_cores
from steinhaus.lloyd import lloyd
from steinhaus.points import Run

_PATIENCE = 120.0  # seconds for the other process; after that the function is compiled here


def is_warm() -> bool:
    """Whether Numba's cache holds the kernels for pixels, so that nothing needs to be compiled."""
    return is_cached(kernels.assign)


def warm_up() -> None:
    """Compile the kernels for pixels, or load them from Numba's cache, on a few points; before threads start."""
    other = None
    if available_cores() > 1 and sys.executable and not is_warm():
        other = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    points, run = _few()
    try:
        if other:
            _compile_the_rest(points, run)
            other.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if other and other.poll() is None:
            other.kill()
            other.wait()
    list(lloyd(points, [run], max_iter=2))
    points.close()


def _compile_the_rest(points: MemoryPoints, run: Run) -> None:
    tally = points.without_the_pass([run])[0]
    following = means(points.grid, tally, run.centroids)
    inertia(points.grid, points.totals, tally, following)
    shift(run.centroids, following)


def compile_pass() -> None:
    """Compile `kernels.assign` for pixels, and little else."""
    points, run = _few()
    kernels.assign.compile(points.types_of_pass([run]))
    points.close()


def _few() -> tuple[MemoryPoints, Run]:
    points = MemoryPoints(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64), threads=1, screen="drift")
    return points, Run(0, points.rows(np.arange(2)))


if __name__ == "__main__":
    compile_pass()
