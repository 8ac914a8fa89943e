"""The charts that the report's figures and the displays share."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from steinhaus.plots import inertia, sheet, table
from steinhaus.plots.style import ACCENT, ANNOTATED, MUTED


def axes(width: float = 6.0, height: float = 4.0):
    return Figure(figsize=(width, height)).add_axes((0.0, 0.0, 1.0, 1.0))


def test_curves_of_all_runs_with_the_best_above() -> None:
    lines = inertia.curves(axes(), [(5.0, 3.0), (4.0, 2.0, 1.0)], best=1)
    assert [line.get_xdata().tolist() for line in lines] == [[1, 2], [1, 2, 3]]
    assert [line.get_color() for line in lines] == [MUTED, ACCENT]
    assert lines[1].get_zorder() > lines[0].get_zorder()


def test_inertia_by_k_has_ticks_at_whole_numbers_of_clusters() -> None:
    ax = axes()
    inertia.by_k(ax, {4: [7.0, 6.0]})
    every, best = ax.get_lines()
    assert (every.get_xdata().tolist(), every.get_ydata().tolist()) == ([4, 4], [7.0, 6.0])
    assert best.get_ydata().tolist() == [6.0]
    assert all(tick == round(tick) for tick in ax.get_xticks())


def test_counts_of_filled_cells_and_none_in_large_tables() -> None:
    ax = axes()
    assert table.counts(ax, np.array([[3, 0], [1, 1200]]))
    (numbers,) = (drawn for drawn in ax.collections if isinstance(drawn, PathCollection))
    assert numbers.get_offsets().tolist() == [[0, 0], [0, 1], [1, 1]]
    ax = axes()
    assert not table.counts(ax, np.ones((ANNOTATED + 1, 2), np.int64))
    assert not ax.collections


@pytest.mark.parametrize("shape", [(10, 8, 8), (10, 4, 16), (7, 60, 10), (3, 5, 5, 3), (200, 8, 8), (1, 8, 8)])
def test_means_keep_their_proportions_and_captions_lie_between_them(shape: tuple[int, ...]) -> None:
    ax, k = axes(), shape[0]
    sheet.sheet(ax, np.random.default_rng(0).random(shape), [f"cluster\n{j}" for j in range(k)], fontsize=5)
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    pictures = [image.get_window_extent() for image in ax.get_images()]
    captions = [text.get_window_extent() for text in ax.texts]
    assert len(pictures) == len(captions) == k
    for picture, caption in zip(pictures, captions, strict=True):
        assert abs(picture.height / picture.width) == pytest.approx(shape[1] / shape[2])
        assert picture.y1 <= caption.y0
        assert ax.bbox.y0 <= picture.y0 + 1e-6
        assert caption.y1 <= ax.bbox.y1 + 1
    boxes = np.array([[min(b.y0, b.y1), max(b.y0, b.y1), b.x0, b.x1] for b in pictures])
    for caption in captions:
        across = (boxes[:, 2] < caption.x1) & (boxes[:, 3] > caption.x0)
        assert not (across & (boxes[:, 0] < caption.y1) & (boxes[:, 1] > caption.y0)).any()


def test_vectors_are_lines_of_one_scale() -> None:
    ax = axes()
    sheet.sheet(ax, np.array([[0.0, 1.0], [2.0, 4.0]]), ["a", "b"], columns=2)
    heights = [np.ptp(line.get_ydata()) for line in ax.get_lines()]
    assert heights[1] == pytest.approx(2 * heights[0])
