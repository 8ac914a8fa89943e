"""Centroids as images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from steinhaus.displays.display import Display, best_of
from steinhaus.errors import SteinhausError
from steinhaus.plots.sheet import sheet


class CentroidsDisplay(Display):
    """The mean image of every cluster, or its medoid, under its number and size, on one sheet.

    Parameters
    ----------
    images
        (k, h, w) or (k, h, w, 3) of any real dtype and range. All are drawn on one scale.
    sizes
        (k,) int, the number of points in each cluster.
    kind
        What the images are: "Mean images" (the default) or "Medoids".

    Examples
    --------
    >>> from steinhaus import KMeans
    >>> from steinhaus.displays import CentroidsDisplay
    >>> X = [[0, 0, 0, 1], [0, 0, 0, 2], [8, 0, 0, 0], [9, 0, 0, 0]]
    >>> display = CentroidsDisplay.from_estimator(KMeans(2, init=[X[0], X[3]]).fit(X))
    >>> display.images.shape, display.sizes
    ((2, 2, 2), [2, 2])
    """

    def __init__(self, images: NDArray[Any], sizes: Sequence[int], kind: str = "Mean images") -> None:
        self.images, self.sizes, self.kind = images, sizes, kind

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, image_shape: tuple[int, ...] | None = None, ax: Axes | None = None
    ) -> Self:
        """Draw the centroids of a fitted estimator.

        Parameters
        ----------
        estimator
            A fitted estimator.
        image_shape
            The shape of the image in a row of X, (h, w) or (h, w, 3). Default: a square.
        ax
            The axes to draw on. Default: those of a new figure.

        Raises
        ------
        SteinhausError
            If the features do not fit that shape, or if the estimator was fitted without labels.
        """
        centers = estimator.cluster_centers_
        side = math.isqrt(centers.shape[1])
        shape = image_shape or (side, side)
        if math.prod(shape) != centers.shape[1]:
            raise SteinhausError(
                f"image_shape is {shape}, but there are {centers.shape[1]} features. Give the shape of one image."
            )
        if not hasattr(estimator, "labels_"):
            raise SteinhausError("The estimator has no labels_ to count. Fit it with compute_labels=True.")
        sizes = np.bincount(estimator.labels_, minlength=len(centers))
        display = cls(centers.reshape(-1, *shape), sizes.tolist())
        display.plot(ax)
        return display

    @classmethod
    def from_study(cls, study: Any, k: int, *, ax: Axes | None = None) -> Self:
        """Draw the best run of one K of a study of images.

        If the study clusters features that are not pixels and its images are at hand, medoids are drawn, as in the
        report.

        Parameters
        ----------
        study
            A `StudyResult`.
        k
            The number of clusters.
        ax
            The axes to draw on. Default: those of a new figure.

        Raises
        ------
        SteinhausError
            If the study clusters vectors without pictures, or if there is no such K.
        """
        images, kind = study.mean_images(k), "Mean images"
        features = study.record.data.features
        if features is not None and not features.shows_means and study.images is not None:
            images, kind = _medoids(study, k, images), "Medoids"
        if images.ndim < 3:
            raise SteinhausError(f"The study's points are vectors of {images.shape[1]} features, not images.")
        display = cls(images, best_of(study.record, k).sizes, kind)
        display.plot(ax)
        return display

    def _draw(self, ax: Axes) -> None:
        low, high = float(self.images.min()), float(self.images.max())
        images = (self.images - low) / (high - low) if high > low else np.zeros(self.images.shape)
        sheet(ax, images, [f"{cluster}: {size:,}" for cluster, size in enumerate(self.sizes)])
        ax.set_title(f"{self.kind}: cluster and size")


def _medoids(study: Any, k: int, means: NDArray[Any]) -> NDArray[Any]:
    """The picture nearest to each centroid, in 0..1; of an empty cluster its mean, which is black."""
    train, rows = study.images.train, study.medoids(k)[:, 0]
    pictures = [
        mean if row < 0 else train.pixels[row] / train.full_scale for mean, row in zip(means, rows, strict=True)
    ]
    return np.stack(pictures)
