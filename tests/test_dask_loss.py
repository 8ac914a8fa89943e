"""Some or all workers die, or the scheduler: the same bits, or a clear error in time."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra `dask`")

import dask.array as da
from distributed import Client

from dask_cases import cluster, outcomes, processes
from killing import PROGRAM, program
from steinhaus.engines import choose
from steinhaus.engines.cluster.points import DaskPoints
from steinhaus.errors import ClusterError
from steinhaus.points import Run
from steinhaus.study import load
from study_cases import content

pytestmark = pytest.mark.slow

# A checkpoint is kept after the first iteration; nothing goes on before the file GO is there. Then, and at the end,
# Dask's loggers get what they may get when a cluster is lost.
HELD = f"""
import atexit, functools, logging, os, time
from steinhaus.study import files, run
write = files.write
def held(path, data, **how):
    write(path, data, **how)
    while path.name == "checkpoint.safetensors" and not os.path.exists(os.environ["GO"]):
        time.sleep(0.01)
    if path.name == "checkpoint.safetensors":
        log()
def log():
    for name in ("distributed.batched", "distributed.client", "tornado.application", "asyncio"):
        logging.getLogger(name).error("a Traceback")
atexit.register(log)
files.write = held
run.run_study = functools.partial(run.run_study, checkpoint_every=0.0)
{PROGRAM}
"""


def points_of(rng, n=20_000):
    x = rng.integers(0, 255, (n, 64)).astype(np.uint8)
    return x, [Run(k, x[:k].astype(float)) for k in (20, 30)]


@pytest.mark.parametrize("few", [64 * 2**20, 0], ids=["each worker has all points", "each has its parts"])
def test_workers_killed_through_a_fit_change_no_bit(few, monkeypatch, rng):
    monkeypatch.setattr("steinhaus.engines.cluster.ahead._FEW", few)
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


@pytest.mark.parametrize("lost", ["workers", "scheduler"])
def test_a_lost_cluster_is_a_clear_error_within_30_seconds(tmp_path, lost, rng):
    x, runs = points_of(rng)
    with processes(tmp_path) as (started, file):
        client = Client(scheduler_file=str(file), timeout=20)
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


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Arguments of a study whose runs take many iterations, and its content when nothing happens to it."""
    folder = tmp_path_factory.mktemp("noise")
    np.save(folder / "noise.npy", np.random.default_rng(0).integers(0, 256, (20_000, 8, 8)).astype(np.uint8))
    study = ["study", str(folder / "noise.npy"), "--k", "20,30", "--restarts", "2", "--max-iter", "40", "--quiet"]
    study += ["--init", "random"]
    ended(program(*study, "--out", str(folder / "whole")))
    return study, content_of_study(folder / "whole")


def ended(process, code=0):
    """What a command that ends in this way has said."""
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    return said


def content_of_study(folder):
    """What must end in the same bytes; the report tells of time."""
    return {name: data for name, data in content(folder).items() if name != "report.html"}


@pytest.mark.parametrize("lost", ["workers", "scheduler"])
def test_a_study_whose_cluster_is_killed_goes_on_with_on_another(tmp_path, lost, noise, monkeypatch):
    study, whole = noise
    out, go = tmp_path / "study", tmp_path / "go"
    monkeypatch.setenv("GO", str(go))
    with processes(tmp_path) as (started, file):
        command = program(*study, "--out", str(out), "--scheduler", address(file), code=HELD)
        deadline = time.monotonic() + 120
        while not (out / "checkpoint.safetensors").exists():
            assert command.poll() is None, command.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for process in started[1:] if lost == "workers" else started[:1]:
            process.kill()
        go.touch()
        began = time.monotonic()
        said = ended(command, 1)
        assert time.monotonic() - began < 30
    assert "The Dask cluster at tcp://127.0.0.1" in said
    assert "goes on where it stopped" in " ".join(said.split())
    assert "Traceback" not in said, said
    with processes(tmp_path) as (_, file):
        ended(program(*study, "--out", str(out), "--scheduler", address(file)))
    assert any(line["event"] == "started" and line["resumed"] for line in load(out).events())
    assert content_of_study(out) == whole


def address(file):
    return json.loads(file.read_text())["address"]


def test_no_cluster_is_an_error_with_the_way_out():
    with pytest.raises(ClusterError, match=r"make a distributed\.Client"):
        DaskPoints(da.zeros((4, 2), chunks=2))
