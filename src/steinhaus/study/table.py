"""Write a study as plain text in the form of the published table, in 80 columns unless a name is longer."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from steinhaus.study.record import BestRecord, RefinedRecord, StudyRecord, told_of_plan

WIDTH = 80
ENDS = {"CONVERGED": "converged", "TOLERANCE": "within tolerance", "MAX_ITER": "iteration limit"}


def text(record: StudyRecord) -> str:
    """The table: the largest and smallest inertia of every run, then the best run of each K."""
    lines = [_title(record), "", *_runs(record)]
    if record.best:
        lines += ["", *_best(record)]
    if record.refined:
        lines += ["", *_refined(record)]
    return "\n".join(lines) + "\n"


def _title(record: StudyRecord) -> str:
    data, plan = record.data, record.plan
    shape = " x ".join(str(side) for side in data.shape)
    kind, values = ("row", " values") if len(data.shape) == 1 else ("image", "")
    noun = f"{kind}{'s' * (data.n_train != 1)} of {shape}{values}"
    parts = f"{data.n_train:,} {noun} to train" + (f", {data.n_test:,} to test" if data.n_test else "")
    title = f"{data.name}: {parts}. Seed {plan['seed']}."
    about = data.scaling, data.features, data.weight
    if plan["train"] == "given" or any(said is not None for said in about):
        title += f" {told_of_plan(plan, data)}"
    if not record.complete:
        title += f" Not finished: {len(record.runs)} of {len(plan['k']) * plan['restarts']} runs are done."
    return textwrap.fill(title, WIDTH)


def _runs(record: StudyRecord) -> Iterator[str]:
    best = {(best.k, best.restart) for best in record.best}
    yield "  K  run    max inertia    min inertia  iterations  ended"
    for place, run in enumerate(record.runs):
        if place and record.runs[place - 1].k != run.k:
            yield ""
        mark = "  best" if (run.k, run.restart) in best else ""
        yield (
            f"{run.k:3d}  {run.restart + 1:3d}{number(run.inertia[0]):>15}{number(run.inertia[-1]):>15}"
            f"{run.iterations:12d}  {ENDS.get(run.stop, run.stop)}{mark}"
        )


def _best(record: StudyRecord) -> Iterator[str]:
    yield from _best_runs(record)
    for best in record.best:
        if empty := best.sizes.count(0):
            clusters = "cluster is" if empty == 1 else "clusters are"
            why = "" if best.inertia else f": fewer than {best.k:,} images differ"
            yield f"K = {best.k}: {empty:,} {clusters} empty{why}."


def _best_runs(record: StudyRecord) -> Iterator[str]:
    names = record.data.label_names
    if names is None or record.best[0].mapping is None:
        yield "  K   best inertia  run  sizes of clusters"
        for best in record.best:
            sizes = " ".join(str(size) for size in best.sizes)
            yield from _hanging(f"{best.k:3d}{number(best.inertia):>15}{best.restart + 1:5d}  ", sizes)
        return
    yield "  K   best inertia  train acc.  test acc.  cluster->label"
    for best in record.best:
        row = f"{best.k:3d}{number(best.inertia):>15}{share(best.train_accuracy):>12}{share(best.test_accuracy):>11}  "
        yield from _hanging(row, _mapping(best, names))
    for best in record.best:
        if best.ties:
            clusters = f"cluster{'s' * (len(best.ties) > 1)} {', '.join(str(cluster) for cluster in best.ties)}"
            yield from textwrap.wrap(
                f"K = {best.k}: labels tie for the majority in {clusters}; the lowest label is used.", WIDTH
            )


def _refined(record: StudyRecord) -> Iterator[str]:
    yield "  K   best run  refined inertia   decrease  steps"
    for refined in record.refined:
        yield (
            f"{refined.k:3d}{refined.restart + 1:11d}{number(refined.final_inertia):>17}"
            f"{gain(refined):>11}{len(refined.inertia) - 1:7d}"
        )
    yield from textwrap.wrap(
        "Refined: breathing k-means improved the best run. It added centroids where the error is largest, removed as "
        "many where they matter least, and kept the better result. The mapping and accuracy above belong to these "
        "clusters.",
        WIDTH,
    )


def gain(refined: RefinedRecord) -> str:
    """The decrease of inertia by refining, in per cent."""
    return "< 0.01 %" if 0 < refined.gain < 5e-5 else f"{100 * refined.gain:.2f} %"


def _mapping(best: BestRecord, names: tuple[str, ...]) -> str:
    pairs = enumerate(best.mapping or ())
    return "  ".join(f"{cluster}->{'-' if label is None else names[label]}" for cluster, label in pairs)


def _hanging(head: str, rest: str) -> list[str]:
    return textwrap.wrap(
        rest,
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [head.rstrip()]


def number(inertia: float) -> str:
    """Three decimals, as in the published table; seven digits if the value is too small for them."""
    return f"{inertia:.3f}" if 1000 <= inertia < 1e10 or inertia == 0 else f"{inertia:.7g}"


def share(value: float | None) -> str:
    """Four decimals; a dash if there is no value."""
    return "-" if value is None else f"{value:.4f}"
