"""Kernels that do one step of screening, for the first tile of a run that is alone."""

from __future__ import annotations

from steinhaus.engines.bounds.gaps import accumulated, recorded
from steinhaus.engines.dense import candidates, certifying, screening
from steinhaus.engines.dense.factors import Factors, Scores
from steinhaus.engines.dense.group_records import Group
from steinhaus.engines.dense.halved import begin_lists, bound_by_halves, enter, set_aside, take_up
from steinhaus.engines.dense.lanes import Readers
from steinhaus.engines.dense.products import byte_products, full_products
from steinhaus.engines.dense.records import Framed, Scratch, View
from steinhaus.engines.dense.slices import RunSlice, Source, Tile
from steinhaus.jit.build import kernel
from steinhaus.jit.tiles import begin_tiles, end_tiles
from steinhaus.jit.types import Array, f32, i32, i64, u8, u32


@kernel
def from_features(points: Framed, readers: Readers, view: View, scratch: Scratch, chosen: Array[i64]) -> None:
    """The products of the tile with centroids from all features, into `out`."""
    begin_tiles()
    readers.gather(points, view.tiles, 0, scratch)
    full_products(points, scratch, view.factors, chosen, view.sizes.k, scratch.out)
    end_tiles()


@kernel
def from_halves(
    points: Framed,
    readers: Readers,
    view: View,
    scratch: Scratch,
    group: Group,
    first: i64,
    count: i64,
    labels: Array[i32],
) -> i64:
    """The candidates among `count` centroids, from `first` on, by their high bytes: `chosen`, `upper` and `least`.

    Returns their number. labels: (32,), see `begin_lists`. The tile is the second of a group of two equal ones.
    """
    begin_tiles()
    source = Source(points, readers, view.tiles, scratch)
    readers.gather(points, view.tiles, 0, scratch)
    for slot in range(2):
        enter(source, group, slot, 0)
        set_aside(source, group, slot)
        begin_lists(source, group, slot, 0, labels, view, first)
        group.upto[slot] = count
    bound_by_halves(points.rows.d, group, 2, view.factors, view.halved, first, False)
    found = take_up(source, group, 1)
    end_tiles()
    return found


@kernel
def singly(points: Framed, readers: Readers, view: View, scratch: Scratch, chosen: Array[i64]) -> None:
    """The same, one by one."""
    for c in range(view.sizes.k):
        for lane in range(32):
            scratch.out[32 * c + lane] = readers.product(points, view.tiles.order[lane], view.factors, chosen[c])


@kernel
def from_anchors(points: Framed, readers: Readers, view: View, scratch: Scratch, chosen: Array[i64]) -> None:
    """The same from anchors."""
    source = Source(points, readers, view.tiles, scratch)
    tile = Tile(0, 0, u32(0xFFFFFFFF), f32(0.0))
    run = RunSlice(0, 0, view.sizes.k, 0, view.columns[1], 0, 0, view.sizes.kept, view.anchors.products)
    candidates.anchored_products(source, view, tile, run, chosen, view.sizes.k)


@kernel
def from_directions(points: Framed, readers: Readers, view: View, scratch: Scratch, chosen: Array[i64]) -> None:
    """The same from the directions alone."""
    tile = Tile(0, 0, u32(0xFFFFFFFF), f32(0.0))
    candidates.directed_products(view.tiles, tile, view.directed.rows, chosen, view.sizes.k, scratch.out)


@kernel
def bounds(
    points: Framed,
    readers: Readers,
    view: View,
    scratch: Scratch,
    scores: Scores,
    norms: Array[f32],
    chosen: Array[i64],
) -> u32:
    """From the products in `out` to bounds, into `upper` and `least`. Returns the open lanes."""
    source = Source(points, readers, view.tiles, scratch)
    tile = Tile(0, 0, u32(0xFFFFFFFF), f32(0.0))
    run = RunSlice(0, 0, view.sizes.k, 0, view.columns[1], 0, 0, view.sizes.kept, view.anchors.products)
    return certifying.bounds(source, tile, run, scores, norms, chosen, view.sizes.k)


@kernel
def list_open(points: Framed, readers: Readers, view: View, scratch: Scratch, opened: u32) -> i64:
    """List the candidates that are open in any of some lanes. Returns how many."""
    return certifying.list_open(Source(points, readers, view.tiles, scratch), view.sizes.k, opened)


@kernel
def sum_and_record(values: Array[f32], n: i64, sums: Array[f32], records: Array[f32]) -> None:
    """`accumulated` of the first two rows of (5, n) values, `recorded` of all five: (n,) each."""
    for i in range(n):
        sums[i] = accumulated(values[i], values[n + i])
        records[i] = recorded(values[i], values[n + i], values[2 * n + i], values[3 * n + i], values[4 * n + i])


@kernel
def multiply_bytes(
    quads: Array[u8], width: i64, factors: Factors, chosen: Array[i64], count: i64, quarter: i64, out: Array[f32],
    fresh: i64,
) -> None:  # fmt: skip
    """`products.byte_products` from the first feature on."""
    begin_tiles()
    byte_products(quads, width, factors, 0, chosen, count, quarter, out, fresh != 0)
    end_tiles()


@kernel
def screen(points: Framed, readers: Readers, view: View, scratch: Scratch, measured: i64) -> u32:
    """Bounds in `upper` and `least`, `found`, and lists as of `list_open`, of the tile. Returns the open lanes."""
    begin_tiles()
    readers.gather(points, view.tiles, 0, scratch)
    source, k = Source(points, readers, view.tiles, scratch), view.sizes.k
    tile = Tile(0, 0, u32(0xFFFFFFFF), f32(1.0))
    run = RunSlice(0, 0, k, 0, view.columns[1], 0, 0, view.sizes.kept, view.anchors.products)
    norms = view.tiles.rounded_norms
    screening.bound_by_features(source, tile, view.factors, view.features, norms, k, measured != 0)
    if measured != 0:
        candidates.measure_gaps(source, view.gaps, tile, run, k)
    opened, many = screening.certify(source, run, k, measured != 0)
    scratch.starts[0] = many
    end_tiles()
    return opened
