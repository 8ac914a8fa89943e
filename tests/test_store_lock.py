from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from steinhaus.errors import StoreError
from steinhaus.study import load
from steinhaus.study.events import Event
from steinhaus.study.lock import LOCK, Lock
from study_cases import content, run

ELSEWHERE = json.dumps({"pid": 4321, "host": "elsewhere"})

HOLDER = """
import sys, time
from pathlib import Path
from steinhaus.study.lock import Lock
with Lock(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_refused_at_once(tmp_path: Path) -> None:
    with Lock(tmp_path):
        began = time.monotonic()
        with pytest.raises(StoreError, match=f"in use by process {os.getpid()} on this machine"):
            run(out=tmp_path)
        assert time.monotonic() - began < 1
        with pytest.raises(StoreError, match="kill"):
            run(out=tmp_path, break_lock=True)  # it is alive: there is nothing to break
    assert not (tmp_path / LOCK).exists()
    run(out=tmp_path)


def test_the_lock_of_a_process_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(StoreError, match=f"kill {process.pid}"), Lock(tmp_path):
            raise AssertionError
        process.send_signal(signal.SIGKILL)
        process.wait()
    with Lock(tmp_path) as lock:
        assert f"Process {process.pid}" in lock.taken_over
        assert "died" in lock.taken_over


def test_the_lock_of_another_machine_is_explained_and_can_be_broken(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text(ELSEWHERE)
    with pytest.raises(StoreError, match=r"process 4321 on elsewhere.*--break-lock"):
        run(out=tmp_path)
    assert (tmp_path / LOCK).read_text() == ELSEWHERE
    seen: list[Event] = []
    run(out=tmp_path, break_lock=True, watch=seen.append)
    assert any("elsewhere" in getattr(event, "text", "") for event in seen)
    assert not (tmp_path / LOCK).exists()


def test_whose_lock_was_broken_stops_writing(tmp_path: Path) -> None:
    with Lock(tmp_path) as old:
        (tmp_path / LOCK).write_text(ELSEWHERE)  # as if the holder were another machine's, on a disk that shares locks
        with pytest.raises(StoreError, match=r"in use by process 4321 on elsewhere.*--break-lock"), Lock(tmp_path):
            raise AssertionError
        with Lock(tmp_path, break_lock=True) as new:
            assert "4321" in new.taken_over
            new.check()
            with pytest.raises(StoreError, match="broken by another process"):
                old.check()
        assert not (tmp_path / LOCK).exists()


def test_a_study_whose_lock_is_broken_says_so_and_writes_no_more(tmp_path: Path) -> None:
    before: dict[str, bytes] = {}

    def steal(event: Event) -> None:
        if not before and event.name == "advanced":
            (tmp_path / LOCK).unlink()
            (tmp_path / LOCK).write_text(ELSEWHERE)
            before.update(content(tmp_path))

    with pytest.raises(StoreError, match="broken by another process"):
        run(out=tmp_path, watch=steal)
    assert content(tmp_path) == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "1", "host": "x"}', '{"pid": 1}', "\xff" * 5000, "[" * 3000])
def test_a_lock_file_that_says_nothing_is_nobodys(tmp_path: Path, text: str) -> None:
    (tmp_path / LOCK).write_text(text)
    with Lock(tmp_path) as lock:
        assert lock.taken_over is None


@pytest.mark.parametrize("most", [30, pytest.param(1000, marks=pytest.mark.slow)])
def test_readers_need_no_lock_and_never_fail(tmp_path: Path, most: int) -> None:
    happened = []
    run(out=tmp_path / "study", watch=happened.append)
    each = most // len(happened) + 1
    reads, errors = [0], []
    folder = tmp_path / "again"
    begun, done = threading.Event(), threading.Event()

    def read() -> None:
        begun.wait()
        while not done.is_set():
            try:
                result = load(folder)
                result.table()
                for best in result.best:
                    result.centroids(best.k)
                if result.record.complete:
                    result.labels(4)
                result.events()
            except Exception as error:
                errors.append(error)
            reads[0] += 1

    def slow(event: Event) -> None:
        begun.set()
        goal = reads[0] + each
        while reads[0] < goal:
            time.sleep(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    run(out=folder, watch=slow)
    done.set()
    reader.join()
    assert not errors
    assert reads[0] > most
