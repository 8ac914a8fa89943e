"""Turn finished runs into records: inertia in scaled pixels, the best run of each K, and its agreement with labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from steinhaus import naming
from steinhaus.points import Fit, Int64
from steinhaus.study.events import Key
from steinhaus.study.record import Agreement, BestRecord, DataRecord, FeaturesRecord, RefinedRecord, RunRecord, Scaling

if TYPE_CHECKING:
    from steinhaus.images import Images, Split


def data_record(
    images: Images, split: Split, scaling: Scaling | None = None, features: FeaturesRecord | None = None
) -> DataRecord:
    """The record of the data."""
    return DataRecord(
        name=images.name,
        sha256=images.sha256,
        shape=tuple(int(side) for side in images.shape),
        dtype=str(images.pixels.dtype),
        full_scale=float(images.full_scale),
        n_train=split.train.n,
        n_test=split.test.n if split.test else 0,
        label_names=images.label_names,
        train_label_counts=_label_counts(split.train),
        test_label_counts=_label_counts(split.test) if split.test else None,
        licence=images.licence,
        source=images.source,
        columns=images.columns,
        scaling=scaling,
        features=features,
        weight=None if split.train.weights is None else float(split.train.weights.sum()),
    )


def _label_counts(images: Images) -> tuple[int, ...] | None:
    if images.labels is None or images.label_names is None:
        return None
    return tuple(np.bincount(images.labels, minlength=len(images.label_names)).tolist())


def run_record(key: Key, fit: Fit, full_scale: float) -> RunRecord:
    """The record of a finished run; `full_scale` is the value that counts as 1."""
    square = full_scale * full_scale
    return RunRecord(
        k=key[0],
        restart=key[1],
        inertia=tuple(value / square for value in fit.history),
        final_inertia=fit.inertia / square,
        iterations=fit.iterations,
        stop=fit.stop.name,
        sizes=tuple(fit.counts.tolist()),
    )


def refined_record(key: Key, fit: Fit, full_scale: float) -> RefinedRecord:
    """The record of a refined run; `full_scale` is the value that counts as 1."""
    square = full_scale * full_scale
    return RefinedRecord(
        k=key[0],
        restart=key[1],
        inertia=tuple(value / square for value in fit.history),
        final_inertia=fit.inertia / square,
        stop=fit.stop.name,
        sizes=tuple(fit.counts.tolist()),
    )


def with_refined(best: BestRecord, refined: RefinedRecord | None) -> BestRecord:
    """The best run with the result of refining, if there is one."""
    return best if refined is None else replace(best, inertia=refined.final_inertia, sizes=refined.sizes)


def best_runs(runs: Iterable[RunRecord]) -> tuple[BestRecord, ...]:
    """The run with the smallest final inertia for each K, ties to the lowest restart; without labels."""
    best: dict[int, RunRecord] = {}
    for run in sorted(runs, key=lambda run: (run.k, run.final_inertia, run.restart)):
        best.setdefault(run.k, run)
    return tuple(
        BestRecord(
            k=run.k,
            restart=run.restart,
            inertia=run.final_inertia,
            sizes=run.sizes,
            train_accuracy=None,
            test_accuracy=None,
            mapping=None,
            ties=(),
            train=None,
            test=None,
        )
        for run in best.values()
    )


def with_test_sizes(best: BestRecord, sizes: tuple[int, ...]) -> BestRecord:
    """The best run with the sizes of its clusters in the test part."""
    return replace(best, test_sizes=sizes)


def named(best: BestRecord, train: Int64, test: Int64 | None) -> BestRecord:
    """The best run with names and scores from labels: mappings are fitted on the training part, and measured on both.

    Parameters
    ----------
    best
        The best run of one K.
    train, test
        The number of images of each label in each cluster, (K, number of labels) int64.
    """
    majority = naming.majorities(train)
    one_to_one = naming.one_to_one(train)
    of_train = _agreement(train, majority.mapping, one_to_one)
    of_test = None if test is None else _agreement(test, majority.mapping, one_to_one)
    return replace(
        best,
        train_accuracy=of_train.accuracy,
        test_accuracy=of_test.accuracy if of_test else None,
        mapping=majority.mapping,
        ties=majority.ties,
        train=of_train,
        test=of_test,
    )


def _agreement(table: Int64, majority: naming.Mapping, one_to_one: naming.Mapping) -> Agreement:
    # in: table (k, labels) int64
    information = naming.information(table)
    return Agreement(
        accuracy=naming.accuracy(table, majority),
        hungarian_accuracy=naming.accuracy(table, one_to_one),
        purity=naming.purity(table),
        ari=naming.adjusted_rand(table),
        nmi=information.nmi,
        homogeneity=information.homogeneity,
        completeness=information.completeness,
        confusion=tuple(tuple(row) for row in table.tolist()),
    )
