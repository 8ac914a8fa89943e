"""Records of the compact engine: points, centroids and runs as kernels read them, and work space."""

from __future__ import annotations

from typing import NamedTuple

from steinhaus.engines.exact.updating import Steps
from steinhaus.jit.annotations import Array, Point, f32, f64, i32, i64, u64

TILE = 16  # points of a tile
BOX = 4  # tiles of a box
GROUP = 16  # boxes, or centroids, that one instruction works on
FEW = 16  # below this many features, a distance is summed in order
TOGETHER = 4  # centroids that a point is compared with at once; tables are rounded up to a multiple
ROWS = 512  # rows of a block; the sum of each block is kept, so that a row is found quickly


def centroid_rows(k: int) -> int:
    """Rows of a table for k centroids. Copies of the last centroid fill it up; they never win a tie."""
    return -(-k // TOGETHER) * TOGETHER


class Lanes(NamedTuple):
    """Points and their grid. The integer that stands for a value x is (x - offset) * per_step, rounded.

    A box holds the least and greatest value of each feature in `BOX` tiles. Points of many features have no boxes.
    """

    values: Array[Point]  # (tiles, d, 16); copies of the last point fill the last tile
    n: i64
    d: i64
    offset: Array[f64]  # (d,)
    per_step: Array[f64]  # (d,)
    order: Array[i64]  # (n,) the row at each place
    ordered: i64  # 0: each row is at its own place, and `order` is empty
    weights: Array[i64]  # (n,) the count of the point at each place, if `weighted`
    weighted: i64
    low: Array[f64]  # (groups, d, 16) the least value in each box
    high: Array[f64]  # (groups, d, 16) the greatest value in each box


class Sites(NamedTuple):
    """All centroids of a run, or some of them."""

    rows: Array[f64]  # (centroid_rows(k), d)
    names: Array[i64]  # (centroid_rows(k),) the numbers of the centroids
    across: Array[f64]  # (d, k rounded up to 16) the centroids transposed; copies of the last one fill it up
    halves: Array[f64]  # (centroid_rows(k),) half the squared norms; infinite after the last centroid
    longest: Array[f64]  # (1,) the greatest squared norm


class Labels(NamedTuple):
    """The labels of a run, and the sums and counts of one thread."""

    labels: Array[i32]  # (16 tiles,), -1: no label yet
    sums: Array[i64]  # (limbs, k, d)
    counts: Array[i64]  # (k,)
    added: Array[i64]  # (k, d) pending sums; zeros between calls
    found: Array[i32]  # (16,) work space: new labels
    whole: Array[i64]  # (d, 16) work space: integers of a tile
    some: Sites  # work space: candidates of a box
    bounds: Array[f64]  # (k rounded up to 16,) work space


class Followed(NamedTuple):
    """The two centroids of each point, and the centroids that moved: see `following_kernels`."""

    firsts: Array[f64]  # (16 tiles,) the squared distance to the point's own centroid
    seconds: Array[f64]  # (16 tiles,) the squared distance to another centroid
    others: Array[i32]  # (16 tiles,) the number of that centroid
    rest: Array[f64]  # (16 tiles,) at most the squared distance to any third centroid
    moved: Array[i64]  # (k,) the centroids that moved
    moves: Array[i64]  # (k + 1,) 1 at place j + 1: centroid j moved; place 0 stands for `NOBODY`
    many: Array[i64]  # (2,) the number of centroids that moved, and of centres
    centres: Array[f64]  # (m, d) rows that tiles lie around; they never change
    centre: Array[i64]  # (tiles,) the number of the tile's centre
    radius: Array[f64]  # (tiles,) at least the distance of any point of the tile from its centre
    across: Array[f64]  # (d, moved ones rounded up to 16) work space: the centroids that moved
    apart: Array[f64]  # (m, moved ones rounded up to 16) at most the distances of centres from them


class Kept(NamedTuple):
    """The state of a run at the clustering that steps of refining begin from; see `Labels` and `Followed`."""

    labels: Array[i32]  # (16 tiles,)
    others: Array[i32]  # (16 tiles,)
    firsts: Array[f64]  # (16 tiles,)
    seconds: Array[f64]  # (16 tiles,)
    rest: Array[f64]  # (16 tiles,)
    sums: Array[i64]  # (limbs, k, d)
    counts: Array[i64]  # (k,)
    centroids: Array[f64]  # (k, d)


class Stepping(NamedTuple):
    """What a step of refining works with: see `stepping_kernels`. K is the greatest number of centroids in a step."""

    k: i64  # centroids between steps
    limbs: i64
    unit: f64  # the weight of one count
    weight: f64  # of all points
    run: Labels
    near: Followed
    sites: Sites
    steps: Steps  # `following` holds the means of clusters that changed
    kept: Kept
    labels: Array[i32]  # (n,) the cluster of each row in the kept clustering; from here on, of rows
    nearest: Array[f64]  # (n,) the squared distance to its centroid, times its count
    owners: Array[i32]  # (n,) its cluster while centroids are added
    missed: Array[f64]  # (n,) by how much the second nearest is farther, times its count
    members: Array[i64]  # (n,) rows of the clusters that get another centroid; up to here
    errors: Array[f64]  # (k,) of the kept clustering
    utilities: Array[f64]  # (K,)
    distances: Array[f64]  # (K rounded up to 16,) work space
    slots: Array[i64]  # (K,) work space, by which clusters are chosen
    words: Array[u64]  # random ones
    scales: Array[f64]  # (2 added,) two factors that make the distances in a cluster integers
    spans: Array[i64]  # (added,) the sums of these integers
    numbers: Array[i64]  # (added,) drawn below the spans
    rows: Array[i64]  # (added,) drawn
    names: Array[i64]  # (K,) work space: clusters that stay, or that changed
    renamed: Array[i32]  # (K,) their new numbers
    before: Array[i64]  # (limbs, K, d) the sums of the last means
    counted: Array[i64]  # (K,) the counts of the last means
    changed: Array[i64]  # (limbs, K, d) the sums of clusters that changed
    counts: Array[i64]  # (K,) their counts
    places: Array[f64]  # (K, d) their centroids
    told: Array[i64]  # (3,) centroids added, centroids at the end, the reason to stop
    cost: Array[f64]  # (1,) the inertia at the end


class Gaps(NamedTuple):
    """What is known of tiles of points of many features, and what moved since: see `gap_kernels`.

    Distances are in units of their own, in which no point is longer than about 1.
    """

    gaps: Array[f32]  # (tiles, k rounded up to 16)
    moved: Array[f32]  # (k rounded up to 16,) at least how far each centroid moved since
    squares: Array[f64]  # (16 tiles,) squared norms of points
    state: Array[i64]  # (3,) passes left to rest, how many are the next rest, whether nothing is known
    scale: f64  # of squared distances, and of distances its root
    root: f64
    longest: f64  # at least the greatest of the squared norms


class Cells(NamedTuple):
    """A box that is cut into cells by halving it along one feature after the other."""

    low: Array[f64]  # (d,) the lower side of the box
    scale: Array[f64]  # (d,) cells a unit
    most: Array[f64]  # (d,) the number of the last cell along each feature
    feature: Array[i64]  # (bits,) the feature that each halving cuts
    shift: Array[i64]  # (bits,) the bit of the cell's number along this feature that tells the halves apart


class Draw(NamedTuple):
    """The state of k-means++ while it chooses rows.

    The cost of a point is its squared distance to the nearest row chosen so far, times its count. Its integer is the
    cost, scaled and rounded (see `seeding.plus_plus`).
    """

    closest: Array[f64]  # (16 tiles,) distance^2 to the nearest chosen row, infinite at first; 0 after the last point
    times: Array[f64]  # (16 tiles,) count of each point, if `weighted`
    weighted: i64
    far: Array[f64]  # (boxes,) the greatest `closest` in each box; -1 after the last box
    most: Array[f64]  # (boxes,) the greatest cost in each
    inside: Array[i64]  # (boxes,) the sum of the integers in each; -1: not known
    integers: Array[i64]  # (16 tiles,) of each row
    sums: Array[i64]  # (blocks,) of the integers of `ROWS` rows
    words: Array[u64]  # random ones
    rows: Array[f64]  # (trials rounded up to 4, d) candidates
    halves: Array[f64]  # (trials rounded up to 4,) of their squared norms; from here on, of many features
    squares: Array[f64]  # (16 tiles,) squared norms of the points
    nearer: Array[i64]  # (trials rounded up to 4, tiles) the points that are nearer to a candidate, a bit each
    away: Array[f64]  # (trials, 16 tiles) what `closest` is then, in tiles that have such points; up to here
    candidates: Array[i64]  # (trials AHEAD,) drawn at once
    ahead: Array[i64]  # (k,) for how many rows candidates are drawn at once, by how many are chosen
    within: Array[i64]  # (trials AHEAD,) where within their integers the numbers lie that they were drawn by
    picked: Array[i64]  # (trials,) which of them are compared
    chosen: Array[i64]  # (k,) rows
    state: Array[i64]  # (2,) how many rows are chosen, how many words are used
    gains: Array[i64]  # (trials,) what the sum of all changes by, if a candidate is chosen
    whole: Array[i64]  # (16,) to work in
