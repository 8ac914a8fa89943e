"""Style, fonts, names and axes of all figures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steinhaus.plots.style import INK, MUTED
from steinhaus.report import words
from steinhaus.report.data import ReportData
from steinhaus.study.record import BestRecord

STYLE: Any = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titley": 1.0,  # the value that Matplotlib would find after laying out all ticks
    "axes.grid": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "steinhaus",
    "svg.fonttype": "path",
    "text.parse_math": False,
}


# Usual system fonts for scripts that Matplotlib's own font lacks.
FALLBACKS = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Hiragino Sans", "PingFang SC", "Yu Gothic", "Microsoft YaHei"),
    *("Malgun Gothic", "WenQuanYi Zen Hei", "Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil"),
    *("Noto Sans Telugu", "Noto Sans Thai", "Noto Sans Khmer", "Noto Sans Ethiopic"),
)


def families(names: Iterable[str]) -> list[str]:
    """The fonts for these names: Matplotlib's own and, for non-Latin letters, installed ones."""
    if all(ord(c) < 0x250 for name in names for c in name):
        return ["sans-serif"]
    installed = set(font_manager.get_font_names())
    return ["sans-serif", *(name for name in FALLBACKS if name in installed)]


def label_of(data: ReportData, best: BestRecord, cluster: int) -> str | None:
    """The name of a cluster's label; None without labels, or for an empty cluster."""
    names = data.record.data.label_names
    index = None if best.mapping is None else best.mapping[cluster]
    return None if index is None or names is None else words.clean(names[index])


def axes_of(
    figure: Figure, *, start: float = 0.0, width: float | None = None, left: float = 0.95, bottom: float = 0.5
) -> Axes:
    """Axes with margins in inches. A layout engine would draw everything twice."""
    all_width, height = figure.get_figwidth(), figure.get_figheight()
    width = all_width if width is None else width
    across = ((start + left) / all_width, (width - left - 0.15) / all_width)
    return figure.add_axes((across[0], bottom / height, across[1], 1 - (bottom + 0.35) / height))
