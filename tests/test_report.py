"""The page: what it says, what it leaves out, and that names from outside stay text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from report_studies import digits, make
from steinhaus.report import ReportData, render
from steinhaus.report.figures import save_figures


@pytest.fixture(scope="module")
def study() -> ReportData:
    return digits()


class Reader(HTMLParser):
    """The page's text, tags and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def count(self, tag: str, class_: str) -> int:
        return sum(t == tag and class_ in (a.get("class") or "").split() for t, a in self.tags)


def test_every_cluster_of_every_k_has_a_card(study: ReportData) -> None:
    page = Reader(render(study))
    assert page.count("li", "card") == sum(b.k for b in study.record.best)
    assert page.count("section", "k-view") == 2


def test_the_table_holds_first_and_last_inertia_of_every_run(study: ReportData) -> None:
    text = Reader(render(study)).text
    for run in study.record.runs:
        assert f"{run.inertia[0]:,.4f}" in text
        assert f"{run.final_inertia:,.4f}" in text


def test_the_same_study_gives_the_same_page(study: ReportData) -> None:
    assert render(study) == render(study)


def test_nothing_comes_from_elsewhere(study: ReportData) -> None:
    page = Reader(render(study))
    addresses = [v for _, a in page.tags for k, v in a.items() if k in ("src", "href", "xlink:href", "action", "data")]
    assert addresses
    assert all(v is not None and v.startswith(("data:image/", "#")) for v in addresses)
    assert not any(k.startswith("on") or k == "style" for _, a in page.tags for k in a)
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_without_labels_nothing_speaks_of_them() -> None:
    rng = np.random.default_rng(1)
    data = make(rng.integers(0, 256, (60, 6, 5), dtype=np.uint8), None, None)
    text = Reader(render(data)).text
    for word in ("label", "accuracy", "pure", "named"):
        assert word not in text.lower()


def test_without_a_test_part_no_test_is_shown() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 60)
    data = make(rng.integers(0, 256, (60, 6, 5), dtype=np.uint8), labels, ("cat", "dog"), train=60)
    page = Reader(render(data))
    assert "train accuracy" in page.text
    assert "test" not in page.text.lower()


def test_vectors_are_profiles() -> None:
    rng = np.random.default_rng(1)
    data = make(rng.normal(size=(80, 13)), None, None, full_scale=1.0)
    page = Reader(render(data))
    assert page.count("svg", "profile") >= 8
    assert "13 values" in page.text


def test_an_empty_cluster_is_shown_as_one() -> None:
    pixels = np.zeros((40, 4, 4), np.uint8)
    pixels[20:] = 255
    data = make(pixels, np.repeat([0, 1], 20), ("off", "on"), ks=(4,), train=40)
    page = Reader(render(data))
    assert page.count("li", "empty") == 2


@pytest.mark.parametrize(
    "name", ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{ 7*7 }}\u202e\x00\udcff"]
)
def test_names_stay_text(study: ReportData, name: str) -> None:
    names = (name, *(study.record.data.label_names or ())[1:])
    record = replace(study.record, data=replace(study.record.data, name=name, label_names=names, source=name))
    text = render(replace(study, record=record))
    page = Reader(text)
    text.encode()
    assert not any(t == "img" and a.get("src") == "x" for t, a in page.tags)
    assert "49" not in page.text.split("Every run")[0]
    assert not any(c in page.text for c in "\x00\u202e")


def test_figures_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    data = make(rng.integers(0, 256, (60, 6, 5), dtype=np.uint8), rng.integers(0, 2, 60), ("$x_", "名前"), ks=(2, 3))
    first = save_figures(data, tmp_path / "a", ("png", "svg"))
    second = save_figures(data, tmp_path / "b", ("png", "svg"))
    assert [p.name for p in first] == [p.name for p in second]
    assert {p.stem for p in first} == {
        *(f"{name}-k00{k}" for name in ("means", "inertia", "map", "confusion") for k in (2, 3)), "across-k", "flow",
    }  # fmt: skip
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))
    assert not list(tmp_path.rglob("*.tmp"))
