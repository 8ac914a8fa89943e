"""Kill the command at random moments, and check its folder."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from steinhaus.cli import main
from steinhaus.study import load

RUNS = ["--k", "5,7,10,12", "--restarts", "5"]  # the 20 runs of the published study
MARK = "STEINHAUS_TEST_MARK"
PROGRAM = "import sys; from steinhaus.cli import main; sys.exit(main())"


def program(
    *arguments: str, code: str = PROGRAM, mark: str = "", process_group: int | None = None
) -> subprocess.Popen[str]:
    """The command in a process of its own, and with 0 in a group of its own, as a shell has it; it and all that it
    starts can be found by the mark.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), MARK: mark}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        process_group=process_group,
    )


def alive(mark: str) -> list[str]:
    """The command lines of all processes that bear the mark, whatever group or session they are in."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def pictures(path: Path, n: int = 20_000) -> Path:
    """Labelled images, 24 x 24 pixels, noisy enough that runs take a while."""
    rng = np.random.default_rng(0)
    centres = rng.integers(0, 256, (30, 24, 24))
    kinds = rng.integers(0, 30, n)
    noisy = np.clip(centres[kinds] * 0.3 + rng.normal(90, 60, (n, 24, 24)), 0, 255)
    np.savez(path, images=noisy.astype(np.uint8), labels=kinds)
    return path


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file but the events, which bear times, and the report, which may show them."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("events.jsonl", "report.html")
    }


def ended(folder: Path) -> Counter[tuple[int, int]]:
    """How often each run came to its end there."""
    lines = load(folder).events()
    return Counter((line["k"], line["restart"]) for line in lines if line["event"] == "run_finished")


def look_at(folder: Path, copy: Path) -> None:
    """`steinhaus show` and `report` read the folder; on a copy, so that nothing is mended on the way."""
    if (folder / "study.json").exists():
        shutil.copytree(folder, copy)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert main(["show", str(copy)]) == 0
            assert main(["report", str(copy), "--quiet"]) == (0 if load(copy).runs else 1)  # 1: nothing to draw yet
        shutil.rmtree(copy)


def begun(process: subprocess.Popen[str], folder: Path) -> None:
    """Wait until a study is in its folder, or the command has ended."""
    while process.poll() is None and not (folder / "events.jsonl").exists():
        time.sleep(0.002)


def killed(source: Path, work: Path, kills: int, seed: int = 0) -> dict[str, float]:
    """Kill studies of 20 runs at random moments, let each go on until it ends, and compare with one left alone.

    A moment is anywhere from before the study begins to after its report is drawn; most are while runs are active. A
    study that was killed when all of its runs had ended is let go on to its end.
    """
    chance, began = random.Random(seed), time.monotonic()
    command = ["study", str(source), *RUNS, "--quiet", "--out"]
    process = program(*command, str(work / "alone"))
    begun(process, work / "alone")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process.communicate()
    assert process.returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime - before.ru_utime  # of processor time: other work on the machine is no matter
    alone = bytes_of(work / "alone")
    counts = Counter({"kills": 0, "studies": 0, "before": 0, "while_running": 0, "after": 0, "finished_runs_kept": 0})
    while counts["kills"] < kills:
        folder, over = work / f"study-{counts['studies']}", False
        while True:
            process = program(*command, str(folder))
            if over or chance.random() < 0.9:
                begun(process, folder)
            stretch = 0.25 if chance.random() < 0.8 else 1.1  # most of the time is the report's
            moment = 600 if over else chance.random() ** 2 * took * stretch
            try:
                process.communicate(timeout=moment)
                assert process.returncode == 0
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
            counts["kills"] += 1
            over = counts["kills"] == kills
            if not (folder / "study.json").exists():
                counts["before"] += 1
                continue
            result = load(folder)
            over = over or result.record.complete
            counts["after" if result.record.complete else "while_running"] += 1
            counts["finished_runs_kept"] += 0 if result.record.complete else len(result.runs)
            look_at(folder, work / "copy")
        assert bytes_of(folder) == alone, f"after {counts['kills']} kills"
        assert set(ended(folder).values()) <= {1}, "no finished run is done again"
        counts["studies"] += 1
        shutil.rmtree(folder)
    return {**counts, "seconds": round(time.monotonic() - began)}


def first_iterations(process: subprocess.Popen[str], how_many: int) -> None:
    """Wait until a command with --json has told of so many iterations."""
    assert process.stdout is not None
    for line in process.stdout:
        how_many -= json.loads(line)["event"] == "advanced"
        if how_many == 0:
            return
    raise AssertionError("it ended before")
