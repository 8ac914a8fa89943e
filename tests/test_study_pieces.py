"""The table of assignments in Parquet pieces: the rows of the CSV, from any writer."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra `parquet`")

from steinhaus.cli import main  # noqa: E402
from steinhaus.errors import StoreError  # noqa: E402
from steinhaus.images import Images, open_images  # noqa: E402
from steinhaus.report import from_result  # noqa: E402
from steinhaus.study import Study, load, pieces  # noqa: E402
from steinhaus.study.run import run_study  # noqa: E402
from study_cases import content  # noqa: E402

STUDY = Study(k=(4, 9), restarts=2, max_iter=12, train=0.6, init="random")


@pytest.fixture
def images(rng):
    pixels = rng.integers(0, 255, (3000, 6, 7)).astype(np.uint8)
    return Images.from_arrays(pixels, np.arange(3000) % 10, label_names=[f"n{digit}" for digit in range(10)])


def rows_of_csv(folder):
    with (folder / "assignments.csv").open() as file:
        return sorted(csv.DictReader(file), key=lambda row: int(row["index"]))


def rows_of_pieces(folder):
    rows = pq.read_table(folder / "assignments.parquet").to_pylist()
    places = {part: sorted(row["place"] for row in rows if row["part"] == part) for part in ("train", "test")}
    assert all(found == list(range(len(found))) for found in places.values())
    texts = ({name: str(value) for name, value in row.items() if name != "place"} for row in rows)
    return sorted(texts, key=lambda row: int(row["index"]))


def without_table(folder):
    """Everything but the table and the line that has its digest."""
    found = {name: data for name, data in content(folder).items() if not name.startswith("assignments")}
    document = json.loads(found.pop("study.json"))
    return {**found, "study.json": {key: value for key, value in document.items() if key not in ("files", "sha256")}}


def test_pieces_have_the_rows_of_the_csv_and_the_study_is_the_same(tmp_path, images, monkeypatch):
    monkeypatch.setattr("steinhaus.study.assigning._ROWS", 700)
    there = STUDY.run(images, tmp_path / "csv")
    here = STUDY.run(images, tmp_path / "pieces", assignments="parquet")
    names = sorted(path.name for path in (tmp_path / "pieces/assignments.parquet").iterdir())
    assert names == [f"{part}-{n:05d}.parquet" for part, count in (("test", 2), ("train", 3)) for n in range(count)]
    assert not (tmp_path / "pieces/assignments.csv").exists()
    assert rows_of_pieces(tmp_path / "pieces") == rows_of_csv(tmp_path / "csv")
    assert without_table(tmp_path / "pieces") == without_table(tmp_path / "csv")
    for result in (here, load(tmp_path / "pieces")):
        for k in (4, 9):
            assert result.labels(k).tolist() == there.labels(k).tolist()
            assert result.test_labels(k).tolist() == there.test_labels(k).tolist()
    assert from_result(here).test_clusters[9].tolist() == from_result(there).test_clusters[9].tolist()


def test_without_labels_or_test_part(tmp_path, images):
    bare = Images.from_arrays(images.pixels)
    result = Study(k=(3,), restarts=1, train=1.0).run(bare, tmp_path / "study", assignments="parquet")
    assert pq.read_table(tmp_path / "study/assignments.parquet").column_names == ["index", "part", "place", "k3"]
    assert result.test_labels(3) is None
    assert np.bincount(result.labels(3)).tolist() == list(result.best[0].sizes)


def test_a_piece_that_is_taken_away_is_made_again_and_a_changed_one_refused(tmp_path, images, monkeypatch):
    monkeypatch.setattr("steinhaus.study.assigning._ROWS", 700)
    STUDY.run(images, tmp_path, assignments="parquet")
    whole = content(tmp_path)
    piece = tmp_path / "assignments.parquet/train-00001.parquet"
    data = piece.read_bytes()
    piece.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    with pytest.raises(StoreError, match=r"sha256 of assignments\.parquet/train-00001\.parquet is not the one"):
        load(tmp_path).labels(4)
    piece.unlink()
    STUDY.run(images, tmp_path, assignments="parquet")
    assert content(tmp_path) == whole


def test_another_form_takes_the_place_of_the_first(tmp_path, images, monkeypatch):
    STUDY.run(images, tmp_path / "csv")
    monkeypatch.setattr("steinhaus.study.assigning._ROWS", 700)
    STUDY.run(images, tmp_path / "it", assignments="parquet")
    (tmp_path / "it/assignments.parquet/test-00000.parquet").unlink()
    STUDY.run(images, tmp_path / "it")
    assert content(tmp_path / "it") == content(tmp_path / "csv")
    assert not (tmp_path / "it/assignments.parquet").exists()
    (tmp_path / "it/assignments.csv").unlink()
    monkeypatch.setattr("steinhaus.study.assigning._ROWS", 2000)
    STUDY.run(images, tmp_path / "it", assignments="parquet")
    assert sorted(path.name for path in (tmp_path / "it").iterdir() if path.name.startswith("assign")) == [
        "assignments.parquet"
    ]
    assert len(list((tmp_path / "it/assignments.parquet").iterdir())) == 2


def test_pieces_that_are_none_of_this_study(tmp_path, images):
    STUDY.run(images, tmp_path / "it", assignments="parquet")
    record = load(tmp_path / "it").record
    digests = json.loads((tmp_path / "it/study.json").read_text())["files"]
    with pytest.raises(ValueError, match="more rows than there are images"):
        pieces.read(tmp_path / "it", digests, replace(record.data, n_train=100), (4, 9), 10**6)
    one = {name: sha for name, sha in digests.items() if "test" not in name}
    with pytest.raises(ValueError, match="lacks images of the test part"):
        pieces.read(tmp_path / "it", one, record.data, (4, 9), 10**6)
    with pytest.raises(ValueError, match="is not a piece of a table"):
        pieces.read(tmp_path / "it", digests, record.data, (4, 8), 10**6)
    rows = pieces.Members(0, np.arange(1800), np.arange(1800), None, None)
    table = pieces.Table(tmp_path / "it/assignments.parquet", "train", (4, 9), None)
    wrong = pieces.write(table, np.full((2, 1800), 4, np.int32), rows)
    with pytest.raises(ValueError, match="names a cluster that does not exist"):
        pieces.read(tmp_path / "it", {**digests, wrong.name: wrong.sha256}, record.data, (4, 9), 10**6)


@pytest.mark.slow
def test_the_workers_write_them_and_no_label_comes_here(tmp_path, images, monkeypatch):
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    from dask_cases import cluster
    from steinhaus.engines.cluster.points import DaskPoints, spread

    monkeypatch.setattr(DaskPoints, "labels", None)
    np.save(tmp_path / "set.npy", images.pixels)
    named = [images.label_names[label] for label in images.labels]
    stored = open_images(tmp_path / "set.npy", labels=named, stored=True)
    STUDY.run(open_images(tmp_path / "set.npy", labels=named), tmp_path / "csv")
    with cluster(2) as client:
        run_study(
            STUDY,
            stored,
            tmp_path / "spread",
            choose=lambda rows, *, threads=None: spread(rows, client),
            assignments="parquet",
        )
    names = sorted(path.name for path in (tmp_path / "spread/assignments.parquet").iterdir())
    assert names == [f"{part}-{number:05d}.parquet" for part in ("test", "train") for number in range(2)]
    assert rows_of_pieces(tmp_path / "spread") == rows_of_csv(tmp_path / "csv")
    assert without_table(tmp_path / "spread") == without_table(tmp_path / "csv")


def test_the_command_takes_the_form(tmp_path, images):
    np.save(tmp_path / "set.npy", images.pixels)
    plan = [
        "--k",
        "3",
        "--restarts",
        "1",
        "--out",
        str(tmp_path / "it"),
        "--memory",
        "100MB",
        "--quiet",
        "--train",
        "0.6",
    ]
    main(["study", str(tmp_path / "set.npy"), *plan, "--assignments", "parquet"])
    assert (tmp_path / "it/assignments.parquet/train-00000.parquet").exists()
    assert len(load(tmp_path / "it").labels(3)) == 1800
