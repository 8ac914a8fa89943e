"""Report the progress of a fit: to `verbose`, to the user's `callback`, and to scikit-learn's callbacks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from steinhaus.points import Fit, Float64, Run, Stop

if TYPE_CHECKING:
    from steinhaus.refining import Search

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn before 1.9 has no callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """A replacement if scikit-learn has no callbacks."""


@dataclass(frozen=True)
class Iteration:
    """The argument of a `callback`, after an iteration of one restart or a step of refining.

    Attributes
    ----------
    restart
        The number of the restart, from 0.
    n_iter
        The number of iterations so far, with those of refining.
    inertia
        The sum of squared distances of the points to the centroids after this iteration's update, in squared units of
        X. After a step of refining: the inertia of the best clustering so far.
    cluster_centers
        (n_clusters, n_features) float64: the centroids after this iteration's update, or the best so far, in the units
        of X.
    step
        The number of steps of refining so far; 0: refining has not begun.
    """

    restart: int
    n_iter: int
    inertia: float
    cluster_centers: Float64
    step: int = 0


Callback = Callable[[Iteration], object]  # True stops the restart or the refining


class Progress:
    """Follows the restarts of one fit. It is told of every iteration of a run, and of every run that ends.

    Parameters
    ----------
    estimator
        The estimator, whose `verbose`, `callback` and scikit-learn callbacks listen.
    restarts
        The number of runs; their keys are 0, 1, ...
    data
        The data for scikit-learn's callbacks: X and metadata.

    Attributes
    ----------
    is_heard
        Whether anyone listens to iterations. If not, `watch` need not be called.
    """

    def __init__(self, estimator: Any, restarts: int, data: dict[str, Any]) -> None:
        self._estimator = estimator
        self._restarts = restarts
        self._data = {"estimator": estimator, **data}
        self._heard: dict[Hashable, int] = {}
        self._root: Any = None
        self._contexts: dict[Hashable, Any] = {}
        if hasattr(estimator, "_init_callback_context"):
            self._root = estimator._init_callback_context(max_subtasks=restarts)
            self._root.call_on_fit_task_begin(**self._data)
        if getattr(estimator, "_skl_callbacks", None):
            for key in range(restarts):
                context = self._root.subcontext(task_name="restart", max_subtasks=estimator.max_iter)
                self._contexts[key] = context.call_on_fit_task_begin(**self._data)
        self.is_heard = bool(estimator.verbose or estimator.callback is not None or self._contexts)

    def begin(self) -> None:
        """Report that all runs have their starts."""
        self._say("Initialization complete")

    def watch(self, active: Sequence[Run]) -> Sequence[Run]:
        """Report the active runs. Return them, with a mark on those that a listener stopped."""
        return [replace(run, stop=Stop.ASKED) if self._hear(run) and not run.stop else run for run in active]

    def end(self, fit: Fit) -> None:
        """Report a run that ended."""
        if not self.is_heard:
            return
        self._hear(fit)
        name, last = self._name(fit.key), fit.iterations - 1
        if fit.stop is Stop.CONVERGED:
            self._say(f"{name}Converged at iteration {last}: strict convergence.")
        elif fit.stop is Stop.TOLERANCE:
            self._say(f"{name}Converged at iteration {last}: center shift is within tolerance.")
        if fit.key in self._contexts:
            self._contexts[fit.key].call_on_fit_task_end(**self._data, reconstruction_attributes=lambda: _fitted(fit))

    def step(self, search: Search) -> bool:
        """Report a step of refining, and return whether a listener stops it."""
        best, number, step = search.best, len(search.steps), search.steps[-1]
        kept = "kept" if step.kept else "not kept"
        self._say(f"Refining step {number}, {step.added} added and removed, inertia {step.inertia}: {kept}.")
        if self._estimator.callback is None:
            return False
        restart = int(str(best.key))
        done = self._heard.get(best.key, 0) + sum(step.iterations for step in search.steps)
        told = Iteration(restart, done, best.inertia, best.centroids.copy(), number)
        return self._estimator.callback(told) is True

    def close(self, fitted: dict[str, Any]) -> None:
        """Report the end of the fit; `fitted` are the attributes that a copy of the estimator needs to predict."""
        if self._root is not None:
            self._root.call_on_fit_task_end(**self._data, reconstruction_attributes=lambda: fitted)

    def _hear(self, run: Run | Fit) -> bool:
        """Report the last iteration of a run, and return whether a listener stops it."""
        done = len(run.history)
        if done == self._heard.get(run.key, 0):
            return False
        self._heard[run.key] = done
        self._say(f"{self._name(run.key)}Iteration {done - 1}, inertia {run.history[-1]}.")
        asked = False
        if self._estimator.callback is not None:
            iteration = Iteration(int(str(run.key)), done, run.history[-1], run.centroids.copy())
            asked = self._estimator.callback(iteration) is True
        if run.key in self._contexts:
            task = self._contexts[run.key].subcontext(task_name="iteration")
            task.call_on_fit_task_begin(**self._data)
            asked |= bool(task.call_on_fit_task_end(**self._data, reconstruction_attributes=lambda: _fitted(run)))
        return asked

    def _name(self, key: Hashable) -> str:
        return f"Restart {key}: " if self._restarts > 1 else ""

    def _say(self, line: str) -> None:
        if self._estimator.verbose:
            sys.stdout.write(f"{line}\n")


def _fitted(run: Run | Fit) -> dict[str, Any]:
    return {
        "cluster_centers_": run.centroids,
        "_n_features_out": len(run.centroids),
        "n_iter_": len(run.history),
        "inertia_": run.history[-1],
    }


__all__ = ["Callback", "CallbackSupportMixin", "Iteration", "Progress"]
