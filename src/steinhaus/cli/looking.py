"""`steinhaus show`, `report` and `data`: what there is, seen again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steinhaus.cli import arguments
from steinhaus.cli.progress import watching
from steinhaus.cli.sources import open_source
from steinhaus.cli.words import paragraph, tell
from steinhaus.errors import DataError

if TYPE_CHECKING:
    from steinhaus.images import Split
    from steinhaus.study import StudyResult


@click.command()
@click.argument("folder", metavar="DIR")
@arguments.debug_option
def show(folder: str) -> None:
    """Show the table of a study again, finished or not."""
    from steinhaus.study import load

    click.echo(load(folder).table(), nl=False)


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--source", metavar="SOURCE", help="The study's images. [default: found, if they are a known set]")
@arguments.reading_options
@arguments.quiet_option
@arguments.debug_option
def report(folder: str, source: str | None, reading: dict[str, Any], quiet: bool) -> None:
    """Draw the report and the figures of a study again.

    The report shows single images only where the study's images can be opened.
    """
    from steinhaus.study import load

    result = load(folder)
    with watching(quiet) as watch:
        if source is not None:
            images = open_source(source, reading, watch)
            if images.sha256 != result.record.data.sha256:
                raise DataError(
                    f"{source} does not hold the images that {folder} was made of: their digests differ. "
                    f"Give the same source, read with the same options."
                )
            result.images = images.split(result.record.plan["train"], result.record.plan["seed"])
        elif (split := _known_images(result, reading)) is not None:
            result.images = split
        pages = draw(result, Path(folder))
    if result.images is None:
        tell("The study's images are not at hand, so the report shows none of them. Name them with --source.")
    click.echo(where(pages))


def _known_images(result: StudyResult, reading: dict[str, Any]) -> Split | None:
    """The images of a study of a known set, where they are on this machine."""
    from steinhaus.images import data_status, open_images

    record = result.record
    ready = {status.known.name for status in data_status(reading.get("data")) if status.ready}
    if record.data.name not in ready or not record.complete:
        return None
    images = open_images(record.data.name, download=False, **reading)
    return images.split(record.plan["train"], record.plan["seed"]) if images.sha256 == record.data.sha256 else None


@click.group(invoke_without_command=True)
@click.option("--data", metavar="DIR", help="Where to look first. [default: $STEINHAUS_DATA]")
@arguments.debug_option
@click.pass_context
def data(context: click.Context, data: str | None) -> None:
    """Tell which data sets are known, and where they are; or import one."""
    from steinhaus.images import data_status

    if context.invoked_subcommand is not None:
        return
    for status in data_status(data):
        known = status.known
        shape = " x ".join(map(str, known.shape))
        about = f"{known.n:,} images of {shape}, {known.labels} labels. {known.licence}. {known.source}."
        here = "Here" if status.ready else "Not here; would be downloaded to"
        click.echo(f"{known.name:8}{known.title}")
        click.echo(paragraph(f"{about}\n{here}: {status.where}", sys.stdout, indent=8))


def draw(result: StudyResult, folder: Path) -> dict[str, list[Path]]:
    """Write the report and the figures of a study into its folder: what each is -> its files."""
    from steinhaus.report import from_result, save_figures, write_report

    return {
        "report": [write_report(result, folder / "report.html")],
        "figures": save_figures(from_result(result), folder / "figures"),
    }


def where(pages: dict[str, list[Path]]) -> str:
    """A line for each kind of page: its file, or the folder of its files."""
    return "\n".join(
        f"{name:8} {paths[0]}" if len(paths) == 1 else f"{name:8} {paths[0].parent}/ ({len(paths)} files)"
        for name, paths in pages.items()
        if paths
    )
