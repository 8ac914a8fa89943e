"""The images in a page: their choice, their sheets, and the numbers that the page's script needs.

A page in one file holds all images of a set of up to `ALL` images. Of a larger set, it holds a choice: for every
cluster of every K, the nearest, the farthest and the wrongly named images, and random images of the whole set. The
report as a folder holds all images of any set.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.report import pictures, words
from steinhaus.report.data import Int64, ReportData
from steinhaus.report.measures import Near
from steinhaus.report.pictures import Pixels
from steinhaus.study.record import BestRecord

ALL = 20_000  # images that one file holds without a choice
CHOSEN = 16_000  # about the number of images in a choice
RAW_BYTES = 64_000_000  # bytes of all tiles in one file, before compression
SIDES = (256, 128, 96, 64, 48, 32, 24, 16)  # pixels of a tile's longer side; the largest that fits is used
LOSSY_BYTES = 2_000_000  # bytes of all tiles in one file, for pictures with lossy compression
MOST_EACH = 96  # most images per list and cluster in a choice
COLUMNS = 8
SHEET_PIXELS = 2**17
SHEET_TILES = 32  # few, because a page in random order needs a sheet per image, and Chromium keeps 1,000 decoded sheets

Coded = tuple[NDArray[np.uint16], float]  # distances as integers, and the distance of one unit


@dataclass(frozen=True)
class Choice:
    """The choice of images in a page."""

    ids: Int64  # places in the data (train, then test); neighbours in a cluster share sheets
    random: NDArray[np.bool_]  # (m,) whether the image was drawn at random
    each: int | None  # images that each list is sure to have; None: all images


def choose(data: ReportData, near: dict[int, Near], codes: dict[int, Coded], most: int | None) -> Choice:
    """All images or, if there are more than `most`, a choice of about `CHOSEN`; `most` None: no limit."""
    n = data.n
    if most is None or n <= most:
        return Choice(_gathered(np.arange(n), near, codes), np.ones(n, np.bool_), None)
    labels = data.labels
    lists = 2 if labels is None else 3
    each = int(np.clip(CHOSEN * 2 // 3 // (lists * sum(near)), 3, MOST_EACH))
    taken = np.zeros(n, np.bool_)
    for best in data.record.best:
        wrong = None if labels is None else labels != _named(best)[near[best.k].clusters[:, 0]]
        for members in by_distance(near[best.k].clusters[:, 0], codes[best.k][0][:, 0], best.k):
            taken[members[:each]] = taken[members[-each:]] = True
            if wrong is not None:
                taken[members[wrong[members]][:each]] = True
    at_random = np.zeros(n, np.bool_)
    at_random[shuffled(n)[: max(CHOSEN - int(taken.sum()), CHOSEN // 4)]] = True
    ids = _gathered(np.flatnonzero(taken | at_random), near, codes)
    return Choice(ids, at_random[ids], each)


def _gathered(ids: Int64, near: dict[int, Near], codes: dict[int, Coded]) -> Int64:
    """Places (m,) sorted by their cluster in the smallest K, then in the next, and last by distance.

    Clusters mostly split as K grows, so the members of a cluster of any K are on few sheets, and near ones are
    together.
    """
    last = max(near)
    keys = [codes[last][0][ids, 0], *(near[k].clusters[ids, 0] for k in sorted(near, reverse=True))]
    return ids[np.lexsort(keys)]


def shuffled(n: int) -> Int64:
    """Places 0..n - 1 in the page's random order: a multiplicative hash (Knuth), as in the page's script."""
    return np.argsort(np.arange(1, n + 1, dtype=np.uint32) * np.uint32(2654435761), kind="stable")


def by_distance(clusters: NDArray[np.uint16], codes: NDArray[np.uint16], k: int) -> Iterator[Int64]:
    """Yield the members of each cluster, nearest first, ties by place, as in the page's script."""
    # in: clusters (n,) uint16; codes (n,) uint16
    order = np.lexsort((codes, clusters))
    ends = np.cumsum(np.bincount(clusters, minlength=k))
    yield from np.split(order, ends[:-1])


def coded(near: Near) -> Coded:
    """Distances as 16-bit integers, with the distance of one unit."""
    top = float(near.distances.max(initial=0.0)) or 1.0
    return np.rint(near.distances * np.float32(65535 / top)).astype(np.uint16), top / 65535


def _named(best: BestRecord) -> Int64:
    """The label of each cluster; -1 for an empty one."""
    return np.array([-1 if m is None else m for m in best.mapping or ()], np.int64)


@dataclass(frozen=True)
class Tiles:
    """The layout of images on sheets."""

    height: int
    width: int
    columns: int
    per_sheet: int
    reduced: bool  # whether tiles are smaller than the images
    quality: int | None = None  # of sheets with lossy compression; None: lossless


def tiles(data: ReportData, n: int, raw_bytes: int = RAW_BYTES) -> Tiles:
    """The largest tiles for n images within `raw_bytes` before compression, and within the limit for lossy ones."""
    height, width = data.shape[:2] if data.is_image else pictures.PROFILE
    channels = 3 if len(data.shape) > 2 and data.shape[2] >= 3 else 1
    qualities = pictures.QUALITIES if data.is_lossy else (None,)
    for side, quality in itertools.product(SIDES, qualities):
        h, w = pictures.fitted(height, width, side)
        fits = n * h * w * channels <= raw_bytes
        if fits and (n == 1 or quality is None or _lossy_bytes(data, n, side, quality) <= LOSSY_BYTES):
            break
    per_sheet = int(np.clip(SHEET_PIXELS // (h * w), 4, SHEET_TILES))
    columns = min(per_sheet, COLUMNS)
    return Tiles(h, w, columns, per_sheet // columns * columns, (h, w) != (height, width), quality)


def _lossy_bytes(data: ReportData, n: int, side: int, quality: int) -> float:
    """An estimate of the bytes of n tiles with this longer side, from a few of them."""
    ids = np.unique(np.linspace(0, data.n - 1, min(data.n, SHEET_TILES)).round().astype(np.int64))
    sheet = _laid_out(pictures.reduce(drawn(data, ids), side), COLUMNS)
    return len(pictures.webp(sheet, quality)) / len(ids) * n


def sheets(data: ReportData, ids: Int64, layout: Tiles) -> Iterator[Pixels]:
    """Yield sheets with the images of these places (m,), in order."""
    for start in range(0, len(ids), layout.per_sheet):
        shown = drawn(data, ids[start : start + layout.per_sheet])
        yield _laid_out(pictures.reduce(shown, max(layout.height, layout.width)), layout.columns)


def drawn(data: ReportData, ids: Int64) -> Pixels:
    """The images of these places (m,) as 8-bit pictures; vectors as profiles over the range of all vectors."""
    chosen = np.empty((len(ids), *data.shape), data.parts[0].pixels.dtype)
    start = 0
    for part in data.parts:
        here = (ids >= start) & (ids < start + part.n)
        chosen[here] = part.pixels[ids[here] - start]
        start += part.n
    if data.is_image:
        return pictures.to_bytes(chosen, data.record.data.full_scale)
    if data.columns is not None:  # each column has its own range
        lows = np.min([p.pixels.min(axis=0) for p in data.parts], axis=0).astype(np.float64)
        spans = np.max([p.pixels.max(axis=0) for p in data.parts], axis=0) - lows
        return pictures.profiles((chosen - lows) / np.where(spans > 0, spans, 1.0), 0.0, 1.0)
    ends = [(p.pixels.min(), p.pixels.max()) for p in data.parts]
    return pictures.profiles(chosen, float(min(low for low, _ in ends)), float(max(high for _, high in ends)))


def _laid_out(drawn: Pixels, columns: int) -> Pixels:
    """Tiles (n, h, w, ...) in rows of `columns`. The last row is filled up with black."""
    n, h, w = drawn.shape[:3]
    rows = -(-n // columns)
    filled = np.zeros((rows * columns, *drawn.shape[1:]), np.uint8)
    filled[:n] = drawn
    grid = filled.reshape(rows, columns, h, w, *drawn.shape[3:]).swapaxes(1, 2)
    return np.ascontiguousarray(grid.reshape(rows * h, columns * w, *drawn.shape[3:]))


def payload(
    data: ReportData,
    near: dict[int, Near],
    codes: dict[int, Coded],
    choice: Choice,
    layout: Tiles,
) -> dict[str, Any]:
    """The data of the script except the sheets: plain values, and arrays as base64 of little-endian integers."""
    ids, labels = choice.ids, data.labels
    files = data.files
    return {
        "total": data.n,
        "train": data.n_train,
        "sampled": data.is_sample,
        "each": choice.each,
        "tile": {
            "height": layout.height,
            "width": layout.width,
            "columns": layout.columns,
            "perSheet": layout.per_sheet,
        },
        "smooth": layout.reduced
        or layout.quality is not None
        or max(layout.height, layout.width) > 64
        or not data.is_image,
        "ids": packed(ids, "<u4"),
        "numbers": packed(data.numbers[ids], "<u4"),
        "random": None if choice.each is None else packed(choice.random, "u1"),
        "labels": None if labels is None else packed(labels[ids], "<u2"),
        "files": None if files is None else [words.clean(files[i]) for i in ids],
        "ks": [
            {
                "k": best.k,
                "near": packed(near[best.k].clusters[ids], "<u2" if best.k > 256 else "u1"),
                "distances": packed(codes[best.k][0][ids], "<u2"),
                "unit": codes[best.k][1],
                "nearest": near[best.k].clusters.shape[1],
            }
            for best in data.record.best
        ],
    }


def packed(values: NDArray[Any], dtype: str) -> str:
    """An array as base64 of little-endian integers, row by row."""
    # in: values of any shape
    return base64.b64encode(np.ascontiguousarray(values).astype(dtype).tobytes()).decode("ascii")
