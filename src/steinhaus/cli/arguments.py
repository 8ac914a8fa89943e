"""Types of arguments (numbers of clusters, shares, sizes), and the options that several commands share."""

from __future__ import annotations

import csv
import functools
import io
import re
import shlex
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

if TYPE_CHECKING:
    from steinhaus.features.asked import Features
    from steinhaus.images.limits import Limits

Command = TypeVar("Command", bound=Callable[..., Any])

MOST_KS = 1000  # values of K in one study
LONGEST = 18  # characters per number of clusters
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


class KValues(click.ParamType[tuple[int, ...]]):
    """Numbers of clusters: "10", "5,7,10", "2:20" (2 to 20), "2:40:2" (every second), or a mixture."""

    name = "list"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Read the text. A tuple is returned unchanged."""
        if isinstance(value, tuple):
            return value
        ks: set[int] = set()
        for part in str(value).split(","):
            ks.update(self._range(part.strip(), param, ctx))
            if len(ks) > MOST_KS:
                self.fail(f"{value!r} asks for more than {MOST_KS:,} values of K.", param, ctx)
        return tuple(sorted(ks))

    def _range(self, part: str, param: click.Parameter | None, ctx: click.Context | None) -> range:
        bounds = part.split(":")
        if len(bounds) > 3 or not all(bound.strip().isascii() and bound.strip().isdigit() for bound in bounds):
            self.fail(f"{part!r} is neither a number nor a range. Write 5,7,10 or 2:20 or 2:40:2.", param, ctx)
        if max(map(len, bounds)) > LONGEST:
            self.fail("a number of clusters has too many digits.", param, ctx)
        first, last, step = (*map(int, bounds), 1)[:3] if len(bounds) > 1 else (int(part), int(part), 1)
        if not 1 <= first <= last:
            self.fail(f"{part!r}: K must be at least 1, and a range must go upwards.", param, ctx)
        if step < 1:
            self.fail(f"{part!r}: the step of a range must be at least 1.", param, ctx)
        return range(first, min(last, first + step * MOST_KS) + 1, step)


class TrainPart(click.ParamType[float | int | str]):
    """The training part: a share ("0.6", "1.0" for all), a count of images ("42000"), or "given"."""

    name = "part"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | int | str:
        """Read the text. Other values are returned unchanged."""
        if not isinstance(value, str) or value == "given":
            return value  # type: ignore[no-any-return]
        try:
            number = int(value) if value.isascii() and value.isdigit() else float(value)
        except ValueError:
            self.fail(f"{value!r} is not a share (0.6), a count of images (42000) or the word given.", param, ctx)
        if value == "1":
            self.fail("1 means one image. Write 1.0 to train on all images.", param, ctx)
        if number == 0 and isinstance(number, int):
            self.fail("a count must be at least 1.", param, ctx)
        if isinstance(number, float) and not 0 < number <= 1:
            self.fail(f"{value!r}: a share must be above 0 and at most 1.0.", param, ctx)
        return number


class Sides(click.ParamType[tuple[int, ...]]):
    """The sides of an image: "28x28", "32x32x3"."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Read the text."""
        sides = str(value).lower().split("x")
        if len(sides) < 2 or not all(side.isascii() and side.isdigit() and int(side) > 0 for side in sides):
            self.fail(f"{value!r} does not have the form 28x28.", param, ctx)
        return tuple(map(int, sides))


class Size(click.ParamType[int]):
    """A number of bytes: "2GB", "1.5GiB", "800 MB"."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the text."""
        found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kKMGT]?i?)B?\s*", str(value))
        unit = found[2].replace("K", "k").replace("ki", "Ki") if found else None
        if found is None or unit not in _UNITS:
            self.fail(f"{value!r} is not a size. Write 2GB, 800MB or 1.5GiB.", param, ctx)
        return int(float(found[1]) * _UNITS[unit])


class Limit(click.ParamType[tuple[str, int]]):
    """One of the limits of `Limits`, by name: "memory=64GB", "picture=100M"."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Read the text. Other values are returned unchanged."""
        from steinhaus.images.limits import Limits

        if isinstance(value, tuple):
            return value
        names = [field.name for field in fields(Limits)]
        name, _, size = str(value).partition("=")
        if name not in names:
            self.fail(f"{value!r}: the limits are {', '.join(names)}; write memory=64GB.", param, ctx)
        if (number := Size().convert(size, param, ctx)) < 1:
            self.fail(f"{value!r}: a limit must be at least 1.", param, ctx)
        return name, number


def _limits(ctx: click.Context, param: click.Parameter, given: tuple[tuple[str, int], ...]) -> Limits | None:
    """The given limits, with defaults for the others."""
    from steinhaus.images.limits import Limits

    return Limits(**dict(given)) if given else None


class Columns(click.ParamType[str | tuple[str, ...]]):
    """Columns of a table: names or numbers separated by commas, or the word all."""

    name = "columns"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | tuple[str, ...]:
        """Read the text. A tuple is returned unchanged."""
        if isinstance(value, tuple) or value == "all":
            return cast("str | tuple[str, ...]", value)
        return tuple(next(csv.reader([str(value)], skipinitialspace=True)))


class Formats(click.ParamType[tuple[str, ...]]):
    """Formats of figures: "png", "svg", "png,svg"."""

    name = "list"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Read the text. A tuple is returned unchanged."""
        if isinstance(value, tuple):
            return value
        formats = tuple(dict.fromkeys(part.strip().lower() for part in str(value).split(",")))
        if unknown := [form for form in formats if form not in ("png", "svg")]:
            self.fail(f"{unknown[0]!r} is not a format of figures. Write png, svg, or png,svg.", param, ctx)
        return formats


# Name of the reader's option -> option of the command line.
READING = {
    "data": click.option(
        "--data", metavar="DIR", help="Known sets: the folder to search first. [default: $STEINHAUS_DATA]"
    ),
    "labels": click.option(
        "--labels",
        metavar="WHAT",
        help="The labels: a column or array (name or number), first, last, none, or a file with one label per image.",
    ),
    "images": click.option(
        "--images", metavar="NAME", help="The array or column of images. IDX folders: the beginning of the file names."
    ),
    "columns": click.option(
        "--columns", metavar="LIST", type=Columns(), help="Tables: the columns to cluster (names or numbers), or all."
    ),
    "without": click.option("--without", metavar="LIST", type=Columns(), help="Tables: columns to leave out."),
    "weights": click.option(
        "--weights", metavar="NAME", help="Tables, .npz: the column or array that weights the rows."
    ),
    "header": click.option("--header/--no-header", default=None, help="Tables: whether the first line holds names."),
    "transpose": click.option(
        "--transpose", is_flag=True, default=None, help="IDX: images are stored by columns, as in EMNIST."
    ),
    "shape": click.option("--shape", metavar="HxW", type=Sides(), help="Arrays, tables: height x width of an image."),
    "full_scale": click.option(
        "--full-scale",
        type=float,
        metavar="X",
        help="Arrays, tables: the value that counts as 1 in inertia and centroids.",
    ),
    "size": click.option("--size", metavar="WxH", type=Sides(), help="Pictures: bring all to this width x height."),
    "mode": click.option("--mode", type=click.Choice(["L", "RGB"]), help="Pictures: bring all to grey (L) or colour."),
    "fit": click.option(
        "--fit", type=click.Choice(["crop", "pad", "stretch"]), help="Pictures: how to reach another shape."
    ),
    "background": click.option(
        "--background", metavar="N", type=click.IntRange(0, 255), help="Pictures: grey value behind transparent pixels."
    ),
    "strict": click.option(
        "--strict", is_flag=True, default=None, help="Folders: stop at the first picture that cannot be read."
    ),
    "follow_links": click.option("--follow-links", is_flag=True, default=None, help="Folders: follow symbolic links."),
    "missing": click.option("--missing", is_flag=True, default=None, help="Zarr: missing chunks are empty on purpose."),
    "limits": click.option(
        "--limit",
        "limits",
        metavar="NAME=N",
        type=Limit(),
        multiple=True,
        callback=_limits,
        help="The largest source to read. [default: memory=8GiB, picture=50M, ratio=200, ratio_free=64MiB, line=16MiB]",
    ),
}


def reading_options(command: Command) -> Command:
    """Add the options for reading images. The command gets the given ones as `reading`."""

    @functools.wraps(command)
    def with_reading(**options: Any) -> Any:
        given = {name: value for name in READING if (value := options.pop(name)) is not None}
        return command(reading=given, **options)

    for option in reversed(READING.values()):
        with_reading = option(with_reading)
    return cast(Command, with_reading)


FEATURES = (
    click.option(
        "--features",
        metavar="WHAT",
        help="Cluster pixels, pca:N, hog, colour, given, a file of vectors, or the output of a network (model.onnx).",
    ),
    click.option("--normalise", is_flag=True, help="Features: scale every vector to length 1."),
    click.option("--standardise", is_flag=True, help="Features: scale every value to mean 0 and standard deviation 1."),
    click.option("--pca", metavar="N", type=click.IntRange(1), help="Features: keep N principal components."),
)
NETWORK = (
    click.option(
        "--model-input", metavar="TEXT", help='Networks: size and scale of the input, such as "224x224 imagenet".'
    ),
    click.option(
        "--model-output",
        metavar="NAME",
        help="Networks: the output that holds the vectors; for tokens, NAME[0] or NAME[mean].",
    ),
)


def features_options(command: Command) -> Command:
    """Add the options for features. The command gets `features`, or None if none was given."""

    @functools.wraps(command)
    def with_features(**options: Any) -> Any:
        from steinhaus.features.asked import Features

        names = ("features", "normalise", "standardise", "pca", "model_input", "model_output")
        given = {name: value for name in names if (value := options.pop(name)) not in (None, False)}
        what = given.pop("features", "pixels")
        return command(features=Features(what, **given) if given or what != "pixels" else None, **options)

    for option in reversed((*FEATURES, *NETWORK)):
        with_features = option(with_features)
    return cast(Command, with_features)


def source_features(command: Command) -> Command:
    """Add the option that names the features of a study's pictures, or of new ones."""

    @functools.wraps(command)
    def with_features(features: str | None, **options: Any) -> Any:
        from steinhaus.features.asked import Features

        return command(features=None if features is None else Features(features), **options)

    help = "Studies of features: the file with the features of these pictures, or the network, if it was moved."
    return cast(Command, click.option("--features", metavar="FILE", help=help)(with_features))


def command(source: str, reading: dict[str, Any], plan: dict[str, Any], features: Features | None = None) -> str:
    """The command that runs a study again, with this source, these options, features and plan."""
    words = ["steinhaus", "study", source]
    for name, value in {**reading, **({} if features is None else features.typed)}.items():
        words += _typed(name, value)
    for name, value in plan.items():
        words += [f"--{name.replace('_', '-')}", ",".join(map(str, value)) if name == "k" else str(value)]
    return shlex.join(words)


def _typed(name: str, value: Any) -> list[str]:
    """An option of a reader, as the user types it."""
    flag = f"--{name.replace('_', '-')}"
    if name == "limits":
        usual = type(value)()
        changed = [each.name for each in fields(value) if getattr(value, each.name) != getattr(usual, each.name)]
        return [word for each in changed for word in ("--limit", f"{each}={getattr(value, each)}")]
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    if isinstance(value, tuple):
        if name in ("size", "shape"):
            return [flag, "x".join(map(str, value))]
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(value)
        return [flag, line.getvalue()]
    return [flag, str(value)]


quiet_option = click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
threads_option = click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(1),
    help="Threads to use; they never change a result. [default: all cores]",
)


def _debug(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.obj["debug"] = True


debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_debug,
    help="Show the traceback of an error, and the log of Dask.",
)
