"""The kernels are compiled once a machine, in two processes, and loaded ever after."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from steinhaus.engines import kernels, warming

SAID = """
from steinhaus.engines import kernels, warming
print(warming.is_warm())
warming.warm_up()
print(warming.is_warm(), sum(kernels.assign.stats.cache_misses.values()), sum(kernels.assign.stats.cache_hits.values()))
"""


@pytest.mark.slow
def test_what_the_other_process_compiles_is_loaded_here(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", SAID], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["False", "True", "0", "1"]


def test_without_the_other_process_all_is_compiled_here(monkeypatch):
    monkeypatch.setattr(warming, "is_warm", lambda: False)
    monkeypatch.setattr(warming, "__name__", "steinhaus.engines.nothing")
    warming.warm_up()
    assert kernels.assign.overloads


def test_a_process_that_hangs_is_ended(monkeypatch, tmp_path):
    started = []
    (tmp_path / "hangs.py").write_text("import time; time.sleep(1000)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    class Noted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(warming.subprocess, "Popen", Noted)
    monkeypatch.setattr(warming, "is_warm", lambda: False)
    monkeypatch.setattr(warming, "available_cores", lambda: 2)
    monkeypatch.setattr(warming, "__name__", "hangs")
    monkeypatch.setattr(warming, "_PATIENCE", 0.1)
    warming.warm_up()
    assert started[0].returncode is not None


def test_a_cache_of_other_sources_does_not_count(monkeypatch):
    warming.warm_up()
    assert warming.is_warm()
    monkeypatch.setattr("steinhaus.compiled._CONTENTS", "of another version")
    assert not warming.is_warm()
