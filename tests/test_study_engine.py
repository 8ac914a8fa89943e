"""The study on the real engine: the same bytes for any threads, for a run alone, and after kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from naive_points import NaivePoints
from steinhaus.images import Images, open_images
from steinhaus.study import Study, load
from steinhaus.study.run import run_study
from study_cases import content

DIGITS = Study(k=(5, 10), restarts=3, train=0.6)

COMMAND = """
import os, signal, sys
from steinhaus.images import open_images
from steinhaus.study import Study
out, last = sys.argv[1], int(sys.argv[2])
seen = 0
def watch(event):
    global seen
    seen += event.name == "advanced"
    if seen == last:
        os.kill(os.getpid(), signal.SIGKILL)
Study(k=(5, 10), restarts=3).run(open_images("digits"), out, watch, checkpoint_every=0.0)
"""


@pytest.fixture(scope="module")
def digits() -> Images:
    return open_images("digits")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, digits: Images) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    DIGITS.run(digits, folder)
    return folder


def test_the_real_engine_and_the_naive_one_write_the_same_bytes(tmp_path: Path, whole: Path, digits: Images) -> None:
    plain = Images.from_arrays(
        digits.pixels.astype(np.uint8),
        digits.labels,
        label_names=digits.label_names,
        name=digits.name,
        full_scale=digits.full_scale,
        licence=digits.licence,
        source=digits.source,
    )
    assert plain.sha256 == digits.sha256
    run_study(DIGITS, plain, tmp_path, choose=NaivePoints)
    assert content(tmp_path) == content(whole)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_any_number_of_threads_writes_the_same_bytes(tmp_path: Path, whole: Path, digits: Images, threads: int) -> None:
    replace(DIGITS, threads=threads).run(digits, tmp_path)
    assert content(tmp_path) == content(whole)


@pytest.mark.slow
def test_killed_in_the_middle_and_gone_on_with(tmp_path: Path, whole: Path, digits: Images) -> None:
    done = subprocess.run([sys.executable, "-c", COMMAND, tmp_path, "12"], check=False)
    assert done.returncode == -signal.SIGKILL
    before = load(tmp_path)
    assert not before.record.complete
    DIGITS.run(digits, tmp_path)
    assert content(tmp_path) == content(whole)
    ended = [(line["k"], line["restart"]) for line in load(tmp_path).events() if line["event"] == "run_finished"]
    assert sorted(ended) == sorted(set(ended)) == list(DIGITS.keys), "no run was finished twice"


@pytest.mark.parametrize("init", ["random", "k-means++"])
def test_a_run_alone_is_the_run_among_others(digits: Images, init: str) -> None:
    among = replace(DIGITS, init=init).run(digits)
    alone = replace(DIGITS, init=init, k=(10,), restarts=1).run(digits)
    assert alone.runs[0] == next(r for r in among.runs if (r.k, r.restart) == (10, 0))
    assert np.array_equal(alone.centroids(10, 0), among.centroids(10, 0))


def test_starts_of_another_study_are_gone_on_with(digits: Images) -> None:
    first = replace(DIGITS, k=(10,), restarts=1, max_iter=3).run(digits)
    rest = replace(DIGITS, k=(10,), restarts=1, init={10: [first.centroids(10)]}).run(digits)
    straight = replace(DIGITS, k=(10,), restarts=1).run(digits)
    assert first.runs[0].inertia + rest.runs[0].inertia == straight.runs[0].inertia
    assert np.array_equal(rest.centroids(10), straight.centroids(10))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_their_units(dtype: type, digits: Images) -> None:
    floats = Images.from_arrays((digits.pixels / 16).astype(dtype), digits.labels)
    study = Study(k=(10,), restarts=2, train=0.6)
    result, whole = study.run(floats), study.run(digits)
    assert result.record.data.full_scale == 1.0
    for a, b in zip(result.runs, whole.runs, strict=True):
        assert a.inertia == pytest.approx(b.inertia)
    assert np.allclose(result.centroids(10), whole.centroids(10))


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("STEINHAUS_DATA"), reason="STEINHAUS_DATA names no folder with MNIST")
def test_the_published_study_on_mnist() -> None:
    published = {
        5: (1824011.109, 0.4511, 0.4537),
        7: (1735097.392, 0.5083, 0.5064),
        10: (1645926.690, 0.5920, 0.5883),
        12: (1597737.486, 0.6065, 0.6035),
    }
    result = Study().run(open_images("mnist"))
    assert len(result.runs) == 20
    for best in result.best:
        inertia, train, test = published[best.k]
        assert best.inertia == pytest.approx(inertia, rel=0.003)
        assert best.train_accuracy == pytest.approx(train, abs=0.02)
        assert best.test_accuracy == pytest.approx(test, abs=0.02)
