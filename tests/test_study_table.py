from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steinhaus.study import Study, events, load
from steinhaus.study.record import BestRecord, DataRecord, RunRecord, StudyRecord
from steinhaus.study.table import number, text
from study_cases import blobs, run

PUBLISHED = """\
mnist: 42,000 images of 28 x 28 to train, 28,000 to test. Seed 0.

  K  run    max inertia    min inertia  iterations  ended
  5    1    2005877.525    1824012.219          61  converged
  5    2    2058536.885    1824011.109         300  iteration limit  best

 12    1    1777668.737    1597737.486          80  within tolerance  best

  K   best inertia  train acc.  test acc.  cluster->label
  5    1824011.109      0.4511     0.4537  0->0  1->1  2->3  3->7  4->6
 12    1597737.486      0.6065     0.6035  0->0  1->1  2->2  3->3  4->4  5->5
                                           6->6  7->7  8->8  9->9  10->-  11->7
K = 12: labels tie for the majority in clusters 3, 11; the lowest label is used.
"""


def a_run(k: int, restart: int, inertia: tuple[float, float], iterations: int, stop: str) -> RunRecord:
    return RunRecord(k, restart, inertia, inertia[-1], iterations, stop, (1,) * k)


def a_best(
    k: int, restart: int, inertia: float, mapping: tuple[int | None, ...], accuracies: tuple[float, float]
) -> BestRecord:
    return BestRecord(k, restart, inertia, (1,) * k, *accuracies, mapping, (), None, None)


@pytest.fixture
def published() -> StudyRecord:
    digits = tuple(str(digit) for digit in range(10))
    return StudyRecord(
        schema=1,
        plan=Study(k=(5, 12), restarts=2, init="random").plan(),
        data=DataRecord("mnist", "", (28, 28), "uint8", 255.0, 42_000, 28_000, digits, None, None),
        machine={},
        versions={},
        runs=(
            a_run(5, 0, (2005877.525, 1824012.219), 61, "CONVERGED"),
            a_run(5, 1, (2058536.885, 1824011.109), 300, "MAX_ITER"),
            a_run(12, 0, (1777668.737, 1597737.486), 80, "TOLERANCE"),
        ),
        best=(
            a_best(5, 1, 1824011.109, (0, 1, 3, 7, 6), (0.4511, 0.4537)),
            replace(
                a_best(12, 0, 1597737.486, (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, None, 7), (0.6065, 0.6035)),
                ties=(3, 11),
            ),
        ),
    )


def test_the_published_shape(published: StudyRecord) -> None:
    assert text(published) == PUBLISHED


def test_long_names_and_many_clusters_stay_in_80_columns(published: StudyRecord) -> None:
    names = tuple(f"ankle boot number {i}" for i in range(10))
    assert all(
        len(line) <= 80
        for line in text(replace(published, data=replace(published.data, label_names=names))).splitlines()
    )
    result = run(study=Study(k=(30,), restarts=12))
    assert all(len(line) <= 80 for line in result.table().splitlines())


def test_without_labels_the_sizes_are_shown() -> None:
    result = run(blobs(labels=False))
    sizes = " ".join(str(size) for size in result.best[1].sizes)
    assert result.table().splitlines()[-1].endswith(f"{result.best[1].restart + 1:5d}  {sizes}")


def test_an_unfinished_study_says_how_far_it_is(tmp_path: Path) -> None:
    def stop(event: events.Event) -> None:
        if isinstance(event, events.RunFinished):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(out=tmp_path, watch=stop)
    assert "Not finished: 1 of 4 runs are done." in load(tmp_path).table().replace("\n", " ")


@pytest.mark.parametrize(
    ("inertia", "shown"),
    [
        (2005877.5249, "2005877.525"),
        (1000, "1000.000"),
        (10.4274177, "10.42742"),
        (0.0, "0.000"),
        (1.5e-30, "1.5e-30"),
        (2e12, "2e+12"),
    ],
)
def test_numbers(inertia: float, shown: str) -> None:
    assert number(inertia) == shown


def test_empty_clusters_are_said_and_why():
    same = Study(k=[1, 3], restarts=1).run(np.ones((4, 2, 2), np.uint8))
    assert "K = 3: 2 clusters are empty: fewer than 3 images differ." in same.table()
    assert "K = 1" not in same.table()
    two = Study(k=[2], restarts=1).run(np.ones((2, 2, 2), np.uint8))
    assert "K = 2: 1 cluster is empty: fewer than 2 images differ." in two.table()


def test_one_image_is_no_images():
    assert Study(k=[1], restarts=1).run(np.ones((1, 2, 2), np.uint8)).table().startswith("array: 1 image of 2 x 2")
