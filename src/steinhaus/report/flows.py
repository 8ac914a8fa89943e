"""How clusters split as K grows: a flow between neighbouring K as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from steinhaus.report import words
from steinhaus.report.data import Int32, Int64
from steinhaus.report.measures import flow
from steinhaus.report.svg import join, tag
from steinhaus.report.views import Card

HEIGHT = 460.0
TOP = 26.0
BAR = 8.0  # width of a cluster's bar
WIDTH = 1000.0  # from the first K to the last, if there is room for it
COLUMN = (150.0, 320.0)  # from one K to the next: at least and at most
SMALLEST = 0.005  # flows of a smaller share of the images are left out, of many clusters of a yet smaller one
PICTURE = 15.0  # a bar this high has room for its mean image and its name
MOST_PICTURE = 34.0


@dataclass(frozen=True)
class Column:
    """One K: its clusters, by number."""

    k: int
    clusters: Int32  # (n,) of each training image
    cards: Sequence[Card]


def splits(columns: Sequence[Column]) -> tuple[Markup, float]:
    """The flow through all K, and the share of images in flows too small to draw.

    The clusters of each K stand in an order that keeps flows from crossing: each at the mean height of where its images
    come from.
    """
    n = len(columns[0].clusters)
    gap = min(8.0, 0.3 * HEIGHT / max(c.k for c in columns))
    flows = [flow(a.clusters, b.clusters, a.k, b.k) for a, b in pairwise(columns)]
    tops = _places(columns, flows, gap, n)
    step = min(max(WIDTH / (len(columns) - 1), COLUMN[0]), COLUMN[1])
    lefts = [46 + i * step for i in range(len(columns))]
    width = lefts[-1] + BAR + 90
    links, bars, left_out = [], [], 0
    for i, table in enumerate(flows):
        shown, lost = _links(columns[i : i + 2], table, tops[i : i + 2], (lefts[i], lefts[i + 1]))
        links.append(shown)
        left_out = max(left_out, lost)
    for i, column in enumerate(columns):
        bars.append(_bars(column, tops[i], lefts[i]))
    label = f"How the clusters split: K = {words.ks([c.k for c in columns])}"
    picture = tag(
        "svg", *links, *bars, viewBox=f"0 0 {width:g} {TOP + HEIGHT + 4:g}", width=f"{width:g}", role="img",
        aria_label=label, class_="chart flow",
    )  # fmt: skip
    return picture, left_out / n


def _heights(column: Column, gap: float, n: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    sizes = np.bincount(column.clusters, minlength=column.k)
    return sizes / n * (HEIGHT - gap * (column.k - 1))


def _places(columns: Sequence[Column], flows: Sequence[Int64], gap: float, n: int) -> list[list[tuple[float, float]]]:
    """Top and height of every cluster's bar."""
    places: list[list[tuple[float, float]]] = []
    for i, column in enumerate(columns):
        heights = _heights(column, gap, n)
        if i == 0:
            order = np.array(sorted(range(column.k), key=lambda j: (column.cards[j].order, j)))
        else:
            middle = np.array([top + height / 2 for top, height in places[-1]])
            into = flows[i - 1]
            order = np.argsort((middle @ into) / np.maximum(into.sum(axis=0), 1), kind="stable")
        tops = np.empty(column.k)
        tops[order] = TOP + np.concatenate([[0.0], np.cumsum(heights[order] + gap)[:-1]])
        places.append(list(zip(tops.tolist(), heights.tolist(), strict=True)))
    return places


def _links(
    pair: Sequence[Column], table: Int64, places: Sequence[list[tuple[float, float]]], lefts: tuple[float, float]
) -> tuple[Markup, int]:
    """The bands between two K, and how many images go in bands left out."""
    a, b = pair
    start = [top for top, _ in places[0]]
    end = [top for top, _ in places[1]]
    smallest = SMALLEST * int(table.sum()) * min(1.0, 12 / max(a.k, b.k))
    x0, x1 = (
        lefts[0] + BAR,
        lefts[1]
        - (
            MOST_PICTURE + 6 if any(c.uri and h >= PICTURE for c, (_, h) in zip(b.cards, places[1], strict=True)) else 0
        ),
    )
    middle = (x0 + x1) / 2
    drawn, lost = {}, 0
    unit_a = [h / max(int(s), 1) for (_, h), s in zip(places[0], table.sum(axis=1), strict=True)]
    unit_b = [h / max(int(s), 1) for (_, h), s in zip(places[1], table.sum(axis=0), strict=True)]
    for i in sorted(range(a.k), key=lambda i: places[0][i][0]):
        for j in sorted(range(b.k), key=lambda j: places[1][j][0]):
            if (count := int(table[i, j])) == 0:
                continue
            h0, h1 = count * unit_a[i], count * unit_b[j]
            if count >= smallest:
                y0, y1 = start[i], end[j]
                d = (
                    f"M{x0:.1f},{y0:.1f}C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"
                    f"v{h1:.1f}C{middle:.1f},{y1 + h1:.1f} {middle:.1f},{y0 + h0:.1f} {x0:.1f},{y0 + h0:.1f}z"
                )
                title = (
                    f"{words.count(count)} images: {a.cards[i].title} of K = {a.k} → {b.cards[j].title} of K = {b.k}"
                )
                drawn[i, j] = tag("path", tag("title", title), class_="link", d=d)
            else:
                lost += count
            start[i] += h0
            end[j] += h1
    return join(list(drawn.values())), lost


def _bars(column: Column, places: list[tuple[float, float]], left: float) -> Markup:
    parts = [tag("text", f"K = {column.k}", class_="title", x=left + BAR / 2, y=14, text_anchor="middle")]
    for j, (top, height) in enumerate(places):
        size = int(np.count_nonzero(column.clusters == j))
        inner = [
            tag("title", f"{column.cards[j].title} of K = {column.k}: {words.plural(size, 'image')}"),
            tag("rect", x=left, y=top, width=BAR, height=max(height, 1.0), rx=1.5),
        ]
        middle = top + height / 2
        if height >= PICTURE:
            side = min(height, MOST_PICTURE)
            if column.cards[j].uri:
                inner.append(
                    tag(
                        "image",
                        href=column.cards[j].uri,
                        x=left - side - 4,
                        y=middle - side / 2,
                        width=side,
                        height=side,
                    )
                )
            inner.append(tag("text", _short(column.cards[j].name), class_="name", x=left + BAR + 5, y=middle + 4))
        parts.append(tag("g", *inner, class_="node", data_k=column.k, data_cluster=j))
    return join(parts)


def _short(name: str, longest: int = 12) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"
