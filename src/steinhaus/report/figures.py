"""Write the study's figures as PNG or SVG files. The same study gives the same bytes."""

from __future__ import annotations

import io
import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

from steinhaus.plots import inertia as curves
from steinhaus.plots import sheet
from steinhaus.plots.style import ACCENT, SECOND, count_axis
from steinhaus.report import confusion_figure, files, flow_figure, map_figure, medoid_figure, words
from steinhaus.report.data import ReportData
from steinhaus.report.figure_style import STYLE, axes_of, families, label_of
from steinhaus.report.pictures import to_bytes
from steinhaus.study.record import BestRecord

MOST_MEANS = 200
DPI = 150
CELL, TITLE = 1.15, 0.4  # inches: width of a mean's cell, height of a title
CAPTION = 9.0  # points


def save_figures(
    data: ReportData, folder: Path, formats: Sequence[str] = ("png",), share: tuple[int, int] = (0, 1)
) -> list[Path]:
    """Draw all figures of a study into a folder.

    Parameters
    ----------
    data
        The data of the study.
    folder
        The folder. It is created if it is missing.
    formats
        "png" (150 dots per inch), "svg", or both. Default: "png".
    share
        (i, m): draw only part i of m, for several processes at once. Default: all.

    Returns
    -------
    list of Path
        The files written: ``means-k010`` or ``medoids-k010``, ``inertia-k010``, ``map-k010`` and, with labels,
        ``confusion-k010`` for each K; ``across-k``; and, where the clusters of images are known, ``flow``.
    """
    written = []
    fonts: Any = {"font.family": families(data.record.data.label_names or ())}
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE, **fonts}):
        for name, draw in itertools.islice(_all(data), share[0], None, share[1]):
            figure = draw()
            written += [files.write(folder / f"{name}.{form}", WRITERS[form](figure)) for form in formats]
    return written


def paths(data: ReportData, folder: Path, formats: Sequence[str]) -> list[Path]:
    """All files that `save_figures` writes."""
    return [folder / f"{name}.{form}" for name, _ in _all(data) for form in formats]


def _png(figure: Figure) -> bytes:
    canvas, out = FigureCanvasAgg(figure), io.BytesIO()
    figure.dpi = DPI
    with _quietly():
        canvas.draw()  # type: ignore[no-untyped-call]
    opaque = np.asarray(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]
    Image.fromarray(opaque).save(out, "png", dpi=(DPI, DPI), compress_level=4)
    return out.getvalue()


def _svg(figure: Figure) -> bytes:
    out = io.BytesIO()
    with _quietly():
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    return out.getvalue()


WRITERS: dict[str, Callable[[Figure], bytes]] = {"png": _png, "svg": _svg}


@contextmanager
def _quietly() -> Iterator[None]:
    """Draw letters without a font as boxes, without warnings."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def _all(data: ReportData) -> Iterator[tuple[str, Callable[[], Figure]]]:
    for best in data.record.best:
        kind = "medoids" if data.shows_medoids else "means"
        yield f"{kind}-k{best.k:03d}", lambda b=best: means(data, b)  # type: ignore[misc]
        yield f"inertia-k{best.k:03d}", lambda b=best: inertia(data, b)  # type: ignore[misc]
        if best.train is not None:
            yield f"confusion-k{best.k:03d}", lambda b=best: confusion_figure.confusion(data, b)  # type: ignore[misc]
        yield f"map-k{best.k:03d}", lambda b=best: map_figure.centroid_map(data, b)  # type: ignore[misc]
    yield "across-k", lambda: across(data)
    if data.flows:
        yield "flow", lambda: flow_figure.flow(data)


def means(data: ReportData, best: BestRecord) -> Figure:
    """The mean image of every cluster under its label and size; or its medoid and neighbours; vectors as lines."""
    centroids, cell = data.centroids[best.k][:MOST_MEANS], CELL
    shown = to_bytes(centroids, 1.0) if data.is_image else centroids
    kind = "mean images" if data.is_image else "means"
    columns = min(len(shown), 6 if len(shown) <= 12 else 10)
    if data.shows_medoids:
        nearest = data.medoids[best.k][:MOST_MEANS]
        shown, cell = medoid_figure.mosaics(nearest, data.record.data.full_scale, data.shape), 3 * CELL
        kind = "medoids, and the pictures next nearest to each centroid"
        columns = min(len(shown), 2 if len(shown) <= 12 else 4)
    captions = [_caption(data, best, j) for j in range(len(shown))]
    rows = -(-len(shown) // columns)
    high = TITLE + rows * (cell * sheet.ratio(shown) + sheet.above(captions, CAPTION))
    figure = Figure(figsize=(max(cell * columns, 2.0), high))
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0 - TITLE / high))
    figure.suptitle(f"K = {best.k}: {kind}", x=0.02, y=1 - 0.1 / high, ha="left", fontsize=11)
    sheet.sheet(ax, shown, captions, columns=columns, fontsize=CAPTION)
    return figure


def _caption(data: ReportData, best: BestRecord, cluster: int) -> str:
    name, size = label_of(data, best, cluster), words.count(best.sizes[cluster])
    return size if name is None else f"{words.brief(name)}\n{size}"


def inertia(data: ReportData, best: BestRecord) -> Figure:
    """Inertia of all runs of one K after each iteration."""
    figure = Figure(figsize=(5.6, 3.4))
    ax = axes_of(figure)
    runs = [r for r in data.record.runs if r.k == best.k]
    curves.curves(ax, [r.inertia for r in runs], [r.restart for r in runs].index(best.restart))
    ax.set_title(f"K = {best.k}: inertia of {words.plural(len(runs), 'run')}, best run {best.restart + 1} marked")
    return figure


def across(data: ReportData) -> Figure:
    """Inertia against K and, if there are labels, accuracy."""
    best = data.record.best
    labelled = best[0].train_accuracy is not None
    width = 4.4
    figure = Figure(figsize=(2 * width if labelled else width, 3.2))
    ks = [b.k for b in best]
    left = axes_of(figure, width=width)
    curves.by_k(left, {k: [r.final_inertia for r in data.record.runs if r.k == k] for k in ks})
    left.set_title("Inertia of all runs; the line joins the best")
    if labelled:
        right = axes_of(figure, start=width, width=width)
        right.plot(ks, np.array([b.train_accuracy for b in best]), "-o", color=ACCENT, label="train")
        if best[0].test_accuracy is not None:
            right.plot(ks, np.array([b.test_accuracy for b in best]), "--D", color=SECOND, label="test", markersize=4.5)
        right.set_title("Accuracy by the majority mapping")
        right.legend(frameon=False)
        count_axis(right, "number of clusters K")
    return figure
