"""The data of a report: the study's record, its centroids and, if available, the images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import SteinhausError
from steinhaus.study.record import StudyRecord

Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

SAMPLE = 20_000  # images read from a set that stays on disk
SAMPLE_BYTES = 2**27  # most bytes of their pixels
LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".heic", ".heif", ".avif")
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Part:
    """The images of one part of the data, train or test, in the study's order."""

    pixels: NDArray[Any]  # (n, h, w), (n, h, w, c) or (n, d): in units of the record's full scale
    labels: Int64 | None  # (n,) indices into the record's label names
    files: tuple[str, ...] | None = None  # a name for each image
    index: Int64 | None = None  # (n,) rows of the images in the source; None: numbered within the part
    points: NDArray[Any] | None = None  # (n, d) the clustered features; None: the pixels are clustered

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.pixels)

    @property
    def numbers(self) -> Int64:
        """The numbers of the images, which serve as names if they have none."""
        return np.arange(self.n) if self.index is None else self.index


@dataclass(frozen=True)
class ReportData:
    """Everything that a page or a figure may show. Values that are None or missing are left out.

    For each K, clusters and centroids are those of the best run.
    """

    record: StudyRecord
    centroids: Mapping[int, Float64]  # K -> (K, *shape), pixels in 0..1; for features, the mean pictures
    train: Part | None = None
    test: Part | None = None
    train_clusters: Mapping[int, Int32] = field(default_factory=dict)  # K -> (n_train,)
    test_clusters: Mapping[int, Int32] = field(default_factory=dict)  # K -> (n_test,)
    run_centroids: Mapping[int, Float64] = field(default_factory=dict)  # K -> (runs, K, ...), for spreads
    seconds: Mapping[tuple[int, int], float] = field(
        default_factory=dict
    )  # (K, restart) -> seconds until that run ended
    refining_seconds: Mapping[int, float] = field(default_factory=dict)  # K -> seconds of refining
    flows: Sequence[Int64] = ()  # between neighbouring K: (K, next K), counts of training images
    feature_centroids: Mapping[int, Float64] = field(default_factory=dict)  # K -> (K, d), for a study of features
    medoids: Mapping[int, Sequence[NDArray[Any]]] = field(default_factory=dict)
    # K -> for each cluster, the pictures nearest to its centroid, (up to 9, *shape), nearest first

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image: (h, w), (h, w, c), or (d,) for vectors."""
        return self.record.data.shape

    @property
    def is_image(self) -> bool:
        """Whether the points are pictures. Vectors are shown as profiles."""
        return len(self.shape) > 1

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The column names of a table; None for other data."""
        return self.record.data.columns

    @property
    def parts(self) -> list[Part]:
        """The available parts, train then test."""
        return [p for p in (self.train, self.test) if p is not None]

    @property
    def n(self) -> int:
        """The number of available images, train and test."""
        return sum(p.n for p in self.parts)

    @property
    def n_train(self) -> int:
        """The number of available training images."""
        return self.train.n if self.train is not None else 0

    @property
    def is_sample(self) -> bool:
        """Whether only a sample of the study's images is available. The record is always about all of them."""
        return self.train is not None and self.n < self.record.data.n_train + self.record.data.n_test

    @property
    def labels(self) -> Int64 | None:
        """The label of every image, train then test; None if there are no labels."""
        known = [p.labels for p in self.parts if p.labels is not None]
        return np.concatenate(known) if known and len(known) == len(self.parts) else None

    @property
    def files(self) -> list[str] | None:
        """The file of every image, train then test; None if there are no files."""
        if not self.parts or any(p.files is None for p in self.parts):
            return None
        return [name for p in self.parts for name in p.files or ()]

    @property
    def numbers(self) -> Int64:
        """The row of every image in the source, train then test."""
        return np.concatenate([p.numbers for p in self.parts])

    @cached_property
    def _origin(self) -> Float64:
        """The middle of the centroids, (d,)."""
        centroids = next(iter((self.feature_centroids or self.centroids).values()))
        return np.asarray(centroids.reshape(len(centroids), -1).mean(axis=0))

    @property
    def measures_pixels(self) -> bool:
        """Whether distances are between unchanged pixels in 0..1, for which float32 is precise enough."""
        return self.is_image and self.record.data.scaling is None and self.record.data.features is None

    @property
    def shows_medoids(self) -> bool:
        """Whether a cluster is shown by the pictures nearest to its centroid, and not by its mean."""
        return bool(self.medoids)

    @property
    def is_lossy(self) -> bool:
        """Whether the pictures come from files with lossy compression, so lossy compression is fine here, too."""
        names = self.files or []
        return bool(names) and sum(name.lower().endswith(LOSSY) for name in names) * 2 > len(names)

    def measured(self, values: NDArray[Any]) -> NDArray[Any]:
        """Points (n, d), in the units of the centroids, brought to the scale of the study's distances.

        Vectors are float64, minus a common offset, so that they can be rounded to float32 afterwards.

        Parameters
        ----------
        values
            (n, d) points in the units of the centroids.
        """
        scaling, full = self.record.data.scaling, self.record.data.full_scale
        if self.measures_pixels:
            return values
        if scaling is None:
            return np.asarray(values - self._origin)
        return np.asarray((values * full - np.array(scaling.offset)) / np.array(scaling.step))

    def measured_centroids(self, k: int) -> Float64:
        """The centroids of a K, (K, d) float64, on the scale of `measured`.

        Parameters
        ----------
        k
            The number of clusters.
        """
        return self.measured((self.feature_centroids or self.centroids)[k].reshape(k, -1))

    def clusters(self, k: int) -> Int32:
        """The cluster of every image, train then test, (n,) int32.

        Parameters
        ----------
        k
            The number of clusters.
        """
        return np.concatenate([self.train_clusters[k]] + ([self.test_clusters[k]] if self.test is not None else []))


class ResultLike(Protocol):
    """The part of `StudyResult` that a report reads."""

    record: StudyRecord

    @property
    def images(self) -> Any: ...  # noqa: D102
    @property
    def seconds(self) -> Mapping[tuple[int, int], float]: ...  # noqa: D102
    @property
    def refining_seconds(self) -> Mapping[int, float]: ...  # noqa: D102
    def centroids(self, k: int, /) -> Float64: ...  # noqa: D102
    def run_centroids(self, k: int, /) -> Float64: ...  # noqa: D102
    def labels(self, k: int, /) -> Int32: ...  # noqa: D102
    def test_labels(self, k: int, /) -> Int32 | None: ...  # noqa: D102
    def mean_images(self, k: int, /) -> Float64: ...  # noqa: D102
    def medoids(self, k: int, /) -> Int64: ...  # noqa: D102
    def points(self, images: Any, /) -> Any: ...  # noqa: D102


def from_result(result: ResultLike, flows: Sequence[Int64] | None = None) -> ReportData:
    """The data of a study.

    Parameters
    ----------
    result
        A `StudyResult`. If it has no images (it was loaded from its folder), the report shows no members. If it is not
        finished, the report shows the finished runs. If its images stay on disk, the report uses a sample.
    flows
        As in `ReportData`, if they are known. Then assignments need not be read for a study without images.

    Raises
    ------
    SteinhausError
        If no run has finished yet.
    """
    record = result.record
    if not record.best:
        raise SteinhausError("The study has no finished run yet. Run the same command again to resume it.")
    if record.data.features is not None and not record.complete:
        raise SteinhausError(
            "The study clusters features and is not finished, so the pictures of its clusters are not known yet. Run "
            "the same command again to resume it."
        )
    ks = [b.k for b in record.best]
    if record.data.features is not None:
        return _of_features(result, ks, flows)
    centroids = {k: np.asarray(result.centroids(k), np.float64) for k in ks}
    run_centroids = {k: np.asarray(result.run_centroids(k), np.float64) for k in ks}
    data = ReportData(
        record,
        centroids,
        run_centroids=run_centroids,
        seconds=dict(result.seconds),
        refining_seconds=dict(result.refining_seconds),
        flows=_flows(result, ks) if flows is None else flows,
    )
    return _with_images(data, result, ks)


def _of_features(result: ResultLike, ks: Sequence[int], flows: Sequence[Int64] | None) -> ReportData:
    """The data of a study of features."""
    # in: flows (K, next K) int64 each
    centroids = {k: np.asarray(result.centroids(k), np.float64) for k in ks}
    data = ReportData(
        result.record,
        {k: result.mean_images(k) for k in ks},
        run_centroids={k: np.asarray(result.run_centroids(k), np.float64) for k in ks},
        seconds=dict(result.seconds),
        refining_seconds=dict(result.refining_seconds),
        flows=_flows(result, ks) if flows is None else flows,
        feature_centroids=centroids,
    )
    features, split = result.record.data.features, result.images
    if split is not None and features is not None and not features.shows_means:
        data = replace(data, medoids={k: _pictures(split.train, result.medoids(k)) for k in ks})
    return _with_images(data, result, ks)


def _pictures(train: Any, nearest: Int64) -> list[NDArray[Any]]:
    """The pictures of these rows (k, 9), for each cluster; fewer if the cluster has fewer."""
    return [np.asarray(train.pixels[rows[rows >= 0]]) for rows in nearest]


def _flows(result: ResultLike, ks: Sequence[int]) -> Sequence[Int64]:
    pairs = pairwise(ks) if result.record.complete else ()
    return [flow(result.labels(a), result.labels(b), a, b) for a, b in pairs]


def _with_images(data: ReportData, result: ResultLike, ks: Sequence[int]) -> ReportData:
    """The data with the study's images, if they are available and their clusters are known."""
    record, split = result.record, result.images
    if split is None or not record.complete:
        return data
    stored = hasattr(split.train.pixels, "source")
    each = split.train.pixels.nbytes // split.train.n
    share = min(1.0, min(SAMPLE, SAMPLE_BYTES // each) / (record.data.n_train + record.data.n_test)) if stored else 1.0
    of_points = None if record.data.features is None else result.points
    train, of_train = _part(split.train, split.train_index, share, of_points)
    test, of_test = (None, slice(None)) if split.test is None else _part(split.test, split.test_index, share, of_points)
    return replace(
        data,
        train=train,
        test=test,
        train_clusters={k: result.labels(k)[of_train] for k in ks},
        test_clusters={k: labels[of_test] for k in ks if (labels := result.test_labels(k)) is not None},
    )


def flow(a: Int32, b: Int32, k_a: int, k_b: int) -> Int64:
    """The number of images in each pair of clusters of two K: (k_a, k_b). a, b: (n,) int32."""
    return np.bincount(a.astype(np.int64) * k_b + b, minlength=k_a * k_b).reshape(k_a, k_b).astype(np.int64)


def _part(images: Any, index: Int64, share: float, of_points: Callable[[Any], Any] | None = None) -> tuple[Part, Any]:
    """The images of a part, or a share of them, read into memory, with their rows."""
    # in: index (n,) int64
    points = None if of_points is None else of_points(images)
    if share == 1.0:
        return Part(images.pixels[:], images.labels, images.files, index, points), slice(None)
    rows = spread(images.n, max(1, round(share * images.n)))
    labels = None if images.labels is None else images.labels[rows]
    files = None if images.files is None else tuple(images.files[row] for row in rows.tolist())
    points = None if points is None else np.asarray(points[rows])
    return Part(images.pixels[rows], labels, files, index[rows], points), rows


def spread(n: int, m: int) -> Int64:
    """About m of the numbers 0..n - 1, ascending, evenly spread without a period: multiples of the golden ratio."""
    return np.unique((np.modf(np.arange(1, m + 1) * GOLDEN)[0] * n).astype(np.int64))
