"""The command in odd environments: a notebook's backend, closed streams."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLAN = ["study", "digits", "--k", "2", "--restarts", "1", "--max-iter", "2", "--quiet", "--out", "it"]


def run(tmp_path: Path, shell: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    command = f'"{sys.executable}" -m steinhaus {" ".join(PLAN)} {shell}'
    env = {**os.environ, **variables}
    return subprocess.run(
        command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
def test_figures_are_drawn_without_a_backend_of_the_user_s(tmp_path: Path) -> None:
    ended = run(tmp_path, MPLBACKEND="module://matplotlib_inline.no_such_backend")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(list((tmp_path / "it/figures").iterdir())) > 1


@pytest.mark.parametrize(
    "closed",
    [pytest.param("2>&-", marks=pytest.mark.slow), pytest.param(">&-", marks=pytest.mark.slow), "<&- >&- 2>&-"],
)
def test_closed_streams_stop_nothing(tmp_path: Path, closed: str) -> None:
    assert run(tmp_path, closed).returncode == 0
    assert (tmp_path / "it/report.html").exists()
