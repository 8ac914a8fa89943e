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
from steinhaus.points import Int64

_ANNOTATED = 30  # a table of more rows or columns shows shades without counts


class ConfusionDisplay(Display):
    """How many points of each label are in each cluster, shaded by the share of the cluster.

    Parameters
    ----------
    table
        (k, labels) counts.
    names
        The label of each column.
    """

    def __init__(self, table: Int64, names: Sequence[str]) -> None:
        self.table, self.names = table, names

    @classmethod
    def from_estimator(cls, estimator: Any, X: ArrayLike, y: ArrayLike, *, ax: Axes | None = None) -> Self:
        """Draw the clusters that a fitted estimator gives the rows of X against their labels y, (n,)."""
        names, indices = np.unique(np.asarray(y), return_inverse=True)
        table = confusion(indices, estimator.predict(X), len(estimator.cluster_centers_), len(names))
        display = cls(table, [str(name) for name in names])
        display.plot(ax)
        return display

    @classmethod
    def from_study(cls, study: Any, k: int, *, ax: Axes | None = None) -> Self:
        """Draw the best run of one K of a labelled study (a `StudyResult`), on its training part."""
        agreement = best_of(study.record, k).train
        if agreement is None:
            raise SteinhausError("The study's images have no labels to compare clusters with.")
        display = cls(np.array(agreement.confusion), list(study.record.data.label_names))
        display.plot(ax)
        return display

    def _draw(self, ax: Axes) -> None:
        shares = self.table / np.maximum(self.table.sum(axis=1, keepdims=True), 1)
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        if max(self.table.shape) <= _ANNOTATED:
            ax.set_xticks(range(len(self.names)), list(self.names))
            ax.set_yticks(range(len(self.table)))
            for cluster, label in np.argwhere(self.table > 0):
                colour = "white" if shares[cluster, label] > 0.55 else "black"
                text = f"{self.table[cluster, label]:,}"
                ax.text(label, cluster, text, ha="center", va="center", fontsize=7, color=colour)
        ax.set(xlabel="label", ylabel="cluster", title="Points by cluster and label")
