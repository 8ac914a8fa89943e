"""Pictures of explanations, drawn from a real computation or from measured figures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def make(folder: Path) -> None:
    """Draw all pictures into this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _screening(folder / "screening.png")
    _quality(folder / "quality.png")


def _quality(path: Path) -> None:
    """Inertia against time, of the figures in `quality.json`."""
    here = Path(__file__).parent
    sys.path.append(str(here.parent / "benchmarks"))
    import quality

    quality.draw(quality.kept(here / "quality.json"), path, "wall")


def _screening(path: Path) -> None:
    """Points in two dimensions, screened along one direction: which are certified, and which must be settled."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    rng = np.random.default_rng(4)
    centroids = np.array([[-3.0, 0.5], [0.2, -0.6], [3.2, 0.4]])
    points = np.concatenate([c + rng.normal(scale=(0.9, 0.7), size=(60, 2)) for c in centroids])

    middle = centroids.mean(axis=0)
    e = centroids - middle
    scores = points @ e.T - 0.5 * ((centroids**2).sum(1) - (middle**2).sum())
    screen = np.outer(points[:, 0], e[:, 0]) - 0.5 * ((centroids**2).sum(1) - (middle**2).sum())
    bound = np.outer(np.abs(points[:, 1]), np.abs(e[:, 1]))  # Cauchy-Schwarz, of the direction that is left out
    assert (np.abs(scores - screen) <= bound + 1e-12).all()
    candidates = screen + bound >= (screen - bound).max(axis=1, keepdims=True)
    is_open = candidates.sum(axis=1) > 1
    labels = ((points[:, None] - centroids) ** 2).sum(2).argmin(1)
    assert candidates[np.arange(len(points)), labels].all()

    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = figure.subplots()
    colours = np.array(["#0072b2", "#d55e00", "#009e73"])
    sure = ~is_open
    axes.scatter(*points[sure].T, c=colours[labels[sure]], s=16, alpha=0.75, linewidths=0)
    axes.scatter(*points[is_open].T, facecolors="none", edgecolors="black", s=34, linewidths=1.2)
    axes.scatter(*centroids.T, c=colours, s=160, marker="X", edgecolors="black", zorder=3)
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(xlabel="the direction that the screen knows", ylabel="the direction that it leaves out")
    shown = [
        Line2D([], [], marker="o", linestyle="", color=colours[0], label=f"certified: {sure.sum()} of {len(points)}"),
        Line2D([], [], marker="o", linestyle="", markerfacecolor="none", color="black", label=f"open: {is_open.sum()}"),
        Line2D([], [], marker="X", linestyle="", color="grey", label="centroid"),
    ]
    axes.legend(handles=shown, loc="upper center", ncols=3, frameon=False, bbox_to_anchor=(0.5, 1.16))
    axes.set_aspect("equal")
    figure.savefig(path, dpi=144)
