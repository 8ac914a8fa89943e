"""Where points live and passes happen: the data decides the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steinhaus.engines.memory import MemoryPoints, Screen


def choose(x: Any, *, threads: int | None = None, memory: int | None = None, screen: Screen = "auto") -> MemoryPoints:
    """Choose the engine for (n, d) points; the parameters are `MemoryPoints`'s."""
    import numpy as np

    from steinhaus.engines.memory import MemoryPoints

    return MemoryPoints(np.ascontiguousarray(x), threads=threads, memory=memory, screen=screen)


def warm_up() -> None:
    """Compile the kernels for pixels, or load them from Numba's cache, on a few points. Do this before threads start."""
    import numpy as np

    from steinhaus.lloyd import lloyd
    from steinhaus.points import Run

    x = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    points = choose(x, threads=1, screen="drift")
    list(lloyd(points, [Run(0, points.rows(np.arange(2)))], max_iter=2))
    points.close()


def is_warm() -> bool:
    """Whether Numba's cache holds the kernels for pixels, so that nothing needs to be compiled."""
    from pathlib import Path

    from steinhaus.engines import kernels

    return any(Path(kernels.assign.stats.cache_path).glob("kernels.assign-*.nbi"))
