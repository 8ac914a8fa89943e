"""`steinhaus report`: what it writes, what it opens, and its errors for options that contradict each other."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pictures import mnist_like
from steinhaus.cli import finding, main
from steinhaus.study import load


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two finished studies of `digits`."""
    folder = tmp_path_factory.mktemp("ready")
    for name, init in (("one", "random"), ("two", "k-means++")):
        arguments = ["study", "digits", "--k", "2,3", "--restarts", "2", "--init", init, "--quiet"]
        assert main([*arguments, "--out", str(folder / name)]) == 0
    return folder


@pytest.fixture(autouse=True)
def _here(ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has both studies in a folder of its own."""
    shutil.copytree(ready, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was asked to open."""
    addresses: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: addresses.append(address) or True)
    return addresses


@pytest.mark.usefixtures("_no_figures")
def test_it_opens_the_page(opened: list[str], tmp_path: Path) -> None:
    assert main(["report", "one", "--open"]) == 0
    assert opened == [(tmp_path / "one" / "report.html").as_uri()]


@pytest.mark.usefixtures("_no_figures")
def test_a_known_set_that_cannot_be_read_here_stops_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (tmp_path / "kmnist", tmp_path / "data/kmnist"):  # a set of that name, but not the published one
        mnist_like(folder, train=20, test=5)
    monkeypatch.setenv("STEINHAUS_DATA", str(tmp_path / "data"))
    assert main(["study", "kmnist", "--k", "2", "--restarts", "1", "--quiet", "--out", "of it"]) == 0
    assert main(["report", "of it"]) == 0
    assert "were not found" not in capsys.readouterr().err
    shutil.rmtree(tmp_path / "kmnist")
    assert main(["report", "of it"]) == 0
    assert "were not found" in capsys.readouterr().err
    assert main(["report", "of it", "--data", str(tmp_path / "data")]) == 1


@pytest.mark.usefixtures("_no_figures")
def test_images_are_found_by_the_command_of_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "my pictures" / name).mkdir(parents=True)
        for n in range(6):
            picture = Image.fromarray(rng.integers(0, 256, (9, 9)).astype(np.uint8))
            picture.save(tmp_path / "my pictures" / name / f"{n}.png")
    options = ["--size", "8x8", "--k", "2", "--restarts", "1", "--quiet", "--out", "of them"]
    assert main(["study", "my pictures", *options]) == 0
    assert main(["report", "of them"]) == 0
    assert main(["report", "of them", "--export", "csv", "--out", "exported.csv"]) == 0
    assert "not" not in capsys.readouterr().err
    picture.save(tmp_path / "my pictures/a/0.png")
    assert main(["report", "of them"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "my pictures does not hold the images of this study any more. The study's images were not found" in told
    monkeypatch.chdir(tmp_path / "my pictures")
    assert main(["report", "../of them"]) == 0
    assert "were not found" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "steinhaus study", "steinhaus study x --shape 3", "unclosed '", "x"])
def test_commands_that_name_no_source_are_no_errors(command: str) -> None:
    assert finding._asked(command) is None


def test_a_command_raises_no_limits() -> None:
    source, options = finding._asked("steinhaus study x.npy --limit memory=17179869184 --shape 2x3 --k 2") or ("", {})
    assert (source, options) == ("x.npy", {"shape": (2, 3)})


@pytest.mark.usefixtures("_no_figures")
def test_without_a_browser_it_says_what_to_open(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    assert main(["report", "one", "--open"]) == 0
    assert "Open one/report.html yourself." in " ".join(capsys.readouterr().err.split())


@pytest.mark.usefixtures("_no_figures")
def test_the_folder_form_is_a_page_and_sheets(opened: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("one/report.html").read_bytes()
    assert main(["report", "one", "--folder", "--open"]) == 0
    assert capsys.readouterr().out == "report   one/report/index.html\n"
    page = Path("one/report/index.html").read_text("utf-8")
    sheets = list(Path("one/report/sheets").iterdir())
    assert sheets
    assert all(f"sheets/{sheet.name}" in page for sheet in sheets)
    assert opened[0].endswith("/one/report/index.html")
    assert Path("one/report.html").read_bytes() == before


@pytest.mark.slow
def test_figures_in_every_format() -> None:
    shutil.rmtree("one/figures")
    assert main(["report", "one", "--formats", "png,svg"]) == 0
    pngs, svgs = ({path.stem for path in Path("one/figures").glob(f"*.{form}")} for form in ("png", "svg"))
    assert {"means-k002", "means-k003", "across-k", "flow"} <= pngs
    assert pngs == svgs


def test_several_studies_on_one_page(opened: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "one", "two", "--out", "compare.html", "--open"]) == 0
    assert capsys.readouterr().out == "compare  compare.html\n"
    page = Path("compare.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "A: digits" in page
    assert "B: digits" in page
    assert "k-means++" in page
    assert opened[0].endswith("/compare.html")


def test_assignments_as_csv(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "one", "--export", "csv", "--k", "2", "--out", "new/two.csv"]) == 0
    assert capsys.readouterr().out == "csv      new/two.csv\n"
    with open("new/two.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1797
    assert {row["cluster"] for row in rows} == {"0", "1"}


def test_the_largest_k_is_exported_where_none_is_named() -> None:
    assert main(["report", "one", "--export", "csv", "--out", "all.csv"]) == 0
    with open("all.csv", newline="") as file:
        assert {row["cluster"] for row in csv.DictReader(file)} == {"0", "1", "2"}


@pytest.mark.parametrize(("form", "more"), [("parquet", set()), ("atlas", {"x", "y"})])
def test_assignments_as_parquet(form: str, more: set[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert main(["report", "one", "--export", form, "--k", "3", "--out", "a.parquet"]) == 0
    table = parquet.read_table("a.parquet")
    assert table.num_rows == 1797
    assert {"image", "cluster", "distance"} | more <= set(table.column_names)


def test_assignments_for_fiftyone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "one", "--export", "fiftyone", "--k", "3", "--out", "fo"]) == 0
    assert capsys.readouterr().out == "fiftyone fo/labels.csv\n"
    with open("fo/labels.csv", newline="") as file:
        named = {row["filepath"] for row in csv.DictReader(file)}
    assert named == {path.name for path in Path("fo/data").iterdir()}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["one", "two"], 2, "Give the file to write: --out compare.html."),
        (["one", "two", "--out", "c.html", "--folder"], 2, "--folder is for one study: give one DIR."),
        (["one", "two", "--out", "c.html", "--background", "0"], 2, "--background is for one study: give one DIR."),
        (["one", "two", "--out", "c.html", "--export", "csv"], 2, "--export is for one study: give one DIR."),
        (["one", "--export", "atlas"], 2, "Give the file to write: --out exported.parquet."),
        (["one", "--export", "csv", "--out", "a", "--open"], 2, "--open cannot be used with --export: leave it out."),
        (["one", "--export", "xls", "--out", "a"], 2, "'xls' is not one of 'csv', 'parquet', 'atlas', 'fiftyone'."),
        (["one", "--export", "csv", "--k", "9", "--out", "a.csv"], 1, "no K = 9 to export. Its K are 2, 3."),
        (["one", "--k", "3"], 2, "--k needs --export."),
        (["one", "--out", "r.html"], 2, "the report of one study stays in its folder."),
        (["one", "--formats", "png,pdf"], 2, "'pdf' is not a format of figures. Write png, svg, or png,svg."),
        (["one", "nosuch", "--out", "c.html"], 1, "There is no study in nosuch"),
    ],
)
def test_bad_use_is_explained(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *arguments]) == code
    assert message in " ".join(capsys.readouterr().err.split())


def test_an_export_says_that_it_needs_the_images(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("steinhaus.images.data_status", lambda _: [])
    assert main(["report", "one", "--export", "csv", "--out", "a.csv"]) == 1
    assert "Name them with --source" in " ".join(capsys.readouterr().err.split())


def test_an_export_of_an_unfinished_study_says_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = load("one")
    result.record = replace(result.record, complete=False)
    monkeypatch.setattr("steinhaus.study.load", lambda _: result)
    assert main(["report", "one", "--export", "csv", "--out", "a.csv"]) == 1
    assert "one is not finished yet." in " ".join(capsys.readouterr().err.split())
