"""`steinhaus study`: open the images, run the study, draw its report, show what came out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from steinhaus.cli import arguments, memory
from steinhaus.cli.drawing import draughtsman
from steinhaus.cli.places import Place, place_options
from steinhaus.cli.progress import Watcher, watching
from steinhaus.cli.reporting import draw, where
from steinhaus.cli.sources import open_source
from steinhaus.cli.words import tell
from steinhaus.errors import SteinhausError

if TYPE_CHECKING:
    from steinhaus.images import Images
    from steinhaus.study import Study
    from steinhaus.study.events import Event


@click.command()
@click.argument("source", required=False)
@click.option(
    "--k",
    metavar="K,...",
    type=arguments.KValues(),
    default="5,7,10,12",
    show_default=True,
    help="A list; 2:20 and 2:40:2 are ranges.",
)
@click.option("--restarts", metavar="N", type=click.IntRange(1), default=5, show_default=True, help="Runs of each K.")
@click.option(
    "--max-iter", metavar="N", type=click.IntRange(1), default=300, show_default=True, help="Most iterations of a run."
)
@click.option(
    "--init",
    type=click.Choice(["random", "k-means++", "k-means||"]),
    default="random",
    show_default=True,
    help="The starts.",
)
@click.option(
    "--tol",
    metavar="X",
    type=float,
    default=0.0,
    show_default=True,
    help="As scikit-learn's. 0: until no centroid moves.",
)
@click.option(
    "--train",
    metavar="PART",
    type=arguments.TrainPart(),
    help="To train on: a share, a count, or given. [default: the source's own split; 0.8 with labels; else all]",
)
@click.option(
    "--val",
    type=click.Choice(["join", "leave", "test"]),
    help="The validation part of the source's own split: to train, to leave out, or to test.",
)
@click.option(
    "--scale",
    type=click.Choice(["none", "standard", "minmax"]),
    default="none",
    show_default=True,
    help="Tables: bring columns to one scale first.",
)
@click.option(
    "--seed", metavar="N", type=click.IntRange(0), default=0, show_default=True, help="Of the split and of the starts."
)
@arguments.threads_option
@place_options
@click.option("--out", metavar="DIR", help="[default: studies/<source>-<digest of plan and data>]")
@click.option(
    "--assignments",
    type=click.Choice(["csv", "parquet"]),
    default="csv",
    show_default=True,
    help="The table of clusters: one file, or a folder of Parquet files that Dask workers write themselves.",
)
@arguments.reading_options
@click.option("--break-lock", is_flag=True, help="Go on in a folder that a dead process of another machine locked.")
@arguments.quiet_option
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines on standard output, nothing else there.")
@click.option("--timings", is_flag=True, help="Say at the end where the time went.")
@arguments.debug_option
def study(
    *,
    source: str | None,
    out: str | None,
    reading: dict[str, Any],
    place: Place,
    assignments: Literal["csv", "parquet"],
    break_lock: bool,
    quiet: bool,
    as_json: bool,
    timings: bool,
    **plan: Any,
) -> None:
    """Run k-means for every K, several times, and show what came out.

    SOURCE is mnist, digits, or a path: a folder of pictures (sub-folders are labels), IDX files or a folder of them,
    .npy, .npz, CSV, Zarr, Parquet, tar. Without it: mnist, or digits where MNIST is not to be had. The defaults are
    the published study of MNIST.

    A study that was interrupted goes on when the same command is given again.
    """
    from steinhaus.study import Study

    wanted = Study(**plan)
    stages = Stages()
    folder: Path | None = None
    images: Images | None = None
    free = memory.free()
    try:
        alone = place.is_chosen or plan["threads"] == 1
        with draughtsman(wanted=not alone) as helper, watching(quiet, as_json) as watch:
            images = open_source(source, place.reading(source, reading), watch)
            stages.ended("open the images")

            from steinhaus.engines.warming import is_warm, warm_up
            from steinhaus.study.run import run_study

            folder = wanted.folder(images) if out is None else Path(out).expanduser()
            stages.ended("name the study")
            if images.pixels.dtype == "uint8" and not is_warm():  # floats have kernels of their own
                watch.step("compiling kernels for this machine, once (~10 s)", 0, None, "")
                warm_up()
                stages.ended("compile the kernels")
            with place.opened(watch.say) as choose:
                about = [] if quiet or as_json else described(images, wanted)
                told = _both(stages.event, _introduced(about, watch))
                again = arguments.command(source or images.name, reading, wanted.settled(images).plan())
                how: dict[str, Any] = {"break_lock": break_lock, "choose": choose, "assignments": assignments}
                how["command"] = again
                result = run_study(wanted, images, folder, told, **how)
            pages = draw(result, folder, helper=helper)
            stages.ended("draw the report")
    except MemoryError as error:
        if images is None:
            raise
        fits = memory.what_would_fit(wanted, images, free)
        raise SteinhausError(f"There is not enough memory for this study. {fits}") from error
    except (KeyboardInterrupt, SystemExit):
        if folder is not None and (folder / "study.json").exists():
            tell(f"Stopped. What was done is kept in {folder}; the same command goes on from there.")
        raise
    if as_json:
        best = [{"k": run.k, "restart": run.restart, "inertia": run.inertia} for run in result.best]
        paths = {name: [str(path) for path in files] for name, files in pages.items()}
        click.echo(json.dumps({"event": "result", "folder": str(folder), **paths, "best": best}))
    else:
        click.echo(result.table())
        click.echo(where(pages))
    if timings:
        click.echo("\n".join(filter(None, [stages.text(), place.text()])), err=True)


def described(images: Images, wanted: Study) -> list[str]:
    """What is clustered, in a few lines."""
    from steinhaus.images import summary

    return summary.lines(images, wanted.train, wanted.val)


def _introduced(about: list[str], watch: Watcher) -> Callable[[Event], None]:
    """A watcher that says something when a study begins."""

    def heard(event: Event) -> None:
        if event.name == "started":
            for line in about:
                watch.say(line)
        watch.event(event)

    return heard


def _both(one: Callable[[Event], None], other: Callable[[Event], None]) -> Callable[[Event], None]:
    """A listener that is two."""

    def heard(event: Event) -> None:
        one(event)
        other(event)

    return heard


@dataclass
class Stages:
    """Where the time of the command went."""

    clock: Callable[[], float] = time.perf_counter
    seconds: dict[str, float] = field(default_factory=dict)
    since: float = field(init=False)

    def __post_init__(self) -> None:
        self.since = self.clock()

    def ended(self, stage: str) -> None:
        """Put the time since the last call down to a stage."""
        now = self.clock()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self.since
        self.since = now

    def event(self, event: Event) -> None:
        """Tell the stages within a study apart by its events."""
        first = "seed the runs, first iteration"
        match event.name:
            case "started":
                self.ended("split, look for what is done")
            case "advanced" if first not in self.seconds:
                self.ended(first)
            case "advanced" | "run_finished" | "checkpointed":
                self.ended("iterate")
            case "finished":
                self.ended("assign, name, write")
            case _:
                pass

    def text(self) -> str:
        """A line for each stage, and their sum."""
        lines = {**self.seconds, "in all, after the program's start": sum(self.seconds.values())}
        return "\n".join(f"{seconds:8.2f} s  {stage}" for stage, seconds in lines.items())
