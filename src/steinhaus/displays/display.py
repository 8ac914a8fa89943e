"""The base of all displays: axes to draw on, and access to a study's runs."""

from __future__ import annotations

from abc import ABC, abstractmethod

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steinhaus.errors import SteinhausError
from steinhaus.study.record import BestRecord, StudyRecord


class Display(ABC):
    """A plot. After `plot`, `ax_` and `figure_` hold its axes and its figure."""

    ax_: Axes
    figure_: Figure

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the display.

        Parameters
        ----------
        ax
            The axes to draw on. Default: those of a new figure.

        Returns
        -------
        ax : matplotlib Axes
        """
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_ = ax, ax.get_figure(root=True)  # type: ignore[assignment]
        self._draw(ax)
        return ax

    @abstractmethod
    def _draw(self, ax: Axes) -> None:
        """Draw on these axes."""


def best_of(record: StudyRecord, k: int) -> BestRecord:
    """The best run of a K in a study."""
    for best in record.best:
        if best.k == k:
            return best
    raise SteinhausError(f"The study has no finished run of K = {k}. Its K are {[best.k for best in record.best]}.")
