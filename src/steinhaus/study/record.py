"""What a study found: frozen records, the contract between the study, its folder and its report.

Inertia is in squared units of pixels scaled to 0..1 (value / full scale), centroids likewise; of a table whose columns
are brought to one scale inertia is in squared units of that scale, and centroids are in the table's own; of a study of
features both are in units of the features. Labels are
indices into `DataRecord.label_names` throughout, -1 never occurs: an empty cluster's label is None.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

SCHEMA = 2  # since 2: features of pictures, refined runs


@dataclass(frozen=True)
class Scaling:
    """How a study brings the columns of a table to one scale: (value - offset) / step."""

    kind: str  # "standard" or "minmax"
    offset: tuple[float, ...]  # (d,) in the units of the source
    step: tuple[float, ...]  # (d,), above 0


@dataclass(frozen=True)
class FeaturesRecord:
    """What a study clusters in place of the pictures."""

    asked: str  # as they were asked for: a word, or a path as it was given
    name: str  # what to call them
    kind: str  # pixels, hog, colour, given, array, file, model
    steps: tuple[str, ...]  # normalise, standardise, pca:N
    width: int  # values of a vector before the steps
    d: int  # as it is clustered
    dtype: str  # before the steps
    unit: float  # the value that counts as 1 where distances are measured
    sha256: str  # of the vectors before the steps
    options: dict[str, Any]  # how they were made
    chain: str | None = None  # digest of the file that holds what the steps have learnt

    @property
    def shows_means(self) -> bool:
        """Whether a cluster's mean image shows what it is: where features are the pixels, or their components."""
        return self.kind == "pixels" and not {"normalise", "standardise"} & set(self.steps)

    @property
    def told(self) -> str:
        """What they are, in words: "hog features, unit length, 20 principal components"."""
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
    """The data a study ran on."""

    name: str  # "mnist", or the name of the file or folder
    sha256: str  # content digest of everything pooled, before the split
    shape: tuple[int, ...]  # of one image: (h, w), (h, w, c) or (d,)
    dtype: str
    full_scale: float  # pixel value that counts as 1.0
    n_train: int
    n_test: int  # 0: no test part
    label_names: tuple[str, ...] | None  # None: no labels
    train_label_counts: tuple[int, ...] | None  # images of each label in the training part
    test_label_counts: tuple[int, ...] | None
    licence: str | None = None
    source: str | None = None  # where it came from: an address or a citation, never a path of the machine
    columns: tuple[str, ...] | None = None  # names, of a table of numbers
    scaling: Scaling | None = None  # None: columns count as they are
    features: FeaturesRecord | None = None  # None: the pixels or columns themselves are clustered
    weight: float | None = None  # of all training images together; None: each counts once

    @property
    def unit(self) -> float:
        """The value that counts as 1 where distances are measured."""
        if self.features is not None:
            return self.features.unit
        return self.full_scale if self.scaling is None else 1.0

    @property
    def d(self) -> int:
        """How many values a point has that is clustered."""
        return math.prod(self.shape) if self.features is None else self.features.d

    @property
    def space(self) -> str:
        """Of what distances are: "pixels scaled to 0..1", or features."""
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
    inertia: tuple[float, ...]  # after each iteration; never rises; max is the first, min the last
    final_inertia: float  # of the final labels with the final centroids
    iterations: int
    stop: str  # points.Stop, by name: CONVERGED, TOLERANCE, MAX_ITER
    sizes: tuple[int, ...]  # training images in each cluster


@dataclass(frozen=True)
class RefinedRecord:
    """What refining made of the best run of one K."""

    k: int
    restart: int  # the run that it began with
    inertia: tuple[float, ...]  # of that run, then the best after each step; never rises
    final_inertia: float  # of the final labels with the final centroids
    stop: str  # why its last iterations ended: points.Stop, by name
    sizes: tuple[int, ...]  # training images in each cluster


@dataclass(frozen=True)
class Agreement:
    """How well clusters agree with labels, on one part of the data. Only where there are labels."""

    accuracy: float  # by the majority mapping fitted on the training part
    hungarian_accuracy: float  # by the best one-to-one mapping, fitted on the training part
    purity: float  # of this part, by its own majorities
    ari: float
    nmi: float
    homogeneity: float
    completeness: float
    confusion: tuple[tuple[int, ...], ...]  # clusters x labels, counts


@dataclass(frozen=True)
class BestRecord:
    """The best run of one K (smallest final inertia, ties to the lowest restart), and what labels say of it.

    It is refined if the plan says so.
    """

    k: int
    restart: int
    inertia: float
    sizes: tuple[int, ...]  # training images in each cluster
    train_accuracy: float | None  # None without labels
    test_accuracy: float | None  # None without labels or test part
    mapping: tuple[int | None, ...] | None  # label of cluster 0, 1, ...
    ties: tuple[int, ...]  # clusters whose majority was a tie, given to the lowest label
    train: Agreement | None
    test: Agreement | None
    test_sizes: tuple[int, ...] | None = None


def told_of_plan(plan: dict[str, Any], data: DataRecord) -> str:
    """How the images were split, and whether columns were scaled, in a sentence or two."""
    middle = {
        "join": ", its validation part with the training part",
        "leave": ", without its validation part",
        "test": ", its validation part to test",
    }
    if plan["train"] == "given":
        told = f"The split is the source's own{middle.get(plan.get('val', ''), '')}."
    elif not data.n_test:
        told = "All are trained on."
    else:
        told = f"{data.n_train / (data.n_train + data.n_test):.0%} of all are trained on."
    if data.features is not None:
        told += f" Clustered: {data.features.told} ({data.features.d:,} values)."
    if data.weight is not None:
        told += f" {'Images' if len(data.shape) > 1 else 'Rows'} count by weights, which come to {data.weight:g}."
    if data.scaling is None:
        return told
    how = {"standard": "mean 0 and standard deviation 1", "minmax": "0..1"}[data.scaling.kind]
    return f"{told} Columns are brought to {how}."


@dataclass(frozen=True)
class StudyRecord:
    """All of `study.json`: what is known of a study but its images and centroids. No times: those are events."""

    schema: int
    plan: dict[str, Any]  # k, restarts, max_iter, init, tol, train, seed
    data: DataRecord
    machine: dict[str, Any]  # system, processor, cores
    versions: dict[str, str]  # python, steinhaus, numpy, llvmlite, ...
    runs: tuple[RunRecord, ...]  # by k, then restart
    best: tuple[BestRecord, ...]  # one per K, ascending; while the study runs: of the runs so far, without labels
    complete: bool = True  # False: the study is not finished yet
    digest: str = ""  # of plan and data: equal digests, equal results
    refined: tuple[RefinedRecord, ...] = ()  # by k
    command: str | None = None  # that runs the same study on the same source; None: it was run from Python
