"""Compare several studies on one page: settings, tables and curves, matched by K."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from markupsafe import Markup

from steinhaus.errors import SteinhausError
from steinhaus.report import charts, page, words
from steinhaus.report.data import ReportData
from steinhaus.report.views import KView, view
from steinhaus.study.record import DataRecord

MOST = len(ascii_uppercase)


@dataclass(frozen=True)
class Study:
    """One of the studies, with its letter."""

    letter: str
    data: ReportData
    views: dict[int, KView]

    @property
    def name(self) -> str:
        """Letter and name."""
        return f"{self.letter}: {words.clean(self.data.record.data.name)}"


def render(studies: Sequence[ReportData]) -> str:
    """A comparison of several studies as one HTML page without script.

    Parameters
    ----------
    studies
        Two or more studies. If their data differ, their inertia cannot be compared, and the page says so.

    Raises
    ------
    SteinhausError
        If there are fewer than two studies, or more than letters.
    """
    if not 2 <= len(studies) <= MOST:
        raise SteinhausError(f"A comparison takes 2 to {MOST} studies, not {len(studies)}.")
    shown = [
        Study(letter, data, {b.k: view(data, b) for b in data.record.best})
        for letter, data in zip(ascii_uppercase, studies, strict=False)
    ]
    return page.fill("compare.html", script=False, **context(shown))


def context(studies: Sequence[Study]) -> dict[str, Any]:
    """All values of the page, by name."""
    ks = sorted({k for s in studies for k in s.views})
    same = len({_measured(s.data.record.data) for s in studies}) == 1
    return {
        "studies": studies,
        "smooth": any(s.data.is_image and max(s.data.shape[:2]) > page.SMOOTH for s in studies),
        "ks": ks,
        "same_data": same,
        "labelled": any(s.data.record.data.label_names is not None for s in studies),
        "has_test": any(s.data.record.data.n_test for s in studies),
        "settings": settings(studies),
        "marks": [charts.swatch(i) for i in range(len(studies))],
        "across": across(studies, same=same),
        "curves": {k: _curves(studies, k) for k in ks} if same else {},
    }


def _measured(data: DataRecord) -> tuple[str, ...]:
    """The images and the space of a study. If they are equal, inertia can be compared."""
    features = data.features
    return (data.sha256, *(() if features is None else (features.sha256, *features.steps)))


def settings(studies: Sequence[Study]) -> list[tuple[str, list[str], bool]]:
    """The settings and the data: a name, a value per study, and whether the values differ."""
    rows: list[tuple[str, list[str]]] = [
        ("data", [words.clean(s.data.record.data.name) for s in studies]),
        ("training images", [words.count(s.data.record.data.n_train) for s in studies]),
        ("test images", [words.count(s.data.record.data.n_test) for s in studies]),
        ("SHA-256 of the data", [s.data.record.data.sha256[:12] for s in studies]),
        ("K", [words.ks(list(s.views)) for s in studies]),
    ]
    if any(s.data.record.data.features for s in studies):
        rows.append(("clustered", [words.clean(s.data.record.data.space) for s in studies]))
    keys = dict.fromkeys(key for s in studies for key in s.data.record.plan if key != "k")
    rows += [(key.replace("_", " "), [words.clean(s.data.record.plan.get(key, "–")) for s in studies]) for key in keys]
    versions = [s.data.record.versions.get("steinhaus", "–") for s in studies]
    rows.append(("Steinhaus", [words.clean(v) for v in versions]))
    return [(name, values, len(set(values)) > 1) for name, values in rows]


def across(studies: Sequence[Study], *, same: bool) -> list[tuple[Markup, str]]:
    """Charts against K, with one line per study."""
    shown = []
    if same:
        lines = [(s.letter, [(v.k, v.best.inertia) for v in s.views.values()]) for s in studies]
        shown.append((charts.inertia_lines(lines), "Best inertia."))
    for part, caption in (("train", "Train accuracy."), ("test", "Test accuracy.")):
        lines = [
            (s.letter, [(v.k, a) for v in s.views.values() if (a := getattr(v.best, f"{part}_accuracy")) is not None])
            for s in studies
        ]
        if any(points for _, points in lines):
            shown.append((charts.accuracy_by_k(f"{part} accuracy", lines, legend=False), caption))
    return shown


def _curves(studies: Sequence[Study], k: int) -> Markup | None:
    """The curves of the best runs of one K in one chart; None if only one study has that K."""
    runs = [
        (i, s.name, next(r for r in s.views[k].runs if r.restart == s.views[k].best.restart))
        for i, s in enumerate(studies)
        if k in s.views
    ]
    return charts.overlay(runs, k) if len(runs) > 1 else None
