"""Make the features of pictures that the user asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.features import colour, from_file, hog, kept
from steinhaus.features.asked import Features, features_of
from steinhaus.features.chain import unit_after
from steinhaus.features.model_input import ModelInput, parsed
from steinhaus.features.space import Vectors, digest, is_stored
from steinhaus.images.collection import Images
from steinhaus.images.files import shown
from steinhaus.images.limits import DEFAULT_LIMITS, Limits
from steinhaus.images.pixels import as_pixels
from steinhaus.images.progress import Progress
from steinhaus.wording import option

Made = tuple[Any, dict[str, Any], tuple[str, ...]]  # values, how they were made, notes


def with_features(
    images: Images,
    asked: Any,
    folder: Path | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Images:
    """The same pictures with the features to cluster instead of their pixels.

    Parameters
    ----------
    images
        The pictures.
    asked
        `Features`, or a word, a path or an array.
    folder
        A folder that keeps features which take long to make. None: they are kept only in memory.
    limits
        The largest sizes that a file of features may have.
    progress
        A function that is told how far the work is.

    Raises
    ------
    DataError
        If the features cannot be made from these pictures.
    """
    wanted = features_of(asked)
    if wanted.kind == "pixels" and not wanted.steps:
        return replace(images, features=None)
    values, options, notes = _MAKERS[wanted.kind](images, wanted, folder, limits, progress)
    if len(values) != images.n:
        raise DataError(
            f"{wanted.name} has {len(values):,} rows for {images.n:,} pictures, but there must be one row per picture."
        )
    unit = images.full_scale if wanted.kind == "pixels" else 1.0
    vectors = Vectors(
        values=values,
        asked=str(wanted.typed["features"]),
        name=wanted.name,
        kind=wanted.kind,
        steps=wanted.steps,
        unit=unit_after(wanted.steps, unit),
        options=options,
        folder=folder,
    )
    return replace(images, features=vectors, notes=(*images.notes, *notes))


def _pixels(images: Images, wanted: Features, folder: Path | None, limits: Limits, progress: Progress | None) -> Made:
    return images.rows, {}, ()


def _array(images: Images, wanted: Features, folder: Path | None, limits: Limits, progress: Progress | None) -> Made:
    values, _ = as_pixels(wanted.what, "features", each="value")
    if values.ndim != 2:
        raise DataError(f"features has shape {values.shape}, but features are (pictures, values), one row per picture.")
    return values, {}, ()


def _file(images: Images, wanted: Features, folder: Path | None, limits: Limits, progress: Progress | None) -> Made:
    path = Path(wanted.what).expanduser()
    return from_file.read(path, images.files, images.n, limits, stored=is_stored(images.pixels)), {}, ()


def _given(images: Images, wanted: Features, folder: Path | None, limits: Limits, progress: Progress | None) -> Made:
    if images.beside is None:
        raise DataError(
            f"{images.name} holds no vectors beside its pictures. Give a file of features, or let Steinhaus make some: "
            f"{option('features', repr('hog'))}."
        )
    values = images.beside.read()
    return values, {"beside": images.beside.name}, ()


def _hog(images: Images, wanted: Features, folder: Path | None, limits: Limits, progress: Progress | None) -> Made:
    _demand_pictures(images, wanted.name)
    _needed("skimage.feature", wanted.name)
    options = {"cell": hog.cell_of(images.shape, wanted.number)}

    def make(pictures: NDArray[Any], first: int) -> NDArray[Any]:
        return hog.made(pictures, images.full_scale, options["cell"])

    return _in_blocks(images, make, {"kind": "hog", **options}, folder, limits, progress), options, ()


def _colour(images: Images, wanted: Features, folder: Path | None, limits: Limits, progress: Progress | None) -> Made:
    _demand_pictures(images, wanted.name)
    _needed("skimage.color", wanted.name)
    options = {"cells": colour.cells_of(images.shape, wanted.number)}

    def make(pictures: NDArray[Any], first: int) -> NDArray[Any]:
        return colour.made(pictures, images.full_scale, options["cells"])

    notes = () if len(images.shape) == 3 else ("These pictures are grey, so colour features only measure lightness.",)
    return _in_blocks(images, make, {"kind": "colour", **options}, folder, limits, progress), options, notes


def _model(images: Images, wanted: Features, folder: Path | None, limits: Limits, progress: Progress | None) -> Made:
    from steinhaus.features import model as models
    from steinhaus.features.running import BATCH, Running

    _demand_pictures(images, wanted.name)
    model = models.opened(Path(wanted.what).expanduser(), wanted.model_output)
    given = ModelInput() if wanted.model_input is None else parsed(wanted.model_input)
    if given.size is not None and model.fixed is not None and given.size != model.fixed:
        height, width = model.fixed
        raise DataError(
            f"{shown(model.path)} takes only pictures of {width} x {height}. Leave the size out of "
            f"{option('model_input', repr(wanted.model_input))}."
        )
    how = given.over(model.input)
    notes = _told(images, model.path, how)
    how = how.over(ModelInput(images.shape[:2], (0.0,), (1.0,)))  # type: ignore[arg-type]
    options = {"model_sha256": model.sha256, "input": how.text, "output": model.output.text}
    running: list[Running] = []  # loaded only if the vectors are not there yet

    def make(pictures: NDArray[Any], first: int) -> NDArray[Any]:
        if not running:
            running.append(Running(model, how))
        return running[0].vectors(pictures, images.full_scale, first)

    recipe = {"kind": "model", **options, "batch": model.batch or BATCH}
    return _in_blocks(images, make, recipe, folder, limits, progress), options, notes


def _told(images: Images, path: Path, how: ModelInput) -> tuple[str, ...]:
    """Notes about what is assumed for a network's input."""
    notes = []
    if how.mean is None:
        way = option("model_input", "'imagenet'")
        notes.append(
            f"{shown(path)} does not say how its input is scaled. Pixels are given as 0..1. To change this: {way}."
        )
    height, width = images.shape[:2]
    if how.size is None:
        notes.append(f"{shown(path)} takes pictures of any size. They keep their size, {width} x {height}.")
    elif how.size[0] * width != how.size[1] * height:
        notes.append(f"Pictures of {width} x {height} are stretched to the network's {how.size[1]} x {how.size[0]}.")
    return tuple(notes)


_MAKERS: Mapping[str, Callable[..., Made]] = {
    "pixels": _pixels, "array": _array, "file": _file, "given": _given, "hog": _hog, "colour": _colour, "model": _model,
}  # fmt: skip


def _in_blocks(
    images: Images,
    make: Callable[[NDArray[Any], int], NDArray[Any]],
    recipe: dict[str, Any],
    folder: Path | None,
    limits: Limits,
    progress: Progress | None,
) -> Any:
    """Make features block by block. They are kept in the folder or, if there is none, in memory."""
    what = f"Features of {images.name}"

    def rows(first: int, end: int) -> NDArray[Any]:
        return make(np.asarray(images.pixels[first:end]), first)

    def told(done: int, total: int) -> None:
        if progress is not None:
            progress(what, done, total, "pictures")

    stored = is_stored(images.pixels)
    if folder is not None:
        whole = {**recipe, "pictures": digest(images.pixels), "full_scale": images.full_scale}
        return kept.kept(folder, whole, images.n, rows, told, stored=stored, limits=limits)
    if stored:
        raise DataError(
            f"{images.name} stays on disk, so its features must stay on disk, too. Give a folder: "
            f"{option('out', '...')}."
        )
    parts = []
    for first in range(0, images.n, kept.ROWS):
        parts.append(rows(first, min(first + kept.ROWS, images.n)))
        told(min(first + kept.ROWS, images.n), images.n)
    return np.concatenate(parts)


def _demand_pictures(images: Images, name: str) -> None:
    if not images.is_image:
        raise DataError(
            f"{name} is made from pictures, but {images.name} holds rows of {images.shape[0]} values. If they are "
            f"pictures, give their size: {option('shape', '(height, width)', 'HEIGHTxWIDTH')}."
        )


def _needed(module: str, name: str) -> None:
    import importlib

    try:
        importlib.import_module(module)
    except ImportError:
        raise DataError(f"{name} needs the package scikit-image: pip install 'steinhaus[features]'.") from None
