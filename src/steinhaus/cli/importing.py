"""`steinhaus data import`: a set decoded once into a Zarr store."""

from __future__ import annotations

from typing import Any

import click

from steinhaus.cli import arguments
from steinhaus.cli.progress import watching
from steinhaus.cli.sources import said
from steinhaus.cli.words import tell

_OPTIONS = ("size", "mode", "fit", "background", "strict", "limits")


@click.command(name="import", short_help="Decode a source once into a Zarr store.")
@click.argument("source", metavar="SOURCE")
@click.argument("store", metavar="DEST.zarr")
@arguments.quiet_option
@arguments.debug_option
def import_(source: str, store: str, quiet: bool, **look: Any) -> None:
    """Decode SOURCE once into a Zarr store, which studies read from disk.

    SOURCE is what `steinhaus study` takes: a folder of pictures, tar or Parquet files, or any other. An import that was
    stopped goes on when the same command is given again.
    """
    from steinhaus.images.importing import import_images

    with watching(quiet) as watch:
        given = {name: value for name, value in look.items() if value is not None}
        images = import_images(source, store, progress=watch.step, **given)
    said(images, tell)
    click.echo(f"{images.n:,} images, {' x '.join(map(str, images.shape))} {images.pixels.dtype}, in {store}")


for name in reversed(_OPTIONS):
    import_ = arguments.READING[name](import_)
