"""Pictures of clusters of features: the mean picture of each cluster, and the pictures nearest to its centroid.

Distances are in the space of the features. Means are of the pictures' pixels, scaled to 0..1; pictures count by their
weights, as they do in centroids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
from numpy.typing import NDArray

from steinhaus import engines
from steinhaus.points import Float64, Int32, Int64
from steinhaus.signed import UnsignedError, pack, unpack
from steinhaus.study.record import DataRecord

if TYPE_CHECKING:
    from steinhaus.images import Images

NEAREST = 9  # of each cluster: its medoid, and the next ones
VALUES = 1 << 23  # of pictures and points that are held at once, about
TYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}


@dataclass(frozen=True, eq=False)
class ClusterPictures:
    """The pictures of the clusters of the best run of one K.

    Attributes
    ----------
    means
        (k, *shape) float32, in 0..1, by weight; 0 of a cluster in which nothing counts.
    nearest
        (k, 9) int64, rows of the training part, nearest to the centroid first, ties to the lowest row. -1 if a cluster
        has no more pictures. The first is the medoid.
    distances
        (k, 9) float64, distances to the centroid in units of the features; infinite if there is no picture.
    """

    means: NDArray[np.float32]
    nearest: Int64
    distances: Float64


def found(
    images: Images,
    points: Any,
    labels: Mapping[int, Int32],
    centroids: Mapping[int, Float64],
    unit: float,
    threads: int | None = None,
) -> dict[int, ClusterPictures]:
    """The pictures of the clusters of each K, by one pass over the training part."""
    width = int(np.prod(images.shape))
    weights = (
        np.ones(images.n) if images.weights is None else np.ldexp(images.weights, -np.frexp(images.weights.max())[1])
    )
    sums = {k: np.zeros((k, width)) for k in labels}
    lengths = {k: np.empty(images.n) for k in labels}
    step = max(1, VALUES // (width + int(points.shape[1])))
    for first in range(0, images.n, step):
        rows = slice(first, min(first + step, images.n))
        pixels = np.ascontiguousarray(images.pixels[rows]).reshape(-1, width)
        values = np.ascontiguousarray(points[rows])
        for k, of_k in labels.items():
            engines.add_members(sums[k], pixels, of_k[rows], weights[rows], threads=threads)
            lengths[k][rows] = engines.distances_to_own(values, of_k[rows], centroids[k], threads=threads)
    return {k: _of(k, labels[k], weights, sums[k], lengths[k] / unit, images) for k in labels}


def _of(k: int, labels: Int32, weights: Float64, sums: Float64, lengths: Float64, images: Images) -> ClusterPictures:
    nearest = np.full((k, NEAREST), -1, np.int64)
    distances = np.full((k, NEAREST), np.inf)
    order = np.lexsort((lengths, labels))  # a stable sort: ties go to the lowest row
    sizes = np.bincount(labels, minlength=k)
    for cluster, end in enumerate(np.cumsum(sizes).tolist()):
        rows = order[end - sizes[cluster] : end][:NEAREST]
        nearest[cluster, : len(rows)] = rows
        distances[cluster, : len(rows)] = lengths[rows]
    total = np.bincount(labels, weights, k)
    means = sums / np.where(total > 0, total, 1.0)[:, np.newaxis] / images.full_scale
    return ClusterPictures(means.reshape(k, *images.shape).astype(np.float32), nearest, distances)


def encode(pictures: ClusterPictures, study: str, k: int) -> bytes:
    """The bytes of the file."""
    arrays: dict[str, NDArray[Any]] = {
        "means": pictures.means,
        "nearest": pictures.nearest,
        "distances": pictures.distances,
    }
    return pack(arrays, {"study": study, "k": k})


def decode(data: bytes, study: str, k: int, record: DataRecord) -> ClusterPictures:
    """The pictures from a file; ValueError if they are not those of this study and K."""
    try:
        arrays, about = unpack(data, TYPES)
    except (UnsignedError, safetensors.SafetensorError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is not a safetensors file of a study ({error})") from error
    if about.get("study") != study or about.get("k") != k:
        raise ValueError("it belongs to another study, or to another K")
    shapes = {"means": (k, *record.shape), "nearest": (k, NEAREST), "distances": (k, NEAREST)}
    if arrays.keys() != shapes.keys() or any(arrays[name].shape != shape for name, shape in shapes.items()):
        raise ValueError("an array is missing or has another shape")
    nearest = arrays["nearest"]
    if nearest.dtype != np.int64 or nearest.min() < -1 or nearest.max() >= record.n_train:
        raise ValueError("it names a picture that does not exist")
    if not np.isfinite(arrays["means"]).all():
        raise ValueError("its means hold NaN or infinity")
    return ClusterPictures(arrays["means"], nearest, arrays["distances"])
