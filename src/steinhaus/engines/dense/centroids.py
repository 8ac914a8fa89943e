"""Centroids before a pass: their place in the frame, their bounds, and how far they have moved."""

from __future__ import annotations

import numpy as np

from steinhaus.engines.bounds.bytes import halved_bound
from steinhaus.engines.bounds.gaps import accumulated, step_bound
from steinhaus.engines.bounds.rounding import SLACK
from steinhaus.engines.bounds.scores import FAR, UNKNOWN, across_bound, drift_bound, plain_floor, product_slope
from steinhaus.engines.dense.products import halve, halved_rest, halved_sums
from steinhaus.engines.dense.records import CentroidFrame, View
from steinhaus.jit.build import apart, inner, loose, shared_kernel
from steinhaus.jit.declared import unroll
from steinhaus.jit.operations import fma, load, local, splat, store, vector
from steinhaus.jit.types import Array, boolean, f32, f64, i64, literal


@shared_kernel
def prepare(
    view: View, frame: CentroidFrame, first: i64, end: i64, column: i64, fresh: i64, rows: Array[f64], along: Array[f64]
) -> None:
    """Compute the bounds of the centroids first <= j < end of a run, whose columns begin at `column`.

    The factors, the scores and the steps of the gaps in `view` change in place. If `fresh` is not 0, the centroids
    become the run's anchors. rows: (4, d) and along: (4, p), work space.
    """
    j = first
    for size in unroll(4, 0, -1):
        if size != 3:  # 4, 2, 1
            while end - j >= size:
                _prepare(size, view, frame, j, column + j - first, fresh != 0, rows, along)
                j += size


@apart
def _prepare(
    size: literal,
    view: View,
    frame: CentroidFrame,
    first: i64,
    column: i64,
    fresh: boolean,
    rows: Array[f64],
    along: Array[f64],
) -> None:
    """See `prepare`, for the `size` centroids from `first` on. Their columns begin at `column`.

    They share each reading of the directions. rows: (4, d); along: (4, p).
    """
    squares, bases, moved = local(f64, size), local(f64, size), local(f64, size)
    grown, steps, turned = local(f64, size), local(f64, size), local(f64, size)
    for i in range(size):
        row = rows + i * frame.d
        squares[i], bases[i], moved[i], grown[i], steps[i], turned[i] = _place(view, frame, first + i, fresh, row)
    along_directions(size, rows, frame.directions, frame.d, frame.p, along)
    for i in range(size):
        row, j = rows + i * frame.d, first + i
        _bound(view, frame, j, fresh, squares[i], bases[i], moved[i], row, along + i * frame.p)
        if view.sizes.room:
            _step_from_anchor(view, frame, j, np.sqrt(squares[i]), moved[i], grown[i])
        _advance_gaps(view, frame, j, column + i, np.sqrt(squares[i]), steps[i], turned[i], row)


@inner
def _bound(
    view: View,
    frame: CentroidFrame,
    j: i64,
    fresh: boolean,
    square: f64,
    base: f64,
    moved: f64,
    row: Array[f64],
    along: Array[f64],
) -> None:
    """Compute the factors and the scores of centroid j, and its anchor if `fresh`. row: (d,) e_j; along: (p,) P'e_j.

    square, base, moved: see `_place`.
    """
    norm, half = np.sqrt(square), base + 0.5 * square
    rest = halve(row, j, frame.d, view.factors) if frame.width else 0.0
    finer = rest
    if frame.step > 0.0:
        whole, high = halved_sums(view.factors, j, frame.d)
        base, finer = 128.0 * frame.step * whole, 0.0
        taken = 128.0 * frame.step * high + 0.5 * square
        _score_by_halves(view, frame, j, norm, taken, halved_rest(row, j, frame.d, view.factors))
        view.factors.scales[j] *= f32(frame.step)
    slope = product_slope(norm * SLACK, rest, frame.rates.plain, frame.rates)
    if fresh:
        _renew_anchor(view, frame, j, norm, base, slope, along)
    _score(view, frame, j, square, base, half, slope, finer)
    _score_from_anchor(view, frame, j, square, moved, along)


@loose
def _place(
    view: View, frame: CentroidFrame, j: i64, fresh: boolean, row: Array[f64]
) -> tuple[f64, f64, f64, f64, f64, f64]:
    """Bring centroid j into the frame: into `row`, (d,), the factors and, if `fresh`, the anchors.

    Returns |e|^2, m . e, |e - a|^2, (e + a) . (e - a), |e - f|^2 and (e + f) . (e - f), with a its anchor, and f the
    centroid before this step.
    """
    d, anchors, last = frame.d, view.anchors.rows + j * frame.d, view.gaps.rows + j * frame.d
    exact, factors = view.exact + j * d, view.factors.rows + j * d
    square, base, moved, grown, step, turned = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(d):
        e = (exact[t] - frame.offset[t]) * frame.scale - frame.reference[t]
        if fresh:
            anchors[t] = e
        delta = e - anchors[t]
        square += e * e
        base += frame.reference[t] * e
        moved += delta * delta
        grown += (e + anchors[t]) * delta
        step += (e - last[t]) * (e - last[t])
        turned += (e + last[t]) * (e - last[t])
        factors[t] = f32(e)
        row[t] = e
    return square, base, moved, grown, step, turned


@inner
def _renew_anchor(
    view: View, frame: CentroidFrame, j: i64, norm: f64, base: f64, slope: f64, along: Array[f64]
) -> None:
    """Make centroid j its own anchor. Its factors must be computed. along: (p,) P'e_j."""
    anchors, factors, d, p = view.anchors, view.factors, frame.d, frame.p
    anchors.norms[j], anchors.base[j], anchors.slopes[j] = norm, base, slope
    for q in range(p):
        anchors.along[j * p + q] = along[q]
    for t in range(j * d, (j + 1) * d):
        anchors.factors.rows[t] = factors.rows[t]
    anchors.factors.scales[j] = factors.scales[j]
    for t in range(j * frame.width, (j + 1) * frame.width):
        anchors.factors.high[t] = factors.high[t]
        anchors.factors.low[t] = factors.low[t]


@inner
def _score(view: View, frame: CentroidFrame, j: i64, square: f64, base: f64, half: f64, slope: f64, finer: f64) -> None:
    """Write the bounds for products of all features, of tiles and of single points."""
    features, single, rates, norm = view.features, view.single, frame.rates, np.sqrt(square)
    features.half[j], single.half[j] = f32(base + 0.5 * square), f32(half)
    features.floor[j] = f32(plain_floor(norm * SLACK, base + 0.5 * square, rates))
    single.floor[j] = f32(plain_floor(norm * SLACK, half, rates))
    features.slope[j], single.slope[j] = f32(slope), f32(product_slope(norm * SLACK, finer, rates.fine, rates))


@inner
def _score_by_halves(view: View, frame: CentroidFrame, j: i64, norm: f64, half: f64, rest: f64) -> None:
    """Write the bounds for products with high bytes alone. rest: |e~ - e|."""
    slope, lag, floor = halved_bound(norm * SLACK, rest, half, frame.step, frame.d, frame.rates)
    halved = view.halved
    halved.half[j], halved.slope[j], halved.lag[j], halved.floor[j] = f32(half), f32(slope), f32(lag), f32(floor)


@inner
def _score_from_anchor(view: View, frame: CentroidFrame, j: i64, square: f64, moved: f64, along: Array[f64]) -> None:
    """Write the bounds for products from the anchor, and from the directions alone. along: (p,) P'e_j."""
    anchors, anchored, directed, rates, p = view.anchors, view.anchored, view.directed, frame.rates, frame.p
    norm, size, whole, held = np.sqrt(square), 0.0, 0.0, anchors.norms[j]
    for q in range(p):
        b = along[q] - anchors.along[j * p + q]
        anchored.rows[j * p + q], directed.rows[j * p + q] = f32(b), f32(along[q])
        size += b * b
        whole += along[q] * along[q]
    across = across_bound(moved, size, norm + held, p, rates)
    from_anchor = anchors.base[j] + 0.5 * square
    slope, lag, floor = drift_bound(
        norm * SLACK, held * SLACK, anchors.slopes[j], np.sqrt(size) * SLACK, across, from_anchor, p, rates
    )
    anchored.half[j] = f32(from_anchor)
    anchored.slope[j], anchored.lag[j], anchored.floor[j] = f32(slope), f32(lag), f32(floor)
    across = across_bound(square, whole, norm, p, rates)
    slope, lag, floor = drift_bound(norm * SLACK, 0.0, 0.0, np.sqrt(whole) * SLACK, across, 0.5 * square, p, rates)
    directed.half[j] = f32(0.5 * square)
    directed.slope[j], directed.lag[j], directed.floor[j] = f32(slope), f32(lag), f32(floor)
    if not (norm < FAR and held < FAR):
        _leave_unscreened(view, frame, j)


@inner
def _leave_unscreened(view: View, frame: CentroidFrame, j: i64) -> None:
    """Make a centroid that is too far away to be screened a candidate of every point."""
    for t in range(j * frame.d, (j + 1) * frame.d):
        view.factors.rows[t] = 0.0
        view.anchors.factors.rows[t] = 0.0
    view.factors.scales[j], view.anchors.factors.scales[j] = 0.0, 0.0
    for q in range(j * frame.p, (j + 1) * frame.p):
        view.anchored.rows[q] = 0.0
        view.directed.rows[q] = 0.0
    features, single, anchored, directed = view.features, view.single, view.anchored, view.directed
    halved = view.halved
    halved.half[j], halved.slope[j], halved.lag[j], halved.floor[j] = 0.0, 0.0, 0.0, UNKNOWN
    features.half[j], single.half[j], anchored.half[j], directed.half[j] = 0.0, 0.0, 0.0, 0.0
    features.slope[j], single.slope[j], anchored.slope[j], directed.slope[j] = 0.0, 0.0, 0.0, 0.0
    anchored.lag[j], directed.lag[j] = 0.0, 0.0
    features.floor[j], single.floor[j], anchored.floor[j], directed.floor[j] = UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN


@inner
def _step_from_anchor(view: View, frame: CentroidFrame, j: i64, norm: f64, moved: f64, grown: f64) -> None:
    """Record how far the scores of centroid j may have risen since it became an anchor. moved, grown: see `_place`."""
    neighbours, held = view.neighbours, view.anchors.norms[j]
    size, rise, _fall = step_bound(np.sqrt(moved), 0.5 * grown, norm + held, frame.rates)
    if not (norm < FAR and held < FAR):
        size, rise = 0.0, UNKNOWN
    neighbours.size[j], neighbours.rise[j] = f32(size), f32(rise)


@inner
def _advance_gaps(
    view: View, frame: CentroidFrame, j: i64, h: i64, norm: f64, step: f64, turned: f64, row: Array[f64]
) -> None:
    """Record how far centroid j moved in this step, and in all steps. row: (d,) e_j."""
    gaps, held = view.gaps, view.anchors.norms[j]
    length, rise, fall = step_bound(np.sqrt(step), 0.5 * turned, norm + gaps.norms[j], frame.rates)
    if not (norm < FAR and held < FAR and gaps.norms[j] < FAR):
        length, rise, fall = 0.0, UNKNOWN, UNKNOWN
    gaps.size[h], gaps.fall[h] = f32(length), f32(fall)
    gaps.travelled[h] = accumulated(gaps.travelled[h], f32(length))
    gaps.risen[h] = accumulated(gaps.risen[h], f32(rise))
    gaps.norms[j] = norm
    for t in range(frame.d):
        gaps.rows[j * frame.d + t] = row[t]


@inner
def along_directions(size: literal, rows: Array[f64], directions: Array[f64], d: i64, p: i64, out: Array[f64]) -> None:
    """The coordinates of rows, (size, d), along directions, (d, p), p a multiple of 16. out: (size, p)."""
    half, start = d // 2, d // 2 * p
    sums = local(vector(f64, 8), 4 * size)
    for q in range(0, p, 16):
        for s in unroll(4 * size):
            sums[s] = splat(0.0, f64, 8)
        for t in range(half):  # both halves at once, so that sums do not wait for each other
            for h in unroll(2):
                left = load(directions, h * start + t * p + q, 8)
                right = load(directions, h * start + t * p + q + 8, 8)
                for s in unroll(size):
                    e = splat(rows[s * d + h * half + t], f64, 8)
                    sums[4 * s + 2 * h] = fma(e, left, sums[4 * s + 2 * h])
                    sums[4 * s + 2 * h + 1] = fma(e, right, sums[4 * s + 2 * h + 1])
        for s in unroll(size):
            if d % 2:
                e, at = splat(rows[s * d + d - 1], f64, 8), (d - 1) * p + q
                sums[4 * s] = fma(e, load(directions, at, 8), sums[4 * s])
                sums[4 * s + 1] = fma(e, load(directions, at + 8, 8), sums[4 * s + 1])
            store(out, s * p + q, sums[4 * s] + sums[4 * s + 2])
            store(out, s * p + q + 8, sums[4 * s + 1] + sums[4 * s + 3])
