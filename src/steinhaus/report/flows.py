"""How clusters split as K grows: the layout of the bands between neighbouring K, and their drawing as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from markupsafe import Markup

from steinhaus.report import words
from steinhaus.report.data import Float64, Int64
from steinhaus.report.svg import join, tag

HEIGHT = 460.0
TOP = 26.0
BAR = 8.0  # width of a cluster's bar
WIDTH = 1000.0  # from the first K to the last, if there is room
COLUMN = (150.0, 320.0)  # smallest and largest distance from one K to the next
MARGINS = (46.0, 90.0)  # left and right
SMALLEST = 0.005  # smaller shares of the images are not drawn; the limit falls for many clusters
PICTURE = 15.0  # a bar of this height has room for its mean image and its name
MOST_PICTURE = 34.0


class Cluster(Protocol):
    """The view of a cluster, such as `views.Card`."""

    @property
    def order(self) -> int: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def uri(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Column:
    """One K with its clusters, by number."""

    k: int
    clusters: Sequence[Cluster]


@dataclass(frozen=True)
class Bar:
    """A cluster. Its height is proportional to its size."""

    k: int
    number: int
    cluster: Cluster
    size: int
    left: float
    top: float
    height: float


@dataclass(frozen=True)
class Band:
    """The images that a cluster of one K shares with a cluster of the next K."""

    count: int
    start: Bar
    end: Bar
    y_start: float  # top of the band at its start
    y_end: float
    h_start: float  # width of the band at its start
    h_end: float


@dataclass(frozen=True)
class Layout:
    """The places of all bars and bands."""

    width: float
    columns: Sequence[Sequence[Bar]]
    bands: Sequence[Band]
    left_out: float  # largest share of the images, between two K, in bands that are too thin to draw


def layout(columns: Sequence[Column], tables: Sequence[Int64]) -> Layout:
    """The flow through all K. Each table counts the images of two neighbouring K, (K, next K) int64.

    The order of a K's clusters avoids crossings: each cluster is sorted by the mean height of its images in the K
    before.
    """
    n = int(tables[0].sum())
    step = min(max(WIDTH / (len(columns) - 1), COLUMN[0]), COLUMN[1])
    gap = min(8.0, 0.3 * HEIGHT / max(c.k for c in columns))
    sizes = [tables[0].sum(axis=1), *(table.sum(axis=0) for table in tables)]
    placed = [_bars(columns[0], sizes[0], MARGINS[0], gap, np.array([c.order for c in columns[0].clusters], float))]
    for i, table in enumerate(tables):
        middle = np.array([bar.top + bar.height / 2 for bar in placed[-1]])
        sources = (middle @ table) / np.maximum(table.sum(axis=0), 1)
        placed.append(_bars(columns[i + 1], sizes[i + 1], MARGINS[0] + (i + 1) * step, gap, sources))
    drawn, left_out = [], 0
    for (a, b), table in zip(pairwise(placed), tables, strict=True):
        smallest = SMALLEST * n * min(1.0, 12 / max(table.shape))
        bands = _bands(a, b, table)
        drawn += [band for band in bands if band.count >= smallest]
        left_out = max(left_out, sum(band.count for band in bands if band.count < smallest))
    return Layout(placed[-1][0].left + BAR + MARGINS[1], placed, drawn, left_out / n)


def _bars(column: Column, sizes: Int64, left: float, gap: float, sources: Float64) -> list[Bar]:
    """The bars of one K, by number, sorted vertically by `sources`. sizes, sources: (K,)."""
    heights = sizes / sizes.sum() * (HEIGHT - gap * (column.k - 1))
    order = np.argsort(sources, kind="stable")
    tops = np.empty(column.k)
    tops[order] = TOP + np.concatenate([[0.0], np.cumsum(heights[order] + gap)[:-1]])
    return [
        Bar(column.k, j, c, int(sizes[j]), left, float(tops[j]), float(heights[j]))
        for j, c in enumerate(column.clusters)
    ]


def _bands(a: Sequence[Bar], b: Sequence[Bar], table: Int64) -> list[Band]:
    """All bands between two K, stacked along the bars from the top. table: (K, next K)."""
    start, end = [bar.top for bar in a], [bar.top for bar in b]
    bands = []
    for i in sorted(range(len(a)), key=lambda i: a[i].top):
        for j in sorted(range(len(b)), key=lambda j: b[j].top):
            if count := int(table[i, j]):
                h = count / a[i].size * a[i].height, count / b[j].size * b[j].height
                bands.append(Band(count, a[i], b[j], start[i], end[j], *h))
                start[i] += h[0]
                end[j] += h[1]
    return bands


def draw(flow: Layout) -> Markup:
    """The flow as inline SVG, with titles for hovering."""
    pictured = {bar.k for bars in flow.columns for bar in bars if bar.cluster.uri and bar.height >= PICTURE}
    links = [_link(band, MOST_PICTURE + 6 if band.end.k in pictured else 0) for band in flow.bands]
    nodes = [_nodes(bars) for bars in flow.columns]
    label = f"How the clusters split: K = {words.ks([bars[0].k for bars in flow.columns])}"
    size = {"viewBox": f"0 0 {flow.width:g} {TOP + HEIGHT + 4:g}", "width": f"{flow.width:g}"}
    return tag("svg", *links, *nodes, **size, role="img", aria_label=label, class_="chart flow")


def _link(band: Band, room: float) -> Markup:
    """A band. It ends at the mean image of its target."""
    x0, x1 = band.start.left + BAR, band.end.left - room
    y0, y1, middle = band.y_start, band.y_end, (x0 + x1) / 2
    low0, low1 = y0 + band.h_start, y1 + band.h_end
    d = (
        f"M{x0:.1f},{y0:.1f}C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"
        f"V{low1:.1f}C{middle:.1f},{low1:.1f} {middle:.1f},{low0:.1f} {x0:.1f},{low0:.1f}z"
    )
    ends = [f"{bar.cluster.title} of K = {bar.k}" for bar in (band.start, band.end)]
    return tag("path", tag("title", f"{words.plural(band.count, 'image')}: {' → '.join(ends)}"), class_="link", d=d)


def _nodes(bars: Sequence[Bar]) -> Markup:
    """The bars of one K."""
    left = bars[0].left
    parts = [tag("text", f"K = {bars[0].k}", class_="title", x=left + BAR / 2, y=14, text_anchor="middle")]
    for bar in bars:
        inner = [
            tag("title", f"{bar.cluster.title} of K = {bar.k}: {words.plural(bar.size, 'image')}"),
            tag("rect", x=left, y=bar.top, width=BAR, height=max(bar.height, 1.0), rx=1.5),
        ]
        middle = bar.top + bar.height / 2
        if bar.height >= PICTURE:
            side = min(bar.height, MOST_PICTURE)
            if bar.cluster.uri:
                place = {"x": left - side - 4, "y": middle - side / 2, "width": side, "height": side}
                inner.append(tag("image", href=bar.cluster.uri, **place))
            inner.append(tag("text", words.brief(bar.cluster.name), class_="name", x=left + BAR + 5, y=middle + 4))
        parts.append(tag("g", *inner, class_="node", data_k=bar.k, data_cluster=bar.number))
    return join(parts)
