"""The mean of every cluster on one sheet, under its caption: pictures, or vectors as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from steinhaus.plots.style import ACCENT

FILLED = 0.94  # of a cell's width
PROFILE = 0.6  # height over width of a vector's line
TALLEST = 2.0  # height over width of a cell; taller pictures have air at both sides
LINE = 1.3 / 72  # inches that a line of a caption takes, a point of its size
SMALLEST = 0.1  # inches: cells do not get narrower


def ratio(means: NDArray[Any]) -> float:
    """Height over width of the cell that each mean is drawn in; for `means` see `sheet`."""
    return min(means.shape[1] / means.shape[2], TALLEST) if means.ndim > 2 else PROFILE


def above(captions: Sequence[str], fontsize: float) -> float:
    """Inches that the captions take above each cell."""
    return (1 + max(caption.count("\n") for caption in captions)) * fontsize * LINE + 0.06


def sheet(
    ax: Axes, means: NDArray[Any], captions: Sequence[str], *, columns: int | None = None, fontsize: float = 8.0
) -> None:
    """Draw means in rows, as large as the axes let them be.

    Parameters
    ----------
    means
        (k, h, w) or (k, h, w, 3), pictures in 0..255 (uint8) or 0..1, drawn in their proportions; or (k, d), vectors,
        drawn as lines of one scale.
    captions
        A caption for each mean, of one line or several.
    columns
        Means in a row; None: as many as make them largest.
    fontsize
        The size of the captions, in points.
    """
    shape, head = ratio(means), above(captions, fontsize)
    width, height = _inches(ax)

    def side(columns: int) -> float:
        """The width of a cell in inches."""
        return min(width / columns, (height / -(-len(means) // columns) - head) / shape)

    columns = columns or max(range(1, len(means) + 1), key=side)
    step = shape + head / max(side(columns), SMALLEST)  # from row to row, in widths of a cell
    for j, caption in enumerate(captions):
        row, column = divmod(j, columns)
        middle, bottom = column + 0.5, (row + 1) * step
        _mean(ax, means, j, middle, bottom)
        ax.text(middle, bottom - FILLED * shape - 0.02, caption, ha="center", va="bottom", fontsize=fontsize)
    ax.set(xlim=(0, columns), ylim=(-(-len(means) // columns) * step, 0), aspect=1.0)
    ax.set_axis_off()


def _mean(ax: Axes, means: NDArray[Any], j: int, middle: float, bottom: float) -> None:
    """Draw one mean into its part of a cell."""
    mean = means[j]
    if mean.ndim > 1:
        height = FILLED * ratio(means)
        half = min(FILLED, height * mean.shape[1] / mean.shape[0]) / 2
        extent = (middle - half, middle + half, bottom, bottom - height)
        white = 255 if mean.dtype == np.uint8 else 1
        ax.imshow(mean, cmap="gray", vmin=0, vmax=white, extent=extent, aspect="auto")
    else:
        low, high = float(means.min()), float(means.max())
        across = np.linspace(middle - FILLED / 2, middle + FILLED / 2, len(mean))
        ax.plot(across, bottom - FILLED * PROFILE * (mean - low) / ((high - low) or 1.0), color=ACCENT, linewidth=1)


def _inches(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes, about: a layout engine may still change them."""
    box, figure = ax.get_position(), ax.get_figure(root=True)
    assert figure is not None
    return box.width * figure.get_figwidth(), box.height * figure.get_figheight()
