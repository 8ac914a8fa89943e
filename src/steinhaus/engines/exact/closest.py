"""The nearest of some rows to each point, while k-means|| adds rows."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from steinhaus.engines.exact.float_sums import exact_sum
from steinhaus.engines.exact.parts import chances
from steinhaus.points import Float64, Int32, Int64, Points

_VALUES = 2**22  # distances in memory at once, about


class Closest:
    """The nearest row to each of n points, and its squared distance.

    Attributes
    ----------
    distances
        (n,) float64, infinite before the first row.
    labels
        (n,) int32, the number of the nearest row; ties go to the lowest.
    many
        The number of rows added so far.
    """

    def __init__(self, n: int, weights: Int64 | None) -> None:
        self.distances: Float64 = np.full(n, np.inf)
        self.labels: Int32 = np.zeros(n, np.int32)
        self.many = 0
        self._weights = weights

    def of(self, points: Int64) -> Closest:
        """The state of some points, (m,)."""
        some = Closest(len(points), None)
        some.distances[:], some.labels[:], some.many = self.distances[points], self.labels[points], self.many
        return some

    def put(self, points: Int64, some: Closest) -> None:
        """Replace the state of some points, (m,)."""
        self.distances[points], self.labels[points] = some.distances, some.labels

    def potential(self) -> Fraction:
        """The sum of all squared distances, each times its point's weight, exactly."""
        return exact_sum(self._costs())

    def drawn(self, factor: float, seed: int, numbers: Int64) -> Int64:
        """The points drawn, of these numbers, (n,): see `Nearest.draw`."""
        return numbers[chances(seed, numbers) < factor * self._costs()]

    def sizes(self) -> Int64:
        """The total weight of the points that are nearest to each row, (many,)."""
        counted = np.bincount(self.labels, self._weights, self.many)  # float64 holds sums of weights: below 2^53
        return counted.astype(np.int64)

    def _costs(self) -> Float64:
        return self.distances if self._weights is None else self.distances * self._weights


class NearestRows:
    """Implements `Nearest` for distances in this process.

    Parameters
    ----------
    n
        The number of points.
    rows
        Function: indices (m,) -> points (m, d) float64.
    update
        Function that gets all rows, (m, d), and the state after the first of them; it updates the state.
    few
        Function that makes points of rows, (m, d).
    weights
        (n,) the weights of the points; None: 1 each.
    """

    def __init__(
        self,
        n: int,
        rows: Callable[[Int64], Float64],
        update: Callable[[Float64, Closest], None],
        few: Callable[[Float64], Points],
        weights: Int64 | None,
    ) -> None:
        self._rows_of, self._update, self._few, self._rows = rows, update, few, np.empty((0, 0))
        self._numbers, self._closest = np.arange(n), Closest(n, weights)

    def add(self, indices: Int64) -> Fraction:
        """See `Nearest.add`."""
        more = self._rows_of(indices)
        self._rows = np.concatenate([self._rows, more]) if self._rows.size else more
        self._update(self._rows, self._closest)
        return self._closest.potential()

    def draw(self, factor: float, seed: int) -> Int64:
        """See `Nearest.draw`."""
        return self._closest.drawn(factor, seed, self._numbers)

    def sizes(self) -> Int64:
        """See `Nearest.sizes`."""
        return self._closest.sizes()

    def few(self) -> Points:
        """See `Nearest.few`."""
        return self._few(self._rows)


def by_distances(measure: Callable[[Float64, Float64], Float64], rows: Float64, closest: Closest) -> None:
    """Update the nearest of some rows, (m, d), by measuring distances, some rows at a time.

    measure: the squared distances of all points to rows, (m, d) -> (m, n), where they are below a limit, (n,): see
    `Points.squared_distances`.
    """
    step = max(1, _VALUES // len(closest.distances))
    for first in range(closest.many, len(rows), step):
        found = measure(rows[first : first + step], closest.distances)
        nearest = found.argmin(axis=0)
        least = found[nearest, np.arange(len(nearest))]
        nearer = least < closest.distances
        closest.distances[nearer], closest.labels[nearer] = least[nearer], first + nearest[nearer]
    closest.many = len(rows)
