"""Studies of sets on disk: the bytes of a study in memory, within the memory limit."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steinhaus import KMeans
from steinhaus.engines import choose, weighted
from steinhaus.errors import DataError
from steinhaus.images import Images, open_images
from steinhaus.report import from_result, write_report
from steinhaus.report.data import spread
from steinhaus.study import Study, load
from steinhaus.study.run import run_study
from study_cases import content

STUDY = Study(k=(4, 9), restarts=2, max_iter=12, train=0.6, init="k-means||")


@pytest.fixture
def pixels(rng: np.random.Generator) -> np.ndarray:
    centres = rng.integers(40, 200, (9, 6, 7))
    return np.clip(centres[rng.integers(0, 9, 3000)] + rng.normal(0, 40, (3000, 6, 7)), 0, 255).astype(np.uint8)


def within(rows, *, threads=None, weights=None):
    if weights is not None:
        return weighted(rows, weights, threads=threads, memory=300_000)
    return choose(rows, threads=threads, memory=300_000)


def test_the_folder_is_the_one_of_the_study_in_memory(tmp_path: Path, pixels: np.ndarray) -> None:
    np.save(tmp_path / "set.npy", pixels)
    labels = np.arange(3000) % 10
    STUDY.run(open_images(tmp_path / "set.npy", labels=labels), tmp_path / "memory")
    stored = open_images(tmp_path / "set.npy", labels=labels, stored=True)
    run_study(STUDY, stored, tmp_path / "disk", choose=within)
    assert content(tmp_path / "disk") == content(tmp_path / "memory")


def test_starts_by_default_are_those_of_scalable_and_said(tmp_path: Path, pixels: np.ndarray) -> None:
    np.save(tmp_path / "set.npy", pixels)
    study, told = Study(k=(3,), restarts=1, max_iter=2, train=0.6), []
    for stored, init in ((True, "k-means||"), (False, "random")):
        images = open_images(tmp_path / "set.npy", stored=stored)
        result = study.run(images, watch=told.append)
        assert result.record.plan["init"] == init
        assert study.digest(images) == Study(k=(3,), restarts=1, max_iter=2, train=0.6, init=init).digest(images)
    notes = [event.text for event in told if event.name == "noted"]
    assert notes == [
        'k-means|| chooses the starts, because the points stay on disk. init="random" and init="k-means++" choose '
        "other starts."
    ]


def test_weights_on_disk_count_as_in_memory(tmp_path: Path, pixels: np.ndarray, rng: np.random.Generator) -> None:
    np.save(tmp_path / "set.npy", pixels)
    weights = rng.integers(0, 3, 3000) / 2
    for folder, stored in (("memory", False), ("disk", True)):
        images = replace(open_images(tmp_path / "set.npy", stored=stored), weights=weights)
        run_study(STUDY, images, tmp_path / folder, choose=within if stored else None)
    assert content(tmp_path / "disk") == content(tmp_path / "memory")


def test_kmeans_reads_stored_rows(tmp_path: Path, pixels: np.ndarray, rng: np.random.Generator) -> None:
    np.save(tmp_path / "set.npy", pixels)
    rows, x, weights = open_images(tmp_path / "set.npy", stored=True).rows, pixels.reshape(3000, -1), rng.random(3000)
    there = KMeans(5, random_state=2).fit(rows, sample_weight=weights)
    here = KMeans(5, init="k-means||", random_state=2).fit(x, sample_weight=weights)
    assert there.init_ == "k-means||"
    assert there.labels_.tolist() == here.labels_.tolist() == there.predict(rows).tolist()
    assert there.cluster_centers_.tolist() == here.cluster_centers_.tolist()
    assert there.score(rows, sample_weight=weights) == here.score(x, sample_weight=weights)
    with pytest.raises(DataError, match="in pieces"):
        there.transform(rows)


def test_the_report_shows_a_sample_and_says_so(
    tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steinhaus.report.data.SAMPLE", 500)
    np.save(tmp_path / "set.npy", pixels)
    stored = open_images(tmp_path / "set.npy", labels=np.arange(3000) % 10, stored=True)
    result = run_study(STUDY, stored, tmp_path / "disk", choose=within)
    data = from_result(result)
    assert data.is_sample
    assert data.train is not None
    assert data.test is not None
    assert (data.train.n, data.test.n) == (pytest.approx(300, abs=3), pytest.approx(200, abs=3))
    for part, clusters in ((data.train, data.train_clusters), (data.test, data.test_clusters)):
        assert np.array_equal(part.pixels, pixels[part.numbers])
        assert np.array_equal(part.labels, part.numbers % 10)
        assert all(len(found) == part.n for found in clusters.values())
    whole = from_result(STUDY.run(Images.from_arrays(pixels, np.arange(3000) % 10)))
    rows = spread(1800, data.train.n)
    assert np.array_equal(data.train_clusters[9], whole.train_clusters[9][rows])
    page = write_report(result, tmp_path / "report.html").read_text()
    assert f"come from a sample of {data.n} images, spread evenly over the data" in " ".join(page.split())
    assert not from_result(load(tmp_path / "disk")).is_sample


def test_few_vectors_on_disk_have_the_report_of_those_in_memory(tmp_path: Path, rng: np.random.Generator) -> None:
    np.save(tmp_path / "set.npy", rng.random((40, 20)))
    carried = []
    for stored in (True, False):
        result = STUDY.run(open_images(tmp_path / "set.npy", stored=stored))
        carried.append(write_report(result, tmp_path / "report.html").read_text().split('id="data">')[1])
    assert carried[0] == carried[1]


def test_a_sample_is_spread_without_a_period() -> None:
    rows = spread(100_000, 1000)
    assert len(rows) > 990
    assert rows[0] >= 0
    assert rows[-1] < 100_000
    assert np.diff(rows).max() < 300
    assert abs(np.bincount(rows % 10, minlength=10) - 100).max() < 30


PEAK = """
import resource, sys
from steinhaus.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=sys.stderr)
"""


def measured(source: Path, out: Path, *options: str) -> tuple[int, str]:
    """The most memory that the command ever held, in bytes, and what it said."""
    command = [sys.executable, "-c", PEAK, "study", source, "--k", "5,10", "--restarts", "3", "--max-iter", "6"]
    done = subprocess.run(
        [*command, "--timings", "--out", out, *options], check=True, capture_output=True, text=True
    )  # fmt: skip
    return int(done.stderr.splitlines()[-1]), done.stderr


@pytest.mark.slow
def test_the_command_stays_within_memory_and_reads_once_an_iteration(tmp_path: Path) -> None:
    n, side = 400_000, 28
    rng = np.random.default_rng(0)
    centres = rng.integers(0, 200, (10, side, side))
    large = np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.uint8, (n, side, side))
    for first in range(0, n, 10_000):
        noise = rng.integers(0, 56, (10_000, side, side))
        large[first : first + 10_000] = centres[rng.integers(0, 10, 10_000)] + noise
    large.flush()
    np.save(tmp_path / "small.npy", large[:2000])
    bare, _ = measured(tmp_path / "small.npy", tmp_path / "of-small", "--memory", "200MB")
    peak, said = measured(tmp_path / "large.npy", tmp_path / "of-large", "--memory", "200MB")
    assert peak < bare + 200e6 < bare + large.nbytes
    passes, read = re.findall(r"(\d+) passes read ([0-9.]+) GB", said)[0]
    runs = load(tmp_path / "of-large").record.runs
    each = [run.iterations + (run.stop != "CONVERGED") for run in runs]
    assert int(passes) == 6 * len(runs) + max(each), "six for the starts of each run, then those of the longest run"
    assert float(read) == pytest.approx(int(passes) * large.nbytes / 1e9, rel=0.01)
    clusters = load(tmp_path / "of-large").labels(10)
    assert len(clusters) == n, "a set without labels is clustered whole"
