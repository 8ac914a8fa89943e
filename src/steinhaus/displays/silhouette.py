"""Silhouettes measure how much nearer each point is to its own cluster than to the next one."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from sklearn.metrics import silhouette_samples

from steinhaus.displays.display import Display
from steinhaus.engines import distances
from steinhaus.errors import SteinhausError
from steinhaus.plots.style import ACCENT, MUTED
from steinhaus.points import Float64, Int32

Kind = Literal["exact", "centroid"]


class SilhouetteDisplay(Display):
    """The silhouette of every point, sorted within its cluster, and the mean of all. The title says the kind.

    Parameters
    ----------
    values
        (n,) float64 in -1..1, the silhouettes.
    labels
        (n,) int32, the cluster of each point.
    kind
        How the values were computed: "exact", from the distances of all pairs, or "centroid", from the distances to
        centroids.

    Examples
    --------
    >>> from steinhaus import KMeans
    >>> from steinhaus.displays import SilhouetteDisplay
    >>> X = [[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]]
    >>> display = SilhouetteDisplay.from_estimator(KMeans(2, init=[[1, 2], [10, 2]]).fit(X), X)
    >>> display.values.round(2).tolist()
    [1.0, 0.78, 0.78, 1.0, 0.78, 0.78]
    """

    def __init__(self, values: Float64, labels: Int32, kind: Kind) -> None:
        self.values, self.labels, self.kind = values, labels, kind

    @classmethod
    def from_estimator(cls, estimator: Any, X: ArrayLike, *, kind: Kind = "centroid", ax: Axes | None = None) -> Self:
        """Draw the silhouettes of rows in the clusters of a fitted estimator.

        Parameters
        ----------
        estimator
            A fitted estimator.
        X
            (n, n_features) the rows.
        kind
            "centroid" (default), from the distances to centroids, or "exact", from the distances of all pairs.
        ax
            The axes to draw on. Default: those of a new figure.
        """
        labels = estimator.predict(X)
        display = cls(silhouettes(X, labels, estimator.transform(X) if kind == "centroid" else None), labels, kind)
        display.plot(ax)
        return display

    @classmethod
    def from_study(cls, study: Any, k: int, *, kind: Kind = "centroid", ax: Axes | None = None) -> Self:
        """Draw the silhouettes of a study's training images.

        Parameters
        ----------
        study
            A `StudyResult` that has its images: it was run in this session.
        k
            The number of clusters.
        kind
            "centroid" (default), from the distances to centroids, or "exact", from the distances of all pairs.
        ax
            The axes to draw on. Default: those of a new figure.

        Raises
        ------
        SteinhausError
            If the study was loaded from its folder, without its images.
        """
        if study.images is None:
            raise SteinhausError("The study was loaded from its folder, without its images. Run it in this session.")
        rows, labels = np.asarray(study.points(study.images.train)), study.labels(k)
        measured = distances(rows, study.raw_centroids(k)) if kind == "centroid" else None
        display = cls(silhouettes(rows, labels, measured), labels, kind)
        display.plot(ax)
        return display

    def _draw(self, ax: Axes) -> None:
        place = 0
        for cluster in np.unique(self.labels):
            values = np.sort(self.values[self.labels == cluster])
            colour = ACCENT if cluster % 2 == 0 else MUTED
            ax.fill_betweenx(np.arange(place, place + len(values)), 0, values, color=colour, step="mid")
            ax.text(min(0.0, float(values[0])) - 0.02, place + len(values) / 2, str(cluster), ha="right", va="center")
            place += len(values)
        mean = float(self.values.mean())
        ax.axvline(mean, color="black", linestyle="--", linewidth=1, label=f"mean {mean:.3f}")
        ax.set(xlabel="silhouette", yticks=[], ylabel="points by cluster", title=f"Silhouettes, {TITLES[self.kind]}")
        ax.legend(frameon=False)


TITLES = {"exact": "exact: from the distances of all pairs", "centroid": "simplified: from the distances to centroids"}


def silhouettes(X: ArrayLike, labels: Int32, to_centroids: Float64 | None = None) -> Float64:
    """The silhouette of each row of X (n, d), (n,) float64 in -1..1.

    Without `to_centroids`, it is exact: the mean distances to all rows of each cluster, computed block by block by
    scikit-learn (P. J. Rousseeuw, J. Comput. Appl. Math. 20, 1987). The time grows with the square of n. With the
    (n, k) distances to the centroids, it is the simplified silhouette (E. R. Hruschka et al., 2004).

    Raises
    ------
    SteinhausError
        If all rows are in one cluster.
    """
    # in: labels (n,) int32; to_centroids (n, k) float64
    if len(np.unique(labels)) < 2:
        raise SteinhausError("Silhouettes need at least 2 clusters, but all points are in one.")
    if to_centroids is None:
        return np.asarray(silhouette_samples(X, labels), np.float64)
    own = np.take_along_axis(to_centroids, labels[:, np.newaxis], axis=1)[:, 0]
    others = to_centroids.astype(np.float64)
    np.put_along_axis(others, labels[:, np.newaxis], np.inf, axis=1)
    following = others.min(axis=1)
    larger = np.maximum(own, following)
    out: Float64 = np.divide(following - own, larger, out=np.zeros(len(own)), where=larger > 0)
    return out
