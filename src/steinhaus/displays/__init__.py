"""Plots of estimators and studies, by scikit-learn's convention: `from_estimator`, `from_study`, `plot`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOMES = {
    "CentroidsDisplay": "steinhaus.displays.centroids",
    "ConfusionDisplay": "steinhaus.displays.confusion",
    "ElbowDisplay": "steinhaus.displays.elbow",
    "InertiaDisplay": "steinhaus.displays.inertia",
    "KAdvice": "steinhaus.displays.advice",
    "SilhouetteDisplay": "steinhaus.displays.silhouette",
}

__all__ = [
    "CentroidsDisplay", "ConfusionDisplay", "ElbowDisplay", "InertiaDisplay", "KAdvice", "SilhouetteDisplay",
]  # fmt: skip

if TYPE_CHECKING:
    from steinhaus.displays.advice import KAdvice
    from steinhaus.displays.centroids import CentroidsDisplay
    from steinhaus.displays.confusion import ConfusionDisplay
    from steinhaus.displays.elbow import ElbowDisplay
    from steinhaus.displays.inertia import InertiaDisplay
    from steinhaus.displays.silhouette import SilhouetteDisplay


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'steinhaus.displays' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
