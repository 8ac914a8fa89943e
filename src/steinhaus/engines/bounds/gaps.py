"""Gaps: bounds that are kept for whole tiles from pass to pass, and how much a step of the centroids lowers them.

If the points of a tile are near each other, most centroids cannot be nearest to any of them. Whenever a tile's bounds
for centroid j are computed, it records a gap: every lane's best score exceeds s_j by at least so much. Until the next
time, s_j rises, step by step, by at most what `step_bound` says for the tile's largest |y|, and the best score of any
lane sinks by at most what that of the worst label present in the tile sinks. While the gap is greater than both sums, j
is no candidate for any lane. This is Elkan's lower bound (C. Elkan, Using the triangle inequality to accelerate
k-means, ICML 2003) in scores instead of distances and for tiles instead of points: T x K numbers, and loops that stay
dense.

In float32. A tile whose size is at least |y| of its lanes and a centroid have three sums over all steps: travelled,
of the centroid's lengths; risen, of its rises; fallen, of the greatest size length + fall among the labels present, or
0. With S = size travelled + risen + fallen, a gap g at step R is written down as G = g + S_R, less a slack, and at a
step T > R the centroid is no candidate where G > S_T. It must follow that g > D, the exact sum of size length + rise +
fall over the steps after R up to T. Write M for size travelled + |risen| + fallen, m for size length + |rise| + fall.

1. A step. Length, rise and fall are rounded to the nearest float32, and size length + fall is rounded once or twice.
   Length carries two `SLACK`, rise and fall 4 u |turned|; that takes less of either. `TINY` keeps a length from
   underflow, and a rise exceeds what it must be by so much.
2. A sum. `accumulated` adds total, step and 16 u of |total| and |step| in some order. Three roundings of partial sums
   below 1.001 (|total| + |step|) take at most 3.1 u of these, so 12 u and more are left over. Hence S_t - S_(t - 1) >=
   size length + rise + fall + 12 u (M_(t - 1) + m_t), while M_t <= (1 + 20 u) (M_(t - 1) + m_t). Over all steps,
   S_T - S_R >= D + 6 u M_R + 5.9 u M_T: one step has both parts in its 12 u, of several the first has one and the
   last the other.
3. A comparison. A product and two sums, fused or not, take at most 3.1 u M from S. (`candidates` adds to fallen how far
   centroids may go until the next anchors; that is at least 0, and more than what rounding takes from it.)
4. A record. G = g + S_R - 16 u (|g| + |S_R|), S_R as in 3, by three more sums: G <= g + S_R + 3.1 u M_R, exactly.

Where G > S_T as computed, g > S_T - S_R - 3.1 u M_R - 3.1 u M_T >= D. This holds however large S is beside g, and for
any number of steps. An underflow takes 2^-149 (2^-126, were subnormal numbers flushed to 0), less than the `TINY` of
the rise pays for; a sum that overflows is infinite or not a number, so that G > S is false, and the centroid stays a
candidate.
"""

from __future__ import annotations

from steinhaus.engines.bounds.rounding import SLACK, TINY, UNIT32
from steinhaus.engines.bounds.scores import Rates
from steinhaus.jit.build import inlined
from steinhaus.jit.types import Number, f32, f64

SURPLUS = 2.0**-20  # 16 u


@inlined
def step_bound(moved: f64, turned: f64, scale: f64, rates: Rates) -> tuple[f64, f64, f64]:
    """How much a score can change as a centroid takes a step: by at most |y| size + rise up, |y| size + fall down.

    s_j - s_j(before) = y . (e_j - f_j) - (|e_j|^2 - |f_j|^2) / 2 for a step from f to e, and the second term is
    (e_j + f_j) . (e_j - f_j) / 2. Float64's floor covers the rounding of the terms, and what settling j would round.

    moved |e_j - f_j|, turned (e_j + f_j) . (e_j - f_j) / 2, scale |e_j| + |f_j| -> size, rise, fall.
    """
    slack = abs(turned) * 4.0 * UNIT32 + 4.0 * rates.exact * scale * scale + TINY
    return moved * SLACK * SLACK + TINY, slack - turned, slack + turned


@inlined
def gap(low: Number, above: Number) -> Number:
    """At most low - above, lane by lane: three roundings take at most 2.1 u (|low| + |above|)."""
    return (low - above) - (abs(low) + abs(above)) * SURPLUS


@inlined
def accumulated(total: f32, step: f32) -> f32:
    """A sum of steps after one more: it exceeds total + step by at least 12 u (|total| + |step|)."""
    return total + step + SURPLUS * (abs(total) + abs(step))


@inlined
def recorded(gap: Number, size: f32, travelled: Number, risen: Number, fallen: f32) -> Number:
    """Gaps as they are written down, one or several, relative to all steps so far."""
    since = size * travelled + risen + fallen
    return gap + since - SURPLUS * (abs(gap) + abs(since))
