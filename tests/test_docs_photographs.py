"""Every command of the page on photographs runs as written, on crops and a small network."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import steinhaus

HERE = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", (HERE / "docs" / "photographs.md").read_text("utf-8"), re.M | re.S)
COMMANDS = [text.strip() for kind, text in BLOCKS if kind == "sh" and not text.startswith("pip ")]
PROGRAMS = [text for kind, text in BLOCKS if kind == "python"]


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) == 5
    assert len(PROGRAMS) == 1
    assert all(command.startswith("steinhaus ") for command in COMMANDS)


@pytest.mark.slow
def test_they_run(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `models`")
    pytest.importorskip("skimage", reason="needs the extra `features`")
    environment = {**os.environ, "PYTHONPATH": str(Path(steinhaus.__file__).parents[1]), "MPLBACKEND": "agg"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
            timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    code = "import sys; from pathlib import Path; from photographs import crops, network; "
    code += "crops(Path('pictures'), 100); network(Path('network.onnx'))"
    environment["PYTHONPATH"] += os.pathsep + str(HERE / "examples")
    run("-c", code)
    for command in COMMANDS:
        assert run("-m", *shlex.split(command))
    for program in PROGRAMS:
        assert run("-c", program)
    for name in ("by-colour", "by-network", "by-angle"):
        assert '<ul class="nearby"' in (tmp_path / name / "report.html").read_text("utf-8")
