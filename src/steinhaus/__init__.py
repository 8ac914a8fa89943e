"""Steinhaus: exact, reproducible, fast k-means for collections of images."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

# Public name -> the module that holds it. Imported on first use, so that `import steinhaus` stays light.
_HOMES = {
    "Features": "steinhaus.features",
    "open_images": "steinhaus.images",
    "Images": "steinhaus.images",
    "Study": "steinhaus.study",
    "StudyResult": "steinhaus.study",
    "SteinhausError": "steinhaus.errors",
    "KMeans": "steinhaus.estimators.kmeans",
    "MiniBatchKMeans": "steinhaus.estimators.minibatch",
    "SphericalKMeans": "steinhaus.estimators.spherical",
    "k_means": "steinhaus.estimators.functions",
    "kmeans_plusplus": "steinhaus.estimators.functions",
    "load": "steinhaus.saving",
}

__all__ = [
    "Features",
    "Images",
    "KMeans",
    "MiniBatchKMeans",
    "SphericalKMeans",
    "SteinhausError",
    "Study",
    "StudyResult",
    "__version__",
    "k_means",
    "kmeans_plusplus",
    "load",
    "open_images",
]

if TYPE_CHECKING:
    from steinhaus.errors import SteinhausError
    from steinhaus.estimators.functions import k_means, kmeans_plusplus
    from steinhaus.estimators.kmeans import KMeans
    from steinhaus.estimators.minibatch import MiniBatchKMeans
    from steinhaus.estimators.spherical import SphericalKMeans
    from steinhaus.features import Features
    from steinhaus.images import Images, open_images
    from steinhaus.saving import load
    from steinhaus.study import Study, StudyResult


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'steinhaus' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
