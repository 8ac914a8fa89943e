"""Find the images of a study again, for its report and for exports."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from steinhaus.cli import arguments
from steinhaus.cli.sources import open_source, opened
from steinhaus.errors import DataError

if TYPE_CHECKING:
    from steinhaus.cli.progress import Watcher
    from steinhaus.features.asked import Features
    from steinhaus.images import Images, Split
    from steinhaus.study import StudyResult


def with_images(
    folder: str, source: str | None, reading: dict[str, Any], features: Features | None, watch: Watcher
) -> StudyResult:
    """The study in a folder, with its images if they are named or known."""
    from steinhaus.study import load

    result = load(folder)
    if source is not None:
        images = open_source(source, reading, watch)
        if images.sha256 != result.record.data.sha256:
            raise DataError(
                f"{source} does not hold the images of {folder}: their digests differ. "
                f"Give the same source, read with the same options."
            )
        result.images = _split(_featured(images, result, features, watch), result)
    elif (found := _known_images(result, reading) or _images_of_command(result, reading, watch)) is not None:
        result.images = _split(_featured(found, result, features, watch), result)
    return result


def _featured(images: Images, result: StudyResult, asked: Features | None, watch: Watcher) -> Images:
    """The images with the features that the study clusters."""
    from steinhaus.study.run import beside
    from steinhaus.study.space import again

    record = result.record.data.features
    if record is None:
        return images
    made = again(record, images, asked, None if result.out is None else beside(result.out), watch.step)
    if made.features is not None and made.features.sha256 != record.sha256:
        if record.kind not in ("model", "hog", "colour"):
            raise DataError(f"These are not the features of {result.out}: their digests differ.")
        watch.say(
            "The features were made again and differ in their last bits. The report shows distances from the new ones."
        )
    return made


def _known_images(result: StudyResult, reading: dict[str, Any]) -> Images | None:
    """The images of a study of a known set, if they are on this machine.

    None also if they cannot be read, unless the user gave options for reading them.
    """
    from steinhaus.images import data_status, open_images
    from steinhaus.images.opening import is_known

    record = result.record
    ready = {status.known.name for status in data_status(reading.get("data")) if status.ready}
    if record.data.name not in ready or not record.complete:
        return None
    here: dict[str, Any] = {}
    if is_known(record.data.name):  # a path with the name of a set has no such option
        here["download"] = False
    try:
        images = open_images(record.data.name, **here, **reading)
    except DataError:
        if reading:
            raise
        return None
    return images if images.sha256 == record.data.sha256 else None


def _images_of_command(result: StudyResult, reading: dict[str, Any], watch: Watcher) -> Images | None:
    """The images of the source that the study's command names, if it is a path that still holds them.

    A relative path is one of the current folder. Limits of the command are left out: a folder from somebody else may
    not raise them.
    """
    asked = _asked(result.record.command or "")
    if asked is None or not result.record.complete or not os.path.lexists(os.path.expanduser(asked[0])):
        return None
    source, options = asked
    try:
        images = opened(source, {**options, **reading}, watch)
    except DataError:
        if reading:
            raise
        return None
    if images.sha256 != result.record.data.sha256:
        watch.say(f"{source} does not hold the images of this study any more.")
        return None
    return images


def _asked(command: str) -> tuple[str, dict[str, Any]] | None:
    """The source of a study's command, and its options for reading; None if it has none, or if they are not valid."""
    with suppress(ValueError, click.ClickException):
        source, *words = shlex.split(command)[2:]
        options = _reader.make_context("study", words).params
        if not source.startswith("-"):
            return source, {name: value for name, value in options.items() if value is not None and name in _TAKEN}
    return None


_TAKEN = arguments.READING.keys() - {"limits"}


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@arguments.reading_options
def _reader(**options: Any) -> None:
    """Takes the options for reading from a command, and ignores the others."""


def _split(images: Images, result: StudyResult) -> Split:
    plan = result.record.plan
    return images.split(plan["train"], plan["seed"], plan.get("val"))
