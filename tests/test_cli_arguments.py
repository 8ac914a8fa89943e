"""What the commands take as arguments."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from PIL import Image

from steinhaus.cli import main
from steinhaus.cli.arguments import MOST_KS, KValues, Limit, Sides, TrainPart
from steinhaus.images import Limits


def convert(kind: click.ParamType[Any], text: str) -> Any:
    return kind.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "ks"),
    [
        ("10", (10,)),
        ("5,7,10,12", (5, 7, 10, 12)),
        ("2:6", (2, 3, 4, 5, 6)),
        ("2:9:3", (2, 5, 8)),
        ("2:8:3", (2, 5, 8)),
        ("7:7", (7,)),
        ("10, 2:4 ,3", (2, 3, 4, 10)),
        ("100:300:100,5", (5, 100, 200, 300)),
        (f"1:{MOST_KS}", tuple(range(1, MOST_KS + 1))),
    ],
)
def test_numbers_of_clusters(text: str, ks: tuple[int, ...]) -> None:
    assert convert(KValues(), text) == ks


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither a number nor a range"),
        ("5,,7", "neither a number nor a range"),
        ("five", "'five' is neither a number nor a range"),
        ("2.5", "neither a number nor a range"),
        ("-3", "neither a number nor a range"),
        ("²", "neither a number nor a range"),
        ("2:", "neither a number nor a range"),
        ("2:8:2:1", "neither a number nor a range"),
        ("0", "K must be at least 1"),
        ("8:2", "a range must go upwards"),
        ("2:8:0", "step of a range must be at least 1"),
        (f"1:{MOST_KS + 1}", "more than 1,000 values"),
        ("1:1000000000000", "more than 1,000 values"),
        ("9" * 5000, "has too many digits"),
    ],
)
def test_what_are_no_numbers_of_clusters(text: str, said: str) -> None:
    with pytest.raises(click.BadParameter) as error:
        convert(KValues(), text)
    assert said in error.value.message


@pytest.mark.parametrize(
    ("text", "part"), [("0.6", 0.6), ("1.0", 1.0), ("1e-3", 0.001), ("42000", 42000), ("given", "given")]
)
def test_training_parts(text: str, part: float | int | str) -> None:
    found = convert(TrainPart(), text)
    assert found == part
    assert type(found) is type(part)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1", "Write 1.0"),
        ("0.0", "above 0 and at most 1.0"),
        ("1.5", "above 0 and at most 1.0"),
        ("nan", "above 0 and at most 1.0"),
        ("-0.5", "above 0 and at most 1.0"),
        ("most", "is not a share"),
        ("0", "must be at least 1"),
    ],
)
def test_what_are_no_training_parts(text: str, said: str) -> None:
    with pytest.raises(click.BadParameter) as error:
        convert(TrainPart(), text)
    assert said in error.value.message


def test_sides_of_images() -> None:
    assert convert(Sides(), "28x28") == (28, 28)
    assert convert(Sides(), "32X24x3") == (32, 24, 3)


@pytest.mark.parametrize("text", ["28", "28x", "0x3", "axb", "-1x2", "28*28"])
def test_what_are_no_sides(text: str) -> None:
    with pytest.raises(click.BadParameter, match="does not have the form 28x28"):
        convert(Sides(), text)


def test_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each limit of what is read is an option."""
    known = [field.name for field in fields(Limits)]
    assert known == ["memory", "picture", "ratio", "ratio_free", "line"]
    for name in known:
        assert convert(Limit(), f"{name}=2k") == (name, 2000)
    assert main(["study", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split()).partition("source to read. [default: ")[2].partition("]")[0]
    assert Limits(**dict(convert(Limit(), text) for text in said.split(", "))) == Limits(), "the defaults are told"
    for text, said in (
        ("", "limits are memory"),
        ("size=3", "limits are memory"),
        ("memory", "is not a size"),
        ("memory=x", "is not a size"),
        ("line=0", "at least 1"),
        ("ratio=-1", "is not a size"),
    ):
        with pytest.raises(click.BadParameter) as error:
            convert(Limit(), text)
        assert said in error.value.message
    pixels = np.random.default_rng(0).integers(0, 256, (40, 5, 4)).astype(np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    command = ["study", str(tmp_path / "x.npy"), "--k", "2", "--restarts", "1", "--out", str(tmp_path / "out"), "-q"]
    assert main([*command, "--limit", "memory=900"]) == 1
    assert "--limit memory=928" in " ".join(capsys.readouterr().err.split()), "the way out is that of a command"
    assert main([*command, "--limit", "memory=928", "--limit", "line=9"]) == 0


def test_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad picture is listed and left out, or stops the study before it begins."""
    pictures = tmp_path / "set"
    pictures.mkdir()
    for name, pixels in zip("abcd", np.random.default_rng(0).integers(0, 256, (4, 5, 4)).astype(np.uint8), strict=True):
        Image.fromarray(pixels).save(pictures / f"{name}.png")
    (pictures / "bad.png").write_bytes(b"nothing")
    command = ["study", str(pictures), "--k", "1", "--restarts", "1", "--train", "1.0", "--quiet", "--out"]
    assert main([*command, str(tmp_path / "lax")]) == 0
    assert "1 file (bad.png: is not a PNG" in " ".join(capsys.readouterr().err.split())
    assert main([*command, str(tmp_path / "strict"), "--strict"]) == 1
    assert "bad.png is not a PNG" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "strict").exists()
