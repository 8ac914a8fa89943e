"""A study: a plan that can be run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from steinhaus.study.plan import Plan

if TYPE_CHECKING:
    from steinhaus.images import Images
    from steinhaus.study.events import Event
    from steinhaus.study.result import StudyResult


@dataclass(frozen=True, eq=False)
class Study(Plan):
    """A study of k-means: every K, several restarts each, all runs advancing together.

    The defaults are the published MNIST study (0.6 of 70,000 images is its 42,000).

    Parameters
    ----------
    k
        The numbers of clusters: any iterable of whole numbers of at least 1. Kept in ascending order, each once.
    restarts
        Runs of each K, each from its own start.
    max_iter
        The most iterations of one run.
    init
        "random" (distinct training images), "k-means++" (greedy, as scikit-learn's), "k-means||" (for images on disk or
        on a cluster), "hierarchical" (in two levels, for K in the thousands), or the starts themselves: a mapping from
        each K to `restarts` arrays of shape (K, d) or (K, *image shape), in pixels scaled to 0..1, as
        `StudyResult.centroids` gives them.
    tol
        A run ends when the squared shift of its centroids is at most `tol` times the mean variance of the features, as
        in scikit-learn; 0: when no centroid moves at all.
    train
        The training part: a share of all images (float, 0 < train <= 1; 1.0 leaves no test part), a count (int), or
        "given", the source's own.
    seed
        Of the split and of the starts.
    threads
        None: as many as there are cores. Changes no bit of the result, and is no part of the plan's identity.

    Raises
    ------
    PlanError
        A value is out of its range.

    Examples
    --------
    >>> Study(k=range(2, 5), restarts=2).ks
    (2, 3, 4)
    """

    def explain(self, images: Images) -> dict[int, str]:
        """Say how the training images would be screened for each K, and why. Nothing is run.

        Parameters
        ----------
        images
            What would be clustered.

        Returns
        -------
        dict
            K -> a text on `restarts` runs of that K, as if they were alone: `run` has those of all K go together, and
            share the memory for screening.

        Raises
        ------
        PlanError
            The plan does not fit the images.
        DataError
            The engine of these images does not say how it screens.
        """
        from steinhaus.study.explaining import explain

        return explain(self, images)

    def run(
        self,
        images: Images,
        out: str | Path | None = None,
        watch: Callable[[Event], None] | None = None,
        *,
        break_lock: bool = False,
        checkpoint_every: float = 2.0,
        assignments: Literal["csv", "parquet"] = "csv",
    ) -> StudyResult:
        """Run the study, or go on with it, or read it where it is done.

        Parameters
        ----------
        images
            What to cluster; labels, where there are any, are used only afterwards, to name the clusters.
        out
            The study's folder, made where it is missing. None: nothing is written.
        watch
            Called with each `steinhaus.study.events.Event` as it happens.
        break_lock
            Go on although the folder is locked by a process of another machine that can no longer be asked.
        checkpoint_every
            Seconds between two checkpoints of the active runs.
        assignments
            The folder's table of clusters: one file, "csv", or a folder of files, "parquet", which workers of a cluster
            write themselves.

        Raises
        ------
        PlanError
            The plan does not fit the images: K above the number of training images, starts of another shape.
        StoreError
            The folder holds another study, is in use, or cannot be read or written.
        """
        from steinhaus.study.run import run_study

        how: dict[str, Any] = {"checkpoint_every": checkpoint_every, "assignments": assignments}
        return run_study(self, images, out, watch, break_lock=break_lock, **how)
