"""Small studies, and ways to look at their folders, for the tests of the study and its store."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from naive_points import NaivePoints
from steinhaus.images import Images
from steinhaus.study import Study
from steinhaus.study.events import Event
from steinhaus.study.result import StudyResult
from steinhaus.study.run import run_study

STUDY = Study(k=(2, 4), restarts=2, seed=3, train=0.6)


@functools.cache
def blobs(n: int = 60, *, labels: bool = True, seed: int = 0) -> Images:
    """Images of 3 x 4 pixels around five centres, labelled by centre."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(40, 200, (5, 3, 4))
    which = rng.integers(0, 5, n)
    pixels = np.clip(centres[which] + rng.normal(0, 25, (n, 3, 4)), 0, 255).astype(np.uint8)
    return Images.from_arrays(pixels, which if labels else None, name="blobs", given_train=n // 2)


def run(
    images: Images | None = None,
    out: Path | None = None,
    *,
    study: Study = STUDY,
    watch: Callable[[Event], None] | None = None,
    **options: Any,
) -> StudyResult:
    """A study by the naive engine, with a checkpoint after every iteration."""
    options = {"checkpoint_every": 0.0, "choose": NaivePoints, **options}
    return run_study(study, images or blobs(), out, watch, **options)


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the events: what must end in the same bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.name != "events.jsonl"}
