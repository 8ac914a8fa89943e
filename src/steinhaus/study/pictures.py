"""Pictures of clusters of features: the mean picture of each cluster, and the pictures nearest to its centroid.

Distances are in the space of the features. Means are of the pictures' pixels, scaled to 0..1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
from numpy.typing import NDArray

from steinhaus.points import Float64, Int32, Int64
from steinhaus.signed import UnsignedError, pack, unpack
from steinhaus.study.record import DataRecord

if TYPE_CHECKING:
    from steinhaus.images import Images

NEAREST = 9  # per cluster: the medoid and the next ones
ROWS = 1024  # pictures per block
TYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}


@dataclass(frozen=True, eq=False)
class ClusterPictures:
    """The pictures of the clusters of the best run of one K.

    Attributes
    ----------
    means
        (k, *shape) float32, in 0..1; 0 for an empty cluster.
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
    images: Images, points: Any, labels: Mapping[int, Int32], centroids: Mapping[int, Float64], unit: float
) -> dict[int, ClusterPictures]:
    """The pictures of the clusters of each K, from one pass over the training part."""
    # in: points (n, d); labels (n,) int32 and centroids (k, d) float64 for each K
    starts = np.cumsum([0, *labels]).tolist()
    sums = np.zeros((starts[-1], int(np.prod(images.shape))))
    lengths = {k: np.empty(images.n) for k in labels}
    for first in range(0, images.n, ROWS):
        rows = slice(first, min(first + ROWS, images.n))
        pixels = np.asarray(images.pixels[rows]).reshape(rows.stop - first, -1)
        sums += _summed([of_k[rows] for of_k in labels.values()], starts, pixels)
        values = np.asarray(points[rows]).astype(np.float64)
        for k, of_k in labels.items():
            squares = np.square(values - centroids[k][of_k[rows]])
            lengths[k][rows] = np.sqrt(
                np.cumsum(squares, axis=1)[:, -1]
            )  # summed in order: the same bits with every NumPy
    return {
        k: _of(k, labels[k], sums[start : start + k], lengths[k] / unit, images)
        for k, start in zip(labels, starts[:-1], strict=True)
    }


def _summed(members: Sequence[Int32], starts: Sequence[int], pixels: NDArray[Any]) -> Float64:
    """The sum of the pictures of each cluster, (clusters, d), added in the order of the pictures: always the same bits.

    Sums of bytes are whole numbers below 2^24, which float32 holds.
    """
    # in: members (m,) int32 for each K; pixels (m, d)
    from scipy.sparse import csr_array

    clusters = np.concatenate([start + of_k for start, of_k in zip(starts, members, strict=False)])
    places = np.tile(np.arange(len(pixels)), len(members))
    kind = np.float32 if pixels.dtype == np.uint8 else np.float64
    chosen = csr_array((np.ones(len(clusters), kind), (clusters, places)), shape=(starts[-1], len(pixels)))
    return np.asarray(chosen @ pixels.astype(kind))


def _of(k: int, labels: Int32, sums: Float64, lengths: Float64, images: Images) -> ClusterPictures:
    # in: labels (n,) int32; sums (k, d) float64; lengths (n,) float64
    nearest = np.full((k, NEAREST), -1, np.int64)
    distances = np.full((k, NEAREST), np.inf)
    order = np.lexsort((lengths, labels))  # a stable sort: ties go to the lowest row
    sizes = np.bincount(labels, minlength=k)
    for cluster, end in enumerate(np.cumsum(sizes).tolist()):
        rows = order[end - sizes[cluster] : end][:NEAREST]
        nearest[cluster, : len(rows)] = rows
        distances[cluster, : len(rows)] = lengths[rows]
    means = sums / np.maximum(sizes, 1)[:, np.newaxis] / images.full_scale
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
