"""Open sources of images for a command, with progress and with notes about files that could not be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import steinhaus
from steinhaus.cli.words import counted

if TYPE_CHECKING:
    from steinhaus.cli.progress import Watcher
    from steinhaus.features.asked import Features
    from steinhaus.images import Images
    from steinhaus.images.collection import Skipped

SHOWN = 3  # files that are named, of those that could not be read


def open_source(source: str | None, reading: Mapping[str, Any], watch: Watcher) -> Images:
    """Open a source. Default: MNIST, or digits if MNIST is not available.

    Parameters
    ----------
    source
        A source as for `steinhaus.open_images`.
    reading
        The options of its reader.
    watch
        A listener to the progress.
    """
    if source is not None:
        return _opened(source, reading, watch)
    from steinhaus.images.catalogue import NotAvailableError

    try:
        return _opened("mnist", reading, watch)
    except NotAvailableError as error:
        watch.say(f"{error} Using digits instead: the 1,797 digits of 8 x 8 pixels that come with scikit-learn.")
        return _opened("digits", {}, watch)


def featured(images: Images, features: Features, folder: Path, watch: Watcher) -> Images:
    """The images with their features, which are made or found. Notes about them are said."""
    from steinhaus.features.making import with_features

    made = with_features(images, features, folder, progress=watch.step)
    for note in made.notes[len(images.notes) :]:
        watch.say(note)
    return made


def beside(folder: Path) -> Path:
    """The folder that keeps the features of a study in this folder."""
    from steinhaus.study.run import beside

    return beside(folder)


def opened(source: str, reading: Mapping[str, Any], watch: Watcher) -> Images:
    """Open a source, without notes."""
    return steinhaus.open_images(source, progress=watch.step, **reading)


def _opened(source: str, reading: Mapping[str, Any], watch: Watcher) -> Images:
    images = opened(source, reading, watch)
    said(images, watch.say)
    return images


def said(images: Images, say: Callable[[str], None]) -> None:
    """Say what was left out, joined or assumed when the images were read."""
    if images.skipped:
        say(left_out(images.skipped))
    for note in images.notes:
        say(note)


def left_out(skipped: Sequence[Skipped]) -> str:
    """The note about files that could not be read, with the first reasons."""
    first = "; ".join(f"{file.file}: {file.reason}" for file in skipped[:SHOWN])
    more = f"; and {len(skipped) - SHOWN:,} more" if len(skipped) > SHOWN else ""
    return f"Left out, because they could not be read: {counted(len(skipped), 'file')} ({first}{more})."
