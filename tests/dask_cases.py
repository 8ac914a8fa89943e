"""Shared by the tests of Dask engines: a cluster of processes, and outcomes that must be equal."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager

import dask
import numpy as np
from distributed import Client, LocalCluster

from steinhaus.lloyd import lloyd


@contextmanager
def cluster(workers, **options):
    """A cluster of processes on the loopback interface, without a dashboard."""
    quiet = {"distributed.worker.profile.enabled": False, "distributed.admin.system-monitor.disk": False}
    with (
        dask.config.set(quiet),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            **options,
        ) as started,
        Client(started) as client,
    ):
        yield client


def _spawned(module, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def processes(folder):
    """A scheduler and two workers without nannies, each a process, and the file that says where the scheduler is."""
    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    options = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    started = [_spawned("dask_scheduler", "--port", "0", *options)]
    deadline = time.monotonic() + 30
    while not (file.exists() and file.read_text().rstrip().endswith("}")) and time.monotonic() < deadline:
        time.sleep(0.1)
    alone = ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    started += [_spawned("dask_worker", *alone, *options) for _ in range(2)]
    try:
        yield started, file
    finally:
        for process in started:
            process.kill()
            process.wait()


def outcomes(points, runs, *, max_iter=300, tol=0.0, each=lambda active: None):
    """Everything that must be the same of every run."""
    found = {}
    try:
        for fit in lloyd(points, runs, max_iter=max_iter, tol=tol, watch=each):
            labels = np.asarray(points.labels(fit.key))
            found[fit.key] = labels.tolist(), fit.centroids.tobytes(), fit.history, fit.inertia, fit.stop.name
    finally:
        points.close()
    return found
