"""A figure of how clusters split as K grows."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from steinhaus.plots.style import ACCENT, MUTED
from steinhaus.report import flows, words
from steinhaus.report.data import ReportData
from steinhaus.report.figure_style import label_of
from steinhaus.study.record import BestRecord

DOTS = 110  # drawing units of the page per inch


@dataclass(frozen=True)
class _Cluster:
    """The view of a cluster in the flow."""

    order: int
    name: str
    title: str = ""
    uri: str = ""


def flow(data: ReportData) -> Figure:
    """How the clusters split as K grows."""
    columns = [flows.Column(best.k, [_cluster(data, best, j) for j in range(best.k)]) for best in data.record.best]
    shown = flows.layout(columns, data.flows)
    width, height = shown.width, flows.TOP + flows.HEIGHT + 4
    figure = Figure(figsize=(width / DOTS, height / DOTS))
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    for band in shown.bands:
        x0, x1 = band.start.left + flows.BAR, band.end.left
        y0, y1, low0, low1 = band.y_start, band.y_end, band.y_start + band.h_start, band.y_end + band.h_end
        middle = (x0 + x1) / 2
        points = [
            (x0, y0),
            (middle, y0),
            (middle, y1),
            (x1, y1),
            (x1, low1),
            (middle, low1),
            (middle, low0),
            (x0, low0),
        ]
        codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3]
        ax.add_patch(PathPatch(Path(points, codes), color=MUTED, alpha=0.35, linewidth=0))
    for bars in shown.columns:
        ax.text(bars[0].left + flows.BAR / 2, 14, f"K = {bars[0].k}", ha="center", fontsize=9)
        for bar in bars:
            ax.add_patch(Rectangle((bar.left, bar.top), flows.BAR, max(bar.height, 1.0), color=ACCENT, linewidth=0))
            if bar.height >= flows.PICTURE:
                middle = bar.top + bar.height / 2
                ax.text(bar.left + flows.BAR + 5, middle, words.brief(bar.cluster.name), va="center", fontsize=8)
    return figure


def _cluster(data: ReportData, best: BestRecord, j: int) -> _Cluster:
    label = None if best.mapping is None else best.mapping[j]
    if data.record.data.label_names is None:
        return _Cluster(j, str(j))
    order = len(data.record.data.label_names) if label is None else label
    return _Cluster(order, label_of(data, best, j) or "")
