from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steinhaus.errors import PlanError
from steinhaus.images.known import KNOWN
from steinhaus.study import Study
from study_cases import blobs, run

START = np.full((3, 12), 0.5)


def test_the_defaults_are_the_published_study() -> None:
    mnist = replace(blobs(), usual_train=KNOWN["mnist"].train)
    assert Study().settled(mnist).plan() == {
        "k": [5, 7, 10, 12],
        "restarts": 5,
        "max_iter": 300,
        "init": "random",
        "tol": 0.0,
        "train": 0.6,
        "seed": 0,
    }


@pytest.mark.parametrize("k", [range(2, 5), (4, 2, 3), [2, 2, 3, 4], np.array([2, 3, 4]), iter([2, 3, 4]), {2, 3, 4}])
def test_k_is_any_iterable_of_whole_numbers(k: object) -> None:
    assert Study(k=k).ks == (2, 3, 4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"k": ()}, "at least one"),
        ({"k": 5}, "list of whole numbers"),
        ({"k": "5"}, "list of whole numbers"),
        ({"k": (0,)}, "at least 1, not 0"),
        ({"k": (2.5,)}, "at least 1, not 2.5"),
        ({"k": (True,)}, "Every K"),
        ({"restarts": 0}, "restarts"),
        ({"restarts": None}, "restarts"),
        ({"max_iter": 0}, "max_iter"),
        ({"tol": -1}, "tol"),
        ({"tol": float("nan")}, "tol"),
        ({"tol": "0"}, "tol"),
        ({"train": 0.0}, "train"),
        ({"train": 1.5}, "train"),
        ({"train": 0}, "train"),
        ({"train": True}, "train"),
        ({"train": "all"}, "given"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.0}, "seed"),
        ({"threads": 0}, "threads"),
        ({"init": "kmeans"}, "k-means\\+\\+"),
        ({"init": START}, "of type ndarray"),
        ({"k": (3,), "init": {4: [START]}}, "for every K"),
        ({"k": (3,), "init": {3: START}, "restarts": 2}, "each of 2 restarts, but K = 3 has 3"),
        ({"k": (3,), "init": {3: 1}, "restarts": 1}, "list of arrays"),
        ({"k": (3,), "init": {3: [START[:2]]}, "restarts": 1}, "shape \\(3, d\\), but it has \\(2, 12\\)"),
        ({"k": (3,), "init": {3: [START * np.nan]}, "restarts": 1}, "finite"),
        ({"k": (3,), "init": {3: [START * 1j]}, "restarts": 1}, "numbers"),
        ({"k": (3,), "init": {3: [[["a"]] * 3]}, "restarts": 1}, "numbers"),
        ({"k": (3,), "init": {3: [[[1], [2, 3], [4]]]}, "restarts": 1}, "numbers"),
    ],
)
def test_a_wrong_plan_is_refused_by_name_rule_and_value(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        Study(**wrong)  # type: ignore[arg-type]


def test_a_plan_is_frozen_and_so_are_its_starts() -> None:
    start = START.copy()
    study = Study(k=(3,), restarts=1, init={3: [start]})
    with pytest.raises(dataclasses.FrozenInstanceError):
        study.seed = 1  # type: ignore[misc]
    before = study.plan()
    start[0, 0] = 0.25
    assert study.plan() == before


def test_numpy_numbers_do_as_well() -> None:
    study = Study(k=np.arange(2, 4), restarts=np.int32(2), tol=np.float32(0.5), train=np.int64(7), seed=np.uint8(1))
    assert json.loads(json.dumps(study.plan()))["train"] == 7


def test_the_digest_names_plan_and_data_but_not_threads() -> None:
    images = blobs()
    digest = Study().digest(images)
    assert len(digest) == 64
    assert Study(threads=3).digest(images) == digest
    assert Study(k=[12, 10, 7, 5]).digest(images) == digest
    others = [Study(seed=1), Study(k=(5, 7, 10)), Study(init="k-means++"), Study(train=36), Study(tol=1e-4)]
    assert len({digest, *(study.digest(images) for study in others), Study().digest(blobs(seed=1))}) == 7


def test_given_starts_enter_the_digest_by_their_content() -> None:
    def digest(start: np.ndarray) -> str:
        return Study(k=(3,), restarts=1, init={3: [start]}).digest(blobs())

    assert digest(START) == digest(START.reshape(3, 3, 4)) == digest(START.astype(np.float32))
    assert digest(START) != digest(np.nextafter(START, 1))


def test_the_default_folder_is_safe_whatever_the_name() -> None:
    images = blobs()
    assert Study().folder(images) == Path("studies") / f"blobs-{Study().digest(images)[:8]}"
    for name in ("../../etc/passwd", "a b/ç\n", "...", ""):
        folder = Study().folder(replace(images, name=name))
        assert folder.parent == Path("studies")
        assert folder.name.isascii()
        assert folder.name[0].isalnum()


def test_what_does_not_fit_the_images_is_refused() -> None:
    with pytest.raises(PlanError, match="number of training images, 36, but the plan has K = 37"):
        run(study=Study(k=(37,), train=0.6))
    with pytest.raises(PlanError, match="12 features"):
        run(study=Study(k=(3,), restarts=1, init={3: [START[:, :11]]}))
    with pytest.raises(PlanError, match="Divide it by 255"):
        run(study=Study(k=(3,), restarts=1, init={3: [START * 255]}))
