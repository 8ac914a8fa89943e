"""Studies of features: what is kept, shown and predicted; the same from memory, disk and threads; and the commands."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import naive
from pictures import picture
from steinhaus import Features, KMeans, Study, open_images
from steinhaus.cli import main
from steinhaus.displays import CentroidsDisplay
from steinhaus.errors import DataError, PlanError, SteinhausError, StoreError
from steinhaus.images import Images
from steinhaus.report import compare, figures, from_result, medoid_figure, members, render
from steinhaus.report import measures as report_measures
from steinhaus.report.command import command
from steinhaus.study import events, load
from steinhaus.study.result import StudyResult

N, D = 120, 7
RNG = np.random.default_rng(3)
WHICH = RNG.integers(0, 4, N)
PIXELS = (RNG.integers(0, 90, (N, 8, 10, 3)) + 40 * WHICH[:, None, None, None]).astype(np.uint8)
VECTORS = (RNG.normal(size=(4, D))[WHICH] * 4 + RNG.normal(size=(N, D))).astype(np.float32)
STUDY = Study(k=(3, 5), restarts=2, seed=1, train=0.75)
STEPS = Features(VECTORS, normalise=True, standardise=True, pca=3)


def images() -> Images:
    return Images.from_arrays(PIXELS, WHICH, name="pictures", files=[f"{i}.png" for i in range(N)])


def result(features: Any, out: Path | None = None, **options: Any) -> StudyResult:
    return replace(STUDY, features=features).run(images(), out, **options)


def test_vectors_are_clustered_as_k_means_does() -> None:
    found = result(VECTORS)
    split = found.images
    start = found.raw_centroids(5)
    fitted = KMeans(5, init=start, n_init=1, tol=0).fit(VECTORS[split.train_index])
    assert np.array_equal(found.labels(5), fitted.labels_)
    assert np.array_equal(found.centroids(5).astype(np.float32), fitted.cluster_centers_)
    assert np.isclose(found.best[1].inertia, fitted.inertia_, rtol=1e-12)
    assert np.array_equal(found.test_labels(5), naive.labels(VECTORS[split.test_index], start))


@pytest.mark.parametrize("features", [VECTORS, STEPS, "pca:4", "colour"])
def test_means_and_medoids_are_those_of_the_slow_way(features: Any) -> None:
    if isinstance(features, str) and features == "colour":
        pytest.importorskip("skimage", reason="needs the extra `features`")
    found = result(features)
    train = found.images.train
    points = found.points(train).astype(np.float64)
    for k in (3, 5):
        labels, centroids = found.labels(k), found.raw_centroids(k)
        for cluster in range(k):
            members = np.flatnonzero(labels == cluster)
            mean = train.pixels[members].mean(axis=0) / 255
            assert np.allclose(found.mean_images(k)[cluster], mean, atol=1e-6)
            distances = np.linalg.norm(points[members] - centroids[cluster], axis=1)
            nearest_rows = members[np.argsort(distances, kind="stable")][:9]
            assert found.medoids(k)[cluster, : len(nearest_rows)].tolist() == nearest_rows.tolist()


def test_means_count_pictures_by_their_weights() -> None:
    weights = RNG.integers(0, 3, N)
    found = replace(STUDY, features=VECTORS).run(replace(images(), weights=weights.astype(np.float64)))
    train, labels = found.images.train, found.labels(3)
    for cluster in range(3):
        copies = np.repeat(np.flatnonzero(labels == cluster), train.weights[labels == cluster].astype(int))
        mean = train.pixels[copies].sum(axis=0, dtype=np.float64) / len(copies) / 255
        assert np.array_equal(found.mean_images(3)[cluster], mean.astype(np.float32))


def test_a_folder_holds_it_all(tmp_path: Path) -> None:
    found = result(STEPS, tmp_path / "s")
    again = load(tmp_path / "s")
    assert again.record == found.record
    assert again.record.data.features.told == (
        "vectors of an array, unit length, mean 0 and standard deviation 1, 3 principal components"
    )
    assert np.array_equal(again.mean_images(3), found.mean_images(3))
    assert np.array_equal(again.medoids(3), found.medoids(3))
    assert np.array_equal(again.points(found.images.train), found.points(found.images.train))
    heard: list[events.Event] = []
    result(STEPS, tmp_path / "s", watch=heard.append)
    assert [type(event) for event in heard] == [events.Finished]


def test_a_study_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = result(STEPS, tmp_path / "whole")

    def stop(event: events.Event) -> None:
        if isinstance(event, events.RunFinished):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        result(STEPS, tmp_path / "cut", watch=stop)
    with pytest.raises(SteinhausError, match="clusters features and is not finished"):
        from_result(load(tmp_path / "cut"))
    assert result(STEPS, tmp_path / "cut").record == whole.record
    names = {p.relative_to(tmp_path / "whole") for p in (tmp_path / "whole").rglob("*") if p.is_file()}
    for name in names - {Path("events.jsonl")}:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_other_features_on_a_folder_are_refused(tmp_path: Path) -> None:
    result(VECTORS, tmp_path)
    for features in (VECTORS + 1, STEPS, None):
        with pytest.raises(StoreError, match=r"features is .* there and .* here"):
            result(features, tmp_path)


@pytest.mark.parametrize("name", ["features.safetensors", "pictures/k003.safetensors"])
def test_files_that_were_changed_are_refused(tmp_path: Path, name: str) -> None:
    found = result(STEPS, tmp_path / "s")
    data = bytearray((tmp_path / "s" / name).read_bytes())
    for place in (len(data) // 2, len(data) - 1):
        data[place] ^= 1
        (tmp_path / "s" / name).write_bytes(bytes(data))
        with pytest.raises(StoreError, match="is damaged or was changed"):
            _all_of(load(tmp_path / "s"), found.images.train)


def _all_of(found: StudyResult, train: Images) -> None:
    found.points(train)
    found.mean_images(3)


def test_pictures_that_were_taken_away_are_made_again(tmp_path: Path) -> None:
    found = result(STEPS, tmp_path / "s")
    shutil.rmtree(tmp_path / "s" / "pictures")
    with pytest.raises(StoreError, match="is missing"):
        load(tmp_path / "s").medoids(3)
    assert np.array_equal(result(STEPS, tmp_path / "s").medoids(3), found.medoids(3))


@pytest.mark.slow
def test_the_same_from_memory_and_from_disk_on_any_threads(tmp_path: Path) -> None:
    np.save(tmp_path / "pixels.npy", PIXELS)
    np.save(tmp_path / "v.npy", VECTORS)
    features = replace(STEPS, what=tmp_path / "v.npy")
    plan = replace(STUDY, features=features, init="random")  # by default it differs in memory and on disk
    whole = plan.run(open_images(tmp_path / "pixels.npy"), tmp_path / "a")
    stored = open_images(tmp_path / "pixels.npy", stored=True)
    for threads in (1, 2, 7):
        found = replace(plan, threads=threads).run(stored, tmp_path / f"b{threads}")
        assert found.record.digest == whole.record.digest
        for k in (3, 5):
            assert np.array_equal(found.raw_centroids(k), whole.raw_centroids(k))
            assert np.array_equal(found.labels(k), whole.labels(k))
            assert np.array_equal(found.mean_images(k), whole.mean_images(k))
            assert np.array_equal(found.medoids(k), whole.medoids(k))
    with pytest.raises(PlanError, match="Give a folder"):
        plan.run(stored)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(PlanError, match=r"is for the columns of a table.*standardise=True"):
        replace(STUDY, scale="standard").run(open_images(PIXELS, features=VECTORS))
    with pytest.raises(PlanError, match="must have 7 features"):
        Study(k=(2,), restarts=1, init={2: [np.zeros((2, 240))]}).run(open_images(PIXELS, features=VECTORS))
    with pytest.raises(PlanError, match="clusters pixels"):
        result(None).medoids(3)


def test_starts_may_be_given_in_the_space_of_the_features() -> None:
    start = VECTORS[:3].astype(np.float64)
    found = Study(k=(3,), restarts=1, init={3: [start]}, train=1.0).run(open_images(PIXELS, features=VECTORS))
    fitted = KMeans(3, init=start, n_init=1, tol=0).fit(VECTORS)
    assert np.array_equal(found.labels(3), fitted.labels_)


# The report


def test_a_report_shows_medoids_and_says_of_what_distances_are() -> None:
    found = result(VECTORS)
    page = render(from_result(found))
    text = " ".join(re.sub(r"<style>.*?</style>|<script.*?</script>", "", page, flags=re.DOTALL).split())
    assert "medoids (the pictures nearest to the centroids)" in text
    assert "by vectors of an array (7 values)" in text
    assert "Distances are between vectors of an array" in text
    assert text.count('<ul class="nearby"') == 8
    assert 'alt="medoid of cluster 0"' in text
    assert "Mean images of K" not in text


def test_a_report_tells_how_to_run_the_same_features_again() -> None:
    def again(features: Any, **changes: Any) -> str:
        data = from_result(result(features))
        return command(replace(data, record=replace(data.record, data=replace(data.record.data, **changes))))

    assert "seed=1, features='pca:4').run(images)" in again("pca:4")
    assert "features=Features(the same array, normalise=True, standardise=True, pca=3))" in again(STEPS)
    told = again(Features("pca:6", normalise=True, pca=2), name="mnist")
    assert told.endswith("--seed 1 --features pca:6 --normalise --pca 2")
    assert again(VECTORS, name="mnist").endswith("features=Features(the same array)).run('mnist')")


def test_figures_and_displays_show_medoids_where_the_report_does(tmp_path: Path) -> None:
    found = result(VECTORS, tmp_path)
    data = from_result(found)
    assert {"medoids-k003.png", "map-k003.png"} <= {path.name for path in figures.paths(data, tmp_path, ["png"])}
    (drawn,) = medoid_figure.mosaics([data.medoids[3][1]], 255.0, data.shape)
    medoid, second = data.medoids[3][1][:2]
    assert np.array_equal(drawn[:16, :20], medoid.repeat(2, axis=0).repeat(2, axis=1))
    assert np.array_equal(drawn[:8, 21:31], second)
    assert figures.means(data, data.record.best[0]).get_suptitle().startswith("K = 3: medoids")
    display = CentroidsDisplay.from_study(found, 3)
    assert np.array_equal(display.images[1], medoid / 255)
    of_pixels, from_disk = from_result(result("pca:4")), from_result(load(tmp_path))
    for shown in (of_pixels, from_disk):
        assert "means-k003.png" in {path.name for path in figures.paths(shown, tmp_path, ["png"])}


def test_a_report_of_components_of_pixels_shows_means() -> None:
    page = render(from_result(result("pca:4")))
    assert 'alt="mean of cluster 0"' in page
    assert "pixels, 4 principal components" in page


def test_distances_of_a_report_are_those_of_the_features() -> None:
    found = result(STEPS)
    near, _ = report_measures.measure(from_result(found))
    points = found.points(found.images.train).astype(np.float64)
    true = np.linalg.norm(points[:, None] - found.raw_centroids(5), axis=2)
    assert np.allclose(near[5].distances[: len(true), 0], true.min(axis=1), rtol=1e-4)


def test_clusters_of_one_picture_and_of_none_are_drawn() -> None:
    few = VECTORS[:6].copy()
    few[3:] = few[3]
    found = Study(k=(5,), restarts=1, train=1.0).run(open_images(PIXELS[:6], features=few))
    assert sorted(found.best[0].sizes) == [0, 1, 1, 1, 3]
    page = render(from_result(found))
    assert page.count('<ul class="nearby"') == 1
    assert page.count('alt="medoid of cluster') == 8
    assert page.count('alt="mean of cluster') == 2


def test_studies_of_different_features_are_not_compared_by_inertia() -> None:
    several = [from_result(result(features)) for features in (VECTORS, STEPS, None)]
    page = compare(several)
    assert "different data or features. You can compare" in page
    assert "vectors of an array, unit length" in page
    assert "different features" not in compare(several[:1] * 2)


def test_a_report_without_images_shows_means(tmp_path: Path) -> None:
    result(VECTORS, tmp_path)
    page = render(from_result(load(tmp_path)))
    assert 'alt="mean of cluster 0"' in page
    assert '<ul class="nearby"' not in page


def test_pictures_that_were_compressed_with_loss_make_a_small_page() -> None:
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 256, (100, 3, 3, 3), dtype=np.uint8).repeat(24, axis=1).repeat(24, axis=2)
    pages = {}
    for ending in ("png", "jpg"):
        files = [f"{i}.{ending}" for i in range(100)]
        data = from_result(Study(k=(2,), restarts=1).run(Images.from_arrays(rough, files=files)))
        assert data.is_lossy == (ending == "jpg")
        layouts = members.tiles(data, 100), members.tiles(data, 20_000)
        pages[ending] = [layout.quality for layout in layouts], [layout.width for layout in layouts]
        for n, layout in zip((100, 20_000), layouts, strict=True):
            if ending == "jpg":
                assert members._lossy_bytes(data, n, layout.width, layout.quality) <= members.LOSSY_BYTES
    assert pages["png"][0] == [None, None]
    assert None not in pages["jpg"][0]
    assert pages["jpg"][1][0] == 72, "a few are carried as they are"
    assert pages["jpg"][1][1] < 72


# Commands


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in folders of labels, and their vectors in a file."""
    path = tmp_path_factory.mktemp("commands")
    for i in range(40):
        picture(path / "pictures" / f"l{WHICH[i]}" / f"{i}.png", PIXELS[i])
    order = [int(Path(name).stem) for name in open_images(path / "pictures").files]
    np.save(path / "v.npy", VECTORS[order])
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0, capsys.readouterr().err
    return capsys.readouterr().out


@pytest.mark.slow
def test_commands_from_a_folder_to_predictions(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("skimage", reason="needs the extra `features`")
    monkeypatch.chdir(folder)
    out = run(capsys, "study", "pictures", "--k", "3", "--restarts", "2", "--features", "colour:2", "--pca", "2",
              "--normalise", "--out", "s", "-q")  # fmt: skip
    assert "Clustered: colour features, unit length, 2 principal components (2" in " ".join(out.split())
    record = load("s").record
    assert sorted(path.suffix for path in Path("features").iterdir()) == [".json", ".npy"], (
        "features lie beside the study"
    )
    words = shlex.split(record.command)
    assert {"--features", "colour:2", "--normalise", "--pca", "2"} <= set(words)
    assert main([*words[1:], "--out", "again", "-q"]) == 0
    assert load("again").record.digest == record.digest
    capsys.readouterr()
    assert "report" in run(capsys, "report", "s", "--source", "pictures", "-q")
    assert '<ul class="nearby"' in Path("s/report.html").read_text("utf-8")
    lines = run(capsys, "predict", "s", "pictures", "--format", "jsonl", "-q").splitlines()
    found = load("s")
    images = open_images("pictures")
    split = images.split(record.plan["train"], record.plan["seed"])
    clusters = np.array([json.loads(line)["cluster"] for line in lines])
    assert np.array_equal(clusters[split.train_index], found.labels(3))
    assert np.array_equal(clusters[split.test_index], found.test_labels(3))
    exported = run(capsys, "report", "s", "--source", "pictures", "--export", "csv", "--out", "a.csv", "-q")
    assert "a.csv" in exported
    run(capsys, "report", "s", "--source", "pictures", "--export", "fiftyone", "--out", "fo", "-q")
    assert np.load("fo/vectors.npy").shape == (40, 2)


@pytest.mark.slow
def test_commands_with_features_of_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    run(capsys, "study", "pictures", "--k", "3", "--restarts", "1", "--features", "v.npy", "--out", "f", "-q")
    np.save("new.npy", np.load("v.npy")[:5])
    np.save("wide.npy", np.zeros((5, 9), np.float32))
    np.save("pixels.npy", PIXELS[:5])
    found = run(capsys, "predict", "f", "pixels.npy", "--features", "new.npy", "--format", "jsonl", "-q").splitlines()
    assert len(found) == 5
    of_vectors = run(capsys, "predict", "f", "new.npy", "--format", "jsonl", "-q").splitlines()
    assert [json.loads(line)["cluster"] for line in of_vectors] == [json.loads(line)["cluster"] for line in found]
    np.save("others.npy", PIXELS[40:80])  # as many as the study's own
    assert main(["predict", "f", "others.npy", "-q"]) == 1
    assert "one for each of its own pictures, and others.npy does not hold those" in " ".join(
        capsys.readouterr().err.split()
    )
    for features, words in (("v.npy", "40 rows for 5"), ("wide.npy", "vectors of 9 values, but the study's have 7")):
        assert main(["predict", "f", "pixels.npy", "--features", features, "-q"]) == 1
        assert words in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_a_network_that_lies_elsewhere_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `models`")
    from onnx_networks import small

    monkeypatch.chdir(folder)
    small(Path("net.onnx"), shape=("n", 3, "h", "w"))
    study = (
        "study",
        "pictures",
        "--k",
        "3",
        "--restarts",
        "1",
        "--features",
        "net.onnx",
        "--model-input",
        "16x16 0..1",
    )
    run(capsys, *study, "--out", "n", "-q")
    assert load("n").record.data.features.options["input"] == "16x16 mean=0 std=1"
    Path("net.onnx").rename("moved.onnx")
    small(Path("other.onnx"), shape=("n", 3, "x", "y"))
    run(capsys, "predict", "n", "pictures", "--features", "moved.onnx", "-q")
    for given, words in (([], "cannot be read"), (["--features", "other.onnx"], "its sha256 differs")):
        assert main(["predict", "n", "pictures", *given, "-q"]) == 1
        assert words in " ".join(capsys.readouterr().err.split())


def test_a_study_without_features_is_refused_new_ones() -> None:
    from steinhaus.study.space import again

    record = result(VECTORS).record.data.features
    with pytest.raises(DataError, match="came from an array"):
        again(record, images())
