"""How the points of a study would be screened, and why, without running it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from steinhaus import engines
from steinhaus.study.plan import Plan
from steinhaus.study.run import Choose, check_fit

if TYPE_CHECKING:
    from steinhaus.images import Images


def explain(study: Plan, images: Images, choose: Choose | None = None) -> dict[int, str]:
    """Open the engine of the training images, and ask it; `Study.explain` says what comes of it."""
    split = images.split(train=study.train, seed=study.seed)
    check_fit(study, split)
    with closing((choose or engines.choose)(split.train.rows, threads=study.threads)) as points:
        return {k: points.explain(k, study.restarts) for k in study.ks}
