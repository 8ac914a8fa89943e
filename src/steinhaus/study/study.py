"""A study: a plan that can be run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from steinhaus.study.plan import Plan

if TYPE_CHECKING:
    from steinhaus.images import Progress
    from steinhaus.study.events import Event
    from steinhaus.study.result import StudyResult


@dataclass(frozen=True, eq=False)
class Study(Plan):
    """A study of k-means: several restarts for every K. All runs advance together.

    The defaults are those of the published MNIST study.

    Parameters
    ----------
    k
        The numbers of clusters: whole numbers of at least 1, in any order. Repeated values count once. Default
        (5, 7, 10, 12).
    restarts
        The number of runs per K, each from its own start. Default 5.
    max_iter
        The most iterations per run. Default 300.
    init
        How runs start: "random" (different training images), "k-means++" (greedy, as in scikit-learn), "k-means||" (the
        same in six passes over the images, for any K), "hierarchical" (two levels, for K in the thousands), or the
        starts themselves: a mapping from each K to `restarts` arrays of K rows, each of the shape of an image, in the
        units of `StudyResult.centroids`. Default: "k-means||" if the images stay on disk or are on a cluster, else
        "random".
    tol
        A run ends when the squared shift of its centroids is at most `tol` times the mean variance of the features, as
        in scikit-learn. Default 0: a run ends when no centroid moves.
    train
        The training part: a share of all images (float, 0 < train <= 1; 1.0 leaves no test part), a count (int), or
        "given", the source's own split. Default: the part of a known set's published study (0.6 of MNIST, which is
        42,000 images); else the source's own split, if it has one; else 0.8 if there are labels, and all images if not.
    seed
        The seed of the split and of the starts, at least 0. Default 0.
    threads
        The number of threads. Default: the number of cores. It never changes a result, and is not part of the digest.
    val
        The use of the validation part of the source's own split: "join" it to the training part, "leave" it out, or add
        it to the "test" part. Default: "join", or "test" if the source has no test part.
    scale
        For tables: scale the columns first, to mean 0 and standard deviation 1 ("standard") or to 0..1 ("minmax"),
        measured on the training part. Default "none". Inertia is then in squared units of that scale; centroids stay in
        the table's units.
    features
        What to cluster instead of the pixels: "pca:N", "hog", "colour", "given", a path to a file of vectors or to an
        ONNX network, an array (n, d), or `Features`. The report still shows pictures. Default: the features of the
        images, or else their pixels.
    refine
        "breathing": after all runs, improve the best run of each K with breathing k-means (B. Fritzke, arXiv
        2006.15666). The result is never worse than the best run. Default "none".
    refine_steps
        The most steps of refining per K. Default: until they no longer help.

    Raises
    ------
    PlanError
        If a value is out of its range.

    Examples
    --------
    >>> Study(k=range(2, 5), restarts=2).ks
    (2, 3, 4)
    """

    def explain(self, images: Any) -> dict[int, str]:
        """Explain how the study would compute its clusters for each K. Nothing is run.

        Parameters
        ----------
        images
            The images, as in `run`.

        Returns
        -------
        dict
            K -> a text about `restarts` runs of that K, as if they ran alone. `run` advances the runs of all K
            together, and they share the memory.

        Raises
        ------
        PlanError
            If the plan does not fit the images.
        DataError
            If the engine of these images has no explanation.
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
        progress: Progress | None = None,
    ) -> StudyResult:
        """Run the study, resume it, or read it if it is finished.

        Parameters
        ----------
        images
            `Images`, or anything that `open_images` opens: a name, a path, an array. Labels are used only after the
            runs, to name the clusters.
        out
            The study's folder. It is created if it is missing. Default: nothing is written.
        watch
            A function that is called with each `steinhaus.study.events.Event`. Default: none.
        break_lock
            Whether to take over a folder that a dead process on another machine locked. Default False.
        checkpoint_every
            Seconds between two checkpoints of the active runs. Default 2.0.
        assignments
            The format of the folder's table of clusters: one file, "csv" (default), or a folder of files, "parquet",
            which the workers of a cluster write.
        progress
            A function that is told how far the opening of the source and the making of features are. Default: none.

        Returns
        -------
        StudyResult
            The result of the study.
        """
        from steinhaus.images import Images, open_images
        from steinhaus.study.run import run_study

        images = images if isinstance(images, Images) else open_images(images, progress=progress)
        how: dict[str, Any] = {"checkpoint_every": checkpoint_every, "assignments": assignments, "progress": progress}
        return run_study(self, images, out, watch, break_lock=break_lock, **how)
