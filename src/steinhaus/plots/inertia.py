"""Inertia against iterations, and against the number of clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from steinhaus.plots.style import ACCENT, MUTED, count_axis, inertia_axis


def curves(ax: Axes, histories: Sequence[Sequence[float]], best: int) -> list[Line2D]:
    """Draw the inertia of each run after each iteration, its end marked.

    Parameters
    ----------
    histories
        For each run, its inertia after each iteration.
    best
        The number of the run that is drawn last, in the accent colour.

    Returns
    -------
    list of Line2D
        The curve of each run.
    """
    lines = []
    for run, history in enumerate(histories):
        style: dict[str, Any] = {"color": MUTED, "linewidth": 1}
        if run == best:
            style = {"color": ACCENT, "linewidth": 1.8, "zorder": 3}
        lines += ax.plot(range(1, len(history) + 1), history, marker="o", markevery=[-1], markersize=4, **style)
    count_axis(ax, "iteration")
    inertia_axis(ax)
    return lines


def by_k(ax: Axes, inertias: Mapping[int, Sequence[float]]) -> None:
    """Draw the final inertia of every run against K, the best of each K joined.

    Parameters
    ----------
    inertias
        K -> the final inertia of each run; ascending by K.
    """
    runs = [(k, cost) for k, costs in inertias.items() for cost in costs]
    ax.plot([k for k, _ in runs], [cost for _, cost in runs], "o", color=MUTED, markersize=3)
    ax.plot(list(inertias), [min(costs) for costs in inertias.values()], "-o", color=ACCENT)
    count_axis(ax, "number of clusters K")
    inertia_axis(ax)
