"""What a study found: frozen records, the contract between the study, its folder and its report.

Inertia is in squared units of pixels scaled to 0..1 (value / full scale), centroids likewise; of a table whose columns
are brought to one scale inertia is in squared units of that scale, and centroids are in the table's own. Labels are
indices into `DataRecord.label_names` throughout, -1 never occurs: an empty cluster's label is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SCHEMA = 1


@dataclass(frozen=True)
class Scaling:
    """How a study brings the columns of a table to one scale: (value - offset) / step."""

    kind: str  # "standard" or "minmax"
    offset: tuple[float, ...]  # (d,) in the units of the source
    step: tuple[float, ...]  # (d,), above 0


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
    weight: float | None = None  # of all training images together; None: each counts once

    @property
    def unit(self) -> float:
        """The value that counts as 1 where distances are measured."""
        return self.full_scale if self.scaling is None else 1.0


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
    """The best run of one K (smallest final inertia, ties to the lowest restart), and what labels say of it."""

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
    best: tuple[BestRecord, ...]  # one a K, ascending; while the study runs: of the runs so far, without labels
    complete: bool = True  # False: the study is not finished yet
    digest: str = ""  # of plan and data: equal digests, equal results
    command: str | None = None  # that runs the same study on the same source; None: it was run from Python
