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
from matplotlib.ticker import MaxNLocator

from steinhaus.report import files, words
from steinhaus.report.data import ReportData
from steinhaus.report.pictures import to_bytes
from steinhaus.study.record import BestRecord

INK, MUTED, ACCENT, SECOND = "#1c1e21", "#9aa0a8", "#0b5cad", "#c2570c"
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
        The files written: ``means-k010``, ``inertia-k010`` and, with labels, ``confusion-k010`` for each K, and
        ``across-k``.
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
        if best.train is not None:
            yield f"confusion-k{best.k:03d}", lambda b=best: confusion(data, b)  # type: ignore[misc]
    yield "across-k", lambda: across(data)


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
    figure = Figure(figsize=(1.15 * columns, 1.55 * rows + 0.45), layout="constrained")
    figure.suptitle(f"K = {best.k}: mean images", x=0.01, ha="left", fontsize=11)
    low, high = float(centroids.min()), float(centroids.max())
    for cell in range(rows * columns):
        ax = figure.add_subplot(rows, columns, cell + 1)
        ax.set_axis_off()
        if cell >= len(centroids):
            continue
        if data.is_image:
            ax.imshow(to_bytes(centroids[cell : cell + 1], 1.0)[0], cmap="gray", vmin=0, vmax=255)
        else:
            ax.plot(centroids[cell], color=ACCENT, linewidth=1)
            ax.set_ylim(low, high)
        name = label_of(data, best, cell)
        size = words.count(best.sizes[cell])
        ax.set_title(size if name is None else f"{_brief(name)}\n{size}", loc="center", fontsize=9)
    return figure


def _brief(name: str, longest: int = 14) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"


def inertia(data: ReportData, best: BestRecord) -> Figure:
    """Inertia of all runs of one K after each iteration."""
    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    ax = figure.add_subplot()
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
    figure = Figure(figsize=(8.4 if labelled else 4.4, 3.2), layout="constrained")
    ks = [b.k for b in best]
    left = figure.add_subplot(1, 2 if labelled else 1, 1)
    left.plot(
        [r.k for r in data.record.runs], [r.final_inertia for r in data.record.runs], "o", color=MUTED, markersize=3
    )
    left.plot(ks, [b.inertia for b in best], "-o", color=ACCENT)
    left.set_title("Inertia: every run, the best joined")
    left.yaxis.set_major_formatter("{x:,.10g}")
    _k_axis(left)
    if labelled:
        right = figure.add_subplot(1, 2, 2)
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


def confusion(data: ReportData, best: BestRecord) -> Figure:
    """Clusters x labels, counts of the training part, shaded by the share of the cluster."""
    assert best.train is not None
    table = np.array(best.train.confusion)
    k, n_labels = table.shape
    names = data.record.data.label_names or ()
    figure = Figure(figsize=(min(1.6 + 0.5 * n_labels, 20), min(1.0 + 0.3 * k, 24)), layout="constrained")
    ax = figure.add_subplot()
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_title(f"K = {best.k}: training images by cluster and label")
    ax.set_xlabel("label")
    ax.set_ylabel("cluster, and its label")
    small = max(k, n_labels) <= ANNOTATED
    if small:
        ax.set_xticks(range(n_labels), [_brief(words.clean(n)) for n in names])
        titles = [label_of(data, best, j) for j in range(k)]
        ax.set_yticks(range(k), [str(j) if t is None else f"{j}: {_brief(t)}" for j, t in enumerate(titles)])
        for j, i in np.argwhere(table > 0):
            colour = "white" if shares[j, i] > 0.55 else INK
            ax.text(i, j, words.count(int(table[j, i])), ha="center", va="center", fontsize=7, color=colour)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return figure
