"""ReportData -> one HTML page: the context that the templates fill in. Templates escape; nothing here writes markup."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from steinhaus.report import charts, findings, pictures, words
from steinhaus.report.data import ReportData
from steinhaus.study.record import BestRecord, RunRecord

MIXED = 0.5  # a cluster of less purity than this is shown as mixed
WALL = 30  # more clusters than this are a dense wall
LARGEST_MEAN = 96  # pixels of a mean image's longer side
LARGEST_WALL_MEAN = 48
STOPS = {"CONVERGED": "converged", "TOLERANCE": "tolerance reached", "MAX_ITER": "iteration limit"}


def render(data: ReportData) -> str:
    """The report as one HTML page that needs nothing else: no network, no files beside it.

    Parameters
    ----------
    data
        What to show; see `ReportData`. What is missing from it is left out of the page.

    Returns
    -------
    str
        The page. Encode it as UTF-8.
    """
    return fill("report.html", **context(data))


def fill(template: str, **values: Any) -> str:
    """A template filled in, with the style in the page and a policy that allows it and nothing else."""
    style = _asset("style.css")
    return environment().get_template(template).render(
        **values, style=style, policy=policy(style), words=words, count=words.count
    )  # fmt: skip


def environment() -> jinja2.Environment:
    """The engine that escapes."""
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("steinhaus.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        clean=words.clean, count=words.count, share=words.share, number=words.number, inertia=words.inertia
    )
    return env


def policy(style: str) -> str:
    """The page's Content-Security-Policy."""
    return f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _asset(name: str) -> Markup:
    return Markup((files("steinhaus.report") / "static" / name).read_text(encoding="utf-8"))


def context(data: ReportData) -> dict[str, Any]:
    """Everything the page says, by name."""
    record = data.record
    views = [k_view(data, best) for best in record.best]
    shown = findings.main(record).k
    return {
        "name": words.clean(record.data.name),
        "sentence": findings.sentence(record),
        "findings": findings.findings(record),
        "labelled": record.data.label_names is not None,
        "has_test": record.data.n_test > 0,
        "is_image": data.is_image,
        "restarts": max(len(v.runs) for v in views),
        "views": views,
        "shown": shown,
        "across": across(data),
        "command": command(data),
        "facts": facts(data),
    }


@dataclass(frozen=True)
class Card:
    """One cluster as the page shows it."""

    index: int
    picture: Markup | str  # of an image: a data URI; of a vector: an SVG
    label: str | None  # None without labels, or for an empty cluster
    order: int  # of its label among the labels, for sorting
    size: int
    test_size: int | None
    purity: float | None
    tops: list[tuple[str, int, float]]  # the most frequent labels: name, images, share
    others: int  # images of other labels
    state: str  # "", "mixed", "empty" or "tie"


@dataclass(frozen=True)
class KView:
    """One K as the page shows it."""

    best: BestRecord
    cards: list[Card]
    by_label: list[Card]
    runs: list[RunRecord]
    seconds: list[float | None]
    linear: Markup
    log: Markup
    confusions: list[tuple[str, list[list[tuple[int, float]]]]]  # part, rows of (count, share of the cluster)
    labels: list[str]
    wall: bool

    @property
    def k(self) -> int:
        """The number of clusters."""
        return self.best.k

    @property
    def stops(self) -> list[str]:
        """How each run ended."""
        return [STOPS.get(r.stop, r.stop.lower()) for r in self.runs]


def k_view(data: ReportData, best: BestRecord) -> KView:
    """Everything shown of one K."""
    runs = [r for r in data.record.runs if r.k == best.k]
    cards = _cards(data, best)
    names = [words.clean(n) for n in data.record.data.label_names or ()]
    tables = [(p, a) for p, a in (("train", best.train), ("test", best.test)) if a is not None]
    return KView(
        best=best,
        cards=cards,
        by_label=sorted(cards, key=lambda c: (c.order, -c.size)),
        runs=runs,
        seconds=[data.seconds.get((r.k, r.restart)) for r in runs],
        linear=charts.inertia_curves(runs, best, log=False),
        log=charts.inertia_curves(runs, best, log=True),
        confusions=[(part, _shares(a.confusion)) for part, a in tables],
        labels=names,
        wall=best.k > WALL,
    )


def _shares(table: tuple[tuple[int, ...], ...]) -> list[list[tuple[int, float]]]:
    return [[(n, n / max(sum(row), 1)) for n in row] for row in table]


def _cards(data: ReportData, best: BestRecord) -> list[Card]:
    shown = _mean_pictures(data, best.k)
    names = data.record.data.label_names
    cards = []
    for j, size in enumerate(best.sizes):
        label = None if best.mapping is None else best.mapping[j]
        counts = np.array(best.train.confusion[j]) if best.train is not None else np.zeros(0, np.int64)
        tops = [int(i) for i in np.argsort(-counts, kind="stable")[:3] if counts[i] > 0]
        purity = float(counts.max() / size) if len(counts) and size else None
        state = (
            "empty"
            if size == 0
            else "tie"
            if j in best.ties
            else "mixed"
            if purity is not None and purity < MIXED
            else ""
        )
        cards.append(
            Card(
                index=j,
                picture=shown[j],
                label=None if label is None or names is None else words.clean(names[label]),
                order=len(names or ()) if label is None else label,
                size=size,
                test_size=None if best.test_sizes is None else best.test_sizes[j],
                purity=purity,
                tops=[(words.clean((names or ())[i]), int(counts[i]), float(counts[i] / size)) for i in tops],
                others=int(counts.sum() - counts[tops].sum()),
                state=state,
            )
        )
    return cards


def _mean_pictures(data: ReportData, k: int) -> list[Markup | str]:
    centroids = data.centroids[k]
    if not data.is_image:
        low, high = float(centroids.min()), float(centroids.max())
        return [charts.profile(c, low, high, f"mean of cluster {j}") for j, c in enumerate(centroids)]
    largest = LARGEST_WALL_MEAN if k > WALL else LARGEST_MEAN
    small = pictures.reduce(pictures.to_bytes(centroids, 1.0), largest)
    return [pictures.data_uri(pictures.encode(p)) for p in small]


def across(data: ReportData) -> list[tuple[Markup, str]]:
    """Charts against K, each with its caption."""
    record = data.record
    shown = [(charts.inertia_by_k(record.runs, record.best), "Inertia: a dot for each run, the best joined.")]
    lines = [("train", [(b.k, b.train_accuracy) for b in record.best if b.train_accuracy is not None])]
    lines.append(("test", [(b.k, b.test_accuracy) for b in record.best if b.test_accuracy is not None]))
    if lines[0][1]:
        caption = "Accuracy: every cluster bears the label of most of its training images."
        shown.append((charts.score_by_k("accuracy", [entry for entry in lines if entry[1]]), caption))
    return shown


def command(data: ReportData) -> str:
    """The command that runs the same study."""
    plan, name = data.record.plan, words.clean(data.record.data.name)
    parts = ["steinhaus study", f"'{name}'" if " " in name else name]
    parts.append("--k " + ",".join(str(b.k) for b in data.record.best))
    options = ("restarts", "max_iter", "init", "tol", "train", "seed")
    parts += [f"--{key.replace('_', '-')} {plan[key]}" for key in options if key in plan]
    return " ".join(parts)


def facts(data: ReportData) -> list[tuple[str, str]]:
    """What is needed to run the study again, and on what it ran."""
    record, d = data.record, data.record.data
    pairs = [
        ("Data", f"{words.clean(d.name)}: {words.count(d.n_train + d.n_test)} of {words.size_of(d.shape)}, {d.dtype}"),
        ("SHA-256 of the data", d.sha256),
        ("Source", words.clean(d.source) if d.source else ""),
        ("Licence of the data", words.clean(d.licence) if d.licence else ""),
        (
            "Machine",
            ", ".join(f"{words.clean(v)}{' cores' if k == 'cores' else ''}" for k, v in record.machine.items()),
        ),
        ("Versions", ", ".join(f"{k} {words.clean(v)}" for k, v in record.versions.items())),
        ("Time of the runs", words.duration(sum(data.seconds.values())) if data.seconds else ""),
    ]
    return [(name, value) for name, value in pairs if value]
