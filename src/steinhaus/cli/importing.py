"""`steinhaus data import`: decode a set once into a Zarr store."""

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
    """Decode SOURCE once into a Zarr store. Studies read the store from disk.

    SOURCE is any source that `steinhaus study` takes, such as a folder of pictures, tar files or Parquet files. To
    resume an import that was stopped, give the same command again.
    """
    from steinhaus.images.importing import import_images

    with watching(quiet) as watch:
        images = import_images(source, store, progress=watch.step, **reading)
    said(images, tell)
    click.echo(f"{images.n:,} images, {' x '.join(map(str, images.shape))} {images.pixels.dtype}, in {store}")
