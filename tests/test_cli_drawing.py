"""The process that draws figures beside the command gives the same files as the command, even if it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from steinhaus.cli import drawing, main
from steinhaus.report import from_result, save_figures
from steinhaus.study import load

pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of `digits`, without figures."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("steinhaus.resources.available_cores", lambda: 1)
        patch.setattr("steinhaus.report.save_figures", lambda *_: [])
        arguments = ["study", "digits", "--k", "2,3", "--restarts", "2", "--quiet", "--out", str(folder)]
        assert main(arguments) == 0
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_it_draws_the_same_bytes(study: Path, tmp_path: Path) -> None:
    data = from_result(load(study))
    save_figures(data, tmp_path)
    with drawing.figure_process() as helper:
        assert helper is not None
        helper.begin(study, ["png"], data.flows)
        drawn = helper.drawn()
    assert [path.parent for path in drawn] == [study / "figures"] * len(drawn)
    assert {path.name: path.read_bytes() for path in drawn} == contents(study / "figures") == contents(tmp_path)


def test_where_it_fails_the_command_draws(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    for path in (study / "figures").glob("*"):
        path.unlink()
    assert main(["report", str(study)]) == 0
    assert len(contents(study / "figures")) == 2 * 4 + 2


def test_where_it_cannot_start_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with drawing.figure_process() as helper:
        assert helper is None


def test_on_one_core_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steinhaus.resources.available_cores", lambda: 1)
    with drawing.figure_process() as helper:
        assert helper is None


def test_it_ends_with_the_command(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which may be before it has a task, or while it draws."""
    started = []

    def popen(*arguments: object, **options: object) -> subprocess.Popen[str]:
        started.append(real(*arguments, **options))  # type: ignore[call-overload]
        return started[-1]

    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", popen)
    with drawing.figure_process():
        pass
    with drawing.figure_process() as helper:
        assert helper is not None
        helper.begin(study, ["png"], [])
    assert all(process.poll() is not None for process in started)
    for process in started:
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
