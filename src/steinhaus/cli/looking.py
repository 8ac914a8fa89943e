"""`steinhaus show` and `steinhaus data`: look at studies and at sources."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from steinhaus.cli import arguments, sampling
from steinhaus.cli.progress import watching
from steinhaus.cli.sources import left_out, opened
from steinhaus.cli.words import paragraph


@click.command()
@click.argument("folder", metavar="DIR")
@arguments.debug_option
def show(folder: str) -> None:
    """Show the table of a study, finished or not."""
    from steinhaus.study import load

    click.echo(load(folder).table(), nl=False)


@click.group(invoke_without_command=True, short_help="List the known data sets, look at a source, or import one.")
@click.option("--data", metavar="DIR", help="The folder to search first. [default: $STEINHAUS_DATA]")
@arguments.debug_option
@click.pass_context
def data(context: click.Context, data: str | None) -> None:
    """List the known data sets and where they are, look at a source, or import one."""
    from steinhaus.images import data_status

    if context.invoked_subcommand is not None:
        return
    for status in data_status(data):
        known = status.known
        shape = " x ".join(map(str, known.shape))
        about = f"{known.n:,} images of {shape}, {known.labels} labels. {known.licence}. {known.source}."
        here = "Here" if status.ready else "Not here; would be downloaded to"
        click.echo(f"{known.name:7} {known.title}")
        click.echo(paragraph(f"{about}\n{here}: {status.where}", sys.stdout, indent=8))


@data.command(short_help="Show what a source holds, without clustering it.")
@click.argument("source", metavar="SOURCE")
@arguments.reading_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@arguments.quiet_option
@arguments.debug_option
def look(source: str, reading: dict[str, Any], as_json: bool, quiet: bool) -> None:
    """Show what SOURCE holds: images, labels, its own split, and what was left out.

    A terminal with colours also shows a few images. SOURCE and the options for reading it are those of `steinhaus
    study`.
    """
    from steinhaus.images import summary

    with watching(quiet or as_json) as watch:
        images = opened(source, reading, watch)
    if as_json:
        click.echo(json.dumps(summary.facts(images)))
        return
    told = [*summary.lines(images), *([left_out(images.skipped)] if images.skipped else []), *images.notes]
    click.echo("\n".join(paragraph(line, sys.stdout) for line in told))
    if images.is_image and sampling.can_draw():
        click.echo(sampling.drawn(images))
