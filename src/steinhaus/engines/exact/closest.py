"""The nearest of some rows to each point, while rows are added: what k-means|| draws by."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from steinhaus.engines.exact.float_sums import exact_sum
from steinhaus.engines.exact.parts import chances
from steinhaus.points import Float64, Int32, Int64, Points

_VALUES = 2**22  # distances that are held at once, about


class Closest:
    """Of n points the nearest row each, and its squared distance.

    Attributes
    ----------
    distances
        (n,) float64, infinite before there are rows.
    labels
        (n,) int32, which of the rows it is: ties go to the one that came first.
    many
        How many rows there were so far.
    """

    def __init__(self, n: int, weights: Int64 | None) -> None:
        self.distances: Float64 = np.full(n, np.inf)
        self.labels: Int32 = np.zeros(n, np.int32)
        self.many = 0
        self._weights = weights

    def of(self, points: Int64) -> Closest:
        """What is known of some points, (m,)."""
        some = Closest(len(points), None)
        some.distances[:], some.labels[:], some.many = self.distances[points], self.labels[points], self.many
        return some

    def put(self, points: Int64, some: Closest) -> None:
        """Take back what is known of some points."""
        self.distances[points], self.labels[points] = some.distances, some.labels

    def potential(self) -> Fraction:
        """The sum of all squared distances, each times its point's weight, exactly."""
        return exact_sum(self._costs())

    def drawn(self, factor: float, seed: int, numbers: Int64) -> Int64:
        """The points, of these numbers, that are drawn: see `Nearest.draw`."""
        return numbers[chances(seed, numbers) < factor * self._costs()]

    def sizes(self) -> Int64:
        """What the points nearest to each row count for, (many,)."""
        counted = np.bincount(self.labels, self._weights, self.many)  # float64 holds sums of weights: below 2^53
        return counted.astype(np.int64)

    def _costs(self) -> Float64:
        return self.distances if self._weights is None else self.distances * self._weights


class NearestRows:
    """The nearest rows of points whose distances are kept here. See `Nearest` for the contract.

    Parameters
    ----------
    n
        How many points there are.
    rows
        Gives the points of some indices, (m, d) float64.
    update
        Is given all rows, (m, d), and what is known of the first of them; it brings that up to date.
    few
        Makes points of rows, (m, d), that are in memory.
    weights
        (n,) what points count for; None: 1 each.
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
    """Bring the nearest of some rows up to date by measuring distances, some rows at a time.

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
