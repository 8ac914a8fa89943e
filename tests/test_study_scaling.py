"""Tables of numbers: columns brought to one scale, in the study, its report and `predict`; and other ways of Python."""

from __future__ import annotations

import copy
import csv
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from pictures import digits, write
from steinhaus.cli import main
from steinhaus.errors import PlanError
from steinhaus.images import Images, open_images
from steinhaus.report import from_result, render
from steinhaus.study import Study, load, scaling

QUICK = ["--k", "3", "--restarts", "2", "--quiet"]


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    """Ages, incomes, and a column of one value; three groups that differ in age alone."""
    rng = np.random.default_rng(0)
    age = np.repeat([20.0, 45.0, 70.0], 30) + rng.normal(0, 2, 90)
    return np.column_stack([age.round(1), rng.integers(10_000, 90_000, 90), np.full(90, 7)])


@pytest.fixture
def table(values: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _no_figures: None) -> Path:
    monkeypatch.chdir(tmp_path)
    lines = ["Age,Income,Kind", *(",".join(map(str, row)) for row in values.tolist())]
    return write(tmp_path / "customers.csv", ("\n".join(lines) + "\n").encode())


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_scaling_is_what_its_name_says(kind: str, values: np.ndarray) -> None:
    found = scaling.fitted(kind, values)
    scaled = scaling.applied(found, values)
    np.testing.assert_allclose(scaling.undone(found, scaled), values, rtol=1e-12)
    assert (scaled[:, 2] == 0).all()
    if kind == "standard":
        np.testing.assert_allclose(scaled[:, :2].mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(scaled[:, :2].std(axis=0), 1, rtol=1e-12)
    else:
        assert scaled[:, :2].min() == 0
        assert scaled[:, :2].max() == 1
    assert scaling.fitted("none", values) is None


def test_a_scaled_study_finds_what_the_widest_column_hides(table: Path, values: np.ndarray) -> None:
    groups = np.repeat([0, 1, 2], 30)
    for kind in ("none", "standard", "minmax"):
        assert main(["study", "customers.csv", "--scale", kind, "--init", "k-means++", "--out", kind, *QUICK]) == 0
    found = {kind: load(kind) for kind in ("none", "standard", "minmax")}
    agreed = {kind: len(set(zip(groups, result.labels(3).tolist(), strict=True))) for kind, result in found.items()}
    assert agreed["none"] > 3  # incomes decide
    centroids = found["minmax"].centroids(3)
    assert centroids[:, 0].min() < 50 < centroids[:, 1].min()  # in years and in money
    np.testing.assert_allclose(centroids[:, 2], 7)
    for kind in ("standard", "minmax"):
        record = found[kind].record
        assert (record.plan["scale"], record.data.scaling.kind, record.data.columns) == (
            kind, kind, ("Age", "Income", "Kind"),
        )  # fmt: skip
        rows = scaling.applied(record.data.scaling, values)
        apart = rows - scaling.applied(record.data.scaling, found[kind].centroids(3))[found[kind].labels(3)]
        assert record.best[0].inertia == pytest.approx(np.square(apart).sum(), rel=1e-9)


def test_inertia_of_a_table_is_in_its_own_units(table: Path, values: np.ndarray) -> None:
    whole = np.column_stack([np.arange(30) % 7, np.arange(30) * 11 % 30])
    write(table, ("a,b\n" + "\n".join(f"{a},{b}" for a, b in whole)).encode())
    assert main(["study", "customers.csv", "--out", "it", *QUICK]) == 0
    result = load("it")
    apart = whole - result.centroids(3)[result.labels(3)]
    assert result.best[0].inertia == pytest.approx(np.square(apart).sum())


def test_scaling_is_learnt_of_the_training_part(values: np.ndarray) -> None:
    images = Images.from_arrays(values, given_train=30, columns=["Age", "Income", "Kind"])
    result = Study(k=[2], restarts=1, scale="standard").run(images)
    np.testing.assert_allclose(result.record.data.scaling.offset, values[:30].mean(axis=0))


def test_predict_applies_the_study_s_scaling(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "customers.csv", "--scale", "standard", "--out", "it", *QUICK]) == 0
    capsys.readouterr()
    assert main(["predict", "it", "customers.csv", "--format", "csv", "--quiet"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    result = load("it")
    assert [int(row["cluster"]) for row in rows] == result.labels(3).tolist()
    assert sum(float(row["distance"]) ** 2 for row in rows) == pytest.approx(result.best[0].inertia)


def test_predict_takes_the_study_s_columns_by_name(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "customers.csv", "--out", "it", "--without", "Kind", *QUICK]) == 0
    rows = [line.split(",") for line in table.read_text().splitlines()]
    turned = [[str(n), income, kind, age] for n, (age, income, kind) in enumerate(rows[1:])]
    write(Path("new.csv"), "\n".join(",".join(row) for row in [["id", "Income", "Kind", "Age"], *turned]).encode())
    write(Path("other.csv"), b"id,Income\n1,2\n")
    capsys.readouterr()
    assert main(["predict", "it", "new.csv", "--format", "csv", "--quiet"]) == 0
    clusters = [int(row["cluster"]) for row in csv.DictReader(capsys.readouterr().out.splitlines())]
    assert clusters == load("it").labels(3).tolist()
    assert main(["predict", "it", "other.csv", "--quiet"]) == 1
    assert "has no column 'Age'" in capsys.readouterr().err


def test_a_scaled_study_goes_on_and_is_another_than_an_unscaled_one(table: Path, tmp_path: Path) -> None:
    command = ["study", "customers.csv", "--scale", "standard", "--out", "it", *QUICK]
    assert main(command) == 0
    before = (tmp_path / "it/study.json").read_bytes()
    (tmp_path / "it/runs/k003-r01.safetensors").unlink()
    assert main(command) == 0
    assert (tmp_path / "it/study.json").read_bytes() == before
    assert main(["study", "customers.csv", "--out", "it", *QUICK]) == 1


def test_the_page_of_a_table_names_its_columns_in_their_units(table: Path) -> None:
    assert main(["study", "customers.csv", "--scale", "standard", "--out", "it", *QUICK]) == 0
    result = load("it")
    result.images = open_images("customers.csv").split(1.0)
    data = from_result(result)
    page = render(data)
    assert ">Age</th>" in page
    assert f"{result.centroids(3)[0, 1]:,.4g}</td>" in page
    assert "Columns are scaled to mean 0 and standard deviation 1." in page
    assert "--scale standard" in page
    assert "Columns are scaled to mean 0" in " ".join(result.table().split())
    # distances of the report are those of the study
    from steinhaus.report.measures import measure

    near, _ = measure(data)
    assert np.square(near[3].distances[:, 0].astype(float)).sum() == pytest.approx(result.best[0].inertia, rel=1e-4)


def test_what_cannot_be_scaled_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", digits(8).astype(np.float32).reshape(8, 12))
    with pytest.raises(PlanError, match="needs points in memory"):
        Study(k=[2], restarts=1, scale="standard").run(open_images(tmp_path / "x.npy", stored=True))
    with pytest.raises(PlanError, match="scale must be"):
        Study(scale="log")


def test_a_record_with_another_scaling_than_columns_is_refused(table: Path, tmp_path: Path) -> None:
    from steinhaus.study import schema

    assert main(["study", "customers.csv", "--scale", "standard", "--out", "it", *QUICK]) == 0
    whole = json.loads((tmp_path / "it/study.json").read_bytes())
    for key, value in (("offset", [1.0]), ("step", [0.0, 1.0, 1.0]), ("kind", "log")):
        content = copy.deepcopy(whole)
        content.pop("sha256")
        content["data"]["scaling"][key] = value
        content["sha256"] = schema._checksum(content)
        with pytest.raises(ValueError, match="its scaling"):
            schema.decode(json.dumps(content).encode())


# Python


def test_a_study_opens_what_it_is_given(tmp_path: Path) -> None:
    study = Study(k=[3], restarts=1, max_iter=5)
    by_name, by_images = study.run("digits"), study.run(open_images("digits"))
    assert by_name.record == by_images.record
    np.save(tmp_path / "x.npy", digits(9))
    assert study.run(tmp_path / "x.npy").record.data.sha256 == study.run(digits(9)).record.data.sha256


def test_results_can_be_pickled_and_copied(tmp_path: Path) -> None:
    study = Study(k=[3], restarts=1, max_iter=5)
    for result in (study.run("digits"), study.run("digits", tmp_path / "it"), study.run("digits", tmp_path / "it")):
        for again in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
            assert again.record == result.record
            np.testing.assert_array_equal(again.centroids(3), result.centroids(3))
            np.testing.assert_array_equal(again.labels(3), result.labels(3))
            np.testing.assert_array_equal(again.images.train.pixels, result.images.train.pixels)
