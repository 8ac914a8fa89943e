"""Signals: finished work is kept, the same command does the rest, and nothing stays behind."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from killing import PROGRAM, RUNS, alive, bytes_of, first_iterations, killed, pictures, program
from steinhaus.cli import main
from steinhaus.study import load

# A disk on which no checkpoint is ever written: the file HELD says that one is to be.
STUCK_DISK = f"""
import os, time
from pathlib import Path
from steinhaus.study import files
write = files.write
def held(path, data, **how):
    if path.name == "checkpoint.safetensors":
        Path(os.environ["HELD"]).touch()
        time.sleep(3600)
    write(path, data, **how)
files.write = held
{PROGRAM}
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures(tmp_path_factory.mktemp("pictures") / "pictures.npz", 1500)


@pytest.mark.slow
def test_sigkill_at_random_moments(tmp_path: Path) -> None:
    """Eight here; `tests/long/kills.py 100` for a hundred."""
    counts = killed(pictures(tmp_path / "pictures.npz"), tmp_path, 8)
    assert counts["while_running"] > 0


def test_a_second_interrupt_stops_at_once(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the first one is not done with keeping where the runs stand."""
    folder, held = tmp_path / "study", tmp_path / "held"
    monkeypatch.setenv("HELD", str(held))
    process = program("study", str(source), *RUNS, "--out", str(folder), "--json", code=STUCK_DISK, mark=str(tmp_path))
    first_iterations(process, 2)
    process.send_signal(signal.SIGINT)
    while not held.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert len(err.split("Stopped.")) == 2, "one sentence"
    assert load(folder).table()
    assert not (folder / ".lock").exists()
    assert alive(str(tmp_path)) == []


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_no_process_and_no_thread_stays_behind(source: Path, tmp_path: Path, sent: signal.Signals, code: int) -> None:
    mark = str(tmp_path)
    process = program(
        "study", str(source), *RUNS, "--out", str(tmp_path / "study"), "--json", "--threads", "4", mark=mark
    )
    first_iterations(process, 2)
    assert alive(mark)
    process.send_signal(sent)
    began = time.monotonic()
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert process.returncode == code, err
    told = err.strip().splitlines()
    assert " ".join(told).startswith("Stopped. Finished work is kept in")
    assert alive(mark) == []


def test_what_a_killed_command_started_ends_too(source: Path, tmp_path: Path) -> None:
    """Nobody tells it: it sees that the command is gone."""
    mark = str(tmp_path)
    process = program("study", str(source), *RUNS, "--out", str(tmp_path / "study"), "--json", mark=mark)
    first_iterations(process, 2)
    process.kill()
    process.communicate()
    end = time.monotonic() + 30
    while alive(mark) and time.monotonic() < end:
        time.sleep(0.05)
    assert alive(mark) == []


def test_a_signal_before_the_study_begins_leaves_nothing(source: Path, tmp_path: Path) -> None:
    """While Python is still importing, or the images are being read."""
    process = program("study", str(source), "--out", str(tmp_path / "study"), "--quiet")
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode in (143, -signal.SIGTERM)
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
def test_interrupts_at_many_moments_end_in_the_same_bytes(source: Path, tmp_path: Path) -> None:
    alone, folder = tmp_path / "alone", tmp_path / "study"
    command = ["study", str(source), *RUNS, "--quiet", "--out"]
    began = time.monotonic()
    process = program(*command, str(alone))
    process.communicate(timeout=300)
    assert process.returncode == 0
    took = time.monotonic() - began
    codes = []
    for n in range(1, 60):
        process = program(*command, str(folder))
        try:
            process.communicate(timeout=took * (0.3 + 0.1 * (n % 8)))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT if n % 2 else signal.SIGTERM)
            process.communicate(timeout=60)
        codes.append(process.returncode)
        if process.returncode == 0:
            break
    assert set(codes) <= {0, 130, 143, -signal.SIGINT, -signal.SIGTERM}
    assert main([*command, str(folder)]) == 0
    assert bytes_of(folder) == bytes_of(alone)
