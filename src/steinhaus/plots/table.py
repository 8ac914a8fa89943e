"""Clusters against labels."""

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

from steinhaus.plots.style import ANNOTATED, INK

NUMBERS = 7  # points
DARK = 0.55  # shares above it are dark enough for white digits


def counts(ax: Axes, table: NDArray[np.int64]) -> bool:
    """Draw the number of points of each label in each cluster, shaded by its share of the cluster.

    Parameters
    ----------
    table
        (clusters, labels) counts. Cluster j is drawn at y = j, label i at x = i.

    Returns
    -------
    bool
        Whether the table is small enough for counts in its cells, and for names beside it.
    """
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if max(table.shape) > ANNOTATED:
        return False
    filled = np.argwhere(table > 0)
    colours = ["white" if shares[j, i] > DARK else INK for j, i in filled]
    _numbers(ax, [(i, j) for j, i in filled.tolist()], [int(table[j, i]) for j, i in filled], colours)
    return True


def _numbers(ax: Axes, places: Sequence[tuple[int, int]], numbers: Sequence[int], colours: Sequence[str]) -> None:
    """Numbers, each in the middle of its place. They are outlines of one collection: texts take ten times as long."""
    points = Affine2D().scale(1 / 72) + cast(Figure, ax.get_figure(root=True)).dpi_scale_trans
    ax.add_collection(
        PathCollection(
            [_outline(f"{number:,}") for number in numbers],
            offsets=places,
            offset_transform=ax.transData,
            transform=points,
            facecolors=colours,
            linewidths=0,
        )
    )


def _outline(number: str) -> Path:
    """A number's outline in points, its middle at (0, 0)."""
    glyphs = [_glyph(c) for c in number]
    starts = np.cumsum([0.0, *(advance for _, _, advance in glyphs)])
    placed = [vertices + np.array([start, 0.0]) for (vertices, _, _), start in zip(glyphs, starts, strict=False)]
    middle = starts[-1] / 2, _glyph("0")[0][:, 1].max() / 2
    return Path(np.concatenate(placed) - middle, np.concatenate([codes for _, codes, _ in glyphs]))


@cache
def _glyph(character: str) -> tuple[NDArray[Any], NDArray[Any], float]:
    """The outline of a digit or a comma in points: vertices, codes, and how far on the next one is."""
    alone, before, after = (TextPath((0, 0), text, size=NUMBERS) for text in (character, "0", f"{character}0"))
    return alone.vertices, alone.codes, float(after.vertices[:, 0].max() - before.vertices[:, 0].max())
