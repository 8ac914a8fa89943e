"""Steps from vectors to points. Each step is learnt on the training part, and `predict` repeats it.

"normalise" scales every vector to length 1, so the squared distance is 2 (1 - cosine). "standardise" scales every value
to mean 0 and standard deviation 1. "pca:N" keeps N principal components.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.engines import unit_rows
from steinhaus.features import pca
from steinhaus.features.exact import Float64
from steinhaus.features.pca import Arrays
from steinhaus.features.space import BLOCK, blocks

Blocks = Callable[[], Iterator[NDArray[Any]]]


@dataclass(frozen=True, eq=False)
class Chain:
    """The steps with their learnt arrays. Without steps, vectors do not change."""

    steps: tuple[str, ...] = ()
    learnt: tuple[Arrays, ...] = field(default=())

    def applied(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Vectors (n, d) after the steps: float64 if they were float64, else float32. Rows do not affect each other."""
        if not self.steps:
            return rows
        kind = np.float64 if rows.dtype == np.float64 else np.float32
        return np.concatenate([self._block(block).astype(kind) for block in blocks(rows)])

    def _block(self, rows: NDArray[Any]) -> NDArray[Any]:
        # in: rows (m, d)
        whole = rows.dtype == np.uint8 and self.steps[0].startswith("pca:")
        found: NDArray[Any] = rows if whole else rows.astype(np.float64)
        for step, arrays in zip(self.steps, self.learnt, strict=True):
            found = _applied(step, arrays, found)
        return found

    def width(self, d: int) -> int:
        """The number of values after the steps, for vectors of d values."""
        for step in self.steps:
            d = int(step.partition(":")[2]) if step.startswith("pca:") else d
        return d

    @property
    def arrays(self) -> Arrays:
        """All learnt arrays, by the number of their step."""
        return {f"{place}.{name}": array for place, each in enumerate(self.learnt) for name, array in each.items()}


def of_arrays(steps: Sequence[str], arrays: Arrays) -> Chain:
    """The chain from its arrays; ValueError if one is missing or has another shape."""
    learnt: list[Arrays] = []
    for place, step in enumerate(steps):
        names = {"normalise": (), "standardise": ("offset", "step")}.get(step, ("mean", "components"))
        if missing := [name for name in names if f"{place}.{name}" not in arrays]:
            raise ValueError(f"{missing[0]} of the step {step} is missing")
        learnt.append({name: arrays[f"{place}.{name}"] for name in names})
    return Chain(tuple(steps), tuple(learnt))


def fitted(steps: Sequence[str], values: Any) -> Chain:
    """Learn the steps from vectors (n, d), one step after the other, block by block.

    Raises
    ------
    PlanError
        If more principal components are asked for than exist.
    """
    chain = Chain()
    for step in steps:

        def so_far(chain: Chain = chain) -> Iterator[NDArray[Any]]:
            for block in blocks(values):
                yield chain._block(block) if chain.steps else block

        chain = Chain((*chain.steps, step), (*chain.learnt, _fitted(step, so_far, len(values))))
    return chain


def _fitted(step: str, of: Blocks, n: int) -> Arrays:
    if step == "normalise":
        return {}
    mean = np.asarray(sum(block.sum(axis=0, dtype=np.float64) for block in of()) / n)  # rows are added in order
    if step == "standardise":
        squares = sum(np.square(block - mean).sum(axis=0) for block in of())
        deviation = np.sqrt(np.asarray(squares) / n)
        constant = ~(deviation > 1e-12 * np.abs(mean))  # apart from rounding
        return {"offset": mean, "step": np.where(constant, 1.0, deviation)}
    return pca.fitted(of(), mean, n, int(step.partition(":")[2]))


def _applied(step: str, arrays: Arrays, rows: NDArray[Any]) -> Float64:
    # in: rows (m, d)
    if step == "normalise":
        return np.asarray(
            unit_rows(np.ascontiguousarray(rows))
        )  # a vector of zeros has no direction and does not change
    if step == "standardise":
        return np.asarray((rows - arrays["offset"]) / arrays["step"])
    return pca.applied(arrays, rows)


def unit_after(steps: Sequence[str], unit: float) -> float:
    """The value that counts as 1 after the steps. It is 1 after a step that sets its own scale."""
    return 1.0 if {"normalise", "standardise"} & set(steps) else unit


__all__ = ["BLOCK", "Chain", "fitted", "of_arrays", "unit_after"]
