"""The page: its content, what it leaves out, and names from outside, which stay text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import font_manager

import study_cases
from report_studies import digits, make
from steinhaus.errors import SteinhausError, StoreError
from steinhaus.report import ReportData, files, folder, from_result, render, write_folder, write_report
from steinhaus.report.figure_style import families
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


def test_the_command_to_run_it_again(study: ReportData) -> None:
    words = "steinhaus study digits --k 5,10 --restarts 3 --max-iter 40 --init random --tol 0.0 --train 0.6 --seed 0"
    assert words in Reader(render(study)).text
    plan = {**study.record.plan, "init": "given:ab12"}
    given = replace(study, record=replace(study.record, plan=plan))
    assert "Study(k=(5, 10), init={K: the same arrays}, restarts=3, max_iter=40" in Reader(render(given)).text


def test_a_study_that_is_not_finished_says_so(study: ReportData) -> None:
    best = tuple(
        replace(b, train=None, test=None, mapping=None, train_accuracy=None, test_accuracy=None)
        for b in study.record.best
    )
    partial = ReportData(replace(study.record, complete=False, best=best), study.centroids)
    text = Reader(render(partial)).text
    assert "The study is not finished" in text
    assert "Open cluster" not in text


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


def test_a_thousand_labels_make_no_endless_table() -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(2000) % 1000
    data = make(
        rng.integers(0, 256, (2000, 3, 3), dtype=np.uint8), labels, tuple(f"l{i}" for i in range(1000)), train=1500
    )
    page = Reader(render(data))
    heads = [a for t, a in page.tags if t == "th" and a.get("scope") == "col"]
    assert len(heads) < 1000
    assert "others" in page.text


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


@pytest.mark.slow
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


class Result:
    """What the report reads of a study's result."""

    def __init__(self, data: ReportData, images: object) -> None:
        self.record, self.images, self.seconds, self._data = data.record, images, {(5, 0): 1.5}, data
        self.refining_seconds = {}

    def centroids(self, k: int) -> np.ndarray:
        return self._data.centroids[k]

    def run_centroids(self, k: int) -> np.ndarray:
        return self._data.run_centroids[k]

    def labels(self, k: int) -> np.ndarray:
        return self._data.train_clusters[k]

    def test_labels(self, k: int) -> np.ndarray | None:
        return self._data.test_clusters[k]


def test_a_result_with_and_without_its_images(study: ReportData, tmp_path: Path) -> None:
    split = SimpleNamespace(
        train=study.train, test=study.test, train_index=study.train.index, test_index=study.test.index
    )
    page = write_report(Result(study, split), tmp_path / "report.html").read_text("utf-8")
    assert Reader(page).count("button", "open") == 15
    assert "1.5 s" in Reader(page).text
    bare = Reader(render(from_result(Result(study, None))))
    assert bare.count("button", "open") == 0
    assert bare.count("svg", "flow") == 1  # clusters are in the study's folder; images are not
    index = write_folder(Result(study, split), tmp_path / "folder")
    assert len(list((tmp_path / "folder" / "sheets").iterdir())) == -(-1797 // 32)
    assert "sheets/00000.webp" in index.read_text("utf-8")


def test_a_folder_written_again_leaves_no_old_sheets(study: ReportData, tmp_path: Path) -> None:
    old = tmp_path / "sheets" / "99999.webp"
    old.parent.mkdir()
    old.write_bytes(b"old")
    folder.write(study, tmp_path)
    assert not old.exists()


def test_a_study_without_a_finished_run_has_no_report(study: ReportData) -> None:
    empty = replace(study, record=replace(study.record, runs=(), best=(), complete=False))
    with pytest.raises(SteinhausError, match="no finished run"):
        from_result(Result(empty, None))


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = files.write(tmp_path / "new" / "a.txt", b"one")
    assert path.read_bytes() == b"one"

    def broken(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", broken)
    with pytest.raises(StoreError, match="no space left"):
        files.write(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(path.parent.iterdir()) == [path]


def test_in_a_notebook_a_result_shows_the_static_report(tmp_path: Path) -> None:
    result = study_cases.run(study_cases.blobs(), tmp_path)
    frame = dict(Reader(result._repr_html_()).tags)["iframe"]
    assert frame["sandbox"] == ""
    page = Reader(frame["srcdoc"] or "")
    assert page.count("li", "card") == sum(b.k for b in result.best)
    assert not [tag for tag, _ in page.tags if tag == "script"]


def test_in_a_notebook_a_result_without_runs_shows_itself_plainly(tmp_path: Path) -> None:
    result = study_cases.run(study_cases.blobs(), tmp_path)
    result.record = replace(result.record, runs=(), best=(), complete=False)
    assert result._repr_html_() is None


def test_figures_are_drawn_in_fonts_that_are_installed() -> None:
    assert families(("cat", "Straße", "ł")) == ["sans-serif"]
    first, *others = families(("猫", "บ้าน"))
    assert first == "sans-serif"
    assert set(others) <= set(font_manager.get_font_names())
