"""Memory, threads, processes and files: within what exists and what was allowed, and all given back."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl

from killing import PROGRAM
from pictures import npy_header, write
from soaking import soak
from steinhaus import KMeans, engines, resources
from steinhaus.images import Images
from steinhaus.points import Run
from steinhaus.resources import available_cores, free_memory
from steinhaus.study import Study

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def images() -> Images:
    rng = np.random.default_rng(0)
    centres = rng.integers(0, 256, (9, 80))
    pixels = np.clip(centres[rng.integers(9, size=4000)] + rng.normal(0, 50, (4000, 80)), 0, 255)
    return Images.from_arrays(pixels.astype(np.uint8))


def outcome(images: Images, threads: int | None = None) -> list[tuple[float, ...]]:
    result = Study(k=(3, 8), restarts=2, threads=threads, max_iter=30).run(images)
    return [run.inertia for run in result.runs]


def running() -> int:
    """The threads of this process, whoever made them."""
    return len(os.listdir("/proc/self/task"))


def ours() -> list[threading.Thread]:
    """The threads that engines made."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("steinhaus")]


def wait_for(condition: Callable[[], bool], seconds: float = 5) -> bool:
    """Whether it comes true: a thread that was told to end needs a moment."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@contextmanager
def counting() -> Iterator[list[int]]:
    """The most threads that there were at once meanwhile, but the one that counts."""
    most, over = [running()], threading.Event()

    def count() -> None:
        while not over.wait(0.0005):
            most[0] = max(most[0], running() - 1)

    counter = threading.Thread(target=count)
    counter.start()
    try:
        yield most
    finally:
        over.set()
        counter.join()


# Threads


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
def test_there_are_as_many_threads_as_were_asked_for(images: Images, threads: int) -> None:
    expected = outcome(images, 1)
    before = running()
    with counting() as most:
        assert outcome(images, threads) == expected
    assert most[0] <= before + threads - 1, "the calling thread is one of them, and BLAS adds none"
    assert wait_for(lambda: running() <= before)


def test_by_default_there_are_as_many_threads_as_cores(images: Images) -> None:
    outcome(images)
    before = running()
    with counting() as most:
        outcome(images)
    assert most[0] <= before + available_cores() - 1


def test_a_process_that_may_use_one_core_uses_one_thread(images: Images) -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert available_cores() == 1
        points = engines.choose(np.eye(64))
        before = running()
        points.squared_distances(np.arange(4))
        assert running() == before
        points.close()
        with counting() as most:
            assert outcome(images) == outcome(images, 1)
        assert most[0] <= before
    finally:
        os.sched_setaffinity(0, allowed)


GROUPS = Path("/sys/fs/cgroup")


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "20000 100000"}, 1),
        ({"cpu.max": "10000000 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "100000"}, None),
        ({}, None),
    ],
)
def test_a_container_has_the_cores_that_its_group_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: dict[str, str], cores: int | None
) -> None:
    """Of both versions of control groups: joblib's count, with files of ours in place of the system's."""
    for name, text in files.items():
        write(tmp_path / name, text.encode())

    def there(path: object) -> object:
        moved = isinstance(path, str) and Path(path).is_relative_to(GROUPS)
        return tmp_path / Path(str(path)).relative_to(GROUPS) if moved else path

    exists, opened = os.path.exists, open
    monkeypatch.setattr("os.path.exists", lambda path: exists(there(path)))
    monkeypatch.setattr("builtins.open", lambda path, *how, **options: opened(there(path), *how, **options))
    resources._cores.cache_clear()  # counted once, elsewhere
    try:
        assert available_cores() == (cores or len(os.sched_getaffinity(0)))
    finally:
        resources._cores.cache_clear()


def test_inside_dask_workers_there_are_no_threads_but_theirs(images: Images) -> None:
    da = pytest.importorskip("dask.array", reason="needs the extra `dask`")
    distributed = pytest.importorskip("distributed", reason="needs the extra `dask`")
    quiet = {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}

    expected, chunked = outcome(images, 1), da.from_array(images.rows, chunks=(500, -1))
    seen, over = set(), threading.Event()

    def look() -> None:
        while not over.wait(0.0005):
            seen.update(thread.name for thread in threading.enumerate())

    looking = threading.Thread(target=look, name="looking")
    with (
        distributed.LocalCluster(processes=False, n_workers=2, threads_per_worker=2, **quiet) as cluster,
        distributed.Client(cluster) as client,
    ):
        looking.start()
        model = KMeans(4, init=images.rows[:4].astype(float), n_init=1, max_iter=20).fit(chunked)
        over.set()
        looking.join()
        inside = client.submit(outcome, images, 2).result(timeout=120)
    assert "looking" in seen
    assert not [name for name in seen if name.startswith("steinhaus")]
    assert inside == expected, "a study inside a task"
    plain = KMeans(4, init=images.rows[:4].astype(float), n_init=1, max_iter=20).fit(images.rows)
    assert model.cluster_centers_.tobytes() == plain.cluster_centers_.tobytes()
    assert not ours()


def test_eight_threads_at_once(images: Images) -> None:
    expected = outcome(images, 1)
    before = running()
    with counting() as most, ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(outcome, images, 2) for _ in range(8)]
        assert all(task.result(timeout=120) == expected for task in waiting)
    assert most[0] <= before + 8 + 8
    assert wait_for(lambda: running() <= before)


def blas() -> set[int]:
    """The threads that BLAS may use now."""
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


def test_blas_has_its_threads_again(images: Images) -> None:
    with threadpoolctl.threadpool_limits(2, "blas"), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: outcome(images, 1), range(16)))
        assert blas() == {2}


def in_a_child(work: Callable[[], bool]) -> int:
    """Fork, and end the child with what it finds: 0 for true. A deadlock ends it too, by a signal."""
    if (child := os.fork()) == 0:
        signal.alarm(60)
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)  # it raised
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_after_a_fork(images: Images) -> None:
    expected = outcome(images, 2)
    assert in_a_child(lambda: outcome(images, 2) == expected) == 0
    assert outcome(images, 2) == expected


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_points_made_before_a_fork_have_threads_in_the_child(images: Images) -> None:
    points = engines.choose(images.rows, threads=3)
    run = Run(0, images.rows[:3].astype(float))
    expected = points.assign([run])[0].counts.tolist()

    def go_on() -> bool:
        same = points.assign([run])[0].counts.tolist() == expected
        helped = 1 <= len(ours()) <= 2
        points.close()
        return same and helped and not ours()

    assert in_a_child(go_on) == 0
    assert points.assign([run])[0].counts.tolist() == expected, "the parent's threads are still its own"
    points.close()


# Memory


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "COLUMNS": "80"}


def under(limit: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, with so much address space."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )


def blank(path: Path, n: int) -> Path:
    """A .npy file of n blank images of 100 x 100, that takes no room on disk."""
    write(path, npy_header(shape=f"({n}, 100, 100)"))
    os.truncate(path, path.stat().st_size + n * 10_000)
    return path


def test_images_that_do_not_fit_are_said_not_to(tmp_path: Path) -> None:
    source = blank(tmp_path / "blank.npy", 300_000)  # 3 GB
    done = under(2048 * MEBIBYTE, "study", str(source), "--k", "2", "--out", str(tmp_path / "out"), "--quiet")
    said = " ".join(done.stderr.split())
    assert done.returncode == 1, said
    assert said.startswith("Error: There is not enough memory. Unable to allocate 2.79 GiB")
    assert "of memory are free" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


NEEDS = """
from pathlib import Path
import PIL, steinhaus.study.run, steinhaus.images.npy
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmPeak" in line))
"""


@pytest.mark.slow
def test_a_study_that_does_not_fit_says_what_would(tmp_path: Path) -> None:
    source = blank(tmp_path / "blank.npy", 60_000)  # 600 MB, and as much again for its split
    done = subprocess.run([sys.executable, "-c", NEEDS], capture_output=True, text=True, check=True, env=environment())
    limit = int(done.stdout) * 1024 + 900 * MEBIBYTE
    done = under(limit, "study", str(source), "--k", "2", "--train", "59000", "--out", str(tmp_path / "out"), "--quiet")
    said = " ".join(done.stderr.split())
    assert done.returncode == 1, said
    assert "There is not enough memory for this study." in said
    assert "of 60,000 would fit: --train" in said
    assert 1000 < int(said.split("--train ")[1].split(".")[0]) < 59_000


def test_what_is_free_is_the_least_of_all_limits(tmp_path: Path) -> None:
    write(tmp_path / "proc/meminfo", b"MemTotal: 9000 kB\nMemAvailable:    5000 kB\n")
    write(tmp_path / "proc/self/status", b"VmPeak: 2 kB\nVmSize:\t1 kB\n")
    assert free_memory(tmp_path) == 5000 * 1024
    write(tmp_path / "sys/fs/cgroup/memory.max", b"max\n")
    write(tmp_path / "sys/fs/cgroup/memory.current", b"1000000\n")
    assert free_memory(tmp_path) == 5000 * 1024
    write(tmp_path / "sys/fs/cgroup/memory.max", b"3000000\n")
    assert free_memory(tmp_path) == 2_000_000
    assert free_memory(tmp_path / "nothing") is None


# What is left behind


@pytest.mark.slow
def test_studies_leave_nothing_behind(tmp_path: Path) -> None:
    """Ten here, and sixty with -m slow; `tests/long/soak.py 500` for five hundred."""
    figures = soak(10, tmp_path)
    assert figures["files"] == 0
    assert figures["threads"] == 0


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path) -> None:
    assert soak(60, tmp_path)["kilobytes_a_study"] < 200  # 60 are few: the allocator's own steps are seen


def test_a_closed_engine_has_no_threads(images: Images) -> None:
    before = running()
    points = engines.choose(images.rows, threads=5)
    points.assign([Run(0, images.rows[:3].astype(float))])
    assert before < running() <= before + 4
    points.close()
    assert wait_for(lambda: running() == before)
