"""What is worked out for centroids before a pass: where they are in the frame, their bounds, how far they went.

Numba leaf functions; see `records` for what they are handed.
"""

from __future__ import annotations

import numpy as np

from steinhaus import simd as v
from steinhaus.compiled import compiled, compiled_loosely, inner
from steinhaus.engines.bounds.gaps import accumulated, step_bound
from steinhaus.engines.bounds.rounding import SLACK, length_above
from steinhaus.engines.bounds.scores import FAR, UNKNOWN, across_bound, drift_bound, plain_floor, product_slope
from steinhaus.engines.products import halve, squared_distance, total
from steinhaus.handing import taken


@compiled_loosely
def prepare(view, lens, first, end, column, fresh):
    """Work out the bounds of the centroids first <= j < end of a run, whose columns begin at `column`: the View's
    factors, scores, and gaps (how far the centroids went in this step), in place.

    view: View, lens: Lens, handed over. Where `fresh`, the centroids become the run's anchors.
    """
    view, lens = taken(view), taken(lens)
    exact, factors, plain, fine, drift, far = view.exact, view.factors, view.plain, view.fine, view.drift, view.far
    anchors, gaps = view.anchors, view.gaps
    offset, scale, reference, directions, d, p, width, grain, rates = lens
    along_, row_ = np.empty(p), np.empty(d)
    along, row = v.pointer(along_), v.pointer(row_)
    for j in range(first, end):
        square = base = moved = step = turned = 0.0
        for t in range(d):
            e = (exact[j * d + t] - offset[t]) * scale - reference[t]
            if fresh:
                anchors.rows[j * d + t] = e
            last = gaps.rows[j * d + t]
            delta = e - anchors.rows[j * d + t]
            square += e * e
            base += reference[t] * e
            moved += delta * delta
            step += (e - last) * (e - last)
            turned += (e + last) * (e - last)
            factors.rows[j * d + t] = e
            row[t] = e
        _along(row, directions, d, p, along)
        norm, half = np.sqrt(square), base + 0.5 * square
        rest = finer = halve(row, j, d, factors) if width else 0.0
        if grain > 0:
            base, finer = 128.0 * grain * total(factors, j, d), 0.0
            factors.scales[j] *= np.float32(grain)
        slope = product_slope(norm * SLACK, rest, rates.plain, rates)
        if fresh:
            anchors.norms[j], anchors.base[j], anchors.slopes[j] = norm, base, slope
            for q in range(p):
                anchors.along[j * p + q] = along[q]
            for t in range(d):
                anchors.factors.rows[j * d + t] = factors.rows[j * d + t]
            anchors.factors.scales[j] = factors.scales[j]
            for t in range(2 * j * width, 2 * (j + 1) * width):
                anchors.factors.limbs[t] = factors.limbs[t]
        size, whole, held = 0.0, 0.0, anchors.norms[j]
        for q in range(p):
            b = along[q] - anchors.along[j * p + q]
            drift.rows[j * p + q], far.rows[j * p + q] = b, along[q]
            size += b * b
            whole += along[q] * along[q]
        anchors.moved[j] = np.float32(length_above(moved))
        across = across_bound(moved, size, norm + held, p, rates)
        plain.half[j], fine.half[j] = base + 0.5 * square, half
        plain.floor[j] = plain_floor(norm * SLACK, base + 0.5 * square, rates)
        fine.floor[j] = plain_floor(norm * SLACK, half, rates)
        plain.slope[j], fine.slope[j] = slope, product_slope(norm * SLACK, finer, rates.fine, rates)
        from_anchor = anchors.base[j] + 0.5 * square
        drift.half[j] = from_anchor
        drift.slope[j], drift.lag[j], drift.floor[j] = drift_bound(
            norm * SLACK, held * SLACK, anchors.slopes[j], np.sqrt(size) * SLACK, across, from_anchor, p, rates
        )
        across = across_bound(square, whole, norm, p, rates)
        far.half[j] = 0.5 * square
        far.slope[j], far.lag[j], far.floor[j] = drift_bound(
            norm * SLACK, 0.0, 0.0, np.sqrt(whole) * SLACK, across, 0.5 * square, p, rates
        )
        length, rise, fall = step_bound(np.sqrt(step), 0.5 * turned, norm + gaps.norms[j], rates)
        beyond = not (norm < FAR and held < FAR)
        if beyond:
            for t in range(d):
                factors.rows[j * d + t] = anchors.factors.rows[j * d + t] = 0.0
            factors.scales[j] = anchors.factors.scales[j] = 0.0
            for q in range(p):
                drift.rows[j * p + q] = far.rows[j * p + q] = 0.0
            plain.half[j] = fine.half[j] = drift.half[j] = far.half[j] = 0.0
            plain.slope[j] = fine.slope[j] = drift.slope[j] = drift.lag[j] = far.slope[j] = far.lag[j] = 0.0
            plain.floor[j] = fine.floor[j] = drift.floor[j] = far.floor[j] = UNKNOWN
        if beyond or not gaps.norms[j] < FAR:
            length, rise, fall = 0.0, UNKNOWN, UNKNOWN
        h = column + j - first
        gaps.size[h], gaps.fall[h] = length, fall
        gaps.travelled[h] = accumulated(gaps.travelled[h], np.float32(length))
        gaps.risen[h] = accumulated(gaps.risen[h], np.float32(rise))
        gaps.norms[j] = norm
        for t in range(d):
            gaps.rows[j * d + t] = row[t]


@compiled
def space(view, d, first, end, start, upto):
    """Measure how far the anchors first <= j < end are from those of their run, start <= k < upto, (d,) each.

    view: View, handed over.
    """
    view = taken(view)
    rows, out, wide = view.anchors.rows, view.anchors.apart, view.sizes.apart
    for j in range(first, end):
        for k in range(start, upto):
            square = squared_distance(rows, j * d, rows, k * d, d)
            out[j * wide + k - start] = np.float32(length_above(square))


@inner
def _along(row, directions, d, p, out):
    """Coordinates of a row along the directions, (d, p) float64 with p a multiple of 16 -> (p,) float64."""
    half = d // 2 * p
    for q in range(0, p, 16):
        low, high, lower, higher = v.zeros64(), v.zeros64(), v.zeros64(), v.zeros64()
        for t in range(d // 2):  # two halves, so that a sum need not wait for the one before
            at = t * p + q
            e, f = v.constant(row[t], low), v.constant(row[d // 2 + t], low)
            low = v.multiply_add(e, v.load_float64(directions, at), low)
            high = v.multiply_add(e, v.load_float64(directions, at + 8), high)
            lower = v.multiply_add(f, v.load_float64(directions, half + at), lower)
            higher = v.multiply_add(f, v.load_float64(directions, half + at + 8), higher)
        if d % 2:
            e, at = v.constant(row[d - 1], low), (d - 1) * p + q
            low = v.multiply_add(e, v.load_float64(directions, at), low)
            high = v.multiply_add(e, v.load_float64(directions, at + 8), high)
        v.store(out, q, v.add(low, lower))
        v.store(out, q + 8, v.add(high, higher))
