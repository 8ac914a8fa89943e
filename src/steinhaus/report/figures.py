"""The study's figures as files: PNG or SVG, the same bytes for the same study."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from steinhaus.report import files, flow_figure, measures, words
from steinhaus.report.data import ReportData
from steinhaus.report.flow_figure import ACCENT, INK, MUTED
from steinhaus.report.pictures import to_bytes
from steinhaus.study.record import BestRecord

SECOND = "#c2570c"
STYLE: Any = {
    "font.family": ["sans-serif"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.grid": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "steinhaus",
    "svg.fonttype": "path",
    "text.parse_math": False,
}
ANNOTATED = 30  # a confusion of more rows or columns shows shades without figures
MOST_MEANS = 200


def save_figures(data: ReportData, folder: Path, formats: Sequence[str] = ("png",)) -> list[Path]:
    """Draw every figure of a study into a folder.

    Parameters
    ----------
    data
        What to draw.
    folder
        Made where it is missing.
    formats
        "png" (150 dots an inch), "svg", or both.

    Returns
    -------
    list of Path
        The files written: ``means-k010``, ``inertia-k010``, ``map-k010`` and, with labels, ``confusion-k010`` for each
        K; ``across-k``; and, where the clusters of images are known, ``flow``.
    """
    paths = []
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE}):
        for name, draw in _all(data):
            figure = draw()
            FigureCanvasAgg(figure)
            paths += [files.write(folder / f"{name}.{form}", _bytes(figure, form)) for form in formats]
    return paths


def _bytes(figure: Figure, form: str) -> bytes:
    out = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(out, format=form, dpi=150, metadata=metadata)
    return out.getvalue()


def _all(data: ReportData) -> Iterator[tuple[str, Callable[[], Figure]]]:
    for best in data.record.best:
        yield f"means-k{best.k:03d}", lambda b=best: means(data, b)  # type: ignore[misc]
        yield f"inertia-k{best.k:03d}", lambda b=best: inertia(data, b)  # type: ignore[misc]
        yield f"map-k{best.k:03d}", lambda b=best: centroid_map(data, b)  # type: ignore[misc]
        if best.train is not None:
            yield f"confusion-k{best.k:03d}", lambda b=best: confusion(data, b)  # type: ignore[misc]
    yield "across-k", lambda: across(data)
    if len(data.record.best) > 1 and data.train_clusters:
        yield "flow", lambda: flow_figure.flow(data)


def label_of(data: ReportData, best: BestRecord, cluster: int) -> str | None:
    """The name of a cluster's label; None without labels or for an empty cluster."""
    names = data.record.data.label_names
    index = None if best.mapping is None else best.mapping[cluster]
    return None if index is None or names is None else words.clean(names[index])


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
    ax = _axes(figure)
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
    left = _axes(figure, width=width)
    left.plot(
        [r.k for r in data.record.runs], [r.final_inertia for r in data.record.runs], "o", color=MUTED, markersize=3
    )
    left.plot(ks, [b.inertia for b in best], "-o", color=ACCENT)
    left.set_title("Inertia: every run, the best joined")
    left.yaxis.set_major_formatter("{x:,.10g}")
    _k_axis(left)
    if labelled:
        right = _axes(figure, start=width, width=width)
        right.plot(ks, np.array([b.train_accuracy for b in best]), "-o", color=ACCENT, label="train")
        if best[0].test_accuracy is not None:
            right.plot(ks, np.array([b.test_accuracy for b in best]), "--D", color=SECOND, label="test", markersize=4.5)
        right.set_title("Accuracy by the majority mapping")
        right.legend(frameon=False)
        _k_axis(right)
    return figure


def _axes(figure: Figure, *, start: float = 0.0, width: float | None = None, left: float = 0.95) -> Axes:
    """Axes with margins in inches: a layout engine would draw everything twice."""
    all_width, height = figure.get_figwidth(), figure.get_figheight()
    width = all_width if width is None else width
    across = ((start + left) / all_width, (width - left - 0.15) / all_width)
    return figure.add_axes((across[0], 0.5 / height, across[1], 1 - 0.85 / height))


def _k_axis(ax: Axes) -> None:
    ax.set_xlabel("K")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


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
    ax = _axes(figure, left=left)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    figure.suptitle(
        f"K = {best.k}: training images by cluster and label", x=0.1 / figure.get_figwidth(), ha="left", fontsize=10
    )
    ax.set_xlabel("label")
    ax.set_ylabel("cluster, and its label")
    small = max(k, n_labels) <= ANNOTATED
    if small:
        ax.set_xticks(range(n_labels), [words.brief(words.clean(n)) for n in names])
        ax.set_yticks(range(k), [str(j) if t is None else f"{j}: {words.brief(t)}" for j, t in enumerate(titles)])
        for j, i in np.argwhere(table > 0):
            colour = "white" if shares[j, i] > 0.55 else INK
            ax.text(i, j, words.count(int(table[j, i])), ha="center", va="center", fontsize=7, color=colour)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return figure


def centroid_map(data: ReportData, best: BestRecord) -> Figure:
    """The centroids in the plane that shows most of their variance; each joined to the one truly nearest to it."""
    plane = measures.plane(data.centroids[best.k], best.sizes)
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
