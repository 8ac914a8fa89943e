"""Weights of images: in sources, in studies, on the command line, and in saved files."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from arrow import needs_arrow, pa, pq
from pictures import digits, write
from steinhaus import KMeans, Study
from steinhaus.cli import main
from steinhaus.errors import DataError, SteinhausError
from steinhaus.images import Images, open_images
from steinhaus.study import load

N = 60
WEIGHTS = np.arange(N) % 4 / 2
X = np.random.default_rng(0).random((N, 2)).round(6)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = [f"{a},{w},{b}" for (a, b), w in zip(X, WEIGHTS, strict=True)]
    return write(tmp_path / "x.csv", ("a,w,b\n" + "\n".join(lines)).encode())


def outcome(result):
    return result.record.runs, [result.raw_centroids(best.k).tobytes() for best in result.best]


@pytest.mark.parametrize("kind", ["csv", "csv without names", pytest.param("parquet", marks=needs_arrow), "npz"])
def test_every_kind_of_table_has_weights(tmp_path: Path, table: Path, kind: str) -> None:
    name: str | int = "w"
    if kind == "csv without names":
        table.write_text(table.read_text().removeprefix("a,w,b\n"))
        name = 1
    elif kind == "parquet":
        pq.write_table(pa.table({"a": X[:, 0], "w": WEIGHTS, "b": X[:, 1]}), tmp_path / "x.parquet")
    elif kind == "npz":
        np.savez(tmp_path / "x.npz", X=X, w=WEIGHTS)
    images = open_images(tmp_path / f"x.{kind.removesuffix(' without names')}", weights=name)
    assert images.weights.tolist() == WEIGHTS.tolist()
    assert images.pixels.tolist() == X.tolist()


def test_weights_of_a_split_and_of_parts(tmp_path: Path) -> None:
    half = {"x_train": X[:40], "x_test": X[40:], "w_train": WEIGHTS[:40], "w_test": WEIGHTS[40:]}
    np.savez(tmp_path / "x.npz", **half)
    images = open_images(tmp_path / "x.npz", weights="w_train")
    assert (images.given_train, images.weights.tolist()) == (40, WEIGHTS.tolist())
    assert images.split().train.weights.tolist() == WEIGHTS[:40].tolist()


def test_a_weighted_study_is_kmeans_with_weights(table: Path) -> None:
    images = open_images(table, weights="w")
    for init in ("random", "k-means++", "k-means||", "hierarchical"):
        result = Study(k=[3], restarts=2, init=init).run(images)
        start = result.centroids(3)
        again = KMeans(3, init=start, tol=0).fit(X, sample_weight=WEIGHTS)
        assert again.inertia_ == result.best[0].inertia
        assert again.cluster_centers_.tobytes() == start.tobytes()
        assert sum(result.best[0].sizes) == N
        assert result.best[0].sizes == tuple(np.bincount(result.labels(3), minlength=3))
    assert outcome(result) != outcome(
        Study(k=[3], restarts=2, init="hierarchical").run(open_images(table, without="w"))
    )


def test_whole_weights_are_so_many_rows() -> None:
    counts = np.arange(N) % 3 + 1
    init = {3: [X[:3]]}
    weighted = Study(k=[3], restarts=1, init=init, train=1.0).run(Images.from_arrays(X, weights=counts))
    copies = Study(k=[3], restarts=1, init=init, train=1.0).run(Images.from_arrays(np.repeat(X, counts, axis=0)))
    assert weighted.raw_centroids(3).tobytes() == copies.raw_centroids(3).tobytes()
    assert weighted.best[0].inertia == copies.best[0].inertia
    assert np.repeat(weighted.labels(3), counts).tolist() == copies.labels(3).tolist()


@pytest.mark.usefixtures("_no_figures")
def test_the_command_keeps_weights_and_its_own_words_run_again(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["study", "x.csv", "--weights", "w", "--k", "2,3", "--restarts", "2", "--out", "it"]) == 0
    told = " ".join("".join(capsys.readouterr()).split())
    assert "Weights: from 0 to 1.5, 45 in all." in told
    assert "Rows have weights, 45 in total." in told
    result = load("it")
    assert result.record.data.weight == 45.0
    assert json.loads(Path("it/study.json").read_text())["data"]["weight"] == 45.0
    assert "have weights" in Path("it/report.html").read_text()
    words = shlex.split(result.record.command or "")
    assert words[words.index("--weights") + 1] == "w"
    assert main([*words[1:], "--out", "again", "--quiet"]) == 0
    assert outcome(load("again")) == outcome(result)
    assert main([*words[1:], "--out", "it", "--quiet"]) == 0  # there already
    assert main(["report", "it", "--source", "x.csv", "--weights", "w", "--quiet"]) == 0
    assert main(["predict", "it", "x.csv", "--format", "csv", "--quiet"]) == 0
    found = [line.split(",")[1] for line in capsys.readouterr().out.splitlines() if line.startswith("x.csv[")]
    assert found == [str(label) for label in result.labels(3)]


def test_a_study_with_other_weights_is_another(table: Path, tmp_path: Path) -> None:
    images = open_images(table, weights="w")
    other = Images.from_arrays(X, weights=WEIGHTS + 1, columns=["a", "b"], full_scale=1.0)
    assert Study(k=[2]).digest(images) != Study(k=[2]).digest(other) != Study(k=[2]).digest(open_images(table))
    Study(k=[2], restarts=1).run(images, tmp_path / "it")
    with pytest.raises(SteinhausError, match="another study"):
        Study(k=[2], restarts=1).run(other, tmp_path / "it")


def test_a_weighted_study_that_was_stopped_goes_on(table: Path, tmp_path: Path) -> None:
    images, study = open_images(table, weights="w"), Study(k=[2, 5], restarts=3)

    def stop(event):
        if event.name == "run_finished":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.run(images, tmp_path / "it", watch=stop, checkpoint_every=0.0)
    assert outcome(study.run(images, tmp_path / "it")) == outcome(study.run(images))


@needs_arrow
def test_sizes_in_pieces_are_numbers_of_images(table: Path, tmp_path: Path) -> None:
    images = open_images(table, weights="w")
    pieces = Study(k=[3], restarts=1).run(images, tmp_path / "it", assignments="parquet")
    assert outcome(pieces) == outcome(Study(k=[3], restarts=1).run(images))
    assert pieces.best[0].sizes == tuple(np.bincount(pieces.labels(3), minlength=3))


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        (np.ones(5), "one weight per image"), (-WEIGHTS, "the weight of image 1 is -0.5"), (np.zeros(N), "all are 0"),
        (np.where(WEIGHTS > 1, np.nan, 1), "is nan"), (["a"] * N, "must be numbers"),
    ],
)  # fmt: skip
def test_weights_that_are_none_are_refused(weights: object, why: str) -> None:
    with pytest.raises(DataError, match=why):
        Images.from_arrays(X, weights=weights)


def test_a_column_that_is_not_there_or_is_the_label_is_refused(table: Path) -> None:
    with pytest.raises(DataError, match="has no column 'v'"):
        open_images(table, weights="v")
    with pytest.raises(DataError, match="cannot hold the weights, too"):
        open_images(table, weights="w", labels="w")


@pytest.mark.usefixtures("_no_figures")
def test_where_weights_do_not_go_the_command_says_so(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", digits(6))
    assert main(["study", "x.npy", "--weights", "w"]) != 0
    assert "has no option --weights; its options are --shape, --full-scale" in " ".join(capsys.readouterr().err.split())
    pytest.importorskip("zarr", reason="needs the extra zarr")
    assert main(["data", "import", "x.csv", "x.zarr", "--weights", "w"]) != 0
    assert "a store has no weights" in " ".join(capsys.readouterr().err.split())


@needs_arrow
@pytest.mark.usefixtures("_no_figures")
def test_the_command_weighs_a_table_that_stays_on_disk(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": X[:, 0], "w": WEIGHTS, "b": X[:, 1]}), tmp_path / "x.parquet")
    plan = ["--k", "3", "--init", "k-means||", "--weights", "w", "--labels", "none", "--quiet"]
    for place, memory in (("here", []), ("disk", ["--memory", "1MB"])):
        assert main(["study", str(tmp_path / "x.parquet"), *plan, "--out", str(tmp_path / place), *memory]) == 0
    disk, here = load(tmp_path / "disk"), load(tmp_path / "here")
    assert outcome(disk) == outcome(here)
    assert disk.record.data.weight == here.record.data.weight
