"""The sources of people on the command line: what it says, what it refuses, and the options that it names."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import numpy as np
import pytest

from command import said
from pictures import digits, picture, write
from steinhaus.cli import main
from steinhaus.study import load

QUICK = ["--k", "2", "--restarts", "1", "--quiet"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _no_figures: None) -> None:
    """In a folder of its own."""
    monkeypatch.chdir(tmp_path)


def split_folder(root: Path, *parts: str) -> Path:
    for part in parts:
        for row, label in enumerate("ab"):
            for number in range(3):
                picture(root / part / label / f"{number}.png", digits(8)[2 * number + row])
    return root


def customers(path: Path, n: int = 40) -> Path:
    rng = np.random.default_rng(0)
    lines = [f"{k},{rng.integers(18, 80)},{1000 * rng.integers(15, 140)}" for k in range(1, n + 1)]
    return write(path, ("CustomerID,Age,Income\n" + "\n".join(lines) + "\n").encode())


# What a study trains on


def test_a_set_without_labels_is_clustered_whole(tmp_path: Path) -> None:
    np.save("x.npy", digits(20))
    assert main(["study", "x.npy", "--out", "it", *QUICK]) == 0
    data = load("it").record.data
    assert (data.n_train, data.n_test) == (20, 0)
    assert load("it").record.plan["train"] == 1.0


def test_a_set_with_labels_keeps_a_fifth_for_a_test(tmp_path: Path) -> None:
    np.savez("x.npz", images=digits(20), labels=np.arange(20) % 2)
    assert main(["study", "x.npz", "--out", "it", *QUICK]) == 0
    assert (load("it").record.data.n_train, load("it").record.plan["train"]) == (16, 0.8)


def test_a_set_with_a_split_keeps_it(tmp_path: Path) -> None:
    split_folder(tmp_path / "set", "train", "val", "test")
    for val, counts in ((None, (12, 6)), ("join", (12, 6)), ("leave", (6, 6)), ("test", (6, 12))):
        options = [] if val is None else ["--val", val]
        assert main(["study", "set", "--out", f"it-{val}", *QUICK, *options]) == 0
        record = load(f"it-{val}").record
        assert (record.data.n_train, record.data.n_test) == counts
        assert (record.plan["train"], record.plan["val"]) == ("given", val or "join")
    assert main(["study", "set", "--train", "0.5", "--out", "half", *QUICK]) == 0
    assert (load("half").record.data.n_train, load("half").record.plan.get("val")) == (9, None)


def test_digits_and_mnist_keep_their_published_share() -> None:
    assert main(["study", "digits", "--out", "it", *QUICK, "--max-iter", "2"]) == 0
    assert load("it").record.data.n_train == 1078


# What is said


def test_a_study_says_what_it_clusters_before_it_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split_folder(tmp_path / "set", "train", "valid")
    assert main(["study", "set", "--out", "it", *QUICK[:-1]]) == 0
    told = said(capsys)
    assert "set: 12 images of 4 x 3, uint8" in told
    assert "2 labels: a (6), b (6)." in told
    assert "the source's own (validation tests); its own split: train 6, val 6." in told
    assert told.index("2 labels") < told.index("Running 1 run")


def test_what_is_left_out_is_said_even_where_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    customers(tmp_path / "customers.csv")
    assert main(["study", "customers.csv", "--out", "it", *QUICK]) == 0
    told = said(capsys)
    assert 'Left out: column "CustomerID", which numbers the rows. To keep it: --columns all.' in told
    assert "The columns differ in range" in told
    assert "--scale standard" in told


def test_notes_are_events_where_events_are_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    customers(tmp_path / "customers.csv")
    assert main(["study", "customers.csv", "--out", "it", "--k", "2", "--restarts", "1", "--json"]) == 0
    noted = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any("CustomerID" in event.get("text", "") for event in noted if event["event"] == "noted")


def test_look_tells_without_clustering(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split_folder(tmp_path / "set", "train", "test")
    write(tmp_path / "set/notes.txt", b"-")
    write(tmp_path / "set/train/a/bad.png", b"-")
    assert main(["data", "look", "set"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for part in ("set: 12 images of 4 x 3", "a (6), b (6)", "train 6, test 6", "1 file (train/a/bad.png", ".txt (1)"):
        assert part in out
    assert main(["data", "look", "set", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["split"] == {"train": 6, "val": 0, "test": 6}
    assert facts["labels"] == {"a": 6, "b": 6}
    assert facts["skipped"][0]["file"] == "train/a/bad.png"
    assert facts["train"] == "given"
    assert sorted(os.listdir()) == ["set"]  # nothing is written


def test_look_reads_as_the_study_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    customers(tmp_path / "customers.csv")
    assert main(["data", "look", "customers.csv", "--columns", "Income,0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["columns"] == ["Income", "CustomerID"]


def test_look_draws_where_the_terminal_has_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    from steinhaus.cli import sampling
    from steinhaus.images import Images

    pixels = np.zeros((7, 4, 4), np.uint8)
    pixels[:, :2] = 255
    lines = sampling.drawn(Images.from_arrays(pixels)).splitlines()
    assert len(lines) == 2
    assert lines[0].count("\x1b[38;2;255;255;255m\x1b[48;2;255;255;255m▀") == 4 * sampling.SHOWN
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert sampling.can_draw()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not sampling.can_draw()


# To run it again


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("customers.csv", ["--columns", "Age,Income", "--init", "k-means++"]),
        ("customers.csv", ["--without", "Age", "--columns", "all", "--limit", "memory=1MiB"]),
        ("a set", ["--val", "leave", "--size", "3x3", "--mode", "RGB", "--fit", "pad", "--follow-links"]),
        ("./x.npy", ["--labels", "y.npy", "--train", "0.5", "--seed", "4", "--shape", "2x6", "--full-scale", "100"]),
        ("digits", ["--max-iter", "2"]),
    ],
)
def test_the_command_in_the_record_runs_the_same_study(tmp_path: Path, source: str, options: list[str]) -> None:
    customers(tmp_path / "customers.csv")
    split_folder(tmp_path / "a set", "train", "val", "test")
    np.save("x.npy", digits(20))
    np.save("y.npy", np.arange(20) % 3)
    assert main(["study", source, *options, "--out", "first", "--threads", "1", *QUICK]) == 0
    first = load("first").record
    assert first.command is not None
    program, *again = shlex.split(first.command)
    assert program == "steinhaus"
    assert main([*again, "--out", "second", "--quiet"]) == 0
    assert load("second").record == first
    assert first.command.split(" --k")[0] in (tmp_path / "first/report.html").read_text().replace("&#39;", "'")


# Places


@pytest.mark.parametrize("name", ["report.html", "assignments.csv", "notes.txt", "figures/a.png", ".hidden"])
def test_a_folder_that_is_not_ours_is_not_written_to(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("x.npy", digits(8))
    write(tmp_path / "mine" / name, b"mine")
    assert main(["study", "x.npy", "--out", "mine", *QUICK]) == 1
    assert "mine is neither empty nor a study" in (told := said(capsys))
    assert "--out ..." in told
    assert [path.read_bytes() for path in (tmp_path / "mine").rglob("*") if path.is_file()] == [b"mine"]


def test_an_empty_folder_and_one_with_a_study_are_written_to(tmp_path: Path) -> None:
    np.save("x.npy", digits(8))
    (tmp_path / "empty").mkdir()
    for _ in range(2):
        assert main(["study", "x.npy", "--out", "empty", *QUICK]) == 0


def test_a_study_beside_its_pictures_is_no_part_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for row in range(4):
        picture(tmp_path / f"{row}.png", digits(4)[row])
    for _ in range(2):
        assert main(["study", ".", *QUICK]) == 0
    assert len(list(Path("studies").iterdir())) == 1  # the same set, the same study
    assert "they hold studies" in said(capsys)


def test_the_folder_of_the_pictures_is_no_place_for_a_study(tmp_path: Path) -> None:
    for row in range(4):
        picture(tmp_path / f"{row}.png", digits(4)[row])
    assert main(["study", ".", "--out", ".", *QUICK]) == 1


def test_links_are_followed_by_an_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for row in range(4):
        picture(tmp_path / "blobs" / f"{row}.png", digits(4)[row])
        (tmp_path / "snapshot").mkdir(exist_ok=True)
        (tmp_path / "snapshot" / f"{row}.png").symlink_to(f"../blobs/{row}.png")
    assert main(["study", "snapshot", "--out", "it", *QUICK]) == 1
    assert "is a symbolic link; --follow-links follows it" in said(capsys)
    assert main(["study", "snapshot", "--follow-links", "--out", "it", *QUICK]) == 0


def test_an_import_takes_the_options_of_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("zarr")
    for row in range(4):
        picture(tmp_path / "blobs" / f"{row}.png", digits(4)[row])
        (tmp_path / "snapshot").mkdir(exist_ok=True)
        (tmp_path / "snapshot" / f"{row}.png").symlink_to(f"../blobs/{row}.png")
    assert main(["data", "import", "snapshot", "links.zarr", "--follow-links"]) == 0
    assert "4 images" in capsys.readouterr().out
    customers(tmp_path / "customers.csv")
    assert main(["data", "import", "customers.csv", "table.zarr", "--columns", "Age,Income"]) == 0
    assert main(["data", "look", "table.zarr", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["columns"] == ["Age", "Income"]
    assert main(["data", "import", "snapshot", "more.zarr", "--follow-links", "--labels", "none"]) == 0
    assert main(["data", "import", "snapshot", "more.zarr", "--follow-links", "--labels", "last"]) == 1
    assert "which have no option labels" in said(capsys)


# The language of messages


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ([], "--size WIDTHxHEIGHT and --mode L or --mode RGB"),
        (["--labels", "kind"], "none: --labels none"),
        (["--limit", "memory=10"], "--limit memory="),
    ],
)
def test_errors_name_the_options_of_the_command(
    tmp_path: Path, options: list[str], fragment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "set/a/1.png", digits(1, 4, 4)[0])
    picture(tmp_path / "set/a/2.png", np.zeros((5, 6, 3), np.uint8))
    assert main(["data", "look", "set", *options]) == 1
    told = said(capsys)
    assert fragment in told
    assert "=(" not in told
    assert '="' not in told


def test_errors_in_python_name_parameters(tmp_path: Path) -> None:
    from steinhaus.errors import DataError
    from steinhaus.images import open_images

    main(["data", "look", "nothing"])  # a command before it changes nothing
    picture(tmp_path / "set/1.png", digits(1, 4, 4)[0])
    picture(tmp_path / "set/2.png", np.zeros((5, 6, 3), np.uint8))
    with pytest.raises(DataError, match=r'size=\(width, height\) and mode="L" or mode="RGB"'):
        open_images(tmp_path / "set")


# Scales of new images


@pytest.fixture
def of_digits() -> None:
    assert main(["study", "digits", "--out", "it", *QUICK, "--max-iter", "2"]) == 0


@pytest.mark.usefixtures("of_digits")
@pytest.mark.parametrize("scale", ["uint8", "floats to 255", "floats to 1", "bytes to 255"])
def test_new_images_on_another_scale(scale: str, capsys: pytest.CaptureFixture[str]) -> None:
    import steinhaus

    pixels = steinhaus.open_images("digits").pixels[:20]
    arrays = {
        "uint8": pixels, "floats to 255": (pixels * (255 / 16)).astype(np.float32), "floats to 1": pixels / 16,
        "bytes to 255": (pixels * (255 / 16)).round().astype(np.uint8),
    }  # fmt: skip
    np.save("new.npy", arrays[scale])
    refused = scale in ("uint8", "floats to 255")
    capsys.readouterr()
    assert main(["predict", "it", "new.npy", "--format", "csv", "--quiet"]) == refused
    out, err = capsys.readouterr()
    if refused:
        assert "full scale" not in out
        assert "If these images have the study's scale: --full-scale 16" in " ".join(err.split())
        full = "16" if scale == "uint8" else "255"
        assert main(["predict", "it", "new.npy", "--format", "csv", "--quiet", "--full-scale", full]) == 0
        out = capsys.readouterr().out
    clusters = [row.split(",")[1] for row in out.splitlines()[1:]]
    np.save("plain.npy", pixels)
    assert main(["predict", "it", "plain.npy", "--format", "csv", "--quiet", "--full-scale", "16"]) == 0
    assert clusters == [row.split(",")[1] for row in capsys.readouterr().out.splitlines()[1:]]


def test_floats_beyond_one_get_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("x.npy", digits(6).astype(np.float32))
    assert main(["data", "look", "x.npy"]) == 0
    assert "To change this: --full-scale 255" in " ".join(capsys.readouterr().out.split())
