"""The points that a study clusters: pixels, scaled columns, or features after their steps.

The learnt steps of features (`features.chain`) are a file of the study, so that `predict` and the report repeat them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors

from steinhaus.errors import DataError, PlanError
from steinhaus.features import chain as chains
from steinhaus.features import kept
from steinhaus.features.asked import Features
from steinhaus.features.chain import Chain
from steinhaus.features.making import with_features
from steinhaus.features.space import Vectors, is_stored
from steinhaus.signed import UnsignedError, pack, unpack
from steinhaus.study import scaling as scalings
from steinhaus.study.plan import Plan
from steinhaus.study.record import FeaturesRecord, Scaling
from steinhaus.wording import option

if TYPE_CHECKING:
    from steinhaus.images import Images, Progress


@dataclass(frozen=True)
class Space:
    """The conversion of images to points."""

    scaling: Scaling | None = None
    chain: Chain | None = None  # None: the study does not cluster features

    def points(self, images: Images) -> Any:
        """The points of some images, (n, d)."""
        if self.chain is None:
            return scalings.applied(self.scaling, images.rows)
        if images.features is None:
            raise PlanError(f"The study clusters features, but {images.name} has none.")
        return self._of(images.features)

    def _of(self, vectors: Vectors) -> Any:
        values, chain = vectors.values, self.chain
        assert chain is not None
        if not chain.steps or not is_stored(values):
            return chain.applied(values)
        if vectors.folder is None:
            raise PlanError(
                f"These features stay on disk, so the results of their steps must stay on disk, too. Give a folder: "
                f"{option('out', '...')}."
            )
        recipe = {"kind": "chain", "vectors": vectors.sha256, "chain": digest(encode(chain))}
        return kept.kept(
            vectors.folder, recipe, len(values), lambda first, end: chain.applied(values[first:end]), stored=True,
            rows=chains.BLOCK,
        )  # fmt: skip


def fitted(study: Plan, train: Images) -> Space:
    """The conversion, learnt on the training part.

    Raises
    ------
    PlanError
        If the plan scales features, or points that stay on disk.
    """
    if train.features is None:
        return Space(scalings.fitted(study.scale, train.rows))
    if study.scale != "none":
        raise PlanError(
            f"{option('scale', repr(study.scale))} is for the columns of a table, but this study clusters features. "
            f"For features, use {option('standardise', 'True', '')}."
        )
    return Space(chain=chains.fitted(train.features.steps, train.features.values))


def record_of(vectors: Vectors | None, space: Space) -> FeaturesRecord | None:
    """The record of the features."""
    if vectors is None or space.chain is None:
        return None
    return FeaturesRecord(
        asked=vectors.asked,
        name=vectors.name,
        kind=vectors.kind,
        steps=vectors.steps,
        width=vectors.shape[1],
        d=space.chain.width(vectors.shape[1]),
        dtype=str(vectors.values.dtype),
        unit=float(vectors.unit),
        sha256=vectors.sha256,
        options=dict(vectors.options),
        chain=digest(encode(space.chain)) if vectors.steps else None,
    )


def again(
    record: FeaturesRecord,
    images: Images,
    asked: Features | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Images:
    """Pictures with features that are made like those of a study.

    Parameters
    ----------
    record
        The study's record of its features.
    images
        The study's pictures, or others.
    asked
        Their source: a file of vectors for other pictures, or the network, if it was moved.
    folder, progress
        As in `features.making.with_features`.

    Raises
    ------
    DataError
        If they cannot be made, have another width, or come from another network.
    """
    if asked is None and record.kind == "array":
        raise DataError(
            f"The study's features came from an array. Give those of {images.name} as a file: "
            f"{option('features', repr('features.npy'))}."
        )
    what = record.asked if asked is None else asked.what
    if record.kind in ("hog", "colour") and asked is None:
        what = f"{record.kind}:{record.options['cell' if record.kind == 'hog' else 'cells']}"
    how = {}
    if record.kind == "model":
        how = {"model_input": record.options["input"], "model_output": record.options["output"]}
    if record.kind == "pixels":
        made = replace(images, features=Vectors(images.rows, record.asked, record.name, "pixels"))
    else:
        made = with_features(images, Features(what, **how), folder, progress=progress)
    vectors = made.features
    if vectors is None or vectors.options.get("model_sha256") != record.options.get("model_sha256"):
        raise DataError(f"{what} is not the network of the study, {record.name}: its sha256 differs.")
    if vectors.shape[1] != record.width:
        raise DataError(
            f"{what} gives vectors of {vectors.shape[1]:,} values, but the study's have {record.width:,}. Give the "
            "same features as in the study."
        )
    return replace(made, features=replace(vectors, steps=record.steps, unit=record.unit))


def with_vectors(record: FeaturesRecord, images: Images) -> Images:
    """Vectors, (n, width), as the features of a study."""
    vectors = Vectors(images.rows, images.name, images.name, "array", steps=record.steps, unit=record.unit)
    return replace(images, features=vectors)


def encode(chain: Chain) -> bytes:
    """The learnt steps, as the bytes of a file."""
    return pack(chain.arrays, {"steps": list(chain.steps)})


def decode(data: bytes, record: FeaturesRecord) -> Chain:
    """The learnt steps, from a file.

    Raises
    ------
    ValueError
        If they are not those of this study.
    """
    if digest(data) != record.chain:
        raise ValueError("its sha256 is not the one in study.json")
    try:
        arrays, _ = unpack(data, {"F64": "<f8"})
    except (UnsignedError, safetensors.SafetensorError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is not a safetensors file of a study ({error})") from error
    chain = chains.of_arrays(record.steps, arrays)
    d = record.width
    for step, learnt in zip(chain.steps, chain.learnt, strict=True):
        after = replace(chain, steps=(step,)).width(d)
        shapes = {"mean": (d,), "offset": (d,), "step": (d,), "components": (after, d)}
        if any(array.shape != shapes[name] or not np.isfinite(array).all() for name, array in learnt.items()):
            raise ValueError(f"the learnt arrays of its step {step} have another shape, or are not finite")
        d = after
    return chain


def digest(data: bytes) -> str:
    """The sha256 of a file's bytes."""
    return hashlib.sha256(data).hexdigest()
