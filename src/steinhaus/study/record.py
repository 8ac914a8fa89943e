"""The results of a study: frozen records, which the study, its folder and its report share.

Inertia and centroids are in units of pixels scaled to 0..1 (value / full scale); inertia is squared. For a table with
scaled columns, inertia is in squared units of that scale, and centroids are in the table's own units. For features,
both are in units of the features. Labels are indices into `DataRecord.label_names`. An empty cluster's label is None.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

SCHEMA = 2  # schema 2 added features of pictures and refined runs


@dataclass(frozen=True)
class Scaling:
    """The scaling of a table's columns: (value - offset) / step."""

    kind: str  # "standard" or "minmax"
    offset: tuple[float, ...]  # (d,) in the units of the source
    step: tuple[float, ...]  # (d,), above 0


@dataclass(frozen=True)
class FeaturesRecord:
    """The features that a study clusters instead of the pixels."""

    asked: str  # the word or the path that the user gave
    name: str  # their name
    kind: str  # pixels, hog, colour, given, array, file, model
    steps: tuple[str, ...]  # normalise, standardise, pca:N
    width: int  # values per vector before the steps
    d: int  # values per vector after the steps
    dtype: str  # before the steps
    unit: float  # the value that counts as 1 in distances
    sha256: str  # of the vectors before the steps
    options: dict[str, Any]  # how they were made
    chain: str | None = None  # digest of the file with the learnt steps

    @property
    def shows_means(self) -> bool:
        """Whether a cluster's mean image describes it: the features are the pixels, or their components."""
        return self.kind == "pixels" and not {"normalise", "standardise"} & set(self.steps)

    @property
    def told(self) -> str:
        """The features in words: "hog features, unit length, 20 principal components"."""
        kinds = {
            "pixels": "pixels",
            "given": "the source's own vectors",
            "array": "vectors of an array",
            "file": f"vectors of {self.name}",
            "model": f"features by {self.name}",
        }
        words = {"normalise": "unit length", "standardise": "mean 0 and standard deviation 1"}
        steps = [words.get(step) or f"{step.partition(':')[2]} principal components" for step in self.steps]
        return ", ".join([kinds.get(self.kind, f"{self.kind} features"), *steps])


@dataclass(frozen=True)
class DataRecord:
    """The data of a study."""

    name: str  # "mnist", or the name of the file or folder
    sha256: str  # content digest of all images before the split
    shape: tuple[int, ...]  # of one image: (h, w), (h, w, c) or (d,)
    dtype: str
    full_scale: float  # pixel value that counts as 1.0
    n_train: int
    n_test: int  # 0: no test part
    label_names: tuple[str, ...] | None  # None: no labels
    train_label_counts: tuple[int, ...] | None  # training images per label
    test_label_counts: tuple[int, ...] | None
    licence: str | None = None
    source: str | None = None  # an address or a citation, never a path of the machine
    columns: tuple[str, ...] | None = None  # column names of a table of numbers
    scaling: Scaling | None = None  # None: columns are not scaled
    features: FeaturesRecord | None = None  # None: pixels or columns are clustered
    weight: float | None = None  # total weight of the training images; None: each counts once

    @property
    def unit(self) -> float:
        """The value that counts as 1 in distances."""
        if self.features is not None:
            return self.features.unit
        return self.full_scale if self.scaling is None else 1.0

    @property
    def d(self) -> int:
        """The number of values per clustered point."""
        return math.prod(self.shape) if self.features is None else self.features.d

    @property
    def space(self) -> str:
        """The values between which distances are measured: "pixels scaled to 0..1", or features."""
        if self.features is not None:
            return self.features.told
        if self.scaling is not None:
            return "columns on one scale"
        return "pixels scaled to 0..1" if len(self.shape) > 1 else "values"


@dataclass(frozen=True)
class RunRecord:
    """One run of k-means: one K, one restart."""

    k: int
    restart: int
    inertia: tuple[float, ...]  # after each iteration; never rises, so the first is the largest
    final_inertia: float  # of the final labels with the final centroids
    iterations: int
    stop: str  # the name of a points.Stop: CONVERGED, TOLERANCE, MAX_ITER
    sizes: tuple[int, ...]  # training images in each cluster


@dataclass(frozen=True)
class RefinedRecord:
    """The refined best run of one K."""

    k: int
    restart: int  # the run that was refined
    inertia: tuple[float, ...]  # of that run, then the best after each step; never rises
    final_inertia: float  # of the final labels with the final centroids
    stop: str  # why its last iterations ended: the name of a points.Stop
    sizes: tuple[int, ...]  # training images in each cluster

    @property
    def gain(self) -> float:
        """The decrease of inertia by refining, as a share of that of the best run."""
        return 1 - self.final_inertia / self.inertia[0] if self.inertia[0] > 0 else 0.0


@dataclass(frozen=True)
class Agreement:
    """The agreement of clusters and labels on one part of the data. None if there are no labels."""

    accuracy: float  # by the majority mapping, fitted on the training part
    hungarian_accuracy: float  # by the best one-to-one mapping, fitted on the training part
    purity: float  # of this part, by its own majorities
    ari: float
    nmi: float
    homogeneity: float
    completeness: float
    confusion: tuple[tuple[int, ...], ...]  # clusters x labels, counts


@dataclass(frozen=True)
class BestRecord:
    """The best run of one K (smallest final inertia, ties to the lowest restart), with its scores against labels.

    It is refined if the plan says so.
    """

    k: int
    restart: int
    inertia: float
    sizes: tuple[int, ...]  # training images in each cluster
    train_accuracy: float | None  # None without labels
    test_accuracy: float | None  # None without labels or test part
    mapping: tuple[int | None, ...] | None  # label of cluster 0, 1, ...
    ties: tuple[int, ...]  # clusters with tied majorities, which get the lowest label
    train: Agreement | None
    test: Agreement | None
    test_sizes: tuple[int, ...] | None = None


def told_of_plan(plan: dict[str, Any], data: DataRecord) -> str:
    """Sentences about the split, the features and the scaling of a study."""
    middle = {
        "join": ", with its validation part in the training part",
        "leave": ", without its validation part",
        "test": ", with its validation part for testing",
    }
    if plan["train"] == "given":
        told = f"The split is the source's own{middle.get(plan.get('val', ''), '')}."
    elif not data.n_test:
        told = "All of them train."
    else:
        told = f"{data.n_train / (data.n_train + data.n_test):.0%} of all train."
    if data.features is not None:
        told += f" Clustered: {data.features.told} ({data.features.d:,} values)."
    if data.weight is not None:
        told += f" {'Images' if len(data.shape) > 1 else 'Rows'} have weights, {data.weight:g} in total."
    if data.scaling is None:
        return told
    how = {"standard": "mean 0 and standard deviation 1", "minmax": "0..1"}[data.scaling.kind]
    return f"{told} Columns are scaled to {how}."


@dataclass(frozen=True)
class StudyRecord:
    """The content of `study.json`: everything except images and centroids. Times are in the events."""

    schema: int
    plan: dict[str, Any]  # k, restarts, max_iter, init, tol, train, seed
    data: DataRecord
    machine: dict[str, Any]  # system, processor, cores
    versions: dict[str, str]  # python, steinhaus, numpy, llvmlite, ...
    runs: tuple[RunRecord, ...]  # by k, then restart
    best: tuple[BestRecord, ...]  # one per K, ascending; before the end: of the runs so far, without labels
    complete: bool = True  # False: the study is not finished yet
    digest: str = ""  # of plan and data: equal digests mean equal results
    refined: tuple[RefinedRecord, ...] = ()  # by k
    command: str | None = None  # runs the same study again; None: it was run from Python
