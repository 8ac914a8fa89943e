"""What a report is drawn from: the study's record, its centroids and, where they are at hand, the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from steinhaus.study.record import StudyRecord

Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """The images of one part of the data, train or test, in the study's order."""

    pixels: NDArray[Any]  # (n, h, w), (n, h, w, c) or (n, d): in units of the record's full scale
    labels: Int64 | None  # (n,) indices into the record's label names
    files: tuple[str, ...] | None = None  # a name for each image

    @property
    def n(self) -> int:
        """How many images."""
        return len(self.pixels)


@dataclass(frozen=True)
class ReportData:
    """Everything a page or a figure may show. What is None or missing is left out of it.

    Clusters are given for each K by the best run of that K, as are the centroids.
    """

    record: StudyRecord
    centroids: Mapping[int, Float64]  # K -> (K, *shape), pixels in 0..1
    train: Part | None = None
    test: Part | None = None
    train_clusters: Mapping[int, Int32] = field(default_factory=dict)  # K -> (n_train,)
    test_clusters: Mapping[int, Int32] = field(default_factory=dict)  # K -> (n_test,)
    run_centroids: Mapping[int, Float64] = field(default_factory=dict)  # K -> (restarts, K, *shape), for spreads
    seconds: Mapping[tuple[int, int], float] = field(default_factory=dict)  # (K, restart) -> time of that run

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image: (h, w), (h, w, c), or (d,) for vectors."""
        return self.record.data.shape

    @property
    def is_image(self) -> bool:
        """Whether the points are pictures; vectors are shown as profiles."""
        return len(self.shape) > 1


class ResultLike(Protocol):
    """What is read of a `StudyResult`."""

    @property
    def record(self) -> StudyRecord: ...  # noqa: D102
    @property
    def images(self) -> Any: ...  # noqa: D102
    def centroids(self, k: int) -> Float64: ...  # noqa: D102
    def labels(self, k: int) -> Int32: ...  # noqa: D102
    def test_labels(self, k: int) -> Int32 | None: ...  # noqa: D102


def from_result(result: ResultLike) -> ReportData:
    """The data of a finished study.

    Parameters
    ----------
    result
        A `StudyResult`. Without its images (a folder opened where the data is not), the report has no members to show.
    """
    ks = [b.k for b in result.record.best]
    split = result.images
    data = ReportData(result.record, {k: np.asarray(result.centroids(k), np.float64) for k in ks})
    if split is None:
        return data
    test = {k: labels for k in ks if (labels := result.test_labels(k)) is not None}
    return ReportData(
        data.record,
        data.centroids,
        _part(split.train),
        None if split.test is None else _part(split.test),
        {k: result.labels(k) for k in ks},
        test,
    )


def _part(images: Any) -> Part:
    return Part(images.pixels, images.labels, images.files)
