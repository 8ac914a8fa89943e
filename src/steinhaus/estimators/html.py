"""The view of a fitted estimator in a notebook: clusters, sizes and, for images, means, in less than 20 kB."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.points import Float64

MOST = 16  # clusters shown: the largest ones
SIDE = 32  # pixels per side; larger images are thinned out
_SMALLEST = 8  # features are taken as pixels only if they fill a square of at least this side
_LONGEST = 400  # characters of the parameters


def render(estimator: Any) -> str:
    """A fitted estimator as an HTML fragment, without script or external references.

    Everything that comes from a user is escaped.
    """
    labels = getattr(estimator, "labels_", None)  # a fit may leave them out
    k = len(estimator.cluster_centers_)
    sizes = np.zeros(k, np.int64) if labels is None else np.bincount(np.asarray(labels), minlength=k)
    order = np.argsort(-sizes, kind="stable")[:MOST]
    images = _images(np.asarray(estimator.cluster_centers_, np.float64)[order])
    cells = [
        f'<td style="text-align:center">{_picture(image)}{cluster}'
        f"{'' if labels is None else f'<br><small>{sizes[cluster]:,}</small>'}</td>"
        for cluster, image in zip(order.tolist(), images, strict=True)
    ]
    rows = "".join(f"<tr>{''.join(cells[first : first + 8])}</tr>" for first in range(0, len(cells), 8))
    rest = k - len(order)
    clusters = _counted(k, "cluster")
    points = "points that were not labelled" if labels is None else _counted(len(labels), "point")
    iterations = _counted(estimator.n_iter_, "iteration")
    facts = [
        f"{clusters} of {points}, {_counted(estimator.n_features_in_, 'feature')}",
        f"inertia {estimator.inertia_:,.6g} after {iterations}",
    ]
    if (reason := getattr(estimator, "stop_reason_", None)) is not None:
        facts.append(reason.value)
    text = repr(estimator)
    name = escape(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
    caption = "Clusters" if labels is None else "Clusters and their sizes"
    shown = "first" if labels is None else "largest"
    more = f"<p>The {len(order)} {shown} are shown; {rest:,} more are not.</p>" if rest else ""
    return (
        f'<div class="steinhaus"><pre style="margin:0">{name}</pre><p>{"<br>".join(map(escape, facts))}</p>'
        f'<table style="color:inherit"><caption style="white-space:nowrap">{caption}</caption>'
        f"{rows}</table>{more}</div>"
    )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _images(centroids: Float64) -> list[NDArray[np.uint8] | None]:
    """The centroids (k, d) as square images of 16 greys on one scale; None if the features do not fill a square."""
    side = math.isqrt(centroids.shape[1])
    if side * side != centroids.shape[1] or side < _SMALLEST:
        return [None] * len(centroids)
    low, high = float(centroids.min()), float(centroids.max())
    grey = (centroids / 2 - low / 2) * (30.0 / (high - low)) if high > low else np.zeros_like(centroids)
    stride = -(-side // SIDE)
    return list(np.rint(grey).astype(np.uint8).reshape(-1, side, side)[:, ::stride, ::stride])


def _picture(image: NDArray[np.uint8] | None) -> str:
    # in: image (h, w) uint8
    if image is None:
        return ""
    data = base64.b64encode(png(image)).decode()
    return f'<img alt="" width="56" style="image-rendering:pixelated" src="data:image/png;base64,{data}"><br>'


def png(image: NDArray[np.uint8]) -> bytes:
    """An image of 16 greys, (h, w) uint8 in 0..15, as a PNG file with four bits per pixel (W3C, PNG, 3rd ed., 2025)."""
    height, width = image.shape
    pairs = np.pad(image, ((0, 0), (0, width % 2)))
    rows = np.zeros((height, 1 + pairs.shape[1] // 2), np.uint8)  # every row begins with its filter, 0
    rows[:, 1:] = pairs[:, ::2] << 4 | pairs[:, 1::2]
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 4, 0, 0, 0, 0),
        b"IDAT": zlib.compress(rows.tobytes(), 9),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )
