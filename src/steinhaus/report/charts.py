"""The page's charts as inline SVG: coloured by class, to follow the page's light and dark; titles for hovering."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from steinhaus.report import words
from steinhaus.report.svg import Frame, Scale, join, line, padded, prefixed, short, tag
from steinhaus.study.record import BestRecord, RunRecord

INERTIA_FRAME = Frame(520, 300)
SMALL_FRAME = Frame(340, 230)
LOG_FLOOR = 1e-6  # of the best inertia: excesses below it lie on the log chart's floor


def inertia_curves(runs: Sequence[RunRecord], best: BestRecord, *, log: bool) -> Markup:
    """Inertia of all runs of one K after each iteration.

    With `log`, how far each is above the best final one, both axes logarithmic.
    """
    frame = INERTIA_FRAME
    longest = max(r.iterations for r in runs)
    x = frame.x(1, max(longest, 2), log=log)
    curves = [np.asarray(r.inertia) for r in runs]
    if log:
        floor = best.inertia or 1.0
        curves = [np.maximum((c - best.inertia) / floor, LOG_FLOOR) for c in curves]
        y = frame.y(LOG_FLOOR, max(10 * LOG_FLOOR, *(float(c.max()) for c in curves)), log=True)
        y_ticks = [(t, f"{100 * t:.10g} %") for t in y.ticks()]
        y_title = "above the best run's end"
    else:
        y = frame.y(*padded([float(v) for c in curves for v in (c.min(), c.max())]))
        divisor, unit = prefixed(y.ticks())
        y_ticks = [(t, short(t / divisor)) for t in y.ticks()]
        y_title = f"inertia, {unit}" if unit else "inertia"
    x_ticks = [(t, short(t)) for t in x.ticks(6) if t == int(t) and t >= 1]
    parts = [frame.axes(x, y, ("iteration", y_title), (x_ticks, y_ticks))]
    for run, curve in sorted(zip(runs, curves, strict=True), key=lambda pair: pair[0].restart == best.restart):
        parts.append(_curve(run, curve, x, y, is_best=run.restart == best.restart))
    kind = "on a log scale, above the best run's end" if log else "on a linear scale"
    label = f"Inertia after each iteration, {kind}: {words.plural(len(runs), 'run')} of K = {best.k}"
    plot = {"data_left": frame.left, "data_right": frame.width - frame.right, "data_longest": max(longest, 2)}
    return frame.draw(*parts, label=label, class_="chart curves", data_k=best.k, data_log=int(log), **plot)


def _curve(run: RunRecord, curve: NDArray[np.float64], x: Scale, y: Scale, *, is_best: bool) -> Markup:
    at = np.arange(1.0, len(curve) + 1)
    title = f"run {run.restart + 1}: {words.inertia(run.inertia[-1])} after {words.plural(run.iterations, 'iteration')}"
    ends = {"cx": float(x(at[-1])), "cy": float(y(float(curve[-1])))}
    parts = [
        tag("title", title + (", the best" if is_best else "")),
        tag("path", d=line(x(at), y(curve))),
        tag("circle", r=3.5 if is_best else 2.5, **ends),
    ]
    return tag("g", *parts, class_="run best" if is_best else "run", data_run=run.restart)


def inertia_by_k(runs: Sequence[RunRecord], best: Sequence[BestRecord]) -> Markup:
    """Final inertia of every run against K, the best of each K joined by a line."""
    spread = [(r.k, r.final_inertia) for r in runs]
    line_ = [(b.k, b.inertia) for b in best]
    divisor, unit = prefixed([v for _, v in spread])
    title = f"inertia, {unit}" if unit else "inertia"
    return _by_k(title, [("best", line_)], spread, divisor=divisor, label="Final inertia against K")


def score_by_k(
    title: str, lines: Sequence[tuple[str, Sequence[tuple[int, float]]]], spread: Sequence[tuple[int, float]] = ()
) -> Markup:
    """A score against K: one line for each name, and a dot for every run where these are known."""
    return _by_k(title, lines, spread, label=f"{title.capitalize()} against K")


def _by_k(
    title: str,
    lines: Sequence[tuple[str, Sequence[tuple[int, float]]]],
    spread: Sequence[tuple[int, float]],
    *,
    label: str,
    divisor: float = 1.0,
) -> Markup:
    frame = SMALL_FRAME
    points = [p for _, ps in lines for p in ps]
    ks = sorted({k for k, _ in points})
    x = frame.x(*padded([float(k) for k in ks], 0.08))
    y = frame.y(*padded([v / divisor for _, v in (*points, *spread)], 0.1))
    every = -(-len(ks) // 10)
    x_ticks = [(float(k), str(k)) for k in ks[::every]]
    parts = [frame.axes(x, y, ("K", title), (x_ticks, [(t, short(t)) for t in y.ticks(4)]))]
    for k, value in spread:
        at = {"cx": float(x(k)), "cy": float(y(value / divisor))}
        parts.append(tag("circle", tag("title", f"K = {k}: {words.inertia(value)}"), class_="one", r=2.5, **at))
    for i, (name, values) in enumerate(lines):
        at_k = np.array([float(k) for k, _ in values])
        at_v = np.array([v / divisor for _, v in values])
        titles = [f"{name}, K = {k}: {_value(v, divisor)}" for k, v in values]
        marks = [
            _mark(at_x, at_y, i, t) for at_x, at_y, t in zip(x(at_k).tolist(), y(at_v).tolist(), titles, strict=True)
        ]
        parts.append(tag("g", tag("path", d=line(x(at_k), y(at_v))), *marks, class_=f"series s{i}"))
    if len(lines) > 1:
        parts.append(_legend(frame, [name for name, _ in lines]))
    return frame.draw(*parts, label=label)


def _value(v: float, divisor: float) -> str:
    return words.inertia(v) if divisor > 1 else f"{v:.4g}"


def _mark(x: float, y: float, series: int, title: str) -> Markup:
    """A dot, or a diamond for the second series: told apart without colour."""
    shown = tag("title", title)
    if series == 0:
        return tag("circle", shown, cx=x, cy=y, r=4)
    return tag("path", shown, d=f"M{x:.1f},{y - 5:.1f}l5,5l-5,5l-5,-5z", class_="mark")


def _legend(frame: Frame, names: Sequence[str]) -> Markup:
    parts = []
    for i, name in enumerate(names):
        x = frame.width - frame.right - 52 * (len(names) - i)
        parts.append(tag("g", _mark(x, 8, i, name), class_=f"series s{i}"))
        parts.append(tag("text", name, class_="title", x=x + 9, y=12))
    return join(parts)


def profile(values: NDArray[np.float64], low: float, high: float, label: str) -> Markup:
    """A mean vector as a small line over the values' index."""
    frame = Frame(160, 100, left=2, right=2, top=3, bottom=3)
    x, y = frame.x(0, max(len(values) - 1, 1)), frame.y(low, high)
    zero = float(y(min(max(0.0, low), high)))
    at = np.arange(len(values), dtype=float)
    parts = [
        tag("line", class_="grid", x1=frame.left, x2=frame.width - frame.right, y1=zero, y2=zero),
        tag("path", d=line(x(at), y(values), 0.3)),
    ]
    return frame.draw(*parts, label=label, class_="profile")
