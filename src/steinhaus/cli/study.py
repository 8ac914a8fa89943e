"""`steinhaus study`: open the images, run the study, draw its report, show the results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from steinhaus.cli import arguments, memory
from steinhaus.cli.drawing import figure_process
from steinhaus.cli.explaining import explained
from steinhaus.cli.places import Place, place_options
from steinhaus.cli.progress import watching
from steinhaus.cli.reporting import Pages, draw, where
from steinhaus.cli.sources import beside, featured, open_source
from steinhaus.cli.stages import Stages
from steinhaus.cli.words import tell
from steinhaus.errors import SteinhausError
from steinhaus.resources import free_memory

if TYPE_CHECKING:
    from steinhaus.features.asked import Features
    from steinhaus.images import Images
    from steinhaus.study import Study, StudyResult
    from steinhaus.study.events import Event


@click.command()
@click.argument("source", required=False)
@click.option(
    "--k",
    metavar="K,...",
    type=arguments.KValues(),
    default="5,7,10,12",
    show_default=True,
    help="The numbers of clusters: a list, or ranges such as 2:20 and 2:40:2.",
)
@click.option("--restarts", metavar="N", type=click.IntRange(1), default=5, show_default=True, help="Runs per K.")
@click.option(
    "--max-iter", metavar="N", type=click.IntRange(1), default=300, show_default=True, help="Most iterations per run."
)
@click.option(
    "--init",
    type=click.Choice(["random", "k-means++", "k-means||", "hierarchical"]),
    help="The starts. [default: random; k-means|| on disk and on clusters]",
)
@click.option(
    "--tol",
    metavar="X",
    type=float,
    default=0.0,
    show_default=True,
    help="Stop when centroids move less, as in scikit-learn. 0: until none moves.",
)
@click.option(
    "--train",
    metavar="PART",
    type=arguments.TrainPart(),
    help="Training part: a share, a count, or given. [default: the source's own split; 0.8 with labels; else all]",
)
@click.option(
    "--val",
    type=click.Choice(["join", "leave", "test"]),
    help="Use of the source's own validation part: join it to training, leave it out, or test on it.",
)
@click.option(
    "--scale",
    type=click.Choice(["none", "standard", "minmax"]),
    default="none",
    show_default=True,
    help="Tables: bring all columns to one scale first.",
)
@click.option(
    "--refine",
    type=click.Choice(["none", "breathing"]),
    default="none",
    show_default=True,
    help="Improve the best run of each K with breathing k-means.",
)
@click.option(
    "--refine-steps", metavar="N", type=click.IntRange(1), help="Most steps of refining. [default: while they help]"
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed of the split and of the starts.",
)
@arguments.features_options
@arguments.threads_option
@place_options
@click.option(
    "--out", metavar="DIR", help="The folder of the study. [default: studies/<source>-<digest of plan and data>]"
)
@click.option(
    "--assignments",
    type=click.Choice(["csv", "parquet"]),
    default="csv",
    show_default=True,
    help="Format of the table of clusters: one CSV file, or a folder of Parquet files that Dask workers write.",
)
@arguments.reading_options
@click.option("--break-lock", is_flag=True, help="Use a folder that a dead process on another machine locked.")
@arguments.quiet_option
@click.option("--json", "as_json", is_flag=True, help="Print only events, as JSON lines on standard output.")
@click.option("--explain", is_flag=True, help="Explain how the study would compute its clusters, and run nothing.")
@click.option("--timings", is_flag=True, help="Show the time of each stage at the end.")
@arguments.debug_option
def study(
    *,
    source: str | None,
    out: str | None,
    reading: dict[str, Any],
    features: Features | None,
    place: Place,
    assignments: Literal["csv", "parquet"],
    break_lock: bool,
    quiet: bool,
    as_json: bool,
    explain: bool,
    timings: bool,
    **plan: Any,
) -> None:
    """Run k-means several times for every K, and show the results.

    SOURCE is mnist, digits, or a path: a folder of pictures (sub-folders are labels), IDX files or a folder of them,
    .npy, .npz, CSV, Zarr, Parquet, Arrow, tar, .mat, HDF5, JSON lines, or CIFAR's binary files. The default is mnist,
    or digits if MNIST is not available. To see what a source holds: steinhaus data look SOURCE.

    With --features, vectors are clustered and pictures are shown. Features that take long to make are kept in the
    folder features/ beside the study.

    To resume a study that was interrupted, give the same command again.
    """
    from steinhaus.study import Study

    wanted, stages, opened = Study(**plan), Stages(), Opened()
    if explain:
        click.echo(explained(replace(wanted, features=features), source, reading, place, quiet=quiet, as_json=as_json))
        return
    helped = not place.is_chosen and wanted.threads != 1
    with _early_end(wanted, opened), figure_process(wanted=helped) as helper, watching(quiet, as_json) as watch:
        images = opened.images = open_source(source, place.reading(source, reading), watch)
        stages.ended("open the images")
        if features is not None:
            kept = Path("studies") / "features" if out is None else beside(Path(out).expanduser())
            images = opened.images = featured(images, features, kept, watch)
            stages.ended("make the features")

        from steinhaus.study.run import run_study

        settled = wanted.settled(images, on_cluster=place.is_cluster)
        folder = opened.folder = settled.folder(images) if out is None else Path(out).expanduser()
        stages.ended("name the study")

        about = [] if quiet or as_json else described(images, wanted)

        def told(event: Event) -> None:
            stages.event(event)
            for line in about if event.name == "started" else ():
                watch.say(line)
            watch.event(event)

        with place.opened(watch.say) as choose:
            how: dict[str, Any] = {"break_lock": break_lock, "choose": choose, "assignments": assignments}
            how["command"] = arguments.command(source or images.name, reading, settled.plan(), features)
            result = run_study(wanted, images, folder, told, on_cluster=place.is_cluster, **how)
        pages = draw(result, folder, helper=helper)
        stages.ended("draw the report")
    _show(result, folder, pages, as_json=as_json)
    if timings:
        click.echo("\n".join(filter(None, [stages.text(), place.text()])), err=True)


@dataclass
class Opened:
    """The images, the study and the folder that a command has opened so far."""

    images: Images | None = None
    folder: Path | None = None


@contextmanager
def _early_end(wanted: Study, opened: Opened) -> Iterator[None]:
    """If memory runs out, say what would fit. If the command is stopped, say what is kept."""
    free = free_memory()
    try:
        yield
    except MemoryError as error:
        if opened.images is None:
            raise
        fits = memory.what_would_fit(wanted, opened.images, free)
        raise SteinhausError(f"There is not enough memory for this study. {fits}") from error
    except (KeyboardInterrupt, SystemExit):
        if opened.folder is not None and (opened.folder / "study.json").exists():
            tell(f"Stopped. Finished work is kept in {opened.folder}. To resume, give the same command again.")
        raise


def _show(result: StudyResult, folder: Path, pages: Pages, *, as_json: bool) -> None:
    """Write the table and the places of the pages, or the last event, on standard output."""
    if as_json:
        best = [{"k": run.k, "restart": run.restart, "inertia": run.inertia} for run in result.best]
        paths = {name: [str(path) for path in files] for name, files in pages.items()}
        click.echo(json.dumps({"event": "result", "folder": str(folder), **paths, "best": best}))
    else:
        click.echo(result.table())
        click.echo(where(pages))


def described(images: Images, wanted: Study) -> list[str]:
    """Describe the points to cluster in a few lines."""
    from steinhaus.images import summary

    return summary.lines(images, wanted.train, wanted.val)
