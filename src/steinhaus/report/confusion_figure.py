"""A figure of clusters against labels."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from steinhaus.plots import table
from steinhaus.report import words
from steinhaus.report.data import ReportData
from steinhaus.report.figure_style import axes_of, label_of
from steinhaus.study.record import BestRecord

LETTER = 0.085  # inches, about
COLUMN = 0.52  # inches


def confusion(data: ReportData, best: BestRecord) -> Figure:
    """Counts of the training part, clusters x labels, shaded by the share of the cluster."""
    assert best.train is not None
    counted = np.array(best.train.confusion)
    k, n_labels = counted.shape
    labels = [words.brief(words.clean(name)) for name in data.record.data.label_names or ()]
    titles = [label_of(data, best, j) for j in range(k)]
    clusters = [str(j) if title is None else f"{j}: {words.brief(title)}" for j, title in enumerate(titles)]
    left = 0.5 + LETTER * max(map(len, clusters))
    long = LETTER * max(map(len, labels), default=0)
    turned = long > COLUMN
    under = 0.3 + (long if turned else 0.2)
    title = f"K = {k}: training images by cluster and label"
    wide = max(left + 0.2 + COLUMN * n_labels, 0.3 + LETTER * len(title))
    figure = Figure(figsize=(min(wide, 20), min(0.5 + under + 0.3 * k, 24)))
    ax = axes_of(figure, left=left, bottom=under)
    ax.set_axis_off()  # ticks would make drawing several times slower
    figure.suptitle(title, x=0.1 / figure.get_figwidth(), ha="left", fontsize=10)
    if table.counts(ax, counted):
        across, down = ax.get_xaxis_transform(), ax.get_yaxis_transform()
        angle = 90 if turned else 0
        for i, name in enumerate(labels):
            ax.annotate(name, (i, 0), (0, -4), across, "offset points", ha="center", va="top", rotation=angle)
        for j, name in enumerate(clusters):
            ax.annotate(name, (0, j), (-4, 0), down, "offset points", ha="right", va="center")
    ax.annotate("label", (0.5, 0), (0, 16 - 72 * under), "axes fraction", "offset points", ha="center", va="top")
    figure.text(0.12 / figure.get_figwidth(), 0.5, "cluster and its label", rotation=90, ha="left", va="center")
    return figure
