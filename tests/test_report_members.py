"""The page's distances, lists of members, sheets, flows and map."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from report_studies import digits, make
from steinhaus import Study
from steinhaus.images import Images
from steinhaus.report import ReportData, measures, members, page, pictures
from steinhaus.report.data import from_result


@pytest.fixture(scope="module")
def study() -> ReportData:
    return digits()


@pytest.fixture(scope="module")
def everything(study: ReportData) -> np.ndarray:
    """All points, (n, d), scaled to 0..1."""
    return np.concatenate([p.pixels for p in study.parts]).reshape(1797, -1) / 16


def carried(text: str) -> Any:
    """The data in a page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def unpacked(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype)


def test_nearest_centroids(study: ReportData, everything: np.ndarray) -> None:
    for k, near in measures.measure(study)[0].items():
        truth = np.linalg.norm(everything[:, None] - study.centroids[k].reshape(k, -1)[None], axis=2)
        np.testing.assert_array_equal(near.clusters[:, 0], study.clusters(k))
        np.testing.assert_allclose(near.distances, np.take_along_axis(truth, near.clusters.astype(int), 1), atol=1e-4)
        np.testing.assert_allclose(near.distances, np.sort(truth, axis=1)[:, :3], atol=1e-4)


def test_the_simplified_silhouette(study: ReportData, everything: np.ndarray) -> None:
    k = 10
    truth = np.sort(np.linalg.norm(everything[:1078, None] - study.centroids[k].reshape(k, -1)[None], axis=2), axis=1)
    expected = np.mean((truth[:, 1] - truth[:, 0]) / np.maximum(truth[:, 0], truth[:, 1]))
    best = study.record.best[1]
    score = next(s for s in measures.measure(study)[1] if (s.k, s.restart) == (k, best.restart))
    assert score.silhouette == pytest.approx(expected, abs=1e-5)
    assert score.train_accuracy == pytest.approx(best.train_accuracy)
    assert score.test_accuracy == pytest.approx(best.test_accuracy)


@pytest.mark.parametrize("scale", ["none", "standard"])
def test_vectors_far_from_the_origin_are_measured_as_those_near_it(scale: str) -> None:
    x = np.random.default_rng(0).integers(0, 2**12, (600, 4)) / 2**10 + 8 * np.eye(3, 4)[np.arange(600) % 3]

    def measured(offset: float) -> tuple[measures.Near, list[measures.Score]]:
        images = Images.from_arrays(x + offset, np.arange(600) % 3, name="vectors", shape=(4,))
        near, scores = measures.measure(from_result(Study(k=(3,), train=400, seed=0, scale=scale).run(images)))
        return near[3], scores

    (near, scores), (far, far_scores) = measured(0.0), measured(2.0**30)  # where float32 has steps of 64
    np.testing.assert_array_equal(far.clusters, near.clusters)
    np.testing.assert_allclose(far.distances, near.distances, rtol=1e-4)
    for score, other in zip(scores, far_scores, strict=True):
        assert score.train_accuracy == other.train_accuracy == 1
        assert score.silhouette == pytest.approx(other.silhouette, abs=1e-5)


def test_flows_count_every_image_once(study: ReportData) -> None:
    table = study.flows[0]
    assert table.sum(axis=1).tolist() == list(study.record.best[0].sizes)
    assert table.sum(axis=0).tolist() == list(study.record.best[1].sizes)


def test_the_map_never_shows_a_distance_too_long(study: ReportData) -> None:
    plane = measures.plane(study.centroids[10], study.record.best[1].sizes)
    flat = study.centroids[10].reshape(10, -1)
    truth = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    shown = np.linalg.norm(plane.at[:, None] - plane.at[None], axis=2)
    assert (shown <= truth + 1e-9).all()
    assert 0.3 < plane.share < 1
    np.fill_diagonal(truth, np.inf)
    assert plane.neighbour.tolist() == truth.argmin(axis=1).tolist()
    np.testing.assert_allclose(plane.distance, truth.min(axis=1), rtol=1e-9)


@pytest.mark.parametrize("k", [1, 2])
def test_maps_of_one_and_two_clusters(k: int) -> None:
    plane = measures.plane(np.arange(k * 4.0).reshape(k, 4), (3,) * k)
    assert plane.at.shape == (k, 2)
    assert plane.share == pytest.approx(1)


def test_a_page_of_few_images_carries_all_of_them(study: ReportData) -> None:
    data = carried(page.render(study))
    ids = unpacked(data["members"]["ids"], "<u4")
    assert sorted(ids) == list(range(1797))
    assert data["members"]["each"] is None
    for k in data["ks"]:
        near = unpacked(k["near"], "u1").reshape(1797, 3)
        np.testing.assert_array_equal(near[:, 0], study.clusters(k["k"])[ids])


def test_a_choice_holds_the_ends_of_every_list(study: ReportData, everything: np.ndarray) -> None:
    data = carried(page.render(study, most=1000))
    each, ids = data["members"]["each"], set(unpacked(data["members"]["ids"], "<u4").tolist())
    assert each == members.MOST_EACH
    labels = study.labels
    for best in study.record.best:
        clusters = study.clusters(best.k)
        truth = np.linalg.norm(everything - study.centroids[best.k].reshape(best.k, -1)[clusters], axis=1)
        for j in range(best.k):
            mine = np.flatnonzero(clusters == j)
            mine = mine[np.argsort(truth[mine], kind="stable")]
            wrong = mine[labels[mine] != best.mapping[j]]
            few = each - 5  # distances are rounded to 16 bits: leave out those at the edge
            assert {*mine[:few].tolist(), *mine[-few:].tolist(), *wrong[:few].tolist()} <= ids


def test_a_large_set_is_carried_in_part(study: ReportData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "CHOSEN", 300)
    monkeypatch.setattr(members, "MOST_EACH", 4)
    data = carried(page.render(study, most=1000))
    ids = unpacked(data["members"]["ids"], "<u4")
    assert 250 < len(ids) <= 400
    assert 0 < unpacked(data["members"]["random"], "u1").sum() < len(ids)
    assert data["members"]["total"] == 1797


def test_sheets_hold_the_images_pixel_for_pixel() -> None:
    rng = np.random.default_rng(6)
    for shape in ((7, 5), (9, 4, 3)):
        pixels = rng.integers(0, 256, (150, *shape), dtype=np.uint8)
        study = make(pixels, None, None, ks=(3,))
        data = carried(page.render(study))
        ids, tile = unpacked(data["members"]["ids"], "<u4"), data["members"]["tile"]
        assert (tile["height"], tile["width"]) == shape[:2]
        for place in (0, 70, 149):
            sheet, at = divmod(place, tile["perSheet"])
            uri = data["members"]["sheets"][sheet]
            picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))
            y, x = at // tile["columns"] * shape[0], at % tile["columns"] * shape[1]
            shown = picture[y : y + shape[0], x : x + shape[1]]
            truth = pixels[ids[place]]
            np.testing.assert_array_equal(shown if truth.ndim == 3 else shown[..., 0], truth)


def test_large_images_get_smaller_tiles() -> None:
    rng = np.random.default_rng(6)
    data = make(rng.integers(0, 256, (10, 40, 80, 3), dtype=np.uint8), None, None, ks=(2,))
    assert members.tiles(data, 10).reduced is False
    small = members.tiles(data, 10, raw_bytes=10 * 16 * 32 * 3)
    assert (small.height, small.width, small.reduced) == (16, 32, True)
    reduced = pictures.reduce(pictures.to_bytes(data.train.pixels, 255.0), 32)
    assert reduced.shape == (6, 16, 32, 3)


def test_bytes_of_floats_and_other_scales() -> None:
    assert pictures.to_bytes(np.array([[[0.0, 0.5, 1.0, 2.0, np.nan]]]), 1.0).tolist() == [[[0, 128, 255, 255, 0]]]
    assert pictures.to_bytes(np.array([[[0, 8, 16]]], np.uint8), 16.0).tolist() == [[[0, 128, 255]]]
    assert pictures.to_bytes(np.zeros((1, 2, 2, 4), np.uint8), 255.0).shape == (1, 2, 2, 3)
    assert pictures.to_bytes(np.zeros((1, 2, 2, 1), np.uint8), 255.0).shape == (1, 2, 2)


def test_profiles_rise_with_their_values() -> None:
    drawn = pictures.profiles(np.array([[0.0, 1.0]]), 0.0, 1.0)[0]
    light = drawn > 128
    assert light[:, 0].sum() < light[:, -1].sum() == pictures.PROFILE[0] - 1
