"""`steinhaus study` within a memory and on workers: the same bytes on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from steinhaus.cli import main
from steinhaus.cli.arguments import Size
from study_cases import content


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "digits.npy"
    rng = np.random.default_rng(0)
    centres = rng.integers(0, 255, (5, 8, 8))
    np.save(path, np.clip(centres[rng.integers(5, size=900)] + rng.normal(0, 30, (900, 8, 8)), 0, 255).astype(np.uint8))
    return path


def study(source: Path, out: Path, *place: str) -> dict[str, bytes]:
    plan = ["--k", "4,7", "--restarts", "2", "--init", "k-means||", "--quiet"]
    assert main(["study", str(source), *plan, "--out", str(out), "--timings", *place]) == 0
    return {name: data for name, data in content(out).items() if not name.startswith(("figures", "report"))}


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return study(source, tmp_path_factory.mktemp("whole"))


def test_within_a_memory(source: Path, whole: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert study(source, tmp_path, "--memory", "200kB") == whole
    assert "is the limit" in capsys.readouterr().err


@pytest.mark.slow
def test_on_workers(source: Path, whole: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    assert study(source, tmp_path, "--workers", "2") == whole
    assert "points assigned in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("1.5GiB", 3 * 2**29), ("800 MB", 8 * 10**8), ("64kB", 64_000), ("9", 9)]
)
def test_sizes(text: str, size: int) -> None:
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "2 XB", "1e9"])
def test_what_is_no_size(text: str, source: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["study", str(source), f"--memory={text}"]) == 2
    assert "is not a size" in capsys.readouterr().err


def test_places_that_contradict_or_are_not_there(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["study", str(source), "--workers", "2", "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "Give only one" in capsys.readouterr().err
