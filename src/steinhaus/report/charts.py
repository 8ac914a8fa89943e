"""The page's charts as inline SVG. Classes set the colours, for light and dark pages; titles appear on hovering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from steinhaus.report import map_layout, words
from steinhaus.report.measures import Plane
from steinhaus.report.svg import Frame, Scale, join, labelled, line, padded, prefixed, tag
from steinhaus.study.record import BestRecord, RunRecord

INERTIA_FRAME = Frame(460, 280, left=66)
SMALL_FRAME = Frame(340, 230)
SERIES = 6  # number of series with different colours, dashes and marks
LOG_FLOOR = 1e-5  # relative to the best inertia; smaller excesses lie on the floor of the log chart
LOG_CEILING = 1e300  # larger ones lie on its ceiling, if the best inertia is almost 0

Line = tuple[str, Sequence[tuple[int, float]]]  # a name, and values by K


def inertia_curves(runs: Sequence[RunRecord], best: BestRecord, *, log: bool) -> Markup:
    """Inertia of all runs of one K after each iteration.

    With `log`: the excess over the best final inertia, on logarithmic axes.
    """
    frame = INERTIA_FRAME
    longest = max(r.iterations for r in runs)
    x = frame.x(1, max(longest, 2), log=log)
    curves = [np.asarray(r.inertia) for r in runs]
    if log:
        floor = best.inertia or 1.0
        with np.errstate(over="ignore"):
            curves = [np.clip((c - best.inertia) / floor, LOG_FLOOR, LOG_CEILING) for c in curves]
        y = frame.y(LOG_FLOOR, max(10 * LOG_FLOOR, *(float(c.max()) for c in curves)), log=True)
        y_ticks = [(t, f"{100 * t:.10g}\u202f%") for t in y.ticks()]
        y_title = "excess over the best final inertia"
    else:
        y = frame.y(*padded([float(v) for c in curves for v in (c.min(), c.max())]))
        divisor, unit = prefixed(y.ticks())
        y_ticks = labelled(y.ticks(), divisor)
        y_title = f"inertia, {unit}" if unit else "inertia"
    x_ticks = labelled([t for t in x.ticks(6) if t == int(t) and t >= 1])
    parts = [frame.axes(x, y, ("iteration", y_title), (x_ticks, y_ticks))]
    for run, curve in sorted(zip(runs, curves, strict=True), key=lambda pair: pair[0].restart == best.restart):
        parts.append(_curve(run, curve, x, y, is_best=run.restart == best.restart))
    kind = "as excess over the best final inertia, on a log scale" if log else "on a linear scale"
    label = f"Inertia after each iteration, {kind}: {words.plural(len(runs), 'run')} of K = {best.k}"
    plot = {"data_left": frame.left, "data_right": frame.width - frame.right, "data_longest": max(longest, 2)}
    return frame.draw(*parts, label=label, class_="chart curves", data_k=best.k, data_log=int(log), **plot)


def _curve(run: RunRecord, curve: NDArray[np.float64], x: Scale, y: Scale, *, is_best: bool) -> Markup:
    # in: curve (iterations,) float64
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
    """Final inertia of every run against K. A line joins the best runs."""
    spread = [(r.k, r.final_inertia) for r in runs]
    line_ = [(b.k, b.inertia) for b in best]
    divisor, unit = prefixed([v for _, v in spread])
    title = f"inertia, {unit}" if unit else "inertia"
    return _by_k(title, [("best", line_)], spread, divisor=divisor, label="Final inertia against K")


def score_by_k(
    title: str, lines: Sequence[Line], spread: Sequence[tuple[int, float]] = (), *, legend: bool = True
) -> Markup:
    """A score against K: one line per name, and a dot for every run whose score is known."""
    return _by_k(title, lines, spread, label=f"{title.capitalize()} against K", legend=legend)


def accuracy_by_k(
    title: str, lines: Sequence[Line], spread: Sequence[tuple[int, float]] = (), *, legend: bool = True
) -> Markup:
    """`score_by_k` for shares, in percent."""
    return _by_k(
        title, lines, spread, label=f"{title.capitalize()} against K", legend=legend, divisor=0.01, unit="\u202f%"
    )


def inertia_lines(lines: Sequence[Line]) -> Markup:
    """Best inertia against K, one line per study."""
    divisor, unit = prefixed([v for _, points in lines for _, v in points])
    title = f"inertia, {unit}" if unit else "inertia"
    return _by_k(title, lines, [], divisor=divisor, label="Best inertia against K", legend=False)


def overlay(runs: Sequence[tuple[int, str, RunRecord]], k: int) -> Markup:
    """Inertia of one run of each study after each iteration: (series, name, run)."""
    frame = INERTIA_FRAME
    x = frame.x(1, max(2, *(r.iterations for _, _, r in runs)), log=True)
    y = frame.y(*padded([v for _, _, r in runs for v in (r.inertia[0], r.inertia[-1])]))
    divisor, unit = prefixed(y.ticks())
    ticks = labelled(x.ticks()), labelled(y.ticks(), divisor)
    parts = [frame.axes(x, y, ("iteration", f"inertia, {unit}" if unit else "inertia"), ticks)]
    for series, name, run in runs:
        at, curve = np.arange(1.0, run.iterations + 1), np.asarray(run.inertia)
        end = _mark(float(x(at[-1])), float(y(float(curve[-1]))), series, f"{name}: {words.inertia(run.inertia[-1])}")
        parts.append(tag("g", tag("path", d=line(x(at), y(curve))), end, class_=f"series s{series % SERIES}"))
    return frame.draw(*parts, label=f"Inertia of the best runs of K = {k} after each iteration")


def swatch(series: int) -> Markup:
    """The mark of a series, for a legend in the text."""
    mark = tag("g", _mark(8, 8, series, ""), class_=f"series s{series % SERIES}")
    return tag("svg", mark, viewBox="0 0 16 16", class_="chart swatch", aria_hidden="true")


def _by_k(
    title: str,
    lines: Sequence[Line],
    spread: Sequence[tuple[int, float]],
    *,
    label: str,
    divisor: float = 1.0,
    unit: str = "",
    legend: bool = True,
) -> Markup:
    frame = SMALL_FRAME
    points = [p for _, ps in lines for p in ps]
    ks = sorted({k for k, _ in points})
    x = frame.x(*padded([float(k) for k in ks], 0.08))
    low, high = padded([v / divisor for _, v in (*points, *spread)], 0.1)
    y = frame.y(*((max(low, 0.0), min(high, 100.0)) if unit else (low, high)))
    every = -(-len(ks) // 10)
    x_ticks = [(float(k), str(k)) for k in ks[::every]]
    parts = [frame.axes(x, y, ("K", title), (x_ticks, labelled(y.ticks(4), unit=unit)))]
    for k, value in spread:
        at = {"cx": float(x(k)), "cy": float(y(value / divisor))}
        parts.append(tag("circle", tag("title", f"K = {k}: {_value(value, divisor)}"), class_="one", r=2.5, **at))
    for i, (name, values) in enumerate(lines):
        if not values:
            continue
        at_k = np.array([float(k) for k, _ in values])
        at_v = np.array([v / divisor for _, v in values])
        titles = [f"{name}, K = {k}: {_value(v, divisor)}" for k, v in values]
        marks = [
            _mark(at_x, at_y, i, t) for at_x, at_y, t in zip(x(at_k).tolist(), y(at_v).tolist(), titles, strict=True)
        ]
        parts.append(tag("g", tag("path", d=line(x(at_k), y(at_v))), *marks, class_=f"series s{i % SERIES}"))
    if legend and len(lines) > 1:
        parts.append(_legend(frame, [name for name, _ in lines]))
    return frame.draw(*parts, label=label)


def _value(v: float, divisor: float) -> str:
    return words.inertia(v) if divisor > 1 else words.share(v, 1) if divisor < 1 else f"{v:.4g}"


def _mark(x: float, y: float, series: int, title: str) -> Markup:
    """A dot, a diamond, a square or a triangle, so that series differ without colour."""
    shown = [tag("title", title)] if title else []
    if series % 4 == 0:
        return tag("circle", *shown, cx=x, cy=y, r=4)
    outline = (
        f"M{x:.1f},{y - 5:.1f}l5,5l-5,5l-5,-5z",
        f"M{x - 4:.1f},{y - 4:.1f}h8v8h-8z",
        f"M{x:.1f},{y - 5:.1f}l5,9h-10z",
    )
    return tag("path", *shown, d=outline[series % 4 - 1], class_="mark")


def _legend(frame: Frame, names: Sequence[str]) -> Markup:
    parts = []
    for i, name in enumerate(names):
        x = frame.width - frame.right - 52 * (len(names) - i)
        parts.append(tag("g", _mark(x, 8, i, name), class_=f"series s{i}"))
        parts.append(tag("text", name, class_="title", x=x + 9, y=12))
    return join(parts)


def profile(values: NDArray[np.float64], low: float, high: float, label: str) -> Markup:
    """A mean vector (d,) as a small line over the index of its values."""
    frame = Frame(160, 100, left=2, right=2, top=3, bottom=3)
    x, y = frame.x(0, max(len(values) - 1, 1)), frame.y(low, high)
    zero = float(y(min(max(0.0, low), high)))
    at = np.arange(len(values), dtype=float)
    parts = [
        tag("line", class_="grid", x1=frame.left, x2=frame.width - frame.right, y1=zero, y2=zero),
        tag("path", d=line(x(at), y(values), 0.3)),
    ]
    return frame.draw(*parts, label=label, class_="profile")


@dataclass(frozen=True)
class Disc:
    """A cluster on the map."""

    name: str
    title: str
    size: int
    picture: str  # a data URI, or ""


def centroid_map(plane: Plane, discs: Sequence[Disc]) -> Markup:
    """The centroids in a plane: discs by size, each joined to its nearest centroid in all dimensions."""
    frame = Frame(map_layout.WIDTH, map_layout.HEIGHT)
    placed = map_layout.layout(plane, [disc.size for disc in discs], [disc.name for disc in discs])
    at, radii = placed.at.tolist(), placed.radii.tolist()
    lines = [
        tag("line", class_="near", x1=at[j][0], y1=at[j][1], x2=at[other][0], y2=at[other][1])
        for j, other in placed.joined
    ]
    drawn = []
    for j in placed.order:
        disc, (x, y), r, other = discs[j], at[j], radii[j], int(plane.neighbour[j])
        title = f"{disc.title}: {words.plural(disc.size, 'image')}"
        if other >= 0:
            title += f"; nearest: cluster {other}, at distance {plane.distance[j]:.2f}"
        inner = [tag("title", title), tag("circle", cx=x, cy=y, r=r)]
        if disc.picture:
            inner.append(tag("image", href=disc.picture, x=x - r, y=y - r, width=2 * r, height=2 * r))
        kind = "node" if len(discs) <= map_layout.CROWD else "node crowd"
        drawn.append(tag("g", *inner, class_=kind, data_k=len(discs), data_cluster=j))
    texts = [
        tag("text", name.text, class_="name", x=name.x, y=name.base, text_anchor=name.anchor) for name in placed.names
    ]
    label = f"Map of the centroids of K = {len(discs)}"
    return frame.draw(*lines, *drawn, *texts, _ruler(frame, placed.unit), label=label, class_="chart map")


def _ruler(frame: Frame, unit: float) -> Markup:
    """A bar with the length of a round distance."""
    length = next(
        (v for v in (10.0**e * m for e in range(6, -9, -1) for m in (5, 2, 1)) if v * unit <= 0.3 * frame.width), 0.0
    )
    y = frame.height - 14
    bar = tag("path", class_="axis", d=f"M12,{y - 4:.1f}v4h{length * unit:.1f}v-4", fill="none")
    return join([bar, tag("text", f"distance {length:g}", class_="tick", x=12 + length * unit + 8, y=y + 1)])
