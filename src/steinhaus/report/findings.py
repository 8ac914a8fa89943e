"""The findings of a study, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from steinhaus.report import words
from steinhaus.study.record import BestRecord, StudyRecord

SHARED = 0.3  # a second label with at least this share of a cluster counts as sharing it
PURE = 0.9
CLOSE = 0.001  # runs within this relative distance of the best inertia count as equally good
MOST_NAMED = 4
MOST = 4  # most findings

Figure = tuple[str, str]


def sentence(record: StudyRecord, seconds: float | None = None) -> str:
    """The sentences about the runs, the data and the time of all runs."""
    data, plan = record.data, record.plan
    init = str(plan["init"])
    seeding = f"{init} starts" if not init.startswith("given:") else "given starts"
    ks = words.ks([b.k for b in record.best])
    restarts = {r.k: 0 for r in record.runs}
    for run in record.runs:
        restarts[run.k] += 1
    each = words.plural(max(restarts.values()), "run")
    kept = f", and {words.count(data.n_test)} more were kept for testing" if data.n_test else ""
    took = "" if seconds is None else f" All {len(record.runs)} runs took {words.duration(seconds)}."
    done = "" if record.complete else " The study is not finished. The report shows the finished runs."
    by = (
        ""
        if data.features is None
        else f", by {words.clean(data.features.told)} ({words.count(data.features.d)} values)"
    )
    return (
        f"k-means with K = {ks}, {each} per K from {seeding}, at most {plan['max_iter']} iterations per run. "
        f"{words.count(data.n_train)} {_noun(record)} of {words.size_of(data.shape)} were "
        f"clustered{by}{kept}.{took}{done}"
    )


def findings(
    record: StudyRecord, k: int, silhouettes: Mapping[int, float], seconds: Mapping[int, float] | None = None
) -> list[str]:
    """The main findings about the K that is shown first, the most important first.

    `seconds`: K -> seconds of refining.
    """
    best = next(b for b in record.best if b.k == k)
    found = [_accuracy(record, best), _shared(record, best), _missing(record, best), _purest(record, best)]
    found += [_silhouette(silhouettes) if record.data.label_names is None else None, _agreement_of_runs(record, best)]
    told = [f for f in found if f is not None]
    refined = _refined(record, k, seconds)
    return [*told[:1], *([] if refined is None else [refined]), *told[1:]][:MOST]


def figures(record: StudyRecord, k: int, silhouettes: Mapping[int, float]) -> list[Figure]:
    """The key figures of the K that is shown first, as (figure, description)."""
    best = next(b for b in record.best if b.k == k)
    shown: list[Figure] = []
    if (accuracy := _measured(best)) is not None:
        noun = _noun(record)
        part = "test" if best.test_accuracy is not None else "training"
        shown.append((words.share(accuracy, 1), f"of the {part} {noun} get the right label"))
    what = "inertia after refining" if record.refined else "inertia of the best run"
    shown.append((words.inertia(best.inertia, 7), what))
    if k in silhouettes:
        shown.append((words.number(silhouettes[k], 3), "silhouette"))
    if (close := _close(record, best)) is not None:
        shown.append((f"{close[0]} of {close[1]}", f"runs within {100 * CLOSE:g}\u202f% of the best"))
    return shown


def main(record: StudyRecord, silhouettes: Mapping[int, float]) -> int:
    """The K to show first: the number of labels, else the most accurate K; without labels, the best silhouette."""
    names = record.data.label_names
    if names is not None:
        equal = [b.k for b in record.best if b.k == len(names)]
        return equal[0] if equal else max(record.best, key=lambda b: b.train_accuracy or 0.0).k
    if silhouettes:
        return max(silhouettes, key=lambda k: silhouettes[k])
    return record.best[len(record.best) // 2].k


def _noun(record: StudyRecord) -> str:
    return "vectors" if len(record.data.shape) == 1 else "images"


def _measured(best: BestRecord) -> float | None:
    return best.train_accuracy if best.test_accuracy is None else best.test_accuracy


def _accuracy(record: StudyRecord, best: BestRecord) -> str | None:
    accuracy = _measured(best)
    if accuracy is None:
        return None
    part = "training" if best.test_accuracy is None else "test"
    clusters = words.plural(best.k, "cluster")
    told = f"With {clusters}, {words.share(accuracy)} of the {part} {_noun(record)} get the right label"
    top = max(record.best, key=lambda b: (_measured(b) or 0.0, -b.k))
    other = words.share(_measured(top))
    return f"{told}." if other == words.share(accuracy) else f"{told}; with {top.k}, {other} do."


def _shared(record: StudyRecord, best: BestRecord) -> str | None:
    """The sentence about pairs of labels that share a cluster."""
    names = record.data.label_names
    if best.train is None or names is None:
        return None
    pairs: dict[tuple[int, int], float] = {}
    for row in np.array(best.train.confusion):
        if (total := row.sum()) > 0 and len(row) > 1:
            first, second = (int(i) for i in np.argsort(-row, kind="stable")[:2])
            if row[second] >= SHARED * total:
                pair = (min(first, second), max(first, second))
                pairs[pair] = max(pairs.get(pair, 0.0), float(row[second] / total))
    ranked = sorted(pairs, key=lambda p: -pairs[p])[:3]
    shown = [" and ".join(words.isolated(words.clean(names[label])) for label in pair) for pair in ranked]
    return f"These labels share clusters: {'; '.join(shown)}." if shown else None


def _missing(record: StudyRecord, best: BestRecord) -> str | None:
    """The sentence about labels that name no cluster."""
    names = record.data.label_names
    if best.train is None or best.mapping is None or names is None:
        return None
    missing = [i for i in range(len(names)) if i not in best.mapping]
    if not missing:
        return None
    if len(missing) > MOST_NAMED:
        return f"With K = {best.k}, {len(missing)} of {len(names)} labels name no cluster."
    table = np.array(best.train.confusion)

    def named(label: int) -> str:
        return words.isolated(words.clean(names[label]))

    parts = []
    for label in missing:
        home = best.mapping[int(table[:, label].argmax())]
        where = "" if home is None else f" (most of its {_noun(record)} are in clusters named {named(home)})"
        parts.append(named(label) + (where if len(missing) == 1 else ""))
    return f"No cluster of K = {best.k} is named {words.listing(parts, 'or')}."


def _purest(record: StudyRecord, best: BestRecord) -> str | None:
    names = record.data.label_names
    if best.train is None or best.mapping is None or names is None:
        return None
    table = np.array(best.train.confusion)
    totals = table.sum(axis=1)
    purity = table.max(axis=1) / np.maximum(totals, 1)
    label = best.mapping[j := int(purity.argmax())]
    if label is None or purity[j] < PURE:
        return None
    name = words.isolated(words.clean(names[label]))
    return f"The purest cluster, named {name}, is {words.share(float(purity[j]))} pure."


def _refined(record: StudyRecord, k: int, seconds: Mapping[int, float] | None) -> str | None:
    """The sentence about the gain by refining."""
    found = next((refined for refined in record.refined if refined.k == k), None)
    if found is None or found.inertia[0] <= 0:
        return None
    took = f" and took {words.duration(seconds[k])}" if seconds and k in seconds else ""
    if found.gain <= 0:
        return f"Breathing k-means found nothing better than the best run of K = {k}."
    return (
        f"Breathing k-means refined the best run of K = {k}: it added centroids where the error is largest, removed as "
        f"many where they matter least, and kept the better result. That lowered the inertia by "
        f"{words.gain(found.gain)}{took}."
    )


def _silhouette(silhouettes: Mapping[int, float]) -> str | None:
    """The sentence about the K with the best separated clusters."""
    if len(silhouettes) < 2:
        return None
    k = max(silhouettes, key=lambda k: silhouettes[k])
    return f"The silhouette is highest at K = {k}: {silhouettes[k]:.2f}."


def _agreement_of_runs(record: StudyRecord, best: BestRecord) -> str | None:
    """The sentence about the agreement of the restarts."""
    if (close := _close(record, best)) is None:
        return None
    verb = "ends" if close[0] == 1 else "end"
    return f"{close[0]} of {close[1]} runs of K = {best.k} {verb} within {100 * CLOSE:g}\u202f% of the best."


def _close(record: StudyRecord, best: BestRecord) -> tuple[int, int] | None:
    """The number of runs that end near the best, and the number of all runs; None for a single run."""
    ends = [r.final_inertia for r in record.runs if r.k == best.k]
    if len(ends) < 2 or best.inertia <= 0:
        return None
    return sum(e <= best.inertia * (1 + CLOSE) for e in ends), len(ends)
