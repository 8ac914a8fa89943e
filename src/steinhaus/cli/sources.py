"""Sources of images, as a command opens them: with progress, and with a word about what could not be read."""

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

SHOWN = 3  # files that could not be read, and are named


def open_source(source: str | None, reading: Mapping[str, Any], watch: Watcher) -> Images:
    """Open a source; without one MNIST, or digits where MNIST is not to be had.

    Parameters
    ----------
    source
        As `steinhaus.open_images` takes it.
    reading
        The options of its reader.
    watch
        Hears how far that is.
    """
    if source is not None:
        return _opened(source, reading, watch)
    from steinhaus.images.catalogue import NotAvailableError

    try:
        return _opened("mnist", reading, watch)
    except NotAvailableError as error:
        watch.say(f"{error} Running digits instead: the 1,797 digits of 8 x 8 pixels that come with scikit-learn.")
        return _opened("digits", {}, watch)


def featured(images: Images, features: Features, folder: Path, watch: Watcher) -> Images:
    """The images with their features, made or found; what is to be said of those is said."""
    from steinhaus.features.making import with_features

    made = with_features(images, features, folder, progress=watch.step)
    for note in made.notes[len(images.notes) :]:
        watch.say(note)
    return made


def beside(folder: Path) -> Path:
    """Where the features of a study in this folder are kept."""
    from steinhaus.study.run import beside

    return beside(folder)


def opened(source: str, reading: Mapping[str, Any], watch: Watcher) -> Images:
    """Open a source, and say nothing of it."""
    return steinhaus.open_images(source, progress=watch.step, **reading)


def _opened(source: str, reading: Mapping[str, Any], watch: Watcher) -> Images:
    images = opened(source, reading, watch)
    said(images, watch.say)
    return images


def said(images: Images, say: Callable[[str], None]) -> None:
    """Say what was left out, joined or assumed when images were read."""
    if images.skipped:
        say(left_out(images.skipped))
    for note in images.notes:
        say(note)


def left_out(skipped: Sequence[Skipped]) -> str:
    """How many files could not be read, and why the first of them."""
    first = "; ".join(f"{file.file}: {file.reason}" for file in skipped[:SHOWN])
    more = f"; and {len(skipped) - SHOWN:,} more" if len(skipped) > SHOWN else ""
    return f"Left out, because they could not be read: {counted(len(skipped), 'file')} ({first}{more})."
