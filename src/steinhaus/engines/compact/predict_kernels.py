"""Kernels that label and measure points of an array, without lanes of their own."""

from __future__ import annotations

import numpy as np

from steinhaus.engines.compact.lanes import gather, nearest
from steinhaus.engines.compact.records import GROUP, TILE, Sites
from steinhaus.engines.exact.rows import DenseRows
from steinhaus.engines.exact.totals import extremes
from steinhaus.jit.build import kernel
from steinhaus.jit.operations import convert, floating, fold, load, local, splat, store
from steinhaus.jit.types import Array, Point, f64, i32, i64


@kernel
def label(
    rows: Array[Point],
    n: i64,
    d: i64,
    first: i64,
    end: i64,
    sites: Sites,
    k: i64,
    tile: Array[Point],
    labels: Array[i32],
) -> i64:
    """Label the tiles first <= tile < end, of sixteen points each; return 1 if a value is not finite, else 0.

    rows: (n, d); tile: (d, 16), work space; labels: (16 tiles,).
    """
    bad, starts = splat(0.0, f64, TILE), local(i64, 16)
    for number in range(first, end):
        for lane in range(TILE):
            starts[lane] = min(TILE * number + lane, n - 1) * d
        gather(rows, starts, d, tile)
        if floating(Point):
            for t in range(d):
                value = convert(load(tile, TILE * t, TILE), f64)
                bad = bad + (value - value)
        nearest(tile, sites, k, d, labels + TILE * number)
    return 0 if fold(bad) == 0.0 else 1


@kernel
def survey(
    x: DenseRows,
    first: i64,
    end: i64,
    sites: Sites,
    k: i64,
    tile: Array[Point],
    labels: Array[i32],
    least: Array[Point],
    most: Array[Point],
) -> i64:
    """Label tiles as `label` does, and update the least and greatest value of each column, while the rows are cached.

    Returns the first row with a value that is not finite, or -1. least, most: (d,), in place.
    """
    starts = local(i64, 16)
    for number in range(first, end):
        bad = extremes(x, TILE * number, min(TILE * (number + 1), x.n), least, most)
        if bad >= 0:
            return bad
        for lane in range(TILE):
            starts[lane] = min(TILE * number + lane, x.n - 1) * x.d
        gather(x.values, starts, x.d, tile)
        nearest(tile, sites, k, x.d, labels + TILE * number)
    return -1


@kernel
def measure(
    rows: Array[Point],
    d: i64,
    first: i64,
    end: i64,
    across: Array[f64],
    m: i64,
    wide: i64,
    last: Array[f64],
    out: Array[f64],
) -> None:
    """The distances of the points first <= i < end, of few features, to m rows.

    rows: (n, d) the points; across: (d, wide) the m rows, transposed; out: (n, m); last: (16,), work space.
    """
    for i in range(first, end):
        for j in range(0, wide, GROUP):
            total = splat(0.0, f64, GROUP)
            for t in range(d):
                e = f64(rows[i * d + t]) - load(across, t * wide + j, GROUP)
                total = total + e * e
            if j + GROUP <= m:
                store(out, i * m + j, np.sqrt(total))
            else:
                store(last, 0, np.sqrt(total))
                for s in range(m - j):
                    out[i * m + j + s] = last[s]
