"""Make one HTML page from ReportData: the context of the templates. Templates escape; nothing here writes markup."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from steinhaus.report import charts, findings, flows, measures, members, pictures, words
from steinhaus.report.command import command
from steinhaus.report.data import Int64, ReportData
from steinhaus.report.views import KView, columns, view
from steinhaus.study.record import told_of_plan

THREADS = min(4, os.cpu_count() or 1)  # for packing sheets
GLANCE = 7  # strips of mean images at the top
SMOOTH = 48  # pixels: larger images are smoothed where they are enlarged
SCRIPTS = ("dom", "data", "sheets", "chooser", "charts", "cluster", "image", "main")


def render(data: ReportData, *, most: int = members.ALL) -> str:
    """The report as one self-contained HTML page, which needs no network and no other files.

    Parameters
    ----------
    data
        The data to show. Missing values are left out of the page.
    most
        The page holds all images of a set of at most this many, and a choice of a larger set. It says so. Default
        20,000.

    Returns
    -------
    str
        The page. Encode it as UTF-8.
    """
    measured = measure(data)
    carried = carry(data, measured, most) if measured.near else None
    if carried is None:
        return assemble(data, measured, None)
    with ThreadPoolExecutor(THREADS) as pool:
        drawn = members.sheets(data, carried.ids, carried.layout)
        encoded = list(pool.map(partial(pictures.webp, quality=carried.layout.quality), drawn))
    addresses = [pictures.data_uri(e, "webp") for e in encoded]
    return assemble(data, measured, {**carried.payload, "sheets": addresses})


@dataclass(frozen=True)
class Measured:
    """The measurements of the report."""

    near: dict[int, measures.Near]
    codes: dict[int, members.Coded]
    scores: list[measures.Score]


def measure(data: ReportData) -> Measured:
    """Distances and scores; empty without images."""
    near, scores = measures.measure(data)
    return Measured(near, {k: members.coded(v) for k, v in near.items()}, scores)


@dataclass(frozen=True)
class Carried:
    """The images that a page holds."""

    ids: Int64
    layout: members.Tiles
    payload: dict[str, Any]


def carry(data: ReportData, measured: Measured, most: int | None) -> Carried:
    """Choose the images of a page in one file. `most` None: all images, for a folder."""
    choice = members.choose(data, measured.near, measured.codes, most)
    layout = members.tiles(data, len(choice.ids) if most is not None else 1)
    return Carried(choice.ids, layout, members.payload(data, measured.near, measured.codes, choice, layout))


def static(data: ReportData) -> str:
    """The page without script and members, for notebooks: table, figures, cards."""
    return assemble(data, measure(data), None, script=False)


def notebook(data: ReportData) -> str:
    """The static page in a frame, for a notebook cell. Its style cannot affect the notebook."""
    frame = Markup('<iframe title="{}" sandbox="" srcdoc="{}" width="100%" height="640" frameborder="0"></iframe>')
    return str(frame.format(f"Study of {words.clean(data.record.data.name)}", static(data)))


def assemble(data: ReportData, measured: Measured, carried: dict[str, Any] | None, *, script: bool = True) -> str:
    """Put the page together with the images that it holds."""
    values = context(data, measured)
    values["members"] = carried is not None
    values["data"] = payload(data, values["shown"], carried) if script else None
    return fill("report.html", script=script, **values)


def payload(data: ReportData, shown: int, carried: dict[str, Any] | None) -> dict[str, Any]:
    """The data of the page's script."""
    record = data.record
    near = {} if carried is None else {k["k"]: k for k in carried.pop("ks")}
    absent = {"near": None, "distances": None, "unit": 0.0, "nearest": 0}
    names = record.data.label_names
    return {
        "labelNames": None if names is None else [words.clean(n) for n in names],
        "shown": shown,
        "members": carried,
        "ks": [
            {
                "k": b.k,
                "mapping": b.mapping,
                "train": None if b.train is None else b.train.confusion,
                "test": None if b.test is None else b.test.confusion,
                "sizes": b.sizes,
                "testSizes": b.test_sizes,
                "curves": [[float(f"{v:.8g}") for v in r.inertia] for r in record.runs if r.k == b.k],
                **near.get(b.k, absent),
            }
            for b in record.best
        ],
    }


def fill(template: str, *, script: bool, **values: Any) -> str:
    """Fill in a template, with inline style and script and a policy that allows only these."""
    style = asset("style.css")
    code = Markup("\n").join(asset(f"{name}.js") for name in SCRIPTS) if script else None
    return environment().get_template(template).render(**values, style=style, script=code, policy=policy(style, code))


@cache
def environment() -> jinja2.Environment:
    """The template engine, which escapes all values."""
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("steinhaus.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.tests["wide"] = words.is_wide
    env.filters.update(
        clean=words.clean,
        count=words.count,
        share=words.share,
        number=words.number,
        inertia=words.inertia,
        brief=words.brief,
        duration=words.duration,
    )
    return env


def policy(style: str, script: str | None) -> str:
    """The page's Content-Security-Policy: only its own style, script and pictures."""
    rules = ["default-src 'none'", "img-src data: 'self'", f"style-src '{_digest(style)}'"]
    if script is not None:
        rules.append(f"script-src '{_digest(script)}'")
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def asset(name: str) -> Markup:
    """A file of the page's own style or script."""
    return Markup((files("steinhaus.report") / "static" / name).read_text(encoding="utf-8"))


def context(data: ReportData, measured: Measured) -> dict[str, Any]:
    """All values of the page, by name."""
    record = data.record
    views = [view(data, best) for best in record.best]
    silhouettes = _silhouettes(data, measured)
    shown = findings.main(record, silhouettes)
    return {
        "name": words.clean(record.data.name),
        "sentence": findings.sentence(record, max(data.seconds.values(), default=None)),
        "findings": findings.findings(record, shown, silhouettes, data.refining_seconds),
        "figures": findings.figures(record, shown, silhouettes),
        "silhouettes": silhouettes,
        "sample": data.n if data.is_sample else None,
        "labels": _column_names(data),
        "labelled": record.data.label_names is not None,
        "nouns": ("image", "images") if data.is_image else ("vector", "vectors"),
        "has_test": record.data.n_test > 0,
        "is_image": data.is_image,
        "medoids": data.shows_medoids,
        "space": words.clean(record.data.space),
        "featured": record.data.features is not None,
        "restarts": max(len(v.runs) for v in views),
        "timed": bool(data.seconds),
        "refined": bool(record.refined),
        "views": views,
        "glance": glance(views, shown),
        "smooth": data.is_image and max(data.shape[:2]) > SMOOTH,
        "shown": shown,
        "across": across(data, measured, silhouettes),
        "flow": split_flow(data, views),
        "command": command(data),
        "facts": facts(data),
    }


def _column_names(data: ReportData) -> list[str]:
    """The column heads of a table of labels."""
    names = data.record.data.label_names or ()
    shown = [words.clean(names[i]) for i in columns(data)]
    return shown if len(shown) == len(names) else [*shown, "others"]


def across(data: ReportData, measured: Measured, silhouettes: Mapping[int, float]) -> list[tuple[Markup, str]]:
    """Charts against K, each with a caption."""
    record, every = data.record, measured.scores
    shown = [(charts.inertia_by_k(record.runs, record.best), "Inertia: one dot per run. The line joins the best runs.")]
    train = [(b.k, b.train_accuracy) for b in record.best if b.train_accuracy is not None]
    test = [(b.k, b.test_accuracy) for b in record.best if b.test_accuracy is not None]
    dots = " Dots: other runs on the test part." if test and every else ""
    if train:
        spread = [(s.k, s.test_accuracy) for s in every if s.test_accuracy is not None]
        caption = f"Accuracy: each cluster is named after the label of most of its training images.{dots}"
        lines = [("train", train), ("test", test)] if test else [("train", train)]
        shown.append((charts.accuracy_by_k("accuracy", lines, spread), caption))
    if silhouettes:
        spread = [(s.k, s.silhouette) for s in every if s.silhouette is not None]
        caption = (
            "Simplified silhouette, from distances to centroids: 1 means well apart, 0 means on the border. "
            f"Distances are between {words.clean(record.data.space)}."
        )
        shown.append((charts.score_by_k("silhouette", [("best", list(silhouettes.items()))], spread), caption))
    return shown


def _silhouettes(data: ReportData, measured: Measured) -> dict[int, float]:
    """The silhouette of the best run of each K above 1; empty without images."""
    near = {k: v.distances[: data.n_train] for k, v in measured.near.items() if k > 1}
    return {k: measures.silhouette(d[:, 0], d[:, 1]) for k, d in near.items()}


def glance(views: Sequence[KView], shown: int) -> list[KView]:
    """The values of K at a glance: all or, if there are many, the first, the last, the shown one, and some between."""
    if len(views) <= GLANCE:
        return list(views)
    picked = {round(i * (len(views) - 1) / (GLANCE - 1)) for i in range(GLANCE)}
    return [v for i, v in enumerate(views) if i in picked or v.k == shown]


def split_flow(data: ReportData, views: Sequence[KView]) -> tuple[Markup, float] | None:
    """The flow between neighbouring K; None for one K, or if the clusters of images are not known."""
    if not data.flows:
        return None
    flow = flows.layout([flows.Column(v.k, v.cards) for v in views], data.flows)
    return flows.draw(flow), flow.left_out


def _clustered(data: ReportData) -> str:
    """The features that were clustered; "" if pixels were."""
    features = data.record.data.features
    if features is None:
        return ""
    options = ", ".join(f"{name} {words.clean(value)}" for name, value in features.options.items())
    made = f"; {options}" if options else ""
    return f"{words.clean(features.told)}: {words.count(features.d)} values{made}; SHA-256 {features.sha256}"


def facts(data: ReportData) -> list[tuple[str, str]]:
    """Everything that you need to run the study again, and the machine it ran on."""
    record, d = data.record, data.record.data
    machine = [f"{words.clean(v)}{' cores' if k == 'cores' else ''}" for k, v in record.machine.items()]
    noun = "images" if data.is_image else "vectors"
    pairs = [
        (
            "Data",
            f"{words.clean(d.name)}: {words.count(d.n_train + d.n_test)} {noun} of {words.size_of(d.shape)}, {d.dtype}",
        ),
        ("Training part", told_of_plan(record.plan, d)),
        ("Clustered", _clustered(data)),
        ("Columns", words.listing(words.clean(c) for c in d.columns) if d.columns else ""),
        ("SHA-256 of the data", d.sha256),
        ("Source", words.clean(d.source) if d.source else ""),
        ("Licence of the data", words.clean(d.licence) if d.licence else ""),
        ("Machine", ", ".join(machine)),
        ("Versions", ", ".join(f"{k} {words.clean(v)}" for k, v in record.versions.items())),
        ("Time of all runs", words.duration(max(data.seconds.values())) if data.seconds else ""),
    ]
    return [(name, value) for name, value in pairs if value]
