"""Decide whether small batches still improve the centroids, by scikit-learn's two stopping rules."""

from __future__ import annotations

import sys


class Improvement:
    """Follows the batches of one fit.

    Parameters
    ----------
    batch_size, n, steps
        Rows per batch, rows in all, and the most batches.
    tolerance
        Stop when the squared shift of the centroids is at most this. 0: do not use this rule.
    patience
        Stop after so many batches without a lower smoothed inertia. None: do not use this rule.
    verbose
        Whether to print a line per batch.

    Attributes
    ----------
    smoothed
        The mean inertia per row, averaged over batches with weights that fall with age. A batch has twice its share of
        the rows as weight. The first batch is left out, because it measures the start, unless it is the only one.
    """

    def __init__(
        self, *, batch_size: int, n: int, steps: int, tolerance: float, patience: int | None, verbose: bool
    ) -> None:
        self.smoothed = 0.0
        self._batch_size, self._steps = batch_size, steps
        self._rate = min(2.0 * batch_size / (n + 1), 1.0)
        self._tolerance, self._patience = tolerance, patience
        self._verbose = verbose
        self._step = self._waited = 0
        self._least = float("inf")

    def ends(self, inertia: float, moved: float) -> bool:
        """Take the inertia of a batch and the squared shift of the centroids, and return whether to stop."""
        self._step += 1
        mean = inertia / self._batch_size
        told = f"Minibatch step {self._step}/{self._steps}: mean batch inertia: {mean}"
        if self._step == 1:
            self.smoothed = mean
            self._say(told)
            return False
        self.smoothed = mean if self._step == 2 else (1.0 - self._rate) * self.smoothed + self._rate * mean
        self._say(f"{told}, ewa inertia: {self.smoothed}")
        if self._tolerance > 0.0 and moved <= self._tolerance:
            self._say(f"Converged (small centers change) at step {self._step}/{self._steps}")
            return True
        if self.smoothed < self._least:
            self._least, self._waited = self.smoothed, 0
        else:
            self._waited += 1
        if self._patience is not None and self._waited >= self._patience:
            self._say(f"Converged (lack of improvement in inertia) at step {self._step}/{self._steps}")
            return True
        return False

    def _say(self, line: str) -> None:
        if self._verbose:
            sys.stdout.write(f"{line}\n")
