"""Points in parts: which part holds which point, and how the results of the parts are put together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from steinhaus.engines.exact import distances
from steinhaus.engines.exact.grid import Ranges
from steinhaus.engines.exact.totals import two_float
from steinhaus.engines.exact.weighing import Weights
from steinhaus.engines.exact.weighted_sums import weighed
from steinhaus.errors import DataError
from steinhaus.points import Float64, Grid, Int64, Tally, Totals

Far = tuple[Int64, Float64]  # (e, 2) points and their clusters, (e,) squared distances


class Sums(NamedTuple):
    """The totals of a part, not yet rounded."""

    sums: Int64  # (limbs, 1, d)
    squares: Fraction | int
    n: int
    weighted: Int64 | None = None  # (levels, 3, 4, d) squares by weight: see `limbs.squares_of`


class Layout:
    """Which part holds which points.

    A part is a range of consecutive rows of a source. Without `take` the points are all rows, in order. With `take`,
    point i is row take[i]. Parts without points are left out.

    Parameters
    ----------
    bounds
        (P + 1,) int64: the first row of each part, and the end of the last one.
    take
        (n,) int64, rows of the source, each at most once; None: all rows.
    """

    def __init__(self, bounds: Int64, take: Int64 | None = None) -> None:
        self._take = take
        if take is None:
            self.firsts, self.ends = bounds[:-1], bounds[1:]
            self._members = None
            self.sizes = self.ends - self.firsts
        else:
            part = np.searchsorted(bounds, take, side="right") - 1
            sizes = np.bincount(part, minlength=len(bounds) - 1)
            filled = sizes > 0
            self.firsts, self.ends, self.sizes = bounds[:-1][filled], bounds[1:][filled], sizes[filled]
            order = np.argsort(part, kind="stable")
            self._members = np.split(order, np.cumsum(self.sizes)[:-1])
        self.n = int(self.sizes.sum())

    def __len__(self) -> int:
        return len(self.sizes)

    def members(self, part: int) -> Int64:
        """The points of a part, (m,), ascending: their order in the part."""
        if self._members is None:
            return np.arange(self.firsts[part], self.ends[part])
        return self._members[part]

    def picks(self, part: int) -> Int64 | None:
        """The rows of a part that are its points, (m,), counted from the part's first row; None: all of them."""
        return None if self._take is None else self._take[self.members(part)] - self.firsts[part]

    def row(self, part: int, place: int) -> int:
        """The row of the source at a place of a part."""
        picks = self.picks(part)
        return int(self.firsts[part] + (place if picks is None else picks[place]))

    def source_rows(self, points: Int64) -> Int64:
        """The rows of the source that hold these points, (m,) -> (m,)."""
        return points if self._take is None else self._take[points]

    def locate(self, points: Int64) -> Iterator[tuple[int, Int64, Int64]]:
        """The parts that hold some of these points, (m,): part, indices into `points`, and places in the part."""
        rows = self.source_rows(points)
        parts = np.searchsorted(self.firsts, rows, side="right") - 1
        for part in np.unique(parts).tolist():
            which = np.flatnonzero(parts == part)
            yield part, which, np.searchsorted(self.members(part), points[which])


def added(parts: Iterable[Sequence[Tally]]) -> list[Tally]:
    """Add up the tallies of all parts, run by run. `farthest` is left out."""
    whole: list[Tally] = []
    for tallies in parts:
        if not whole:
            whole = [_copied(tally) for tally in tallies]
            continue
        for of_all, tally in zip(whole, tallies, strict=True):
            for level, of_part in zip((of_all, *of_all.finer), (tally, *tally.finer), strict=True):
                np.add(level.sums, of_part.sums, out=level.sums)
                np.add(level.counts, of_part.counts, out=level.counts)
    return whole


def _copied(tally: Tally) -> Tally:
    """A tally to add to."""
    finer = tuple(map(_copied, tally.finer))
    return Tally(tally.sums.copy(), tally.counts.copy(), finer=finer, digits=tally.digits)


def totals(parts: Sequence[Sums], grid: Grid, weights: Weights) -> Totals:
    """The totals of all points, from the totals of the parts. weights: of all points."""
    squares = two_float(sum((part.squares for part in parts), Fraction(0)))
    bare = Totals(np.sum([part.sums for part in parts], axis=0), squares, sum(part.n for part in parts))
    weighted = [part.weighted for part in parts if part.weighted is not None]
    return weighed(bare, weights, np.sum(weighted, axis=0), grid) if weighted else bare


def farthest(parts: Iterable[Far], wanted: int) -> Int64:
    """The farthest points of all, from the farthest points of each part.

    Returns (e, 2), e <= wanted: the points and their clusters, farthest first, ties to the lowest point.
    """
    pairs, measured = (np.concatenate(found) for found in zip(*parts, strict=True))
    order = np.argsort(pairs[:, 0])
    points, labels = pairs[order].T
    return distances.farthest(measured[order], labels, wanted, points)[0]


def chances(seed: int, points: Int64) -> Float64:
    """A random number in [0, 1) for each of some points, (m,) -> (m,).

    It depends on the seed and the number of the point alone, so that it is the same on every worker. The hash is that
    of SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, Fast splittable pseudorandom number generators, OOPSLA 2014).
    """
    z = points.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def empties(tallies: Sequence[Tally]) -> dict[int, int]:
    """Tallies with empty clusters: the place of the tally -> the number of its empty clusters."""
    found = ((place, int(np.count_nonzero(tally.empty))) for place, tally in enumerate(tallies))
    return {place: empty for place, empty in found if empty}


def checked(parts: Sequence[Ranges], layout: Layout, place: str) -> Ranges:
    """The ranges of all points; DataError if a value is not finite.

    place: the word for a row of the source in the message, as "row".
    """
    for part, ranges in enumerate(parts):
        if ranges.bad:
            row, column, value = ranges.bad
            raise DataError(
                f"Points must be finite, but {place} {layout.row(part, row)}, column {column} holds {value}. "
                "Remove the row, or replace the value."
            )
    whole = parts[0]
    for ranges in parts[1:]:
        whole += ranges
    return whole


def grouped(bounds: Int64, rows: int) -> Int64:
    """Bounds of ranges of at most `rows` rows. Small pieces of the source are put together, and larger ones are cut.

    bounds: (P + 1,) of the pieces -> (Q + 1,) of the ranges.
    """
    chosen = [0]
    for first, end in itertools.pairwise(bounds.tolist()):
        if end - chosen[-1] > rows and first > chosen[-1]:
            chosen.append(first)
        while end - chosen[-1] > rows:
            chosen.append(chosen[-1] + rows)
    return np.array([*chosen, int(bounds[-1])], np.int64)


def evened(bounds: Int64, wanted: int) -> Int64:
    """Bounds of `wanted` ranges of about the same size, of whole pieces of the source. Larger pieces are cut.

    bounds: (P + 1,) of the pieces -> (Q + 1,) of the ranges.
    """
    n = int(bounds[-1])
    places = grouped(bounds, -(-n // (8 * wanted)))
    nearest = [places[np.abs(places - n * part / wanted).argmin()] for part in range(1, wanted)]
    return np.unique([0, *nearest, n])
