"""Measure everyday calls: all libraries in one process, interleaved."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from everyday_rows import FITTED, PEERS, ROWS, NotHere, Row, clusters, load, start_of
from measure import judge
from peers import Outcome

SHORT = 0.05  # smallest seconds per measurement
MOST_CALLS = 500
LONG, LONG_ROUNDS = 10.0, 2  # longer calls have at most so many rounds
REST = 0.02  # seconds between two measurements, so that the last one's threads sleep


def measure_all(names: list[str] | None, rounds: int, tiny: bool, about: dict[str, Any], path: Path) -> None:
    """Measure row by row, and save the results after each row."""
    chosen = [row for row in ROWS if not names or row.name in names]
    if names and (unknown := set(names) - {row.name for row in ROWS}):
        raise SystemExit(
            f"There are no rows {', '.join(sorted(unknown))}. There are {', '.join(r.name for r in ROWS)}."
        )
    peers, result = {}, about | {"tiny": tiny, "rows": [], "skipped": {}}
    for name, peer in PEERS.items():
        try:
            peers[name] = peer.estimators()
        except ImportError as error:
            result["skipped"][peer.title] = f"not installed: {error}"
            print(f"  {peer.title} is not installed, so it is skipped", flush=True)
    for row in chosen:
        try:
            result["rows"] += measure(row, peers, rounds, tiny)
        except NotHere as reason:
            result["skipped"][row.name] = str(reason)
            print(f"  {row.name} is skipped: {reason}", flush=True)
        path.write_text(json.dumps(result, indent=1) + "\n")


def measure(row: Row, peers: dict[str, dict[str, Any]], rounds: int, tiny: bool) -> list[dict[str, Any]]:
    """Measure a row: by default calls and, if that differs, from given starts."""
    x = load(row.data, tiny)
    k = clusters(row, x, tiny)
    start = start_of(x, k) if row.given else None
    able = {name: estimators[row.estimator] for name, estimators in peers.items() if row.estimator in estimators}
    found = []
    for how in ("default", "given") if row.given else ("default",):
        calls = {name: _calls(row, estimator, x, k, start, how) for name, estimator in able.items()}
        seconds, counts = interleaved(calls, rounds)
        one = {"row": asdict(row), "how": how, "k": k, "seconds": seconds, "calls": counts}
        if row.call == "fit":
            one |= _outcomes(row, able, x, k, start, how)
        found.append(one)
        _tell(row, how, seconds)
    return found


def _calls(row: Row, estimator: Any, x: Any, k: int, start: Any, how: str) -> Callable[[int], Any]:
    """The timed call of a round."""
    if row.call in FITTED:
        part = _fitted_to(row)
        first = start_of(part, row.k)
        model = estimator(row.k, init=first, n_init=1, max_iter=1).fit(part)
        return lambda _: getattr(model, row.call)(x)
    return lambda turn: getattr(estimator(**_arguments(row, estimator, k, start, how, turn)), row.call)(x)


def _fitted_to(row: Row) -> Any:
    """1,000 points of the row's kind and type, to fit a model that only provides centroids."""
    kind, _, *rest = row.data.split(":")
    return load(":".join([kind, "1000", *rest]), tiny=False)


def _arguments(row: Row, estimator: Any, k: int, start: Any, how: str, turn: int) -> dict[str, Any]:
    if how == "default":
        return {"n_clusters": k, "random_state": turn} | row.options
    once = {"n_init": 1} if "n_init" in estimator().get_params() else {}
    return {"n_clusters": k, "init": start} | once | row.options


def interleaved(calls: dict[str, Callable[[int], Any]], rounds: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds per call, for every library and round, and the number of calls per measurement."""
    names, counts = list(calls), {}
    for name, call in calls.items():
        call(0)  # compile, import, wake threads
        began = perf_counter()
        call(0)
        counts[name] = max(1, min(MOST_CALLS, round(SHORT / max(perf_counter() - began, 1e-9))))
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        if turn >= LONG_ROUNDS and max(max(taken) for taken in seconds.values()) > LONG:
            break
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            time.sleep(REST)
            began = perf_counter()
            for _ in range(counts[name]):
                calls[name](turn)
            seconds[name].append((perf_counter() - began) / counts[name])
    return seconds, counts


def _outcomes(row: Row, able: dict[str, Any], x: Any, k: int, start: Any, how: str) -> dict[str, Any]:
    """Iterations and inertia of each library's fit, and the number of our labels that are not nearest. Not timed."""
    models = {
        name: estimator(**_arguments(row, estimator, k, start, how, 0)).fit(x) for name, estimator in able.items()
    }
    ours = models["ours"]
    _, wrong = judge(x, Outcome(ours.cluster_centers_, ours.labels_, ours.n_iter_))
    return {
        "iterations": {name: int(model.n_iter_) for name, model in models.items()},
        "inertia": {name: float(model.inertia_) for name, model in models.items()},
        "not_nearest": wrong,
    }


def _tell(row: Row, how: str, seconds: dict[str, list[float]]) -> None:
    told = ", ".join(f"{name} {1e3 * median(taken):.3f} ms" for name, taken in seconds.items())
    print(f"  {row.name:28} {how:8} {told}", flush=True)
