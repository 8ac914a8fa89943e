"""Threads that share ranges: interrupts at any moment leave no thread waiting."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from steinhaus.engines.workers import Workers

INTERRUPTED = """
import random, signal
from steinhaus.engines.workers import Workers

def work(worker, first, end):
    sum(range(20))

random.seed(0)
signal.signal(signal.SIGALRM, signal.default_int_handler)
for _ in range(300):
    workers = Workers(3)
    workers.each(work, 4, 1)
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-4, 3e-3))
        while True:
            workers.each(work, 4, 1)
    except KeyboardInterrupt:
        workers.close()
print("done")
"""


def test_interrupts_at_any_moment_leave_nobody_waiting() -> None:
    """With `ThreadPoolExecutor`, 3 of 4 such series hung: an interrupt fell between a lock's taking and its block."""
    there = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=120, check=False, env=there
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@pytest.mark.parametrize("failing", [0, 1], ids=["the calling thread", "another thread"])
def test_an_exception_is_raised_after_all_have_stopped(failing: int) -> None:
    together, stopped = threading.Barrier(3), []

    def work(worker: int, first: int, end: int) -> None:
        together.wait(timeout=30)  # so that each thread has one range
        if worker == failing:
            raise ValueError("it fails")
        time.sleep(0.2)
        stopped.append(worker)

    workers = Workers(3)
    with pytest.raises(ValueError, match="it fails"):
        workers.each(work, 3, 1)
    assert sorted(stopped) == sorted({0, 1, 2} - {failing})
    seen: list[int] = []
    workers.each(lambda worker, first, end: seen.append(first), 20, 1)
    assert sorted(seen) == list(range(20)), "and the threads go on"
    workers.close()


def test_threads_end_with_who_has_them() -> None:
    workers = Workers(3)
    workers.each(lambda *_: None, 10, 1)
    threads = workers._threads
    assert len(threads) == 2
    del workers
    for thread in threads:
        thread.join(timeout=10)
    assert not any(thread.is_alive() for thread in threads)
