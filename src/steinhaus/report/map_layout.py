"""The places of a map's discs and names, in drawing units, the same for the page and the figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steinhaus.report import words
from steinhaus.report.measures import Plane

WIDTH, HEIGHT = 460.0, 380.0
DISCS = (6.0, 22.0)  # radius of the smallest and the largest disc
LETTER = 7.4  # about the width of a letter
CROWD = 30  # more discs than this are smaller and have no names

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Name:
    """A name beside its disc; its place is the left end of its base line."""

    text: str
    left: float
    base: float
    width: float
    anchor: str  # "start", "middle" or "end": the side of the text that is fixed for any width of letters

    @property
    def x(self) -> float:
        """The horizontal place of the anchor."""
        return self.left + {"start": 0.0, "middle": self.width / 2, "end": self.width}[self.anchor]


@dataclass(frozen=True)
class Layout:
    """The places of all elements of a map."""

    at: NDArray[np.float64]  # (k, 2) middles of the discs, x and y
    radii: NDArray[np.float64]  # (k,)
    order: list[int]  # large discs first, so that small ones are on top
    joined: list[tuple[int, int]]  # each disc and its nearest one in all dimensions; mutual pairs once
    names: list[Name]
    unit: float  # drawing units per distance of 1, the same for x and y


def layout(plane: Plane, sizes: Sequence[int], names: Sequence[str]) -> Layout:
    """Place the centroids of a plane, with discs by size and names where they cover least."""
    at, unit = _placed(plane)
    radii = np.maximum(DISCS[0], DISCS[1] * np.sqrt([size / max(1, *sizes) for size in sizes]))
    radii *= 1.0 if len(sizes) <= CROWD else 0.5
    order = np.argsort(-radii, kind="stable").tolist()
    nearest = [(j, int(plane.neighbour[j])) for j in order]
    joined = [(j, other) for j, other in nearest if other >= 0 and (plane.neighbour[other] != j or j < other)]
    named = _named(names, at, radii) if len(sizes) <= CROWD else []
    return Layout(at, radii, order, joined, named, unit)


def _placed(plane: Plane) -> tuple[NDArray[np.float64], float]:
    margin = DISCS[1] + 8
    spans = np.maximum(np.ptp(plane.at, axis=0), 1e-9)
    unit = float(min((WIDTH - 2 * margin) / spans[0], (HEIGHT - 2 * margin - 24) / spans[1]))
    middle = (plane.at.max(axis=0) + plane.at.min(axis=0)) / 2
    return (plane.at - middle) * [unit, -unit] + [WIDTH / 2, HEIGHT / 2 - 12], unit


def _named(names: Sequence[str], at: NDArray[np.float64], radii: NDArray[np.float64]) -> list[Name]:
    """Place each name beside its disc, where it covers the least of discs and names and stays inside."""
    # in: at (k, 2) float64; radii (k,) float64
    taken: list[Box] = [(x - r, y - r, x + r, y + r) for (x, y), r in zip(at.tolist(), radii.tolist(), strict=True)]
    placed = []
    for j, name in enumerate(names):
        if not (shown := words.brief(name, 10)):
            continue
        (x, y), r, width = at[j].tolist(), float(radii[j]), LETTER * len(shown)
        places = [
            Name(shown, x + r + 4, y + 4, width, "start"),
            Name(shown, x - r - 4 - width, y + 4, width, "end"),
            Name(shown, x - width / 2, y + r + 13, width, "middle"),
            Name(shown, x - width / 2, y - r - 4, width, "middle"),
        ]
        others = [box for i, box in enumerate(taken) if i != j]
        best = min(places, key=lambda place: _covered(_box(place), others))
        taken.append(_box(best))
        placed.append(best)
    return placed


def _box(name: Name) -> Box:
    return name.left, name.base - 10, name.left + name.width, name.base + 2


def _covered(box: Box, others: Sequence[Box]) -> float:
    """The area that a box covers. Area outside counts most."""
    outside = max(0.0, -box[0], box[2] - WIDTH, -box[1], box[3] - HEIGHT)
    return 1000 * outside + sum(_overlap(box, other) for other in others)


def _overlap(a: Box, b: Box) -> float:
    """The common area of two boxes."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
