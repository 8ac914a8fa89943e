"""Turn saved results into Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import growth as growing
from peers import PEERS
from workloads import EXTRA, PASS, WORKLOADS

BEGIN = "<!-- benchmarks/compare.py writes from here -->"
END = "<!-- to here -->"

Result = dict[str, Any]


def document(results: Path, suffix: str = "") -> str:
    """All tables of the saved results; `suffix` names a trial with a part of the points."""
    names = [workload.name for workload in (*WORKLOADS, *EXTRA)]
    found = [json.loads(path.read_text()) for name in names if (path := results / f"{name}{suffix}.json").exists()]
    parts = []
    if found:
        parts += [_machine(found), _summary(found), *(_detail(result) for result in found)]
    if (path := results / f"growth{suffix}.json").exists():
        parts.append(_growth(json.loads(path.read_text())))
    if (path := results / "whole_command.json").exists():
        parts.append(_whole_command(json.loads(path.read_text())))
    return "\n\n".join(parts) + "\n" if parts else "Nothing has been measured yet.\n"


def insert(path: Path, text: str) -> None:
    """Put the text between the two marks of a Markdown file."""
    head, begin, rest = path.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{path} has no place for the tables: the lines {BEGIN!r} and {END!r}.")
    path.write_text(f"{head}{BEGIN}\n\n{text}\n{END}{tail}")


def rows(header: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(header), ["---"] * len(list(header)), *map(list, body)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(values: list[float], digits: int = 3) -> str:
    """Median (min to max)."""
    shown = [short(value, digits) for value in (median(values), min(values), max(values))]
    return shown[0] if len(values) == 1 else f"{shown[0]} ({shown[1]} to {shown[2]})"


def short(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, without an exponent."""
    if value >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}".rstrip(".")


def _seconds(result: Result, peer: str) -> list[float]:
    return [once["seconds"] for once in result["peers"].get(peer, [])]


def _ratios(result: Result, peer: str) -> list[float]:
    """A peer's seconds over ours, round by round; for `PASS`, ours over a pass: passes per fit."""
    pairs = zip(_seconds(result, peer), _seconds(result, "ours"), strict=False)
    return [ours / its if peer == PASS else its / ours for its, ours in pairs]


def _machine(found: list[Result]) -> str:
    machine = found[-1]["machine"]
    same = {json.dumps(result["machine"] | {"load": 0, "commit": ""}) for result in found}
    commits = sorted({str(result["machine"]["commit"]) for result in found})
    dates = sorted({result["measured"][:10] for result in found})
    loads = [result["machine"]["load"] for result in found]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    family = " ".join(filter(None, machine["family"]))
    lines = [
        f"Measured on {' and '.join(dates)}: {machine['processor']} (family and model {family}), "
        f"{machine['threads']} threads on {machine['cores']} cores, {machine['memory'] / 2**30:.0f} GiB, "
        f"{machine['system']}. Python {machine['python']}, {versions}; NumPy's BLAS: {machine['blas']}. "
        f"Commit {', '.join(commits)}. The load before each workload was {min(loads):.1f} to {max(loads):.1f}. "
        f"In all {sum(result['wall'] for result in found) / 60:.0f} minutes."
    ]
    if len(same) > 1:
        lines.append("**These results come from different machines or versions: compare within a workload only.**")
    return "\n\n".join(lines)


def _summary(found: list[Result]) -> str:
    header = ["workload", "Steinhaus, s", "a peer's seconds over ours", "passes per fit", "peak MB", "inertia"]
    return rows(header, (_summary_row(result) for result in found if _seconds(result, "ours")))


def _summary_row(result: Result) -> list[str]:
    measured = [peer for peer in result["peers"] if peer not in ("ours", PASS) and _ratios(result, peer)]
    judged = [peer for peer in measured if peer in result["workload"]["must"]] or measured
    return [
        result["workload"]["name"],
        spread(_seconds(result, "ours")),
        "<br>".join(f"{PEERS[peer].title}: {_verdict(result, peer)}" for peer in judged) or "–",
        _verdict(result, PASS) if _ratios(result, PASS) else "–",
        _peak(result, "ours"),
        _difference(result, "ours"),
    ]


def _verdict(result: Result, peer: str) -> str:
    """A ratio with its requirement and its aim."""
    ratios, must, aim = _ratios(result, peer), result["workload"]["must"].get(peer), result["workload"]["aim"].get(peer)
    if must is None:
        return spread(ratios)
    sign = -1 if peer == PASS else 1
    reached = sign * median(ratios)
    words = "as aimed" if aim and reached >= sign * aim else "yes" if reached >= sign * must else "**no**"
    least = "at most" if peer == PASS else "at least"
    return f"{spread(ratios)}; {least} {must:g}{f', aim {aim:g}' if aim else ''}: {words}"


def _detail(result: Result) -> str:
    workload, data = result["workload"], result["data"]
    header = [
        "",
        "seconds",
        "over ours",
        "iterations",
        "peak memory beyond the data, MB",
        "inertia",
        "labels not nearest",
    ]
    body = [_detail_row(result, peer) for peer in PEERS if _seconds(result, peer)]
    truth = result["reference"]
    once = f"{short(truth['seconds'])} (once)"
    ours = _seconds(result, "ours")
    over = short(truth["seconds"] / median(ours)) if ours else "–"
    wrong, peak = str(truth["not_nearest"]), _megabytes([truth["peak"]])
    body.append([PEERS["sklearn-float64"].title, once, over, str(sum(truth["iterations"])), peak, "0", wrong])
    notes = [f"{result['data']['zeros']:.0%} of the values are 0."] if data["zeros"] > 0.01 else []
    notes += [f"Without {PEERS[peer].title}: {why}." for peer, why in result["skipped"].items()]
    one = _seconds(result, PASS)
    if one:
        notes.append(f"One plain float32 pass: {short(1000 * median(one))} ms.")
    notes.append("1 round." if len(ours) == 1 else f"{len(ours)} rounds.")
    return f"### {workload['name']}: {workload['title']}\n\n{rows(header, body)}\n\n{' '.join(notes)}"


def _detail_row(result: Result, peer: str) -> list[str]:
    first = result["peers"][peer][0]
    wrong = "–" if first["not_nearest"] is None else f"{first['not_nearest']:,}"
    return [
        PEERS[peer].title + (" (own starts)" if PEERS[peer].own_starts else ""),
        spread(_seconds(result, peer)),
        "" if peer == "ours" else spread(_ratios(result, peer)),
        f"{sum(first['iterations']):,}",
        _peak(result, peer),
        _difference(result, peer),
        wrong,
    ]


def _peak(result: Result, peer: str) -> str:
    return _megabytes([once["peak"] for once in result["peers"][peer]])


def _megabytes(peaks: list[int | None]) -> str:
    known = [peak for peak in peaks if peak is not None]
    return f"{median(known) / 1e6:,.0f}" if known else "–"


def _difference(result: Result, peer: str) -> str:
    """The largest relative difference of any fit from scikit-learn's inertia in float64."""
    inertia = result["peers"][peer][0]["inertia"]
    differences = [mine / its - 1 for mine, its in zip(inertia, result["reference"]["inertia"], strict=True)]
    largest = max(differences, key=abs)
    return f"{largest:+.1e}" if abs(largest) > 1e-15 else "0"


def _growth(growth: Result) -> str:
    parts = [
        "### Growth",
        f"{growing.ITERATIONS} iterations; the plot is `benchmarks/results/growth.svg`. The exponent p of time ~ "
        "size^p, by least squares over the whole range, and over the upper order of magnitude alone, where fixed costs "
        "weigh least:",
    ]
    header = ["against", "", *titles(growth), "upper part: " + PEERS["ours"].title]
    body = []
    for series in growing.SERIES:
        lines = growth["seconds"][series.name]
        slopes = [f"{growing.slope(lines[peer]):.2f}" if len(lines[peer]) > 1 else "–" for peer in lines]
        top = growing.upper(lines["ours"]) if lines["ours"] else {}
        body.append([series.name, series.title, *slopes, f"{growing.slope(top):.2f}" if len(top) > 1 else "–"])
    parts.append(rows(header, body))
    for series in growing.SERIES:
        lines = growth["seconds"][series.name]
        sizes = [str(cell.value) for cell in series.cells]
        header = [f"seconds, {series.name} =", *(f"{int(size):,}" for size in sizes)]
        body = [
            [PEERS[peer].title, *(short(line[size]) if size in line else "–" for size in sizes)]
            for peer, line in lines.items()
        ]
        parts.append(rows(header, body))
    return "\n\n".join(parts)


def titles(growth: Result) -> list[str]:
    """The titles of the peers in a growth plot."""
    return [PEERS[peer].title for peer in next(iter(growth["seconds"].values()))]


def _whole_command(result: Result) -> str:
    header = ["", "seconds", "processor seconds", "peak memory, MB"]
    body = [
        [
            title,
            spread([once["seconds"] for once in result["rounds"][name]]),
            spread([once["processor"] for once in result["rounds"][name]]),
            f"{max(once['peak'] for once in result['rounds'][name]) / 1e6:,.0f}",
        ]
        for name, title in result["titles"].items()
        if result["rounds"][name]
    ]
    ratio = [
        theirs["seconds"] / ours["seconds"]
        for ours, theirs in zip(result["rounds"]["steinhaus"], result["rounds"]["script"], strict=False)
    ]
    over = f" The script takes {spread(ratio)} times as long." if ratio else ""
    timings = (
        f"\n\nWhere its time goes (`--timings`):\n\n```text\n{result['timings']}\n```" if result["timings"] else ""
    )
    return f"### The whole command\n\n{rows(header, body)}\n\n{result['agreement']}{over}{timings}"
