"""A short run of the fuzz targets, and all inputs that failed in a long run (tests/fuzz/run.py, tests/corpus)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random

import pytest

from fuzz import targets
from fuzz.containers import installed
from fuzz.targets import CORPUS, Target

NEEDED = {"parquet": "pyarrow", "arrow": "pyarrow", "zarr": "zarr", "hdf5": "h5py"}  # what reads a kind of file
NAMES = (
    "idx", "idx.gz", "csv", "csv.gz", "npy", "npz",
    "png", "tiff", "cifar", "fvecs", "bvecs", "jsonl", "matlab", "jpeg", "webp", "bmp", "study.json", "report", "run",
    "checkpoint", "events", "assignments", "lock", "model", "tar",
    *(name for name, package in NEEDED.items() if installed(package)),
)  # fmt: skip


@pytest.fixture(scope="module")
def known() -> Iterator[dict[str, Target]]:
    yield {target.name: target for target in targets.targets()}
    targets.clean()


def test_every_target_is_named_here_and_every_input_has_one(known: dict[str, Target]) -> None:
    assert tuple(known) == NAMES
    kept = {path.name for path in CORPUS.iterdir()}
    left = {
        name for name in kept for kind, package in NEEDED.items() if name.startswith(kind) and not installed(package)
    }
    assert kept - left == {path.name for t in known.values() for path in t.corpus()}


@pytest.mark.parametrize("name", NAMES)
def test_only_our_errors_come_out(known: dict[str, Target], name: str) -> None:
    target = known[name]
    assert all(target.feed(data) for data in target.seeds) or name == "lock", "what it begins from is good"
    for path in target.corpus():
        target.feed(path.read_bytes())
    fed = [target.feed(data) for data in itertools.islice(target.inputs(Random(name)), 200)]
    assert any(fed), "some inputs get past the door"
