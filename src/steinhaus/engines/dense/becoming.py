"""Keep the state of a run while centroids are added, removed and moved.

A new centroid and an old one are a pair if each is the nearest of its kind to the other. Then the old one has moved,
and its gaps and anchor stay valid: `bounds.gaps` covers moves of any length. A new centroid without a partner is a
candidate in every tile, and its own anchor. Points of an old centroid without a partner have no label, and every
centroid is a candidate in their tiles.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from steinhaus.engines.bounds.rounding import length_above
from steinhaus.engines.dense.policy import THRESHOLDS, Capacity
from steinhaus.engines.dense.records import MANY_SLOTS, Anchors, Gaps
from steinhaus.engines.dense.state import Batch, batch_of
from steinhaus.engines.exact.distances import table_of_distances
from steinhaus.engines.workers import Workers
from steinhaus.jit.handed import Handed
from steinhaus.points import Float64, Int64, Run


class Pairs(NamedTuple):
    """Pairs of new and old centroids."""

    new: Int64  # (m,) ascending
    old: Int64  # (m,)


def _pairs(old: Float64, new: Float64, workers: Workers) -> Pairs:
    """Pair old and new centroids, (k, d) and (m, d), that are mutually nearest."""
    distances = table_of_distances(new, old, workers)
    nearest, back = distances.argmin(axis=1), distances.argmin(axis=0)
    mutual = np.flatnonzero(back[nearest] == np.arange(len(new)))
    return Pairs(mutual, nearest[mutual])


def become(batch: Batch, run: Run, kept: int, shape: Capacity, frame: Handed, workers: Workers) -> Batch:
    """Make a batch for the present centroids of the run that is alone in a batch, and keep its state.

    kept: the number of products that a tile keeps in a full pass. frame: the `CentroidFrame`.
    """
    centroids = run.centroids
    room = min(max(kept + THRESHOLDS.reserve, int(batch.kept_firsts[1])), MANY_SLOTS)
    fresh = batch_of([run.key], np.array([len(centroids)]), np.array([room]), shape)
    fresh.reserve = room - kept
    pairs = _pairs(batch.exact, centroids, workers)
    new, old = pairs
    fresh.sums[:, new], fresh.counts[new] = batch.sums[:, old], batch.counts[old]
    numbers = np.full(len(batch.counts) + 1, -1, np.int32)
    numbers[old] = new
    fresh.labels[:] = numbers[batch.labels]
    fresh.costs, fresh.debts, fresh.passes = batch.costs, batch.debts, batch.passes
    if len(batch.gaps.gaps):
        fresh.anchors = _anchors(batch.anchors, fresh.anchors, pairs)
        fresh.gaps = _gaps(batch.gaps, fresh.gaps, pairs, frame.record, centroids)
        _open_tiles_of_unlabelled(fresh)
        fresh.anchorless = np.setdiff1d(np.arange(len(centroids)), new)
    return fresh


def _anchors(before: Anchors, room: Anchors, pairs: Pairs) -> Anchors:
    """The anchors of pairs, and the tiles' products with them."""
    new, old = pairs
    kept, wide = before.products.shape[1], room.products.shape[1]
    products = before.products
    if wide > kept:
        products = room.products
        products[:, :kept] = before.products
    for to, of in zip(room.factors, before.factors, strict=True):
        if to.shape[1:] == of.shape[1:]:  # if not, points are no longer rounded, and the next pass takes new anchors
            to[new] = of[old]
    for name in ("rows", "along", "norms", "base", "slopes"):
        getattr(room, name)[new] = getattr(before, name)[old]
    room.slots[:, new] = before.slots[:, old]
    return room._replace(products=products, used=before.used)


def _gaps(before: Gaps, room: Gaps, pairs: Pairs, frame: Any, centroids: Float64) -> Gaps:
    """The gaps of pairs. Other new centroids have no gaps, and have not moved. centroids: (m, d)."""
    new, old = pairs
    gaps = np.full((len(before.gaps), room.present.shape[1]), -np.inf, np.float32)
    gaps[:, new] = before.gaps[:, old]
    room.present[:, new] = before.present[:, old]
    room.travelled[new], room.risen[new] = before.travelled[old], before.risen[old]
    room.rows[:] = (centroids - frame.offset) * frame.scale - frame.reference
    room.norms[:] = length_above(np.square(room.rows).sum(axis=1))
    room.rows[new], room.norms[new] = before.rows[old], before.norms[old]
    return room._replace(gaps=gaps, fallen=before.fallen)


def _open_tiles_of_unlabelled(batch: Batch) -> None:
    """Delete all gaps of tiles with points without a label.

    The fall of such a point's best score is not known.
    """
    tiles = (batch.labels[:, 0] < 0).any(axis=1)
    batch.gaps.gaps[tiles] = -np.inf
