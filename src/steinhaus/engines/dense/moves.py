"""The order of a run's centroids by how far they have moved since its last full pass: see `neighbours`."""

from __future__ import annotations

import numpy as np

from steinhaus.engines.bounds.neighbours import most_risen
from steinhaus.engines.dense.state import Batch
from steinhaus.points import Int64


def order_by_moves(batch: Batch, rows: Int64, length: float) -> None:
    """Order the centroids of some runs by the most that the score of any point may have risen, in descending order.

    Parameters
    ----------
    batch
        Its `neighbours` get the order, and what screens the centroids, in this order.
    rows
        (m,) rows of the runs in the batch.
    length
        At least |y| of all points.
    """
    neighbours = batch.neighbours
    for row in rows.tolist():
        part = batch.part(row)
        most = most_risen(length, neighbours.size[part], neighbours.rise[part])
        places = np.argsort(-most, kind="stable")
        order = part.start + places
        neighbours.most[part], neighbours.order[part] = most[places], order
        neighbours.place[order] = np.arange(len(order))
        if batch.directions_sketched:
            factors, *scores = batch.sketched
            to, *bounds = neighbours.sketched
        else:
            factors, (_, *scores) = batch.factors, batch.halved
            to, (_, *bounds) = neighbours.factors, neighbours.scores
        to.high[part], to.scales[part] = factors.high[order], factors.scales[order]
        for bound, score in zip(bounds, scores, strict=True):
            bound[part] = score[order]
