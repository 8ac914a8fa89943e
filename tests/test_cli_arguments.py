"""What the commands take as arguments."""

from __future__ import annotations

from typing import Any

import click
import pytest

from steinhaus.cli.arguments import MOST_KS, KValues, Sides, TrainPart


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
        ("0", "K is at least 1"),
        ("8:2", "a range runs upwards"),
        ("2:8:0", "step of a range is at least 1"),
        (f"1:{MOST_KS + 1}", "over 1,000 values"),
        ("1:1000000000000", "over 1,000 values"),
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
        ("1", "write 1.0"),
        ("0.0", "above 0 and at most 1.0"),
        ("1.5", "above 0 and at most 1.0"),
        ("nan", "above 0 and at most 1.0"),
        ("-0.5", "above 0 and at most 1.0"),
        ("most", "neither a share"),
        ("0", "at least one image"),
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
    with pytest.raises(click.BadParameter, match="not of the form 28x28"):
        convert(Sides(), text)
