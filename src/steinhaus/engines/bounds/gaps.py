"""Gaps: bounds for whole tiles, kept from pass to pass, and how much a step of the centroids lowers them.

If the points of a tile are near each other, most centroids cannot be nearest to any of them. A tile records a gap for
centroid j whenever its bounds for j are computed: the best score of every lane exceeds s_j by at least the gap. Then
the centroids take steps. At each step, s_j rises by at most the bound of `step_bound` for the tile's largest |y|. The
best score of any lane falls by at most the largest fall among the labels in the tile. While the gap is greater than
the sum of all rises and falls, j is no candidate for any lane.

This is Elkan's lower bound (C. Elkan, Using the triangle inequality to accelerate k-means, ICML 2003), in scores
instead of distances, and for tiles instead of points. It takes T x K numbers, and its loops stay dense.

In float32. Let size be at least the largest |y| of a tile's lanes. The tile and a centroid have three sums over all
steps: travelled, of the centroid's lengths; risen, of its rises; and fallen, of the greatest size length + fall among
the labels present, or 0. Let S = size travelled + risen + fallen. A gap g at step R is recorded as G = g + S_R, less a
slack. At a step T > R the centroid is no candidate if G > S_T. It must follow that g > D, the exact sum of size length
+ rise + fall over the steps after R up to T. Write M for size travelled + |risen| + fallen, and m for size length +
|rise| + fall.

1. A step. Length, rise and fall are rounded to the nearest float32, and size length + fall is rounded once or twice.
   These roundings take less than the two `SLACK` in a length, and less than the 4 u |turned| in a rise or a fall.
   `TINY` keeps a length from underflow, and a rise exceeds its exact bound by `TINY`.
2. A sum. `accumulated` adds total, step and 16 u of |total| and |step| in some order. Three roundings of partial sums
   below 1.001 (|total| + |step|) take at most 3.1 u of these, so that more than 12 u are left. Hence S_t - S_(t - 1) >=
   size length + rise + fall + 12 u (M_(t - 1) + m_t), while M_t <= (1 + 20 u) (M_(t - 1) + m_t). Over all steps,
   S_T - S_R >= D + 6 u M_R + 5.9 u M_T. If there is one step, its 12 u contain both terms. If there are several, the
   first step's contain 6 u M_R, and the last step's contain 5.9 u M_T.
3. A comparison. A product and two sums, fused or not, take at most 3.1 u M from S.
4. A record. G = g + S_R - 16 u (|g| + |S_R|), with S_R as in 3, by three more sums. So, exactly, G <= g + S_R +
   3.1 u M_R.

If G > S_T as computed, g > S_T - S_R - 3.1 u M_R - 3.1 u M_T >= D. This holds for any ratio of S to g, and for any
number of steps. An underflow takes 2^-149, or 2^-126 if subnormal numbers are flushed to 0: less than the `TINY` of the
rise. A sum that overflows is infinite or not a number. Then G > S is false, and the centroid stays a candidate.

Second nearest. By 2 to 4, every lane's best score exceeds s_j by at least G - S_T, and by 2.9 u M more, which covers
the rounding in float64. Squared distances differ by twice as much. Let every lane have a centroid, other than its
nearest, that is farther than the nearest by at most `spared`. If 2 (G - S_T) > spared, j is farther from every lane
than that centroid. The floor of G covers the rounding of the distances to j and to the nearest centroid, and of
`spared`, as in any gap.
"""

from __future__ import annotations

from steinhaus.engines.bounds.rounding import SLACK, TINY, UNIT32
from steinhaus.engines.bounds.scores import Rates
from steinhaus.jit.build import inlined
from steinhaus.jit.types import Number, boolean, f32, f64

SURPLUS = 2.0**-20  # 16 u


@inlined
def step_bound(moved: f64, turned: f64, scale: f64, rates: Rates) -> tuple[f64, f64, f64]:
    """The most that a score can change if its centroid takes a step: |y| size + rise up, and |y| size + fall down.

    For a step from f to e, s_j - s_j(before) = y . (e_j - f_j) - (|e_j|^2 - |f_j|^2) / 2. The second term is
    (e_j + f_j) . (e_j - f_j) / 2. Float64's floor covers the rounding of the terms, and that of settling j.

    moved: |e_j - f_j|. turned: (e_j + f_j) . (e_j - f_j) / 2. scale: |e_j| + |f_j|. Returns size, rise and fall.
    """
    slack = abs(turned) * 4.0 * UNIT32 + 4.0 * rates.exact * scale * scale + TINY
    return moved * SLACK * SLACK + TINY, slack - turned, slack + turned


@inlined
def gap(difference: Number) -> Number:
    """At most the least of some differences, from the least of them as computed: one gap, or several.

    Rounding is monotone. So the least difference as computed is the least one, rounded once. It is off by u of itself.
    """
    return difference - abs(difference) * SURPLUS


@inlined
def accumulated(total: f32, step: f32) -> f32:
    """A sum of steps with one more step. It exceeds total + step by at least 12 u (|total| + |step|)."""
    return total + step + SURPLUS * (abs(total) + abs(step))


@inlined
def second_is_open(gap: f64, since: f64, spared: f64) -> boolean:
    """Whether a centroid can be second nearest in a tile. gap: G; since: S_T, in float64."""
    return not 2.0 * (gap - since) > spared


@inlined
def recorded(gap: Number, size: f32, travelled: Number, risen: Number, fallen: f32) -> Number:
    """One or several gaps as they are recorded: relative to the sums of all steps so far."""
    since = size * travelled + risen + fallen
    return gap + since - SURPLUS * (abs(gap) + abs(since))
