"""Measure time against K, n and d over two orders of magnitude, fit exponents, and plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from machine import machine
from peers import PEERS, missing
from running import MeasurementFailed, measure
from workloads import RESULTS, prepare

ITERATIONS = 20
DEFAULT = ("sklearn", "faiss", "superkmeans")
MOST_ROUNDS = 3


@dataclass(frozen=True)
class Cell:
    """One measured size."""

    value: int  # of the varied quantity
    data: str
    points: int | None
    k: int


@dataclass(frozen=True)
class Series:
    """The varied quantity, and the fixed ones."""

    name: str
    title: str
    cells: tuple[Cell, ...]


SERIES = (
    Series(
        "K",
        "MNIST, 60,000 x 784 uint8",
        tuple(Cell(k, "mnist", None, k) for k in (10, 32, 100, 316, 1000)),
    ),
    Series(
        "n",
        "embeddings, 128 features, K = 64",
        tuple(Cell(n, "embeddings", n, 64) for n in (10_000, 32_000, 100_000, 316_000, 1_000_000)),
    ),
    Series(
        "d",
        "20,000 photographs of s x s pixels, d = 3 s², K = 64",
        tuple(Cell(3 * s * s, f"photographs:{s}", None, 64) for s in (3, 6, 11, 18, 32)),
    ),
)


def measure_all(named: Sequence[str] | None, rounds: int, threads: int, points: int | None) -> None:
    """Measure every cell, ours first. Peers without a stopping rule make as many iterations as ours."""
    peers = [peer for peer in (DEFAULT if named is None else named) if not missing(peer)]
    times: dict[str, dict[str, dict[str, float]]] = {}
    for series in SERIES:
        print(f"\ntime against {series.name}: {series.title}, {ITERATIONS} iterations")
        lines: dict[str, dict[str, float]] = {peer: {} for peer in ("ours", *peers)}
        for cell in series.cells:
            some = min(cell.points or points, points) if points else cell.points
            files = prepare(cell.data, [cell.k], some, size=points)
            seconds: dict[str, list[float]] = {peer: [] for peer in lines}
            iterations = [ITERATIONS]
            for _ in range(min(rounds, MOST_ROUNDS)):
                for peer, taken in seconds.items():
                    try:
                        once = measure(peer, files, ITERATIONS, iterations, threads)
                    except MeasurementFailed as failure:
                        print(f"  {series.name} = {cell.value}: {peer} failed: {failure}")
                        continue
                    iterations = once["iterations"] if peer == "ours" else iterations
                    taken.append(once["seconds"])
            for peer, taken in seconds.items():
                if taken:
                    lines[peer][str(cell.value)] = median(taken)
            told = ", ".join(f"{peer} {lines[peer].get(str(cell.value), float('nan')):.3f} s" for peer in lines)
            print(f"  {series.name} = {cell.value}: {told}", flush=True)
        times[series.name] = lines
    suffix = f"-{points}-points" if points else ""
    result: dict[str, Any] = {"measured": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(threads)}
    (RESULTS / f"growth{suffix}.json").write_text(json.dumps(result | {"seconds": times}, indent=1) + "\n")
    plot(RESULTS, RESULTS / f"growth{suffix}.svg", f"growth{suffix}.json")


def slope(line: dict[str, float]) -> float:
    """The exponent p of seconds ~ size^p, by least squares in log-log."""
    x, y = np.log([float(size) for size in line]), np.log(list(line.values()))
    return float(np.polyfit(x, y, 1)[0])


def upper(line: dict[str, float]) -> dict[str, float]:
    """The upper order of magnitude of a line, where fixed costs matter least."""
    most = max(float(size) for size in line)
    return {size: seconds for size, seconds in line.items() if float(size) >= most / 10.5}


def plot(results: Path, target: Path, name: str = "growth.json") -> None:
    """Draw the saved results, if there are any."""
    if not (results / name).exists():
        return
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "steinhaus"
    import matplotlib.pyplot as plt

    growth = json.loads((results / name).read_text())
    figure, axes = plt.subplots(1, len(SERIES), figsize=(13, 4.2), layout="constrained")
    for axis, series in zip(axes, SERIES, strict=True):
        for marker, (peer, line) in zip("osD^vP*", growth["seconds"][series.name].items(), strict=False):
            if not line:
                continue
            sizes = [float(size) for size in line]
            label = f"{PEERS[peer].title}: {series.name}^{slope(line):.2f}" if len(line) > 1 else PEERS[peer].title
            axis.loglog(sizes, list(line.values()), marker=marker, lw=2.2 if peer == "ours" else 1.2, label=label)
        axis.set(xlabel=series.name, ylabel="seconds", title=series.title)
        axis.title.set_fontsize(9)
        axis.legend(fontsize=7.5)
        axis.grid(alpha=0.3, which="both", lw=0.4)
    figure.savefig(target, metadata={"Date": None})
    plt.close(figure)
