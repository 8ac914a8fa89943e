"""Turn the results of `everyday.py` into Markdown tables and a plot of ratios."""

from __future__ import annotations

from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import numpy as np

from everyday_rows import CALLS, FITS, PEERS
from machine import sentence
from tables import rows, short

Result = dict[str, Any]
_OTHERS = ("sklearn", "sklearnex")
_TITLES = {"default": "Default calls", "given": "From given starts"}


def document(result: Result) -> str:
    """The machine, a summary, and the tables."""
    parts = [_machine(result), _summary(result)]
    for table, how, title in (*((FITS, how, title) for how, title in _TITLES.items()), (CALLS, "default", "Calls")):
        found = [one for one in result["rows"] if one["row"]["table"] == table and one["how"] == how]
        if found:
            parts.append(f"### {title}\n\n{_table(found)}")
    if result["skipped"]:
        parts.append("Skipped: " + "; ".join(f"{name}, {why}" for name, why in result["skipped"].items()) + ".")
    return "\n\n".join(parts) + "\n"


def ratios(one: Result, peer: str) -> list[float]:
    """A peer's seconds over ours, round by round."""
    return [its / ours for its, ours in zip(one["seconds"].get(peer, []), one["seconds"]["ours"], strict=False)]


def _machine(result: Result) -> str:
    tiny = "**Tiny sets: these times say nothing.** " if result["tiny"] else ""
    return f"{tiny}Measured on {result['measured'][:10]}: {sentence(result['machine'])}"


def _summary(result: Result) -> str:
    """Geometric means of the counted rows, and the worst of all rows."""
    body = []
    for how, title in _TITLES.items():
        for peer in _OTHERS:
            every = [
                (median(ratios(one, peer)), one) for one in result["rows"] if one["how"] == how and ratios(one, peer)
            ]
            counted = [ratio for ratio, one in every if one["row"]["counted"]]
            if not every:
                continue
            worst, which = min(every, key=lambda pair: pair[0])
            mean = f"{geometric_mean(counted):.2f} ({len(counted)} rows)" if counted else "–"
            below = sum(ratio < 1 for ratio, _ in every)
            body.append(
                [title, PEERS[peer].title, mean, f"{worst:.2f}, {which['row']['name']}", f"{below} of {len(every)}"]
            )
    names = {one["row"]["name"] for one in result["rows"] if one["row"]["counted"]}
    header = ["", "over", f"geometric mean of the {len(names)} rows", "worst of all rows", "rows slower"]
    return rows(header, body)


def _table(found: list[Result]) -> str:
    fits = found[0]["row"]["call"] == "fit"
    others = [peer for peer in _OTHERS if any(peer in one["seconds"] for one in found)]
    header = ["", "K", "Steinhaus, ms"]
    for peer in others:
        header += [f"{PEERS[peer].title}, ms", "ratio"]
    return rows(
        [*header, *(["iterations", "labels not nearest"] if fits else [])], (_line(one, others, fits) for one in found)
    )


def _line(one: Result, others: list[str], fits: bool) -> list[str]:
    line = [one["row"]["title"], str(one["k"]), _milliseconds(one, "ours")]
    for peer in others:
        line += [_milliseconds(one, peer), _spread(ratios(one, peer))]
    if fits:
        line += [" / ".join(f"{count:,}" for count in one["iterations"].values()), str(one["not_nearest"])]
    return line


def _milliseconds(one: Result, peer: str) -> str:
    taken = one["seconds"].get(peer)
    return short(1e3 * median(taken)) if taken else "–"


def _spread(found: list[float]) -> str:
    """Median (quartiles)."""
    if not found:
        return "–"
    low, middle, high = np.quantile(found, [0.25, 0.5, 0.75])
    return short(middle) if len(found) == 1 else f"{short(middle)} ({short(low)} to {short(high)})"


def plot(result: Result, target: Path) -> None:
    """Ratios row by row, on a logarithmic scale. Right of 1, Steinhaus is faster."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "steinhaus"
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys((one["row"]["name"], one["row"]["title"], one["k"]) for one in result["rows"]))
    places = {name: -place for place, (name, *_) in enumerate(names)}
    figure, axis = plt.subplots(figsize=(9, 1.2 + 0.22 * len(names)), layout="constrained")
    axis.axvline(1, color="0.4", lw=1)
    for colour, peer in zip(("C0", "C1"), _OTHERS, strict=True):
        for shift, (how, title) in zip((0.15, -0.15), _TITLES.items(), strict=True):
            found = [
                (places[one["row"]["name"]] + shift, ratios(one, peer)) for one in result["rows"] if one["how"] == how
            ]
            found = [(place, np.quantile(each, [0.25, 0.5, 0.75])) for place, each in found if each]
            if not found:
                continue
            at, (low, middle, high) = [place for place, _ in found], np.array([each for _, each in found]).T
            fill = colour if how == "default" else "none"
            axis.errorbar(
                middle, at, xerr=[middle - low, high - middle], fmt="o", ms=4.5, lw=0.8, color=colour, mfc=fill,
                label=f"{PEERS[peer].title}, {title[0].lower()}{title[1:]}",
            )  # fmt: skip
    axis.set_yticks(list(places.values()), [f"{title}, K = {k}" for _, title, k in names], fontsize=7.5)
    axis.set(xscale="log", xlabel="seconds over Steinhaus's; right of 1, Steinhaus is faster")
    axis.set_ylim(min(places.values()) - 0.7, 0.7)
    axis.grid(axis="x", which="both", alpha=0.3, lw=0.4)
    axis.xaxis.set_major_formatter("{x:g}")
    figure.legend(fontsize=7.5, loc="outside lower center", ncols=2)
    figure.savefig(target, metadata={"Date": None} if target.suffix == ".svg" else None, dpi=130)
    plt.close(figure)
