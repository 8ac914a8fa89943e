"""Colours and axes that all charts share."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

INK, MUTED, ACCENT, SECOND = "#1c1e21", "#9aa0a8", "#0b5cad", "#c2570c"
ANNOTATED = 30  # charts of more clusters or labels than this are drawn without names and counts


def count_axis(ax: Axes, label: str) -> None:
    """Name the horizontal axis, and put its ticks at whole numbers."""
    ax.set_xlabel(label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def inertia_axis(ax: Axes) -> None:
    """Name the vertical axis, and write its ticks out, with commas between thousands."""
    ax.set_ylabel("inertia")
    ax.yaxis.set_major_formatter("{x:,.10g}")
