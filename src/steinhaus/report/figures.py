"""The study's figures as files: PNG or SVG, the same bytes for the same study."""

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
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator
from PIL import Image

from steinhaus.report import confusion_figure, files, flow_figure, measures, words
from steinhaus.report.data import ReportData
from steinhaus.report.figure_style import ACCENT, ANNOTATED, MUTED, SECOND, STYLE, axes_of, families, label_of
from steinhaus.report.pictures import to_bytes
from steinhaus.study.record import BestRecord

MOST_MEANS = 200
DPI = 150


def save_figures(
    data: ReportData, folder: Path, formats: Sequence[str] = ("png",), share: tuple[int, int] = (0, 1)
) -> list[Path]:
    """Draw every figure of a study into a folder.

    Parameters
    ----------
    data
        What to draw.
    folder
        Made where it is missing.
    formats
        "png" (150 dots an inch), "svg", or both.
    share
        Which part of the figures, of how many: for several processes at once.

    Returns
    -------
    list of Path
        The files written: ``means-k010``, ``inertia-k010``, ``map-k010`` and, with labels, ``confusion-k010`` for each
        K; ``across-k``; and, where the clusters of images are known, ``flow``.
    """
    written = []
    fonts: Any = {"font.family": families(data.record.data.label_names or ())}
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE, **fonts}):
        for name, draw in itertools.islice(_all(data), share[0], None, share[1]):
            figure = draw()
            written += [files.write(folder / f"{name}.{form}", WRITERS[form](figure)) for form in formats]
    return written


def paths(data: ReportData, folder: Path, formats: Sequence[str]) -> list[Path]:
    """The files that `save_figures` writes in all."""
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
    """Letters that no font has are drawn as boxes, without a word."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def _all(data: ReportData) -> Iterator[tuple[str, Callable[[], Figure]]]:
    for best in data.record.best:
        yield f"means-k{best.k:03d}", lambda b=best: means(data, b)  # type: ignore[misc]
        yield f"inertia-k{best.k:03d}", lambda b=best: inertia(data, b)  # type: ignore[misc]
        if best.train is not None:
            yield f"confusion-k{best.k:03d}", lambda b=best: confusion_figure.confusion(data, b)  # type: ignore[misc]
        yield f"map-k{best.k:03d}", lambda b=best: centroid_map(data, b)  # type: ignore[misc]
    yield "across-k", lambda: across(data)
    if data.flows:
        yield "flow", lambda: flow_figure.flow(data)


def means(data: ReportData, best: BestRecord) -> Figure:
    """The mean image of every cluster, under its label and size; vectors as lines."""
    centroids = data.centroids[best.k][:MOST_MEANS]
    columns = min(len(centroids), 6 if len(centroids) <= 12 else 10)
    rows = -(-len(centroids) // columns)
    figure = Figure(figsize=(1.15 * columns + 0.1, 1.55 * rows + 0.45))
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0 - 0.4 / figure.get_figheight()), xlim=(0, columns), ylim=(rows, 0))
    ax.set_axis_off()
    figure.suptitle(f"K = {best.k}: mean images", x=0.02, y=1 - 0.1 / figure.get_figheight(), ha="left", fontsize=11)
    low, high = float(centroids.min()), float(centroids.max())
    for j, centroid in enumerate(centroids):
        left, top = j % columns + 0.06, j // columns
        name, size = label_of(data, best, j), words.count(best.sizes[j])
        title = size if name is None else f"{words.brief(name)}\n{size}"
        ax.text(left + 0.44, top + 0.3, title, ha="center", va="bottom", fontsize=9)
        if data.is_image:
            picture = to_bytes(centroid[np.newaxis], 1.0)[0]
            ax.imshow(
                picture,
                cmap="gray",
                vmin=0,
                vmax=255,
                extent=(left, left + 0.88, top + 0.98, top + 0.33),
                aspect="auto",
            )
        else:
            heights = (centroid - low) / ((high - low) or 1.0)
            ax.plot(
                np.linspace(left, left + 0.88, len(centroid)), top + 0.96 - 0.6 * heights, color=ACCENT, linewidth=1
            )
    ax.set(xlim=(0, columns), ylim=(rows, 0))
    return figure


def inertia(data: ReportData, best: BestRecord) -> Figure:
    """Inertia of all runs of one K after each iteration."""
    figure = Figure(figsize=(5.6, 3.4))
    ax = axes_of(figure)
    runs = [r for r in data.record.runs if r.k == best.k]
    for run in sorted(runs, key=lambda r: r.restart == best.restart):
        is_best = run.restart == best.restart
        at = np.arange(1, run.iterations + 1)
        colour = ACCENT if is_best else MUTED
        ax.plot(at, run.inertia, color=colour, linewidth=1.8 if is_best else 1, label=f"run {run.restart + 1}")
        ax.plot(at[-1:], run.inertia[-1:], "o", color=colour, markersize=4)
    ax.set_title(f"K = {best.k}: inertia of {words.plural(len(runs), 'run')}, best marked (run {best.restart + 1})")
    ax.set_xlabel("iteration")
    ax.set_ylabel("inertia")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter("{x:,.10g}")
    return figure


def across(data: ReportData) -> Figure:
    """Inertia, and accuracy where there are labels, against K."""
    best = data.record.best
    labelled = best[0].train_accuracy is not None
    width = 4.4
    figure = Figure(figsize=(2 * width if labelled else width, 3.2))
    ks = [b.k for b in best]
    left = axes_of(figure, width=width)
    left.plot(
        [r.k for r in data.record.runs], [r.final_inertia for r in data.record.runs], "o", color=MUTED, markersize=3
    )
    left.plot(ks, [b.inertia for b in best], "-o", color=ACCENT)
    left.set_title("Inertia: every run, the best joined")
    left.yaxis.set_major_formatter("{x:,.10g}")
    _k_axis(left)
    if labelled:
        right = axes_of(figure, start=width, width=width)
        right.plot(ks, np.array([b.train_accuracy for b in best]), "-o", color=ACCENT, label="train")
        if best[0].test_accuracy is not None:
            right.plot(ks, np.array([b.test_accuracy for b in best]), "--D", color=SECOND, label="test", markersize=4.5)
        right.set_title("Accuracy by the majority mapping")
        right.legend(frameon=False)
        _k_axis(right)
    return figure


def _k_axis(ax: Axes) -> None:
    ax.set_xlabel("K")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def centroid_map(data: ReportData, best: BestRecord) -> Figure:
    """The centroids in the plane that shows most of their variance; each joined to the one truly nearest to it."""
    plane = measures.plane(data.measured_centroids(best.k), best.sizes)
    figure = Figure(figsize=(5.2, 4.6))
    ax = figure.add_axes((0.02, 0.02, 0.96, 0.86), aspect="equal")
    ax.set_axis_off()
    figure.suptitle(
        f"K = {best.k}: centroids; the plane shows {words.share(plane.share)} of their variance",
        x=0.02,
        ha="left",
        fontsize=10,
    )
    span = float(max(np.ptp(plane.at, axis=0).max(), 1e-9))
    radii = 0.055 * span * np.sqrt(np.array(best.sizes) / max(1, *best.sizes)) * (1.0 if best.k <= ANNOTATED else 0.5)
    for j, (x, y) in enumerate(plane.at):
        other = plane.neighbour[j]
        if other >= 0:
            ax.plot([x, plane.at[other, 0]], [y, plane.at[other, 1]], color=MUTED, linewidth=1, zorder=1)
        ax.add_patch(Circle((x, y), max(radii[j], 0.012 * span), color=ACCENT, alpha=0.85, linewidth=0, zorder=2))
        if best.k <= ANNOTATED:
            name = label_of(data, best, j) if data.record.data.label_names is not None else str(j)
            ax.text(x + radii[j] + 0.012 * span, y, words.brief(name or ""), va="center", fontsize=9, zorder=3)
    ax.margins(0.1)
    return figure
