"""A figure of the map of the centroids."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Circle

from steinhaus.plots.style import ACCENT, MUTED
from steinhaus.report import map_layout, measures, words
from steinhaus.report.data import ReportData
from steinhaus.report.figure_style import label_of
from steinhaus.study.record import BestRecord

DOTS = 88  # drawing units of the layout per inch
TITLE = 30  # drawing units


def centroid_map(data: ReportData, best: BestRecord) -> Figure:
    """The centroids in the plane that shows most of their variance, each joined to its truly nearest one."""
    plane = measures.plane(data.measured_centroids(best.k), best.sizes)
    labelled = data.record.data.label_names is not None
    names = [(label_of(data, best, j) or "") if labelled else str(j) for j in range(best.k)]
    placed = map_layout.layout(plane, best.sizes, names)
    figure = Figure(figsize=(map_layout.WIDTH / DOTS, (map_layout.HEIGHT + TITLE) / DOTS))
    high = map_layout.HEIGHT / (map_layout.HEIGHT + TITLE)
    ax = figure.add_axes((0.0, 0.0, 1.0, high), xlim=(0, map_layout.WIDTH), ylim=(map_layout.HEIGHT, 0))
    ax.set_axis_off()
    title = f"K = {best.k}: centroids; the plane shows {words.share(plane.share)} of their variance"
    figure.suptitle(title, x=0.02, ha="left", fontsize=10)
    for j, other in placed.joined:
        ax.plot(*placed.at[[j, other]].T, color=MUTED, linewidth=1, zorder=1)
    for j in placed.order:
        ax.add_patch(Circle(placed.at[j].tolist(), placed.radii[j], color=ACCENT, alpha=0.85, linewidth=0, zorder=2))
    sides = {"start": "left", "middle": "center", "end": "right"}
    for name in placed.names:
        ax.text(name.x, name.base, name.text, ha=sides[name.anchor], va="baseline", fontsize=9, zorder=3)
    return figure
