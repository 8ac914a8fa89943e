"""The same bits with other instructions: only the oldest ones, and bytes multiplied in half registers."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from steinhaus.engines import choose
from steinhaus.engines.bounds.rounding import BYTES
from steinhaus.jit import target
from steinhaus.points import Run

FITS = """
import hashlib, json
import numpy as np
from steinhaus.jit import target
{before}
from steinhaus.engines import choose
from steinhaus.lloyd import lloyd
from steinhaus.points import Run

rng = np.random.default_rng(5)
means = rng.integers(0, 200, (9, 100))
pixels = np.clip(means[rng.integers(0, 9, 600)] + rng.normal(0, 40, (600, 100)), 0, 255).astype(np.uint8)
out = []
points = choose(pixels, threads=2, screen="drift")
for fit in lloyd(points, [Run(k, points.rows(np.arange(k))) for k in (3, 8)]):
    parts = (fit.centroids, np.array(fit.history), points.labels(fit.key))
    out.append(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
points.close()
print(json.dumps([target.BYTE_LANES, out]))
"""


def fitted(tmp_path, before: str = "", **variables: str) -> tuple[int, list[str]]:
    environment = os.environ | {"STEINHAUS_CACHE": str(tmp_path)} | variables
    done = subprocess.run(
        [sys.executable, "-c", FITS.format(before=before)], env=environment, capture_output=True, text=True, check=True
    )
    lanes, digests = json.loads(done.stdout)
    return lanes, digests


@pytest.fixture(scope="module")
def native(tmp_path_factory) -> list[str]:
    return fitted(tmp_path_factory.mktemp("native"))[1]


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names instructions of x86")
def test_the_oldest_instructions_give_the_same_bits(tmp_path, native):
    lanes, old = fitted(tmp_path, STEINHAUS_CPU="x86-64", STEINHAUS_CPU_FEATURES="+sse2")
    assert lanes == 0
    assert old == native


@pytest.mark.slow
@pytest.mark.skipif(target.BYTE_LANES != 16, reason="needs AVX-512 VNNI")
def test_bytes_multiplied_in_halves_of_a_register_give_the_same_bits(tmp_path, native):
    lanes, halves = fitted(tmp_path, before="target.BYTE_LANES = 8")
    assert lanes == 8
    assert halves == native


@pytest.mark.slow
@pytest.mark.skipif(not target.BYTE_TILES, reason="needs AMX")
def test_bytes_multiplied_without_tiles_give_the_same_bits(tmp_path, native):
    _, rows = fitted(tmp_path, before="target.BYTE_TILES = False")
    assert rows == native


@pytest.mark.parametrize("d", [1, 3, 63, 64, 66, BYTES + 70])
def test_bytes_in_rows_of_any_length_are_screened_well(d, rng):
    x = rng.integers(0, 256, (70, d)).astype(np.uint8)
    run = Run(0, x[:3] * 0.9)
    screened, settled = choose(x, threads=1, screen="plain"), choose(x, threads=1, screen="none")
    for points in (screened, settled):
        points.assign([run])
    np.testing.assert_array_equal(screened.labels(0), settled.labels(0))
    assert screened.work[1].sum() < settled.work[1].sum() / 4
    for points in (screened, settled):
        points.close()
