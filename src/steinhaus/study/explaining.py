"""Explain how a study would compute its clusters, without running it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from steinhaus.features.making import with_features
from steinhaus.study import space
from steinhaus.study.plan import Plan
from steinhaus.study.run import Choose, check_fit, engine

if TYPE_CHECKING:
    from steinhaus.images import Images


def explain(study: Plan, images: Images, choose: Choose | None = None) -> dict[int, str]:
    """Open the engine of the training images and get its explanation. See `Study.explain`."""
    if study.features is not None:
        images = with_features(images, study.features)
    split = images.split(study.train, study.seed, study.val)
    check_fit(study, split)
    rows, weights = space.fitted(study, split.train).points(split.train), split.train.weights
    how: dict[str, Any] = {} if weights is None else {"weights": weights}
    with closing((choose or engine)(rows, threads=study.threads, **how)) as points:
        return {k: points.explain(k, study.restarts) for k in study.ks}
