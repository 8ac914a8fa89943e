"""How the points of a study would be screened, and why, without running it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from steinhaus.study import scaling
from steinhaus.study.plan import Plan
from steinhaus.study.run import Choose, check_fit, engine

if TYPE_CHECKING:
    from steinhaus.images import Images


def explain(study: Plan, images: Images, choose: Choose | None = None) -> dict[int, str]:
    """Open the engine of the training images, and ask it; `Study.explain` says what comes of it."""
    split = images.split(study.train, study.seed, study.val)
    check_fit(study, split)
    rows = scaling.applied(scaling.fitted(study.scale, split.train.rows), split.train.rows)
    weights = split.train.weights
    how: dict[str, Any] = {} if weights is None else {"weights": weights}
    with closing((choose or engine)(rows, threads=study.threads, **how)) as points:
        return {k: points.explain(k, study.restarts) for k in study.ks}
