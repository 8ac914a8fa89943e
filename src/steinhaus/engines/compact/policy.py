"""The limits of the compact engine. Each is measured, and none can change a result."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """Limits of the compact engine, as measured: docs/benchmarks.md, "Compact or screened"."""

    # Below this many features, all points are compact. From here on, the dense engine's screens in float32 are faster.
    features: int = 16
    # If K is known, points with at least this many features and centroids go to the dense engine, too.
    screened_features: int = 8
    screened_centroids: int = 64
    # If K is known, points with at most this many features and centroids are compact, for any number of points.
    middling_features: int = 64
    middling_centroids: int = 20
    # Up to this many values, points of any number of features are compact. To prepare them for screens would take
    # longer than it saves.
    values: int = 2**19
    # Up to this many products of values and centroids, or of features and centroids, `nearest` labels points of many
    # features here.
    products: int = 2**22
    width: int = 640
    # Up to this many centroids, points that are also added up are labelled here, because ranges are found in passing.
    added_centroids: int = 16
    # From this many points and centroids on, points of few features are ordered, and candidates are found by boxes.
    ordered_points: int = 4096
    ordered_centroids: int = 16
    # Products of values and centroids in a task, about 50 us.
    task: int = 2**18
    # Up to this many such products an iteration, a run advances on one thread, in one call. Threads need 50 us to meet.
    alone: int = 2**21
    # Up to this many, a step of refining is one call on one thread. Above, threads share each pass of a step.
    refined: int = 2**22
    # A run keeps gaps, and its points are ordered by their first labels, from this many products of values and
    # centroids on, with at least this many features and centroids, and with at most `gaps` products of points and
    # centroids.
    gap_products: int = 2**21
    gap_features: int = 12
    gap_centroids: int = 4
    gaps: int = 2**27
    # The most iterations of one call.
    at_once: int = 4096
    # The most iterations of restarts that are made in one call. The history of each takes 8 bytes an iteration.
    iterations: int = 1024


LIMITS = Limits()


def serves(n: int, d: int, k: int | None = None) -> bool:
    """Whether this engine should take (n, d) points; k: the centroids of a run, if known."""
    if k is not None and k >= LIMITS.screened_centroids and LIMITS.screened_features <= d < LIMITS.features:
        return n * d <= LIMITS.values
    few = d < LIMITS.features or n * d <= LIMITS.values
    return few or (k is not None and k <= LIMITS.middling_centroids and d <= LIMITS.middling_features)


def labels(n: int, d: int, k: int) -> bool:
    """Whether `nearest` should label (n, d) points by k centroids here."""
    return d < LIMITS.features or n * d * k <= LIMITS.products or d * k <= LIMITS.width


def labels_and_adds(n: int, d: int, k: int) -> bool:
    """Whether (n, d) points should be labelled by k centroids and added up here."""
    return labels(n, d, k) or k <= LIMITS.added_centroids


def ordered(n: int, d: int, k: int) -> bool:
    """Whether near points are put next to each other for k centroids."""
    return d < LIMITS.features and n >= LIMITS.ordered_points and k >= LIMITS.ordered_centroids


def compared(n: int, d: int, k: int) -> int:
    """The number of centroids, of k, that a point is compared with, about."""
    return min(k, 16 + k // 8) if ordered(n, d, k) else k


def gapped(n: int, d: int, k: int) -> bool:
    """Whether runs of k centroids remember the gaps of tiles."""
    pays = k >= LIMITS.gap_centroids and LIMITS.gap_products <= n * d * k
    return d >= LIMITS.gap_features and pays and n * k <= LIMITS.gaps


def step(d: int, k: int, points: int) -> int:
    """The number of tiles or boxes, of `points` points each, in a task; k: the rows that a point is compared with."""
    return max(1, LIMITS.task // (k * d * points))
