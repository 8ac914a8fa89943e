"""Clusters against labels, as a figure for a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from steinhaus.report import words
from steinhaus.report.data import ReportData
from steinhaus.report.figure_style import ANNOTATED, INK, axes_of, label_of
from steinhaus.study.record import BestRecord

NUMBERS = 7  # points


def confusion(data: ReportData, best: BestRecord) -> Figure:
    """Clusters x labels, counts of the training part, shaded by the share of the cluster."""
    assert best.train is not None
    table = np.array(best.train.confusion)
    k, n_labels = table.shape
    names = data.record.data.label_names or ()
    titles = [label_of(data, best, j) for j in range(k)]
    longest = max((len(words.brief(t or "")) for t in titles), default=0)
    left = 0.75 + 0.085 * longest
    figure = Figure(figsize=(min(left + 0.2 + 0.52 * n_labels, 20), min(1.0 + 0.3 * k, 24)))
    ax = axes_of(figure, left=left)
    ax.set_axis_off()  # with ticks it would take several times as long to draw
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    figure.suptitle(
        f"K = {best.k}: training images by cluster and label", x=0.1 / figure.get_figwidth(), ha="left", fontsize=10
    )
    across, down = ax.get_xaxis_transform(), ax.get_yaxis_transform()
    if max(k, n_labels) <= ANNOTATED:
        for i, name in enumerate(names):
            ax.annotate(words.brief(words.clean(name)), (i, 0), (0, -4), across, "offset points", ha="center", va="top")
        for j, title in enumerate(titles):
            name = str(j) if title is None else f"{j}: {words.brief(title)}"
            ax.annotate(name, (0, j), (-4, 0), down, "offset points", ha="right", va="center")
        filled = np.argwhere(table > 0)
        colours = ["white" if shares[j, i] > 0.55 else INK for j, i in filled]
        _numbers(ax, [(i, j) for j, i in filled.tolist()], [int(table[j, i]) for j, i in filled], colours)
    ax.annotate("label", (0.5, 0), (0, -18), "axes fraction", "offset points", ha="center", va="top")
    figure.text(0.12 / figure.get_figwidth(), 0.5, "cluster, and its label", rotation=90, ha="left", va="center")
    return figure


def _numbers(ax: Axes, places: Sequence[tuple[int, int]], counts: Sequence[int], colours: Sequence[str]) -> None:
    """Counts, each in the middle of its place, as outlines of one collection: as texts they take ten times as long."""
    outlines = [_outline(words.count(count)) for count in counts]
    points = Affine2D().scale(1 / 72) + cast(Figure, ax.figure).dpi_scale_trans
    ax.add_collection(
        PathCollection(
            outlines, offsets=places, offset_transform=ax.transData, transform=points, facecolors=colours, linewidths=0
        )
    )


def _outline(count: str) -> Path:
    """A count's outline in points, its middle at (0, 0)."""
    glyphs = [_glyph(c) for c in count]
    starts = np.cumsum([0.0, *(advance for _, _, advance in glyphs)])
    placed = [vertices + np.array([start, 0.0]) for (vertices, _, _), start in zip(glyphs, starts, strict=False)]
    middle = starts[-1] / 2, _glyph("0")[0][:, 1].max() / 2
    return Path(np.concatenate(placed) - middle, np.concatenate([codes for _, codes, _ in glyphs]))


@cache
def _glyph(character: str) -> tuple[NDArray[Any], NDArray[Any], float]:
    """The outline of a digit or a comma in points: vertices, codes, and how far on the next one is."""
    alone, before, after = (TextPath((0, 0), text, size=NUMBERS) for text in (character, "0", f"{character}0"))
    return alone.vertices, alone.codes, float(after.vertices[:, 0].max() - before.vertices[:, 0].max())
