"""Compare Steinhaus with other k-means on this machine: one command, a table and JSON in benchmarks/results/.

Run it on a quiet machine, in an environment with the extra `bench`: `python benchmarks/compare.py`. docs/benchmarks.md
describes the method.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from dataclasses import asdict

import growth
import tables
from machine import cores, machine
from peers import PEERS, missing
from running import BEFORE, MeasurementFailed, measure, reference
from workloads import EVERYONE, EXTRA, PASS, RESULTS, WORKLOADS, Workload, chosen, prepare

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main() -> None:
    """Read the command line, measure, write."""
    options = _options()
    RESULTS.mkdir(exist_ok=True)
    if options.before:
        os.environ[BEFORE] = str(options.before.resolve())
    began = perf_counter()
    if not options.write_only:
        named = _available(options.peers)
        if options.growth:
            growth.measure_all(named, options.rounds, options.threads, options.points)
        else:
            for workload in chosen(options.workload):
                compare(workload, named, options.rounds, options.threads, options.points)
        print(f"\nmeasured in {_minutes(perf_counter() - began)}; results in {RESULTS}")
    suffix = f"-{options.points}-points" if options.points else ""
    text = tables.document(RESULTS, suffix)
    (RESULTS / f"tables{suffix}.md").write_text(text)
    if options.markdown:
        tables.insert(options.markdown, text)
        growth.plot(RESULTS, RESULTS / "growth.svg")
        print(f"tables in {options.markdown}")
    else:
        print(f"\n{text}")


def compare(
    workload: Workload, named: tuple[str, ...] | None, rounds: int, threads: int, points: int | None
) -> dict[str, Any]:
    """Measure one workload in rounds, each peer in turn. Save the result and return it."""
    print(f"\n{workload.name}: {workload.title}")
    began = perf_counter()
    files = prepare(workload.data, workload.ks, size=points)
    truth = reference(workload, files, threads)
    wanted = ("ours", *(["before"] if BEFORE in os.environ else []), *(workload.peers if named is None else named))
    skipped = {peer: why for peer in wanted if (why := missing(peer))}
    _tell_skipped(skipped)
    turns = [PASS, *(peer for peer in wanted if peer not in skipped)]
    measured: dict[str, list[dict[str, Any]]] = {peer: [] for peer in turns}
    result = {
        "workload": asdict(workload),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(threads),
        "data": asdict(files) | {"own": None, "float32": None, "starts": None},
        "reference": truth,
        "peers": measured,
        "skipped": skipped,
    }
    for turn in range(rounds):
        first = turn % len(turns)
        for peer in turns[first:] + turns[:first]:  # so that no peer always follows the same one
            if peer in skipped:
                continue
            try:
                once = measure(peer, files, workload.max_iter, truth["iterations"], threads, judge=not measured[peer])
            except MeasurementFailed as failure:
                skipped[peer] = str(failure)
                measured.pop(peer)
                print(f"  {peer} failed and is skipped: {failure}")
                continue
            measured[peer].append(once)
            _tell(turn, rounds, peer, once)
    if measured.get("before") and measured.get("ours"):
        ratios = [a["seconds"] / b["seconds"] for a, b in zip(measured["ours"], measured["before"], strict=True)]
        print(f"  ours / before: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    result["wall"] = perf_counter() - began
    suffix = f"-{points}-points" if points else ""
    (RESULTS / f"{workload.name}{suffix}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"  {workload.name} took {_minutes(result['wall'])}")
    return result


def _available(names: str | None) -> tuple[str, ...] | None:
    """The peers of these names; None: each workload has its own."""
    if names is None:
        return None
    asked = EVERYONE if names == "all" else tuple(name for name in names.split(",") if name not in ("", "ours", "none"))
    for name in asked:
        if name not in PEERS:
            raise SystemExit(f"There is no peer {name!r}. The peers are {', '.join(PEERS)}, all, none.")
    return asked


def _tell_skipped(skipped: dict[str, str]) -> None:
    for peer, why in skipped.items():
        print(f"  without {peer}: {why}")


def _tell(turn: int, rounds: int, peer: str, once: dict[str, Any]) -> None:
    words = f"  round {turn + 1}/{rounds}  {peer:18} {once['seconds']:8.3f} s"
    if "iterations" in once:
        words += f"  {sum(once['iterations'])} iterations"
    if once.get("repeated"):
        words += "  (fitted again, because code was compiled or loaded during the measurement)"
    print(words, flush=True)


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)} min {seconds % 60:.0f} s" if seconds >= 60 else f"{seconds:.1f} s"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join(w.name for w in WORKLOADS)
    extra = ", ".join(w.name for w in EXTRA)
    parser.add_argument("--workload", metavar="NAMES", help=f"comma-separated: {names}; not by default: {extra}")
    parser.add_argument(
        "--peers",
        metavar="NAMES",
        help=f"comma-separated: {', '.join(EVERYONE)}; all; none. Default: the workload's own",
    )
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each peer (default 5)")
    parser.add_argument("--threads", type=int, default=cores(), help="threads of each peer (default: all cores)")
    parser.add_argument("--points", type=int, metavar="N", help="use only N points, to try the script")
    parser.add_argument(
        "--growth", action="store_true", help="instead: time against K, n and d, with slopes and a plot"
    )
    parser.add_argument(
        "--markdown",
        type=Path,
        nargs="?",
        const=DOCUMENT,
        metavar="FILE",
        help="put the tables into docs/benchmarks.md",
    )
    parser.add_argument(
        "--before",
        type=Path,
        metavar="CHECKOUT",
        help="also measure another checkout of Steinhaus, as the peer 'before'",
    )
    parser.add_argument("--write-only", action="store_true", help="write tables from saved results, without measuring")
    return parser.parse_args()


if __name__ == "__main__":
    main()
