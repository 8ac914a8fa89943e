"""Every script of benchmarks/ runs on tiny data, and prints the expected results. For examples/, see `test_examples`.

The folder is copied first, so that results and data stay out of the checkout.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import steinhaus
from steinhaus.images import open_images

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

# A script: what it is started with, one list a run. STORE is a store of a few thousand images, TABLES a document with a
# place for tables.
# One row of each kind: every row is a process of each library.
EVERYDAY = (
    "iris,digits,birch1,blobs-million,mnist-uint8-10,iris-10,wide-50,minibatch-10,"
    "predict-1-uint8,score-1000-float32,transform-1-float64,fit_predict-1-uint8,fit_transform-1000-float32"
)
RUNS = {
    "borders": [["--tiny", "--rounds", "1", "--markdown", "TABLES"]],
    "compare": [
        ["--points", "1200", "--rounds", "1", "--peers", "none", "--markdown", "TABLES"],
        ["--points", "1200", "--rounds", "1", "--peers", "all", "--workload", "k10"],
        ["--points", "1200", "--rounds", "1", "--peers", "none", "--growth"],
    ],
    "estimator": [["--rounds", "1", "--fits", "1", "--images", "6000"]],
    "everyday": [["--tiny", "--rounds", "1", "--rows", EVERYDAY, "--markdown", "TABLES", "--plot", "PLOT"]],
    "features": [["--tiny", "--k", "3", "--restarts", "1"], ["--file", "300", "--rounds", "1"]],
    "first_use": [["--images", "2000", "--rounds", "1", "--markdown", "TABLES"]],
    "quality": [["--tiny", "--seeds", "1", "--plot", "PLOT", "--keep", "KEPT"]],
    "mark": [["--points", "640", "--rounds", "3"]],
    "scale": [
        ["blocks", "STORE", "--images", "3000", "--memory", "50MB", "--iterations", "2"],
        ["workers", "STORE", "--sizes", "500,1000", "--workers", "1", "--iterations", "2"],
        ["overhead"],
        ["mnist", "--images", "1000"],
        ["peers", "STORE", "--images", "2000", "--iterations", "2"],
    ],
    "starting": [["--tiny", "--rounds", "1", "--rows", "mnist-10,birch1,given-embeddings,seeding,scalable,two-levels"]],
    "scale_data": [["NEW", "--images", "5000"]],
    "without": [["--points", "1200", "--rounds", "1", "--rows", "k10,noise", "--lists", "20"]],
    "whole_command": [["--rounds", "1", "--train", "2000"]],
}
WITHOUT_MNIST = {"first_use"}  # which then leaves out the study of MNIST, from a cold cache and from a warm one
STARTED_BY_OTHERS = {"measure": "compare", "scripted_study": "whole_command"}


def is_script(path):
    return 'if __name__ == "__main__":' in path.read_text()


def test_every_script_is_run():
    assert {path.stem for path in BENCHMARKS.glob("*.py") if is_script(path)} == {*RUNS, *STARTED_BY_OTHERS}
    for name, other in STARTED_BY_OTHERS.items():
        assert other in RUNS
        assert any(f"{name}.py" in path.read_text() for path in BENCHMARKS.glob("*.py") if path.stem != name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the folder, to be written to."""
    if not os.environ.get("STEINHAUS_DATA"):
        pytest.skip("STEINHAUS_DATA does not name the folder of MNIST")
    copied = tmp_path_factory.mktemp("copy") / "benchmarks"
    shutil.copytree(BENCHMARKS, copied, ignore=shutil.ignore_patterns("results", "__pycache__"))
    yield copied
    shutil.rmtree(copied)


@pytest.fixture(scope="module")
def store(folder):
    zarr = pytest.importorskip("zarr", reason="scripts of scale need Zarr")
    path = folder / "images.zarr"
    images = open_images("mnist", data=os.environ["STEINHAUS_DATA"]).pixels[:4000]
    zarr.create_array(str(path), data=images, chunks=(1000, 28, 28), compressors=None)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"), [pytest.param(name, run, id=f"{name}-{run[0]}") for name in RUNS for run in RUNS[name]]
)
def test_it_runs(name, arguments, folder, request):
    if name.startswith("scale"):
        pytest.importorskip("zarr", reason="scripts of scale need Zarr")
        pytest.importorskip("distributed", reason="scripts of scale need Dask")
    tables = folder / "tables-of-test.md"
    tables.write_text("<!-- benchmarks/compare.py writes from here -->\n<!-- to here -->\n")
    places = {
        "TABLES": tables,
        "KEPT": folder / "kept.json",
        "NEW": folder / "new.zarr",
        "PLOT": folder / "plot-of-test.svg",
    }
    if "STORE" in arguments:
        places["STORE"] = request.getfixturevalue("store")
    known = {key: value for key, value in os.environ.items() if key != "STEINHAUS_DATA" or name not in WITHOUT_MNIST}
    environment = known | {"PYTHONPATH": str(Path(steinhaus.__file__).parents[1]), "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, str(folder / f"{name}.py"), *(str(places.get(word, word)) for word in arguments)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout or done.stderr
    assert "failed" not in done.stdout, done.stdout  # a peer that does not come to an end is left out, and said
    left_out = [line.strip() for line in done.stdout.splitlines() if "not installed" in line]
    if name == "compare":
        results = [json.loads(path.read_text()) for path in (folder / "results").glob("*-1200-points.json")]
        assert results
        assert all(result["peers"]["ours"] for result in results if "peers" in result)
        assert "TABLES" not in arguments or "passes per fit" in tables.read_text()
    if name == "everyday":
        assert "From given starts" in tables.read_text()
        assert places["PLOT"].stat().st_size
        rows = json.loads((folder / "results" / "everyday-tiny.json").read_text())["rows"]
        assert {one["row"]["name"] for one in rows if one["row"]["counted"]} >= {"iris", "digits", "blobs-million"}
        assert not any(one.get("not_nearest") for one in rows)
    if name == "quality":
        assert "Below and left of our curve:" in done.stdout
        assert "ours, refined" in json.loads(places["KEPT"].read_text())["tiny-5"]
        assert places["PLOT"].stat().st_size
    if name == "first_use":
        assert "| iris: first fit, K = 3 |" in tables.read_text()
    if left_out:
        pytest.skip(f"it runs, but without some: {'; '.join(left_out)}")
