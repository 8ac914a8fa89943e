"""`steinhaus show` and `data`: what there is, seen again."""

from __future__ import annotations

import sys

import click

from steinhaus.cli import arguments
from steinhaus.cli.words import paragraph


@click.command()
@click.argument("folder", metavar="DIR")
@arguments.debug_option
def show(folder: str) -> None:
    """Show the table of a study again, finished or not."""
    from steinhaus.study import load

    click.echo(load(folder).table(), nl=False)


@click.group(invoke_without_command=True, short_help="Tell which data sets are known; or import one.")
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
