"""`steinhaus data import`: a set decoded once into a Zarr store."""

from __future__ import annotations

from typing import Any

import click

from steinhaus.cli import arguments
from steinhaus.cli.progress import watching
from steinhaus.cli.sources import said
from steinhaus.cli.words import tell


@click.command(name="import", short_help="Decode a source once into a Zarr store.")
@click.argument("source", metavar="SOURCE")
@click.argument("store", metavar="DEST.zarr")
@arguments.reading_options
@arguments.quiet_option
@arguments.debug_option
def import_(source: str, store: str, quiet: bool, reading: dict[str, Any]) -> None:
    """Decode SOURCE once into a Zarr store, which studies read from disk.

    SOURCE is what `steinhaus study` takes: a folder of pictures, tar or Parquet files, or any other. An import that was
    stopped goes on when the same command is given again.
    """
    from steinhaus.images.importing import import_images

    with watching(quiet) as watch:
        images = import_images(source, store, progress=watch.step, **reading)
    said(images, tell)
    click.echo(f"{images.n:,} images, {' x '.join(map(str, images.shape))} {images.pixels.dtype}, in {store}")
