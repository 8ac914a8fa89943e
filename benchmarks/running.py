"""Run measurements as child processes, one at a time, and the reference for inertia."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from peers import PEERS
from workloads import RESULTS, Files, Workload

HERE = Path(__file__).parent
LONGEST = 1800  # most seconds per measurement
BEFORE = "STEINHAUS_BEFORE"  # the variable that names another checkout of Steinhaus, measured as the peer "before"


class MeasurementFailed(Exception):
    """A measurement failed; the message holds the last line of its output."""


def measure(
    peer: str, files: Files, max_iter: int, iterations: list[int], threads: int, *, judge: bool = False
) -> dict[str, Any]:
    """Measure one peer once, in a new process.

    Parameters
    ----------
    max_iter
        The iteration limit of peers with a stopping rule.
    iterations
        The iterations of each fit, for peers without one.
    judge
        Whether to check inertia and labels, too.
    """
    spec = asdict(files) | {"peer": peer, "max_iter": max_iter, "iterations": iterations}
    spec |= {"threads": threads, "judge": judge}
    try:
        done = subprocess.run(
            [sys.executable, str(HERE / "measure.py")],
            input=json.dumps(spec),
            env=environment(threads, Path(os.environ[BEFORE]) if peer == "before" else HERE.parent),
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MeasurementFailed(f"more than {LONGEST} s") from error
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise MeasurementFailed(words[-1])
    return json.loads(done.stdout.splitlines()[-1])


def environment(threads: int, checkout: Path = HERE.parent) -> dict[str, str]:
    """The environment of a child process: the code of a checkout, and the number of threads for all libraries."""
    path = os.pathsep.join(filter(None, [str(checkout / "src"), os.environ.get("PYTHONPATH", "")]))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return os.environ | {"PYTHONPATH": path} | dict.fromkeys(names, str(threads))


def reference(workload: Workload, files: Files, threads: int) -> dict[str, Any]:
    """scikit-learn's fit in float64, run once and saved: iterations, inertia, seconds."""
    version = PEERS["sklearn-float64"].version()
    path = RESULTS / "references" / f"{workload.name}-{files.digest}-{workload.max_iter}-{version}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        nothing = [1] * len(files.ks)
        measured = measure("sklearn-float64", files, workload.max_iter, nothing, threads, judge=True)
        path.write_text(json.dumps(measured))
    return json.loads(path.read_text())
