"""The map's layout: discs and names within the picture, and beside each other."""

from __future__ import annotations

import numpy as np
import pytest

from report_studies import digits
from steinhaus.report import map_layout, measures
from steinhaus.report.map_layout import CROWD, HEIGHT, WIDTH, layout


@pytest.mark.parametrize("k", [1, 2, 10])
def test_discs_and_names_lie_within_the_map_and_names_on_nothing(k: int) -> None:
    study = digits(ks=(k,), restarts=1)
    plane = measures.plane(study.centroids[k], study.record.best[0].sizes)
    placed = layout(plane, study.record.best[0].sizes, [f"a {j}" for j in range(k)])
    boxes = [map_layout._box(name) for name in placed.names]
    discs = [(x - r, y - r, x + r, y + r) for (x, y), r in zip(placed.at, placed.radii, strict=True)]
    assert len(boxes) == k
    for box in boxes + discs:
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= WIDTH
        assert box[3] <= HEIGHT
    for i, box in enumerate(boxes):
        assert map_layout._covered(box, boxes[:i] + boxes[i + 1 :] + discs) == 0


def test_distances_keep_their_proportions_and_mutual_neighbours_are_joined_once() -> None:
    centroids = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [5.0, 2.0, 0.0]])
    plane = measures.plane(centroids, (4, 4, 1))
    placed = layout(plane, (4, 4, 1), ("", "b", "c"))
    spans = np.linalg.norm(placed.at[[0, 0, 1]] - placed.at[[1, 2, 2]], axis=1)
    assert np.allclose(spans / placed.unit, np.linalg.norm(centroids[[0, 0, 1]] - centroids[[1, 2, 2]], axis=1))
    assert sorted(placed.joined) == [(0, 1), (2, 1)]
    assert [name.text for name in placed.names] == ["b", "c"]
    assert placed.order == [0, 1, 2]


def test_a_crowd_bears_no_names() -> None:
    k = CROWD + 1
    plane = measures.plane(np.random.default_rng(0).random((k, 5)), (1,) * k)
    placed = layout(plane, (1,) * k, ["name"] * k)
    assert placed.names == []
    assert placed.radii.max() < map_layout.DISCS[1]
