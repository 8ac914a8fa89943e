"""Clusters and labels: the label of each cluster, and scores of how well clusters and labels agree.

All is computed from one table of counts, `confusion`: clusters x labels. The scores have scikit-learn's definitions:
L. Hubert and P. Arabie, Comparing partitions, Journal of Classification 2, 1985 (ARI); A. Rosenberg and J. Hirschberg,
V-measure, EMNLP-CoNLL 2007 (homogeneity, completeness); N. X. Vinh, J. Epps, J. Bailey, JMLR 11, 2010 (NMI, with the
arithmetic mean). Sums are exact (whole numbers, or `math.fsum`). So neither the order of clusters nor the version of
NumPy changes a bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steinhaus.errors import SteinhausError
from steinhaus.points import Int64

Mapping = tuple[int | None, ...]  # the label of cluster 0, 1, ...; None: the cluster has no label


def majority_mapping(labels: ArrayLike, clusters: ArrayLike) -> tuple[dict[int, Any], NDArray[Any]]:
    """Name each cluster by the most frequent label of its points. Ties go to the lowest label.

    Parameters
    ----------
    labels
        (n,) whole numbers or strings: the true label of each point.
    clusters
        (n,) whole numbers of at least 0: the cluster of each point.

    Returns
    -------
    mapping
        The label of each cluster 0, 1, ... up to the last one with points; None for an empty cluster.
    predictions
        (n,) the label of each point's cluster, in the dtype of `labels`.

    Raises
    ------
    SteinhausError
        `labels` and `clusters` differ in length or are empty, or `clusters` are not whole numbers of at least 0.

    Examples
    --------
    >>> mapping, predictions = majority_mapping([7, 7, 1, 1, 1], [0, 0, 0, 1, 1])
    >>> mapping, predictions.tolist()
    ({0: 7, 1: 1}, [7, 7, 7, 1, 1])
    """
    labels, clusters = np.asarray(labels), np.asarray(clusters)
    if labels.ndim != 1 or labels.shape != clusters.shape or not labels.size:
        raise SteinhausError(
            f"labels and clusters must be two lists of one length, not empty; "
            f"their shapes are {labels.shape} and {clusters.shape}."
        )
    if clusters.dtype.kind not in "iu" or clusters.min() < 0:
        raise SteinhausError("clusters must be whole numbers of at least 0.")
    names, indices = np.unique(labels, return_inverse=True)
    chosen = majorities(confusion(indices, clusters, int(clusters.max()) + 1, len(names))).mapping
    mapping = {cluster: None if label is None else names[label].item() for cluster, label in enumerate(chosen)}
    predictions = names[[-1 if label is None else label for label in chosen]][clusters]
    return mapping, predictions


def confusion(labels: NDArray[np.integer], clusters: NDArray[np.integer], k: int, n_labels: int) -> Int64:
    """Count the points of each label in each cluster, (k, n_labels) int64.

    Parameters
    ----------
    labels
        (n,) indices of labels, below n_labels.
    clusters
        (n,) cluster of each point, below k.
    k, n_labels
        The size of the table.
    """
    cells = clusters.astype(np.int64) * n_labels + labels
    return np.bincount(cells, minlength=k * n_labels).reshape(k, n_labels).astype(np.int64)


@dataclass(frozen=True)
class Majority:
    """The majority of each cluster."""

    mapping: Mapping
    ties: tuple[int, ...]  # clusters with two or more most frequent labels; the lowest label was taken


def majorities(table: Int64) -> Majority:
    """The most frequent label of each cluster, from a table of counts, (k, labels). An empty cluster has none."""
    most = table.max(axis=1)
    mapping = tuple(int(label) if count else None for label, count in zip(table.argmax(axis=1), most, strict=True))
    shared = (table == most[:, None]).sum(axis=1)
    return Majority(mapping, tuple(np.flatnonzero((shared > 1) & (most > 0)).tolist()))


def one_to_one(table: Int64) -> Mapping:
    """The mapping of the highest accuracy that gives each label to at most one cluster. table: (k, labels).

    Empty clusters have no label, and if there are more clusters than labels, others have none, too. Method: H. W. Kuhn,
    The Hungarian method for the assignment problem, 1955 (SciPy's solver).
    """
    from scipy.optimize import linear_sum_assignment

    pairs = dict(zip(*(side.tolist() for side in linear_sum_assignment(table, maximize=True)), strict=True))
    return tuple(pairs.get(cluster) if table[cluster].any() else None for cluster in range(len(table)))


def accuracy(table: Int64, mapping: Sequence[int | None]) -> float:
    """The share of points whose cluster is mapped to their label. Points of clusters without a label count as wrong."""
    right = sum(int(table[cluster, label]) for cluster, label in enumerate(mapping) if label is not None)
    return right / int(table.sum())


def purity(table: Int64) -> float:
    """The share of points with the most frequent label of their cluster."""
    return int(table.max(axis=1).sum()) / int(table.sum())


def adjusted_rand(table: Int64) -> float:
    """The adjusted Rand index: agreement on pairs of points, corrected for chance; at most 1."""
    n = int(table.sum())
    both = _pairs(table.ravel().tolist())
    of_clusters = _pairs(table.sum(axis=1).tolist())
    of_labels = _pairs(table.sum(axis=0).tolist())
    if both == of_clusters == of_labels:
        return 1.0
    # (both - expected) / ((of_clusters + of_labels) / 2 - expected), expected = of_clusters * of_labels / pairs.
    # Both sides are multiplied by 2 pairs, so that numerator and denominator are whole numbers.
    pairs = n * (n - 1) // 2
    product = of_clusters * of_labels
    return 2 * (both * pairs - product) / ((of_clusters + of_labels) * pairs - 2 * product)


def _pairs(counts: Iterable[int]) -> int:
    return sum(count * (count - 1) // 2 for count in counts)


@dataclass(frozen=True)
class Information:
    """Scores by information theory, each in 0..1."""

    nmi: float  # mutual information, divided by the mean of the two entropies
    homogeneity: float  # 1: every cluster holds points of one label only
    completeness: float  # 1: all points of a label are in one cluster


def information(table: Int64) -> Information:
    """Normalised mutual information, homogeneity and completeness of a table of counts."""
    of_clusters, of_labels = table.sum(axis=1).tolist(), table.sum(axis=0).tolist()
    n = sum(of_labels)
    mutual = math.fsum(
        count / n * math.log(count * n / (of_clusters[cluster] * of_labels[label]))
        for cluster, row in enumerate(table.tolist())
        for label, count in enumerate(row)
        if count
    )
    mutual = max(mutual, 0.0)
    clusters, labels = _entropy(of_clusters, n), _entropy(of_labels, n)
    return Information(
        nmi=_share(mutual, (clusters + labels) / 2),
        homogeneity=_share(mutual, labels),
        completeness=_share(mutual, clusters),
    )


def _entropy(counts: list[int], n: int) -> float:
    return -math.fsum(count / n * math.log(count / n) for count in counts if count)


def _share(mutual: float, entropy: float) -> float:
    """Mutual information divided by an entropy; 1 if the entropy is 0."""
    return min(mutual / entropy, 1.0) if entropy > 0 else 1.0
