"""Four criteria for the number of clusters, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

from steinhaus.displays.display import Display
from steinhaus.displays.silhouette import silhouettes
from steinhaus.errors import SteinhausError
from steinhaus.plots.style import ACCENT


@dataclass
class KAdvice(Display):
    """Four criteria for the number of clusters K. They favour different shapes, and often disagree.

    Attributes
    ----------
    k
        The numbers of clusters, ascending. Each of the following lists has one value per K.
    inertia
        The inertia of the best restart, in squared units of X. It falls as K grows; look for a knee.
    silhouette
        The mean simplified silhouette, from distances to centroids. High is good.
    calinski_harabasz
        The spread between clusters over the spread within (T. Caliński and J. Harabasz, Communications in Statistics 3,
        1974). High is good.
    davies_bouldin
        The mean overlap of each cluster with the one it overlaps most (D. L. Davies and D. W. Bouldin, IEEE PAMI 1,
        1979). Low is good.

    Examples
    --------
    >>> from steinhaus import KMeans
    >>> from steinhaus.displays import KAdvice
    >>> X = [[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]]
    >>> advice = KAdvice.from_estimator([KMeans(k, random_state=0).fit(X) for k in (2, 3, 4)], X)
    >>> advice.favourites["silhouette"]
    2
    """

    k: list[int]
    inertia: list[float]
    silhouette: list[float]
    calinski_harabasz: list[float]
    davies_bouldin: list[float]

    @classmethod
    def from_estimator(cls, estimators: Iterable[Any], X: ArrayLike) -> Self:
        """Compare fitted estimators on the rows of X.

        Parameters
        ----------
        estimators
            Fitted estimators with at least three different n_clusters, each at least 2.
        X
            (n, d) the points to score on.

        Raises
        ------
        SteinhausError
            If there are fewer than three different n_clusters, or one is below 2.
        """
        ordered = sorted(estimators, key=lambda estimator: len(estimator.cluster_centers_))
        sizes = [len(estimator.cluster_centers_) for estimator in ordered]
        if len(set(sizes)) < 3 or sizes[0] < 2:
            raise SteinhausError(
                f"Advice needs at least three different numbers of clusters, each at least 2, but these are {sizes}."
            )
        advice = cls(sizes, [], [], [], [])
        for estimator in ordered:
            labels = estimator.predict(X)
            values = silhouettes(X, labels, estimator.transform(X))
            advice.inertia.append(float(-estimator.score(X)))
            advice.silhouette.append(float(values.mean()))
            advice.calinski_harabasz.append(float(calinski_harabasz_score(X, labels)))
            advice.davies_bouldin.append(float(davies_bouldin_score(X, labels)))
        return advice

    @property
    def favourites(self) -> dict[str, int]:
        """The best K for each criterion, as a dict: name of the criterion -> K."""
        return {
            "knee": self.k[self._knee()],
            "silhouette": self.k[int(np.argmax(self.silhouette))],
            "Calinski-Harabasz": self.k[int(np.argmax(self.calinski_harabasz))],
            "Davies-Bouldin": self.k[int(np.argmin(self.davies_bouldin))],
        }

    def __str__(self) -> str:
        """The table, and whether the criteria agree."""
        rows = [f"{'K':>5} {'inertia':>12} {'silhouette':>11} {'Calinski-H.':>12} {'Davies-B.':>10}"]
        rows += [
            f"{k:>5} {cost:>12.5g} {silhouette:>11.3f} {ch:>12.5g} {db:>10.3f}"
            for k, cost, silhouette, ch, db in zip(
                self.k, self.inertia, self.silhouette, self.calinski_harabasz, self.davies_bouldin, strict=True
            )
        ]
        told = ", ".join(f"{name} K = {k}" for name, k in self.favourites.items())
        agree = len(set(self.favourites.values())) == 1
        verdict = "All four favour the same K" if agree else "The criteria disagree"
        return "\n".join([*rows, f"{verdict}: {told}. Look at the clusters before you choose."])

    def _knee(self) -> int:
        """The index where inertia is farthest below its chord, both axes in 0..1 (V. Satopää et al., Kneedle, 2011)."""
        along = (np.array(self.k) - self.k[0]) / (self.k[-1] - self.k[0])
        drop = self.inertia[0] - self.inertia[-1]
        fallen = (self.inertia[0] - np.array(self.inertia)) / drop if drop > 0 else along
        return int(np.argmax(fallen - along))

    def _draw(self, ax: Axes) -> None:
        panels = {
            "inertia (knee)": (self.inertia, "knee"),
            "silhouette": (self.silhouette, "silhouette"),
            "Calinski-Harabasz": (self.calinski_harabasz, "Calinski-Harabasz"),
            "Davies-Bouldin": (self.davies_bouldin, "Davies-Bouldin"),
        }
        ax.set_axis_off()
        agree = len(set(self.favourites.values())) == 1
        ax.set_title("Four criteria for K: " + ("they agree" if agree else "they disagree"))
        for place, (title, (values, name)) in enumerate(panels.items()):
            panel = ax.inset_axes((0.54 * (place % 2), 0.55 * (1 - place // 2), 0.44, 0.36))
            panel.plot(self.k, values, "-o", color=ACCENT, markersize=3)
            favourite = self.favourites[name]
            panel.axvline(favourite, color="black", linestyle="--", linewidth=1)
            panel.set_title(f"{title}: K = {favourite}", fontsize=9)
            panel.tick_params(labelsize=7)
