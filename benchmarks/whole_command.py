"""Time `steinhaus study mnist` as a whole warm process, and the same study as a script with scikit-learn.

Both run once untimed (compilation, file cache), then in turn. Seconds are wall time from start to exit. Peak memory is
the largest resident size of the process, from the operating system. Results go to
benchmarks/results/whole_command.json; `compare.py --markdown` puts them into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from machine import cores, machine
from running import HERE, environment
from workloads import RESULTS

TITLES = {
    "steinhaus": "`steinhaus study mnist`: 20 runs, report and figures",
    "script": "scikit-learn, scripted: 20 runs, a table and four figures",
}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--train", type=int, help="number of training images instead of 42,000, to try the script")
    parser.add_argument("--only", choices=TITLES, help="one of the two")
    options = parser.parse_args()
    names = [options.only] if options.only else list(TITLES)
    RESULTS.mkdir(exist_ok=True)
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in TITLES}
    timings = ""
    agreement = "The two were not compared."
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(options.rounds + 1):
            for name in names:
                out = Path(scratch) / f"{name}-{turn}"
                once, errors = run(command(name, out, options.threads, options.train), options.threads)
                if turn == 0:
                    print(f"  off the record  {name:10} {once['seconds']:7.2f} s", flush=True)
                    continue
                rounds[name].append(once)
                timings = errors if name == "steinhaus" else timings
                told = f"{once['seconds']:7.2f} s  {once['peak'] / 1e6:6.0f} MB"
                print(f"  round {turn}/{options.rounds}  {name:10} {told}", flush=True)
        if not options.only:
            agreement = compare(Path(scratch) / "steinhaus-0", Path(scratch) / "script-0")
            print(f"  {agreement}")
    result = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(options.threads),
        "titles": TITLES,
        "rounds": rounds,
        "timings": timings.strip(),
        "agreement": agreement,
    }
    (RESULTS / "whole_command.json").write_text(json.dumps(result, indent=1) + "\n")
    print(timings)


def command(name: str, out: Path, threads: int, train: int | None) -> list[str]:
    """The command to run."""
    if name == "script":
        return [sys.executable, str(HERE / "scripted_study.py"), str(out), *([str(train)] if train else [])]
    start = "from steinhaus.cli import main; main()"
    options = ["--quiet", "--timings", "--threads", str(threads), "--out", str(out)]
    options += ["--train", str(train)] if train else []
    return [sys.executable, "-c", start, "study", "mnist", *options]


def run(command: list[str], threads: int) -> tuple[dict[str, Any], str]:
    """Run a process: seconds, processor seconds, peak bytes, and its standard error."""
    with tempfile.TemporaryFile("w+") as errors:
        began = perf_counter()
        process = subprocess.Popen(command, env=environment(threads), stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}:\n{said}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": seconds, "processor": usage.ru_utime + usage.ru_stime, "peak": peak}, said


def compare(ours: Path, script: Path) -> str:
    """The agreement of the two studies: iterations and final inertia of all runs."""
    runs = {(run["k"], run["restart"]): run for run in json.loads((ours / "study.json").read_text())["runs"]}
    table = json.loads((script / "table.json").read_text())
    same = sum(row["iterations"] == runs[row["k"], row["restart"]]["iterations"] for row in table)
    largest = max(abs(row["inertia"] / runs[row["k"], row["restart"]]["inertia"][-1] - 1) for row in table)
    return (
        f"{same} of {len(table)} runs took the same number of iterations; their final inertias differ by at most "
        f"{largest:.1e} (relative; scikit-learn's are float32)."
    )


if __name__ == "__main__":
    main()
