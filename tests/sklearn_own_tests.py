"""Run the installed scikit-learn's own tests of KMeans, MiniBatchKMeans and their functions with ours.

    python tests/sklearn_own_tests.py

Ours are substituted before pytest imports the test file; nothing of the file is copied. Failures that are by
design are named below, each with its reason; any other makes the script fail.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest
import sklearn
import sklearn.cluster

BY_DESIGN = {
    "test_sample_weight_init": "calls the private method _init_centroids; ours are drawn by steinhaus.seeding",
    "test_sample_weight_zero": "calls the private method _init_centroids; ours are drawn by steinhaus.seeding",
}


class Recorder:
    """Notes how each test came out."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.failed: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] += 1
        if report.failed:
            lines = [line for line in str(report.longrepr).splitlines() if line.startswith("E ")]
            self.failed[report.nodeid.split("::")[-1]] = lines[0][1:].strip() if lines else "no message"


def main() -> int:
    import steinhaus

    for name in ("KMeans", "MiniBatchKMeans", "k_means", "kmeans_plusplus"):
        setattr(sklearn.cluster, name, getattr(steinhaus, name))
    os.environ.setdefault("SKLEARN_TESTS_GLOBAL_RANDOM_SEED", "42")
    os.environ.setdefault("SKLEARN_RUN_FLOAT32_TESTS", "1")
    recorder = Recorder()
    tests = Path(sklearn.__file__).parent / "cluster" / "tests" / "test_k_means.py"
    options = ["-q", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-c", os.devnull]
    options += ["--rootdir", str(tests.parent)]
    pytest.main([str(tests), *options], plugins=[recorder])
    print(f"scikit-learn {sklearn.__version__}, {tests.name}: {dict(recorder.outcomes)}")
    unexpected = 0
    for name, error in recorder.failed.items():
        reason = BY_DESIGN.get(name.split("[")[0])
        unexpected += reason is None
        print(f"{name}: {'by design, it ' + reason if reason else 'NOT EXPECTED: ' + error}")
    return 1 if unexpected or not recorder.outcomes["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
