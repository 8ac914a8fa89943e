"""Helpers for SVG: escaped tags, linear and logarithmic scales, round ticks, a plotting frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

Values = NDArray[np.float64]


def tag(name: str, *children: str, **attributes: object) -> Markup:
    """An element. In attribute names, `class_` is class and an underscore is a hyphen. None leaves an attribute out.

    Children that are not Markup, and all attribute values, are escaped.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is not None:
            shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
            parts.append(f' {key.rstrip("_").replace("_", "-")}="{escape(shown)}"')
    inner = "".join(escape(c) for c in children)
    return Markup("".join(parts) + (f">{inner}</{name}>" if inner else "/>"))


def join(parts: Sequence[str]) -> Markup:
    """Several elements in a row."""
    return Markup("").join(parts)


@dataclass(frozen=True)
class Scale:
    """A scale from data to drawing units along one axis; `log` makes it logarithmic."""

    low: float
    high: float
    start: float  # the drawing unit of `low`
    end: float
    log: bool = False

    def __call__(self, values: Values | float) -> Values:
        """The drawing units of values."""
        f = np.log10 if self.log else np.asarray
        low, high = float(f(self.low)), float(f(self.high))
        span = high - low or 1.0
        return np.asarray(self.start + (f(values) - low) / span * (self.end - self.start))

    def ticks(self, about: int = 5) -> list[float]:
        """Round values within the scale."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**e for e in range(first, last + 1, max(1, math.ceil((last - first) / about)))]
        if self.high <= self.low:
            return [self.low]
        raw = (self.high - self.low) / about
        magnitude = 10.0 ** math.floor(math.log10(raw))
        step = min((m * magnitude for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(math.log(s / raw)))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]


def padded(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """The lowest and the highest value, with a margin."""
    low, high = min(values), max(values)
    air = (high - low) * share or abs(high) * 0.05 or 1.0
    return low - air, high + air


def line(x: Values, y: Values, tolerance: float = 0.15) -> str:
    """Points as the `d` of a path, without points that lie on a straight line between others."""
    keep = [0]
    for i in range(1, len(x) - 1):
        a, b = keep[-1], i + 1
        inner = slice(a + 1, b)
        on_line = y[a] + (y[b] - y[a]) * (x[inner] - x[a]) / (x[b] - x[a])
        if np.abs(y[inner] - on_line).max() > tolerance:
            keep.append(i)
    if len(x) > 1:
        keep.append(len(x) - 1)
    return "M" + "L".join(f"{x[i]:.1f},{y[i]:.1f}" for i in keep)


def labelled(ticks: Sequence[float], divisor: float = 1.0, unit: str = "") -> list[tuple[float, str]]:
    """Ticks with their labels, all with the same number of decimals."""
    shown = [f"{t / divisor:.10g}" for t in ticks]
    if any("e" in text for text in shown):
        return [(t, f"{text}{unit}") for t, text in zip(ticks, shown, strict=True)]
    decimals = max((len(text.partition(".")[2]) for text in shown), default=0)
    return [(t, f"{t / divisor:,.{decimals}f}{unit}") for t in ticks]


def prefixed(ticks: Sequence[float]) -> tuple[float, str]:
    """The unit that keeps the labels of ticks short: (divisor, its name)."""
    top = max((abs(t) for t in ticks), default=0.0)
    for divisor, name in ((1e9, "billions"), (1e6, "millions"), (1e3, "thousands")):
        if top >= divisor:
            return divisor, name
    return 1.0, ""


@dataclass(frozen=True)
class Frame:
    """The plotting area and its axes."""

    width: float
    height: float
    left: float = 50
    right: float = 14
    top: float = 26
    bottom: float = 34

    def x(self, low: float, high: float, log: bool = False) -> Scale:
        """The horizontal scale."""
        return Scale(low, high, self.left, self.width - self.right, log)

    def y(self, low: float, high: float, log: bool = False) -> Scale:
        """The vertical scale: low at the bottom."""
        return Scale(low, high, self.height - self.bottom, self.top, log)

    def axes(
        self,
        x: Scale,
        y: Scale,
        titles: tuple[str, str],
        ticks: tuple[Sequence[tuple[float, str]], Sequence[tuple[float, str]]],
    ) -> Markup:
        """Grid lines, tick labels, and the titles of the horizontal and the vertical axis."""
        base = self.height - self.bottom
        parts = []
        for value, text in ticks[1]:
            at = float(y(value))
            parts.append(tag("line", class_="grid", x1=self.left, x2=self.width - self.right, y1=at, y2=at))
            parts.append(tag("text", text, class_="tick", x=self.left - 6, y=at + 4, text_anchor="end"))
        for value, text in ticks[0]:
            parts.append(tag("text", text, class_="tick", x=float(x(value)), y=base + 16, text_anchor="middle"))
        parts.append(tag("line", class_="axis", x1=self.left, x2=self.width - self.right, y1=base, y2=base))
        parts.append(tag("text", titles[1], class_="title", x=2, y=12))
        end = self.width - self.right
        parts.append(tag("text", titles[0], class_="title", x=end, y=self.height - 3, text_anchor="end"))
        return join(parts)

    def draw(self, *children: str, label: str, **attributes: object) -> Markup:
        """The whole drawing; `label` is its text alternative."""
        return tag(
            "svg",
            *children,
            viewBox=f"0 0 {self.width:g} {self.height:g}",
            role="img",
            aria_label=label,
            class_=attributes.pop("class_", "chart"),
            **attributes,
        )
