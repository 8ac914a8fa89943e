"""Workers that die, all of them, and the scheduler: the same bits, or a clear error in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra `dask`")

import dask.array as da
from distributed import Client

from dask_cases import cluster, outcomes
from steinhaus.engines import choose
from steinhaus.engines.dask import DaskPoints
from steinhaus.errors import ClusterError
from steinhaus.points import Run

pytestmark = pytest.mark.slow


def points_of(rng, n=20_000):
    x = rng.integers(0, 255, (n, 64)).astype(np.uint8)
    return x, [Run(k, x[:k].astype(float)) for k in (20, 30)]


def test_workers_killed_through_a_fit_change_no_bit(rng):
    x, runs = points_of(rng)
    killed, ended = [], threading.Event()

    def kill(client, every):
        while not ended.wait(every):
            pids = [pid for pid in client.run(os.getpid, on_error="ignore").values() if isinstance(pid, int)]
            os.kill(pids[0], signal.SIGKILL)
            killed.append(pids[0])

    with cluster(4) as client:
        points = DaskPoints(da.from_array(x, chunks=(1000, 64)), client=client)
        killer = threading.Thread(target=kill, args=(client, 2.0))
        killer.start()
        try:
            found = outcomes(points, runs, max_iter=20, each=lambda active: time.sleep(0.5))
        finally:
            ended.set()
            killer.join()
    assert len(killed) >= 3
    assert found == outcomes(choose(x), runs, max_iter=20)


def spawned(module, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def processes(tmp_path):
    """A scheduler and two workers without nannies, each a process, and the scheduler's address."""
    file = tmp_path / "scheduler.json"
    started = [
        spawned("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file)
    ]
    deadline = time.monotonic() + 30
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    local = str(tmp_path)
    started += [
        spawned(
            "dask_worker", "--scheduler-file", file, "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--host", "127.0.0.1", "--local-directory", local,
        )
        for _ in range(2)
    ]  # fmt: skip
    yield started, str(file)
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("lost", ["workers", "scheduler"])
def test_a_lost_cluster_is_a_clear_error_within_30_seconds(processes, lost, rng):
    started, file = processes
    x, runs = points_of(rng)
    client = Client(scheduler_file=file, timeout=20)
    client.wait_for_workers(2, timeout=30)
    points = DaskPoints(da.from_array(x, chunks=(1000, 64)), client=client)
    points.assign(runs)
    for process in started[1:] if lost == "workers" else started[:1]:
        process.kill()
    began = time.monotonic()
    with pytest.raises(ClusterError, match="goes on where it stopped"):
        outcomes(points, runs)
    assert time.monotonic() - began < 30
    client.close(timeout=2)


def test_no_cluster_is_an_error_with_the_way_out():
    with pytest.raises(ClusterError, match=r"make a distributed\.Client"):
        DaskPoints(da.zeros((4, 2), chunks=2))
