"""Greedy k-means++ on points of few features in lanes: the rows and random numbers are those of `seeding.plus_plus`."""

from __future__ import annotations

from steinhaus.engines.bounds.doubles import SMALLEST
from steinhaus.engines.compact.lanes import F64x16, distances_to_boxes, few_distances
from steinhaus.engines.compact.records import BOX, GROUP, ROWS, TILE, Draw, Lanes
from steinhaus.jit.build import inlined, inner, kernel
from steinhaus.jit.operations import (
    bits_of,
    convert,
    fold,
    from_bits,
    largest,
    load,
    lowest_one,
    maximum,
    minimum,
    splat,
    store,
)
from steinhaus.jit.types import Array, Point, boolean, f64, i64, u64


@kernel
def choose(x: Lanes, values: Array[Point], draw: Draw, k: i64, trials: i64, bits: i64, words: i64) -> i64:
    """Choose rows until there are k. At least one row is given. Return 1 if there are too few random words, else 0.

    It ends with fewer rows if all distances are 0, or too small for integers. values: (n, d) the points as rows; bits:
    those of the sum of all integers.
    """
    groups = (x.n + TILE * BOX * GROUP - 1) // (TILE * BOX * GROUP)
    known = 0.0
    for place in range(draw.state[0]):
        read(values, x.d, draw.chosen[place], draw.rows)
        _take(x, draw, groups)
    while draw.state[0] < k:
        many, scale = draw_candidates(x, draw, groups, trials, bits, words, known)
        if many <= 0:
            return -many
        known = scale
        _choose_among(x, values, draw, groups, many, k, trials, scale)
    return 0


@inner
def draw_candidates(
    x: Lanes, draw: Draw, groups: i64, trials: i64, bits: i64, words: i64, known: f64
) -> tuple[i64, f64]:
    """Draw candidates for the next rows. Returns their number and the scale of the integers.

    The number is 0 if all costs are too small for integers, and -1 if the random words do not suffice. known: the scale
    of the integers that were counted last.
    """
    most = greatest(draw, groups)
    if most < SMALLEST:
        return 0, known
    scale = scale_of(most, bits)
    total = count(x, draw, groups, scale, scale != known)
    many = trials * draw.ahead[draw.state[0]]
    used = draw_numbers(draw, many, total, words)
    if used < 0:
        return -1, scale
    draw.state[1] = used
    for c in range(many):
        find(draw, c)
    return many, scale


@inlined
def scale_of(most: f64, bits: i64) -> f64:
    """The power of two by which the greatest cost becomes an integer of so many bits."""
    exponent = ((bits_of(most) >> 52) & 2047) - 1022  # frexp's
    return from_bits((bits - 1 - exponent + 1023) << 52)


@inner
def _choose_among(
    x: Lanes, values: Array[Point], draw: Draw, groups: i64, many: i64, k: i64, trials: i64, scale: f64
) -> None:
    """Choose rows while enough of the candidates are valid. values: (n, d) the points as rows."""
    first = pick(draw, 0, many, trials)
    while draw.state[0] < k and first >= 0:
        for m in range(trials):
            read(values, x.d, draw.candidates[draw.picked[m]], draw.rows + m * x.d)
            draw.gains[m] = 0
        for group in range(groups):
            for m in range(trials):
                draw.gains[m] += _gain(x, draw, group, draw.rows + m * x.d, scale)
        best = 0
        for m in range(1, trials):
            if draw.gains[m] < draw.gains[best]:
                best = m
        row = draw.candidates[draw.picked[best]]
        draw.chosen[draw.state[0]] = row
        draw.state[0] += 1
        read(values, x.d, row, draw.rows)
        _take(x, draw, groups)
        count(x, draw, groups, scale, False)
        first = pick(draw, first, many, trials)


@inner
def pick(draw: Draw, first: i64, many: i64, trials: i64) -> i64:
    """Pick the next valid candidates, `trials` of them; return the place after the last, or -1 if there are too few."""
    found, c = 0, first
    while found < trials and c < many:
        if draw.within[c] < draw.integers[draw.candidates[c]]:
            draw.picked[found] = c
            found += 1
        c += 1
    return c if found == trials else -1


@inlined
def read(values: Array[Point], d: i64, i: i64, row: Array[f64]) -> None:
    """Read a row, (d,)."""
    for t in range(d):
        row[t] = f64(values[i * d + t])


@inlined
def times(draw: Draw, closest: F64x16, tile: i64) -> F64x16:
    """What the points of a tile cost."""
    if draw.weighted != 0:
        return closest * load(draw.times, TILE * tile, TILE)
    return closest


@inlined
def _distances(x: Lanes, tile: i64, row: Array[f64]) -> F64x16:
    """The squared distances of a tile's points to a row, (d,)."""
    return few_distances(x.values + TILE * x.d * tile, row, x.d)


@inlined
def _near(x: Lanes, draw: Draw, group: i64, row: Array[f64]) -> i64:
    """The boxes of a group in which a point may be nearer to a row, (d,), than to all chosen rows: a bit each."""
    return i64(bits_of(distances_to_boxes(x, group, row) < load(draw.far, GROUP * group, GROUP)))


@inner
def _take(x: Lanes, draw: Draw, groups: i64) -> None:
    """Update `closest` by the distances to the first of `rows`, which was just chosen."""
    tiles = (x.n + TILE - 1) // TILE
    for group in range(groups):
        left = _near(x, draw, group, draw.rows)
        while left != 0:
            box = GROUP * group + lowest_one(left)
            left = left & (left - 1)
            far, most = splat(0.0, f64, TILE), splat(0.0, f64, TILE)
            for tile in range(BOX * box, min(BOX * (box + 1), tiles)):
                nearer = minimum(load(draw.closest, TILE * tile, TILE), _distances(x, tile, draw.rows))
                store(draw.closest, TILE * tile, nearer)
                far, most = maximum(far, nearer), maximum(most, times(draw, nearer, tile))
            draw.far[box], draw.most[box] = largest(far), largest(most)
            draw.inside[box] = -1


@inner
def greatest(draw: Draw, groups: i64) -> f64:
    """The greatest cost."""
    most = splat(0.0, f64, GROUP)
    for group in range(groups):
        most = maximum(most, load(draw.most, GROUP * group, GROUP))
    return largest(most)


@inner
def count(x: Lanes, draw: Draw, groups: i64, scale: f64, anew: boolean) -> i64:
    """Bring the integers and their sums up to date, or make them anew; the sum of all."""
    total = 0
    for box in range(GROUP * groups):
        if draw.far[box] >= 0.0:
            if anew or draw.inside[box] < 0:
                _count_box(x, draw, box, scale)
            total += draw.inside[box]
    return total


@inner
def _count_box(x: Lanes, draw: Draw, box: i64, scale: f64) -> None:
    inside, gain = splat(0, i64, TILE), splat(0, i64, TILE)
    for tile in range(BOX * box, min(BOX * (box + 1), (x.n + TILE - 1) // TILE)):
        at = TILE * tile
        q = convert(times(draw, load(draw.closest, at, TILE), tile) * scale, i64)
        inside = inside + q
        if x.ordered == 0:
            gain = gain + (q - load(draw.integers, at, TILE))
            store(draw.integers, at, q)
        else:
            store(draw.whole, 0, q)
            for place in range(at, min(at + TILE, x.n)):
                i, whole = x.order[place], draw.whole[place - at]
                draw.sums[i // ROWS] += whole - draw.integers[i]
                draw.integers[i] = whole
    draw.sums[TILE * BOX * box // ROWS] += fold(gain)
    draw.inside[box] = fold(inside)


@inner
def draw_numbers(draw: Draw, trials: i64, total: i64, words: i64) -> i64:
    """Draw an integer below a total for each trial into `candidates`, as `Stream.below` does.

    Words at or above the largest multiple of the total are rejected, and drawn again after all others. Returns the
    number of words used in all, or -1 if they do not suffice.
    """
    used, span = draw.state[1], u64(total)
    last = u64(0) - u64(1)
    rejected = (last % span + u64(1)) % span
    waiting = trials
    for m in range(trials):
        draw.candidates[m] = -1
    while waiting > 0:
        if used + waiting > words:
            return -1
        waiting = 0
        for m in range(trials):
            if draw.candidates[m] < 0:
                word = draw.words[used]
                used += 1
                if word > last - rejected:
                    waiting += 1
                else:
                    draw.candidates[m] = i64(word % span)
    return used


@inner
def find(draw: Draw, m: i64) -> None:
    """Replace what a trial drew by the first row up to which the integers add up to more, and what is left within."""
    left, block = draw.candidates[m], 0
    while left >= draw.sums[block]:
        left -= draw.sums[block]
        block += 1
    i = ROWS * block
    while left >= draw.integers[i]:
        left -= draw.integers[i]
        i += 1
    draw.candidates[m], draw.within[m] = i, left


@inner
def _gain(x: Lanes, draw: Draw, group: i64, row: Array[f64], scale: f64) -> i64:
    """The change of the sum of the integers in a group of boxes if a row, (d,), is chosen."""
    tiles, gain = (x.n + TILE - 1) // TILE, 0
    left = _near(x, draw, group, row)
    while left != 0:
        box = GROUP * group + lowest_one(left)
        left = left & (left - 1)
        inside = splat(0, i64, TILE)
        for tile in range(BOX * box, min(BOX * (box + 1), tiles)):
            nearer = minimum(_distances(x, tile, row), load(draw.closest, TILE * tile, TILE))
            inside = inside + convert(times(draw, nearer, tile) * scale, i64)
        gain += fold(inside) - draw.inside[box]
    return gain
