"""`steinhaus study --explain` explains the screens and does nothing else."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from steinhaus import engines
from steinhaus.cli import main
from steinhaus.images import open_images
from steinhaus.study import Study

PLAN = ["--k", "2,3", "--restarts", "4", "--explain"]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Four thousand images, alone in the folder that the command runs in: too many for the compact engine."""
    monkeypatch.chdir(tmp_path)
    np.save("tiny.npy", np.random.default_rng(0).integers(0, 256, (4000, 20, 20), dtype=np.uint8))
    return "tiny.npy"


def test_it_says_how_images_would_be_screened_and_runs_nothing(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", source, *PLAN, "--out", "there"]) == 0
    out, err = capsys.readouterr()
    images = open_images(source)
    told = Study(k=(2, 3), restarts=4).explain(images)
    with closing(engines.choose(images.split(seed=0).train.rows)) as points:
        assert told == {k: points.explain(k, 4) for k in (2, 3)}
    assert told[2] == told[3], "then it is said once"
    assert " ".join(out.split()).startswith(f"K = 2, 3, 4 runs each: {' '.join(told[2].split())} Nothing was run.")
    assert max(map(len, out.splitlines())) <= 80
    assert err == ""
    assert [path.name for path in Path.cwd().iterdir()] == [source]


def test_as_json(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", source, *PLAN, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["event"], line["k"], line["runs"]) for line in lines] == [("explained", 2, 4), ("explained", 3, 4)]
    assert all(line["text"] for line in lines)


def test_a_plan_that_does_not_fit_is_refused(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", source, "--k", "5000", "--explain"]) == 2
    assert "at most the number of training images" in " ".join(capsys.readouterr().err.split())
