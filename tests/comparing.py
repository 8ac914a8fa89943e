"""Compare engines: the outcomes of their runs, and points with fewer abilities."""

from __future__ import annotations

import numpy as np

from steinhaus.lloyd import lloyd
from steinhaus.points import Run


class Plain:
    """Points without the abilities to choose starts, to go ahead and to restart by themselves."""

    def __init__(self, points):
        self._points = points

    def __getattr__(self, name):
        if name in ("plus_plus", "advance", "restarted"):
            raise AttributeError(name)
        return getattr(self._points, name)


def outcomes(points, starts, **options):
    """Of runs that go together: labels, centroids, counts, history, inertia, stop, by their number."""
    found = {}
    for fit in lloyd(points, [Run(number, start) for number, start in enumerate(starts)], **options):
        labels = points.labels(fit.key)
        assert labels.dtype == np.int32
        parts = labels.tobytes(), fit.centroids.tobytes(), fit.counts.tobytes()
        found[fit.key] = *parts, fit.history, fit.inertia, fit.stop
    points.close()
    return found


def scaled(x, scale):
    """x times a scale, in its own type; as it is where that would overflow."""
    most = 1e37 if x.dtype == np.float32 else 1e140
    if x.dtype.kind != "f" or float(np.abs(x.astype(np.float64)).max()) * scale > most:
        return x
    return (x.astype(np.float64) * scale).astype(x.dtype)
