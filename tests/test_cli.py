"""The commands, from their arguments to their output, files and exit codes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import steinhaus
from command import said
from steinhaus.cli import main
from steinhaus.images import catalogue
from steinhaus.study import load

SMALL = ["--train", "0.6", "--k", "2,3", "--restarts", "2", "--quiet"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a folder of its own, and an 80 columns wide world without MNIST."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("STEINHAUS_DATA", raising=False)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sixty labelled images of 6 x 6 pixels, of three kinds, and a finished study of them."""
    folder = tmp_path_factory.mktemp("ready")
    rng = np.random.default_rng(5)
    kinds = rng.integers(0, 3, 60)
    images = (80 * kinds[:, None, None] + rng.integers(0, 40, (60, 6, 6))).astype(np.uint8)
    np.savez(folder / "tiny.npz", images=images, labels=kinds)
    assert main(["study", str(folder / "tiny.npz"), "--out", str(folder / "done"), *SMALL]) == 0
    return folder


@pytest.fixture
def tiny(ready: Path, tmp_path: Path) -> Path:
    """The images, in the test's own folder."""
    return Path(shutil.copy(ready / "tiny.npz", tmp_path)).relative_to(tmp_path)


@pytest.fixture
def done(ready: Path, tiny: Path, tmp_path: Path) -> Path:
    """The finished study of them, in the test's own folder."""
    shutil.copytree(ready / "done", tmp_path / "done")
    return Path("done")


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file of a study but the events, which bear times, and the report, which may show them."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("events.jsonl", "report.html")
    }


def program(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    code = "import sys; from steinhaus.cli import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
    )


# study


def test_a_study_shows_its_table_and_where_its_pages_are(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", str(tiny), "--out", "there", *SMALL]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(load("there").table())
    assert "report   there/report.html" in out
    assert "figures  there/figures/ (" in out
    assert max(map(len, out.splitlines())) <= 80
    assert Path("there/report.html").read_text().startswith("<!doctype html>")


@pytest.mark.usefixtures("_no_figures")
def test_options_make_the_plan(tiny: Path) -> None:
    options = "--k 2:4:2,3 --restarts 1 --max-iter 7 --init k-means++ --tol 0.25 --train 30 --seed 9 --threads 1 -q"
    assert main(["study", str(tiny), "--out", "there", *options.split()]) == 0
    record = load("there").record
    assert record.plan == {
        "k": [2, 3, 4],
        "restarts": 1,
        "max_iter": 7,
        "init": "k-means++",
        "tol": 0.25,
        "train": 30,
        "seed": 9,
    }
    assert (record.data.n_train, record.data.n_test) == (30, 30)


@pytest.mark.usefixtures("_no_figures")
def test_the_defaults_are_those_of_the_published_study(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "digits", "--max-iter", "1", "--quiet"]) == 0
    (folder,) = Path("studies").iterdir()
    assert load(folder).record.plan == {
        "k": [5, 7, 10, 12],
        "restarts": 5,
        "max_iter": 1,
        "init": "random",
        "tol": 0.0,
        "train": 0.6,
        "seed": 0,
    }


@pytest.mark.usefixtures("_no_figures")
def test_each_plan_has_a_folder_of_its_own_by_default(tiny: Path) -> None:
    for options in (SMALL, SMALL, [*SMALL, "--seed", "1"]):
        assert main(["study", str(tiny), *options]) == 0
    names = sorted(path.name for path in Path("studies").iterdir())
    assert len(names) == 2
    assert all(name.startswith("tiny-") and len(name) == len("tiny-") + 8 for name in names)


def test_the_same_command_finds_the_study_done(tiny: Path, done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = bytes_of(done)
    assert main(["study", str(tiny), "--out", "done", *SMALL[:-1]]) == 0
    out, err = capsys.readouterr()
    assert err == "This study is finished: 4 runs found on disk, nothing to run.\n"
    assert out.startswith(load(done).table())
    assert bytes_of(done) == before


def test_another_plan_in_the_same_folder_is_refused(tiny: Path, done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = bytes_of(done)
    assert main(["study", str(tiny), "--out", "done", *SMALL, "--seed", "3"]) == 1
    assert "seed is 0 there and 3 here" in said(capsys)
    assert bytes_of(done) == before


@pytest.mark.usefixtures("_no_figures")
def test_progress_goes_to_standard_error(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["study", str(tiny), "--out", "there", "--k", "3", "--restarts", "2", "--timings", "--train", "0.6"]) == 0
    )
    out, err = capsys.readouterr()
    about, told = err.splitlines()[:3], err.splitlines()[3:]
    assert about == [
        "tiny: 60 images of 6 x 6, uint8, values 0 to 199; full scale 255.",
        "3 labels: 0 (23), 1 (18), 2 (19).",
        "Training part: 0.6 of all.",
    ]
    assert told[0] == "Running 2 runs (1 value of K) on 36 images, 24 more to test."
    assert sorted(line.split(":")[0] for line in told[1:3]) == ["K = 3, run 1 of 2", "K = 3, run 2 of 2"]
    assert next(line.split(" s  ")[1] for line in told[3:] if " s  " in line) == "open the images"
    assert "run 1 of 2" not in out


@pytest.mark.usefixtures("_no_figures")
def test_json_lines_are_all_there_is_on_standard_output(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", str(tiny), "--out", "there", *SMALL, "--json"]) == 0
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    names = [event["event"] for event in events]
    assert err == ""
    assert names[0] == "started"
    assert names[-2:] == ["finished", "result"]
    assert names.count("run_finished") == 4
    result = events[-1]
    assert result["folder"] == "there"
    assert result["report"] == ["there/report.html"]
    assert [best["k"] for best in result["best"]] == [2, 3]
    assert [best["inertia"] for best in result["best"]] == [best.inertia for best in load("there").best]


@pytest.mark.usefixtures("_no_figures")
def test_pictures_are_read_by_explicit_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    for name, size in (("a/1.png", (4, 4)), ("a/2.png", (6, 6)), ("b/1.png", (6, 4)), ("b/2.png", (4, 4))):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (size[0] * 20, 0, 0)).save(path)
    (tmp_path / "pictures" / "b" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    command = ["study", "pictures", "--out", "there", "--k", "2", "--restarts", "1", "--train", "1.0"]
    assert main(command) == 1
    assert "size" in capsys.readouterr().err
    assert not Path("there").exists()
    assert main([*command, "--size", "4x4", "--mode", "L", "--fit", "stretch"]) == 0
    assert "b/cut.png" in capsys.readouterr().err
    data = load("there").record.data
    assert (data.shape, data.n_train, data.label_names) == ((4, 4), 4, ("a", "b"))


@pytest.mark.usefixtures("_no_figures")
def test_without_a_source_digits_stand_in_for_mnist_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nowhere(*_: object) -> None:
        raise catalogue.NotAvailableError("mnist is not here, and could not be downloaded.")

    monkeypatch.setattr(catalogue, "_find", lambda *_: (None, ()))
    monkeypatch.setattr(catalogue, "_downloaded", nowhere)
    assert main(["study", "--k", "2", "--restarts", "1", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert "mnist is not here" in err
    assert "digits instead" in err
    assert out.startswith("digits: 1,078 images")
    assert main(["study", "mnist", "--k", "2", "--restarts", "1", "--quiet"]) == 1
    assert capsys.readouterr() == ("", "Error: mnist is not here, and could not be downloaded.\n")


# show, report, data


def test_show_repeats_the_table(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "done"]) == 0
    assert capsys.readouterr() == (load(done).table(), "")


def test_report_draws_the_same_pages_again(tiny: Path, done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, files = (done / "report.html").read_bytes(), bytes_of(done)
    for path in (done / "report.html", *(done / "figures").iterdir()):
        path.unlink()
    assert main(["report", "done", "--source", str(tiny)]) == 0
    assert capsys.readouterr().out.startswith("report   done/report.html\nfigures  done/figures/ (")
    assert (done / "report.html").read_bytes() == page
    assert bytes_of(done) == files


def test_report_without_the_images_says_so(ready: Path, done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ready / "tiny.npz").rename(ready / "elsewhere.npz")
    try:
        assert main(["report", "done"]) == 0
    finally:
        (ready / "elsewhere.npz").rename(ready / "tiny.npz")
    assert "--source" in capsys.readouterr().err
    assert (done / "report.html").exists()


@pytest.mark.usefixtures("_no_figures")
def test_report_finds_the_images_of_a_known_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "digits", "--out", "there", "--k", "3", "--restarts", "1", "--quiet"]) == 0
    page = Path("there/report.html").read_bytes()
    capsys.readouterr()
    assert main(["report", "there"]) == 0
    assert capsys.readouterr().err == ""
    assert Path("there/report.html").read_bytes() == page


def test_report_refuses_other_images(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "done", "--source", "digits"]) == 1
    assert "digests differ" in said(capsys)


def test_data_tells_of_every_known_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "--data", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "mnist   MNIST" in out
    assert "70,000 images of 28 x 28, 10 labels." in out
    assert "Here: comes with scikit-learn" in out


# predict


def test_predict_agrees_with_the_study(tiny: Path, done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the study's own images: its own clusters, its mapping, and distances by their definition."""
    result = load(done)
    images = steinhaus.open_images(tiny)
    split = images.split(0.6, 0)
    assert main(["predict", "done", str(tiny), "--k", "3", "--format", "csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    clusters = np.array([int(row["cluster"]) for row in rows])
    assert (clusters[split.train_index] == result.labels(3)).all()
    assert (clusters[split.test_index] == result.test_labels(3)).all()
    mapping = result.best[1].mapping
    assert mapping is not None
    assert [row["label"] for row in rows] == [str(mapping[cluster]) for cluster in clusters]
    apart = images.pixels / 255 - result.centroids(3)[clusters]
    np.testing.assert_allclose(
        [float(row["distance"]) for row in rows], np.sqrt((apart**2).sum(axis=(1, 2))), rtol=1e-12
    )
    assert rows[7]["image"] == f"{tiny}[7]"


def test_predict_takes_images_of_another_scale_and_flat_rows(
    tiny: Path, done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = steinhaus.open_images(tiny)
    np.save("flat.npy", images.rows / 255)
    for source in (str(tiny), "flat.npy"):
        assert main(["predict", "done", source, "--format", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["cluster"] for row in rows[:60]] == [row["cluster"] for row in rows[60:]]
    assert rows[0].keys() == {"image", "cluster", "label", "distance"}


def test_predict_shows_a_table_with_the_files_names(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    Path("pictures").mkdir()
    for name in ("1.png", "2.png"):
        Image.new("L", (6, 6), 170).save(Path("pictures", name))
    assert main(["predict", "done", "pictures", "pictures/2.png"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["image", "cluster", "label", "distance"]
    assert [row.split()[0] for row in rows] == ["pictures/1.png", "pictures/2.png", "pictures/2.png"]
    assert len({tuple(row.split()[1:]) for row in rows}) == 1


def test_predict_refuses_images_of_another_shape(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "done", "digits"]) == 1
    assert "digits holds images of 8 x 8, but the study's are 6 x 6" in said(capsys)
    assert main(["predict", "done", "digits", "--k", "9"]) == 2
    assert "K = 9" in capsys.readouterr().err


# Endings


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["study", "nosuch"], 1, "nosuch: there is no such file or folder"),
        (["study", "digits", "--k", "3,x"], 2, "'x' is neither a number nor a range"),
        (["study", "digits", "--k", "3000"], 2, "at most the number of training images"),
        (["study", "digits", "--tol", "nan"], 2, "tol must be a finite number"),
        (["study", "digits", "--train", "given"], 2, "no split of its own"),
        (["study", "digits", "--restarts", "0"], 2, "0 is not in the range"),
        (["study", "digits", "--init", "best"], 2, "'best' is not one of"),
        (["study", "digits", "--nosuch"], 2, "No such option"),
        (["study", "digits", "mnist"], 2, "unexpected extra argument"),
        (["study", "digits", "--shape", "8x8"], 1, "no option --shape"),
        (["show", "nosuch"], 1, "There is no study in nosuch"),
        (["report", "nosuch"], 1, "There is no study in nosuch"),
        (["predict", "nosuch", "digits"], 1, "There is no study in nosuch"),
        (["predict", "nosuch"], 2, "Missing argument"),
        (["nosuch"], 2, "No such command 'nosuch'"),
    ],
)
def test_an_error_is_one_paragraph_and_an_exit_code(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")
    assert told in " ".join(err.split())
    assert "Traceback" not in err
    assert max(map(len, err.splitlines())) <= 80
    assert not list(Path().iterdir())


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(steinhaus.SteinhausError, match="no such file"):
        main(["study", "nosuch", "--debug"])
    with pytest.raises(steinhaus.SteinhausError, match="no such file"):
        main(["--debug", "study", "nosuch"])


def test_a_fault_of_ours_is_named_as_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(steinhaus, "open_images", lambda *_, **__: {}["pixels"], raising=False)
    assert main(["study", "digits"]) == 1
    told = said(capsys)
    assert told.startswith("Error: This is a bug in Steinhaus: KeyError: 'pixels'.")
    assert "--debug" in told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied", "/there"), "Error: /there: Permission denied."),
        (
            MemoryError("Unable to allocate 9 TiB"),
            "Error: There is not enough memory. Unable to allocate 9 TiB. About ",
        ),
    ],
)
def test_what_the_system_refuses_is_said(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(steinhaus, "open_images", refuse, raising=False)
    assert main(["study", "digits"]) == 1
    assert said(capsys).startswith(told)


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err
    assert main(["--help"]) == 0
    assert "Commands:" in capsys.readouterr().out
    assert main(["study", "-h"]) == 0
    assert "--max-iter" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert steinhaus.__version__ in capsys.readouterr().out


@pytest.mark.usefixtures("_no_figures")
@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_study_that_is_stopped_goes_on_and_ends_in_the_same_bytes(
    tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    np.save(tmp_path / "noise.npy", np.random.default_rng(1).integers(0, 256, (2000, 16, 16)).astype(np.uint8))
    command = ["study", "noise.npy", "--k", "20,30", "--restarts", "2", "--train", "1.0"]

    stopped = program(*command, "--out", "stopped", "--json")
    assert stopped.stdout is not None
    advanced = 0
    for line in stopped.stdout:
        advanced += json.loads(line)["event"] == "advanced"
        if advanced == 3:
            stopped.send_signal(sent)
            break
    out, err = stopped.communicate()
    assert stopped.returncode == code, err
    assert "Traceback" not in err
    assert "Stopped. Finished work is kept in stopped" in " ".join(err.split())
    assert "finished" not in {json.loads(line)["event"] for line in out.splitlines()}
    assert Path("stopped/checkpoint.safetensors").exists()

    assert main([*command, "--out", "stopped", "--quiet"]) == 0
    assert main([*command, "--out", "undisturbed", "--quiet"]) == 0
    assert bytes_of(Path("stopped")) == bytes_of(Path("undisturbed"))
    events = [json.loads(line) for line in Path("stopped/events.jsonl").read_text().splitlines()]
    assert sum(event["event"] == "started" for event in events) == 2
    assert len({(event["k"], event["restart"]) for event in events if event["event"] == "run_finished"}) == 4
    assert sum(event["event"] == "run_finished" for event in events) == 4


def test_a_reader_that_leaves_is_no_fault(done: Path) -> None:
    with program("predict", "done", *["tiny.npz"] * 200, "--format", "csv", "--quiet") as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        shown.stdout.readline()
        shown.stdout.close()
        assert shown.stderr.read() == ""
    assert shown.returncode == 1


def test_colour_is_for_terminals_that_want_it() -> None:
    pty = pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    shown = {}
    for variable in ("", "1"):
        here, there = pty.openpty()
        code = "import sys; from steinhaus.cli import main; sys.exit(main())"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": variable, "TERM": "xterm"}
        done = subprocess.run(
            [sys.executable, "-c", code, "show", "nosuch"], stderr=there, env=environment, check=False
        )
        os.close(there)
        shown[variable] = os.read(here, 4096).decode()
        os.close(here)
        assert done.returncode == 1
    assert "\x1b[31m" in shown[""]
    assert "\x1b" not in shown["1"]
