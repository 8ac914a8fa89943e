"""Every example runs as it is, and writes what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import steinhaus

EXAMPLES = Path(__file__).parents[1] / "examples"
WRITES = {
    "colour_quantisation": {"16-colours.png"},
    "digits": {"inertia.png", "centroids.png", "confusion.png", "advice.png"},
    "embeddings": set(),
    "mnist_study": {"study.json", "elbow.png"},
    "photographs": {"network.onnx", "by-colour", "by-hog", "by-network"},
    "pipeline_pca": {"wine.safetensors"},
}


def test_every_example_is_tested():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(WRITES)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITES)
def test_it_runs(name, tmp_path):
    if name == "mnist_study" and not os.environ.get("STEINHAUS_DATA"):
        pytest.skip("STEINHAUS_DATA does not name the folder of MNIST")
    source = str(Path(steinhaus.__file__).parents[1])
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": source}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), str(tmp_path / "new")],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert WRITES[name] <= {path.name for path in (tmp_path / "new").glob("*")}
