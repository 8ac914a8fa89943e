"""Clusters against labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from steinhaus.displays.display import Display, best_of
from steinhaus.errors import SteinhausError
from steinhaus.naming import confusion
from steinhaus.plots.table import counts
from steinhaus.points import Int64


class ConfusionDisplay(Display):
    """The number of points of each label in each cluster, shaded by its share of the cluster.

    Parameters
    ----------
    table
        (k, number of labels) int64, the counts.
    names
        The label of each column.

    Examples
    --------
    >>> from steinhaus import KMeans
    >>> from steinhaus.displays import ConfusionDisplay
    >>> X = [[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]]
    >>> kmeans = KMeans(2, init=[[1, 2], [10, 2]]).fit(X)
    >>> display = ConfusionDisplay.from_estimator(kmeans, X, ["low", "low", "low", "high", "high", "low"])
    >>> display.names, display.table.tolist()
    (['high', 'low'], [[0, 3], [2, 1]])
    """

    def __init__(self, table: Int64, names: Sequence[str]) -> None:
        self.table, self.names = table, names

    @classmethod
    def from_estimator(cls, estimator: Any, X: ArrayLike, y: ArrayLike, *, ax: Axes | None = None) -> Self:
        """Draw the clusters that a fitted estimator predicts against labels.

        Parameters
        ----------
        estimator
            A fitted estimator.
        X
            (n, n_features) the rows to predict.
        y
            (n,) their labels.
        ax
            The axes to draw on. Default: those of a new figure.
        """
        names, indices = np.unique(np.asarray(y), return_inverse=True)
        table = confusion(indices, estimator.predict(X), len(estimator.cluster_centers_), len(names))
        display = cls(table, [str(name) for name in names])
        display.plot(ax)
        return display

    @classmethod
    def from_study(cls, study: Any, k: int, *, ax: Axes | None = None) -> Self:
        """Draw the best run of one K of a study, on its training part.

        Parameters
        ----------
        study
            A `StudyResult` whose images have labels.
        k
            The number of clusters.
        ax
            The axes to draw on. Default: those of a new figure.

        Raises
        ------
        SteinhausError
            If the images have no labels, or if there is no such K.
        """
        agreement = best_of(study.record, k).train
        if agreement is None:
            raise SteinhausError("The study's images have no labels to compare clusters with.")
        display = cls(np.array(agreement.confusion), list(study.record.data.label_names))
        display.plot(ax)
        return display

    def _draw(self, ax: Axes) -> None:
        if counts(ax, self.table):
            ax.set_xticks(range(len(self.names)), list(self.names))
            ax.set_yticks(range(len(self.table)))
        ax.set(xlabel="label", ylabel="cluster", title="Points by cluster and label")
