"""Run studies one after another in one process, and measure what each leaves behind."""

from __future__ import annotations

import gc
import os
import shutil
from pathlib import Path

import numpy as np

from steinhaus.images import Images
from steinhaus.study import Study, load

WARM = 5  # studies before anything is measured: imports, kernels, the allocator's own stock


def resident() -> int:
    """Bytes of memory in use now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def soak(studies: int, work: Path) -> dict[str, float]:
    """Run studies, every second one in a folder that is then read and removed, and look at what grows.

    Returns
    -------
    dict
        `kilobytes_a_study`: the slope of a line through the memory in use after each study, in kB;
        `files`, `threads`: how many more there are at the end than at the beginning.
    """
    rng, sizes = np.random.default_rng(0), []
    for n in range(WARM + studies):
        if n == WARM:
            files, threads = len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
        images = Images.from_arrays(rng.integers(0, 256, (400, 10, 10), dtype=np.uint8), rng.integers(0, 5, 400))
        out = work / f"study-{n}" if n % 2 else None
        result = Study(k=(2, 5), restarts=2, max_iter=10, seed=n, threads=2).run(images, out)
        assert result.table()
        if out is not None:
            load(out).labels(5)
            shutil.rmtree(out)
        del images, result
        gc.collect()
        if n >= WARM:
            sizes.append(resident())
    slope = float(np.polyfit(np.arange(len(sizes)), np.array(sizes, float), 1)[0]) / 1000
    return {
        "studies": studies,
        "kilobytes_a_study": round(slope, 2),
        "files": len(os.listdir("/proc/self/fd")) - files,
        "threads": len(os.listdir("/proc/self/task")) - threads,
        "megabytes": round(sizes[-1] / 1e6, 1),
    }
