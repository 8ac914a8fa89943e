"""Assignments in files that other tools open."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from report_studies import make
from steinhaus.errors import SteinhausError
from steinhaus.report import ReportData, exports

LABELS = ("=1+1", "plain")


@pytest.fixture(scope="module")
def study() -> ReportData:
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 256, (50, 5, 4), dtype=np.uint8)
    files = tuple(f"@sum/{i}.png" if i % 2 else f"b/{i}.png" for i in range(50))
    return make(pixels, np.arange(50) % 2, LABELS, ks=(1, 3), files=files)


def truth(data: ReportData, k: int) -> np.ndarray:
    """Distances to all centroids, the slow way."""
    pixels = np.concatenate([p.pixels for p in data.parts]).reshape(50, -1) / 255
    return np.linalg.norm(pixels[:, None] - data.centroids[k].reshape(k, -1)[None], axis=2)


def test_columns_agree_with_the_study(study: ReportData) -> None:
    table = exports.assignments(study, 3)
    assert list(table) == ["image", "split", "cluster", "label", "mapped_label", "correct", "distance", "margin"]
    assert table["split"] == ["train"] * 30 + ["test"] * 20
    assert table["cluster"] == study.clusters(3).tolist()
    assert table["correct"] == [a == b for a, b in zip(table["label"], table["mapped_label"], strict=True)]
    right = sum(table["correct"][:30]) / 30
    assert right == study.record.best[1].train_accuracy
    distances = truth(study, 3)
    own = distances[np.arange(50), table["cluster"]]
    others = np.sort(distances, axis=1)[:, 1]
    np.testing.assert_allclose(table["distance"], own, atol=1e-4)
    np.testing.assert_allclose(table["margin"], others - own, atol=2e-4)


def test_one_cluster_has_no_margin(study: ReportData) -> None:
    assert set(exports.assignments(study, 1)["margin"]) == {None}


def test_csv_cells_are_no_formulas(study: ReportData, tmp_path: Path) -> None:
    text = exports.write_csv(study, 3, tmp_path / "a.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 50
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert {row["label"] for row in rows} == {"'=1+1", "plain"}
    assert rows[1]["image"] == "'@sum/1.png"
    assert {row["correct"] for row in rows} <= {"true", "false"}


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1"])
def test_safe_cells(text: str) -> None:
    assert exports.safe(text) == f"'{text}"
    assert exports.safe(f"a{text}") == f"a{text}"


def test_parquet(study: ReportData, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `parquet`")
    table = parquet.read_table(exports.write_parquet(study, 3, tmp_path / "a.parquet"))
    assert table.num_rows == 50
    assert table["label"].to_pylist() == exports.assignments(study, 3)["label"]
    assert {c: str(table.schema.field(c).type) for c in ("cluster", "correct", "distance")} == {
        "cluster": "int64", "correct": "bool", "distance": "double",
    }  # fmt: skip


def test_embedding_atlas(study: ReportData, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `parquet`")
    rows = parquet.read_table(exports.write_atlas(study, 3, tmp_path / "a.parquet")).to_pylist()
    for i in (0, 49):
        picture = np.asarray(Image.open(io.BytesIO(rows[i]["image"]["bytes"])))
        part, at = (study.train, i) if i < 30 else (study.test, i - 30)
        np.testing.assert_array_equal(picture, part.pixels[at])
        assert rows[i]["image"]["path"] == f"@sum/{i}.png" if i % 2 else f"b/{i}.png"
    xy = np.array([[r["x"], r["y"]] for r in rows])
    pixels = np.concatenate([p.pixels for p in study.parts]).reshape(50, -1) / 255
    apart = np.linalg.norm(pixels[:, None] - pixels[None], axis=2)
    shown = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    assert (shown <= apart + 1e-4).all()  # a projection
    assert shown.max() > 0.1


def test_fiftyone_folder(study: ReportData, tmp_path: Path) -> None:
    labels = exports.write_fiftyone(study, 3, tmp_path / "set")
    rows = list(csv.DictReader(io.StringIO(labels.read_text("utf-8"))))
    assert labels.name == "labels.csv"
    assert sorted(row["filepath"] for row in rows) == sorted(p.name for p in (tmp_path / "set" / "data").iterdir())
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "set" / "data" / rows[3]["filepath"])), study.train.pixels[3]
    )


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    bad = b"caf\xe9".decode("utf-8", "surrogateescape")
    data = make(np.eye(6, dtype=np.uint8).reshape(6, 2, 3), None, None, ks=(2,), files=(bad,) * 6)
    assert "caf\\udce9" in exports.write_csv(data, 2, tmp_path / "a.csv").read_text("utf-8")


def test_errors_say_what_to_do(study: ReportData, tmp_path: Path) -> None:
    with pytest.raises(SteinhausError, match=r"no K = 9 to export\. Its K are 1, 3"):
        exports.assignments(study, 9)
    bare = ReportData(study.record, study.centroids)
    with pytest.raises(SteinhausError, match="needs the study's images"):
        exports.write_csv(bare, 3, tmp_path / "a.csv")
