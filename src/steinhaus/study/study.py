"""A study: a plan that can be run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from steinhaus.study.plan import Plan

if TYPE_CHECKING:
    from steinhaus.study.events import Event
    from steinhaus.study.result import StudyResult


@dataclass(frozen=True, eq=False)
class Study(Plan):
    """A study of k-means: every K, several restarts each, all runs advancing together.

    The defaults are those of the published MNIST study.

    Parameters
    ----------
    k
        The numbers of clusters: any iterable of whole numbers of at least 1. Kept in ascending order, each once.
    restarts
        Runs of each K, each from its own start.
    max_iter
        The most iterations of one run.
    init
        "random" (distinct training images), "k-means++" (greedy, as scikit-learn's), "k-means||" (the same in a few
        passes over the images, for any K), "hierarchical" (in two levels, for K in the thousands), or the starts
        themselves: a mapping from each K to `restarts` arrays of shape `(K, d)` or `(K, *image shape)`, in pixels
        scaled to 0..1, as `StudyResult.centroids` gives them. None: "k-means||" if the images stay on disk or are on a
        cluster, else "random"; the events say so.
    tol
        A run ends when the squared shift of its centroids is at most `tol` times the mean variance of the features, as
        in scikit-learn; 0: when no centroid moves at all.
    train
        The training part: a share of all images (float, 0 < train <= 1; 1.0 leaves no test part), a count (int), or
        "given", the source's own. None: that of the published study of a known set (0.6 of MNIST, its 42,000 images);
        else the source's own, where it has one; else 0.8 where there are labels, and all images where there are none.
    seed
        Of the split and of the starts.
    threads
        None: as many as there are cores. Changes no bit of the result, and is no part of the plan's identity.
    val
        What becomes of the validation part of the source's own split: see `Images.split`.
    scale
        Of tables: whether columns are brought to one scale first, to mean 0 and standard deviation 1 ("standard") or to
        0..1 ("minmax"), as the training part has them. Inertia is then on that scale; centroids stay in the table's
        units.
    features
        What is clustered in place of the pixels: "pca:N", "hog", "colour", "given", a path to a file of vectors or to
        an ONNX network, an array, or `Features`, which also says what is done with them. Clusters are then shown
        by pictures. None: what `open_images` was asked for, or the pixels.
    refine
        "breathing": once all runs have ended, go on from the best one of each K with breathing k-means (B. Fritzke,
        arXiv 2006.15666). Its result is the best of that K: as good as the best run or better.
    refine_steps
        The most steps of refining for each K; None: until it no longer helps.

    Raises
    ------
    PlanError
        A value is out of its range.

    Examples
    --------
    >>> Study(k=range(2, 5), restarts=2).ks
    (2, 3, 4)
    """

    def explain(self, images: Any) -> dict[int, str]:
        """Say how the training images would be screened for each K, and why. Nothing is run.

        Parameters
        ----------
        images
            What would be clustered, as in `run`.

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
        from steinhaus.images import Images, open_images
        from steinhaus.study.explaining import explain

        return explain(self, images if isinstance(images, Images) else open_images(images))

    def run(
        self,
        images: Any,
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
            What to cluster, `Images`, or whatever `open_images` opens: a name, a path, an array. Labels, where there
            are any, are used only afterwards, to name the clusters.
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
        from steinhaus.images import Images, open_images
        from steinhaus.study.run import run_study

        images = images if isinstance(images, Images) else open_images(images)
        how: dict[str, Any] = {"checkpoint_every": checkpoint_every, "assignments": assignments}
        return run_study(self, images, out, watch, break_lock=break_lock, **how)
