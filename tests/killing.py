"""The command killed at random moments, and what must then hold of its folder."""

from __future__ import annotations

import json
import os
import random
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
PROGRAM = "import sys; from steinhaus.cli import main; sys.exit(main())"


def program(*arguments: str, code: str = PROGRAM) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def pictures(path: Path, n: int = 6000) -> Path:
    """Labelled images, 24 x 24 pixels, noisy enough that runs take a while."""
    rng = np.random.default_rng(0)
    centres = rng.integers(0, 256, (30, 24, 24))
    kinds = rng.integers(0, 30, n)
    noisy = np.clip(centres[kinds] * 0.5 + rng.normal(64, 60, (n, 24, 24)), 0, 255)
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
        assert main(["show", str(copy)]) == 0
        assert main(["report", str(copy), "--quiet"]) == 0
        shutil.rmtree(copy)


def killed(source: Path, work: Path, kills: int, seed: int = 0) -> dict[str, float]:
    """Kill studies of 20 runs at random moments, let each go on until it ends, and compare with one left alone."""
    chance = random.Random(seed)
    began = time.monotonic()
    assert program("study", str(source), *RUNS, "--out", str(work / "alone"), "--quiet").wait() == 0
    took = max(1.0, time.monotonic() - began)
    alone = bytes_of(work / "alone")
    counts = Counter({"kills": 0, "studies": 0, "while_running": 0, "finished_when_killed": 0})
    while counts["kills"] < kills:
        folder = work / f"study-{counts['studies']}"
        while True:
            process = program("study", str(source), *RUNS, "--out", str(folder), "--quiet")
            moment = chance.uniform(0.1, 1.05) * took if counts["kills"] < kills else 600
            try:
                _, err = process.communicate(timeout=moment)
                assert process.returncode == 0, err
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
            counts["kills"] += 1
            if (folder / "study.json").exists():
                result = load(folder)
                counts["while_running"] += not result.record.complete
                counts["finished_when_killed"] += len(result.runs)
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
