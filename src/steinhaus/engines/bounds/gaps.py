"""Gaps: how long a centroid stays out of the question for a tile of points.

Where points stand in tiles near to each other, most centroids are out of the question for a whole tile.
Whenever a tile's bounds for centroid j are computed, it records a gap: every lane's best score exceeds s_j by at
least so much. Until the next time, s_j rises, step by step, by at most what `step_bound` says for the tile's largest
|y|, and the best score of any lane sinks by at most what that of the worst label present in the tile sinks. While the
gap is greater than both sums, j is no candidate for any lane. This is Elkan's lower bound (C. Elkan, Using the
triangle inequality to accelerate k-means, ICML 2003) in scores instead of distances and for tiles instead of points:
T x K numbers, and loops that stay dense.

"""

from __future__ import annotations

from steinhaus.engines.bounds.rounding import SLACK, TINY, UNIT32
from steinhaus.engines.bounds.scores import Rates
from steinhaus.jit.build import inlined
from steinhaus.jit.types import F32x16, f32, f64

GAP_SLACK = 2.0**-20


@inlined
def step_bound(moved: f64, turned: f64, scale: f64, rates: Rates) -> tuple[f64, f64, f64]:
    """How much a score can change as a centroid takes a step: by at most |y| size + rise up, |y| size + fall down.

    s_j - s_j(before) = y . (e_j - f_j) - (|e_j|^2 - |f_j|^2) / 2 for a step from f to e, and the second term is
    (e_j + f_j) . (e_j - f_j) / 2. Float64's floor covers the rounding of the terms, and what settling j would round.

    moved |e_j - f_j|, turned (e_j + f_j) . (e_j - f_j) / 2, scale |e_j| + |f_j| -> size, rise, fall.
    """
    slack = abs(turned) * 4.0 * UNIT32 + 4.0 * rates.exact * scale * scale + TINY
    return moved * SLACK * SLACK, slack - turned, slack + turned


@inlined
def gap_floor(low: F32x16, above: F32x16) -> F32x16:
    """At most how far a lower bound of the best score exceeds an upper bound of another, lane by lane."""
    return (low - above) - (abs(low) + abs(above)) * GAP_SLACK


@inlined
def recorded(gap: f32, since: f32) -> f32:
    """A gap as it is recorded, relative to all steps so far."""
    return gap + since - GAP_SLACK * (abs(gap) + abs(since))
