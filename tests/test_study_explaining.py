"""The explanation of how a study computes its clusters."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from naive_points import NaivePoints
from steinhaus.errors import PlanError
from steinhaus.points import Points
from steinhaus.study import Study
from steinhaus.study.explaining import explain
from study_cases import STUDY, blobs


class Telling(NaivePoints):
    """Says what it was asked."""

    def explain(self, k: int, runs: int = 1) -> str:
        return f"{self.n} points, {runs} runs of {k}"


def test_the_engine_of_the_training_images_is_asked_and_closed() -> None:
    made: list[Telling] = []

    def choose(rows: NDArray[np.uint8], *, threads: int | None = None) -> Points:
        made.append(Telling(rows))
        return made[-1]

    assert explain(STUDY, blobs(), choose) == {2: "36 points, 2 runs of 2", 4: "36 points, 2 runs of 4"}
    assert [points.closed for points in made] == [True]


def test_a_plan_that_does_not_fit_the_images() -> None:
    with pytest.raises(PlanError, match="at most the number of training images, 36"):
        Study(k=(37,), train=0.6).explain(blobs())
