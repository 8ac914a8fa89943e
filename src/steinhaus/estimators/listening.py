"""Telling those who listen how a fit goes: the reader of `verbose`, the user's `callback`, scikit-learn's callbacks."""

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
        """Stands where scikit-learn has no callbacks."""


@dataclass(frozen=True)
class Iteration:
    """What a `callback` is told after an iteration of one restart, or after a step of refining.

    Attributes
    ----------
    restart
        Which restart it is, from 0 on.
    n_iter
        How many iterations it has done, those of refining included.
    inertia
        Sum of squared distances of the points to the centroids after this iteration's update, in squared units of X;
        after a step, of the best clustering so far.
    cluster_centers
        (n_clusters, n_features) float64: the centroids after this iteration's update, or the best so far, in the units
        of X.
    step
        How many steps of refining are done; 0: it has not begun.
    """

    restart: int
    n_iter: int
    inertia: float
    cluster_centers: Float64
    step: int = 0


Callback = Callable[[Iteration], object]  # True asks the restart, or refining, to stop


class Progress:
    """Follows the restarts of one fit: to be told of every run that goes on, and of every fit that ends.

    Parameters
    ----------
    estimator
        Whose fit it is; its `verbose`, `callback` and scikit-learn callbacks listen.
    restarts
        How many runs there are; their keys are 0, 1, ...
    data
        What scikit-learn's callbacks may ask for: X and metadata.

    Attributes
    ----------
    is_heard
        Whether anyone listens to iterations; if not, `watch` need not be called.
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
        self._say("Initialization complete")

    def watch(self, active: Sequence[Run]) -> Sequence[Run]:
        """Hear how the active runs stand; those that a listener asked to stop come back so marked."""
        return [replace(run, stop=Stop.ASKED) if self._hear(run) and not run.stop else run for run in active]

    def end(self, fit: Fit) -> None:
        """Hear how a run ended."""
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
        """Hear of a step of refining; whether a listener asks it to stop."""
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
        """The fit has ended; `fitted` are the attributes that a copy of the estimator needs to predict."""
        if self._root is not None:
            self._root.call_on_fit_task_end(**self._data, reconstruction_attributes=lambda: fitted)

    def _hear(self, run: Run | Fit) -> bool:
        """Pass on the iteration that a run has just done; whether a listener asks it to stop."""
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
