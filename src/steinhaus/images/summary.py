"""Summarise a collection of images, for people and as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from steinhaus.images.collection import Images
from steinhaus.images.pixels import shape_text
from steinhaus.images.splitting import usual_train, usual_val
from steinhaus.images.stored import StoredPixels

_MOST_LABELS = 12  # labels listed with their counts
_MOST_COLUMNS = 12


def facts(images: Images) -> dict[str, Any]:
    """Facts to know before a study, in types of JSON.

    Returns
    -------
    dict
        name, n, shape, dtype, full_scale, range (smallest and largest value; None if the set stays on disk), labels
        (name -> count, or None), split (train, val, test; None if there is none), train and val (a study's defaults),
        columns, weights (their sum, or None), skipped (file and reason), notes.
    """
    stays = isinstance(images.pixels, StoredPixels)
    return {
        "name": images.name,
        "n": images.n,
        "shape": list(images.shape),
        "dtype": str(images.pixels.dtype),
        "full_scale": images.full_scale,
        "range": None if stays else [float(images.pixels.min()), float(images.pixels.max())],
        "labels": _labels(images),
        "split": _split(images),
        "train": usual_train(images),
        "val": usual_val(images) if images.given_val and usual_train(images) == "given" else None,
        "columns": None if images.columns is None else list(images.columns),
        "weights": None if images.weights is None else float(images.weights.sum()),
        "skipped": [{"file": each.file, "reason": each.reason} for each in images.skipped],
        "notes": list(images.notes),
    }


def lines(images: Images, train: float | int | str | None = None, val: str | None = None) -> list[str]:
    """The same facts in two to four lines.

    Parameters
    ----------
    train, val
        The options of the study; None: the defaults.
    """
    known = facts(images)
    noun = ("image" if images.is_image else "row") + ("" if images.n == 1 else "s")
    scale = (
        f"full scale {images.full_scale:g}"
        if images.is_image or images.full_scale != 1
        else "in the units of each column"
    )
    spread = "" if known["range"] is None else f", values {known['range'][0]:g} to {known['range'][1]:g}"
    found = [f"{images.name}: {images.n:,} {noun} of {shape_text(images.shape)}, {known['dtype']}{spread}; {scale}."]
    if images.columns is not None:
        found.append(f"Columns: {_listed(images.columns, _MOST_COLUMNS)}.")
    labels = known["labels"]
    if labels is None:
        found.append("No labels.")
    else:
        counted = [f"{name} ({count:,})" for name, count in labels.items()]
        found.append(f"{len(labels):,} {'label' if len(labels) == 1 else 'labels'}: {_listed(counted, _MOST_LABELS)}.")
    if images.weights is not None:
        low, high, total = images.weights.min(), images.weights.max(), images.weights.sum()
        found.append(f"Weights: from {low:g} to {high:g}, {total:g} in all.")
    found.append(_parts(images, usual_train(images) if train is None else train, val))
    return found


def _parts(images: Images, train: float | int | str, val: str | None) -> str:
    """The line about the training and the test part."""
    split = _split(images)
    own = "" if split is None else "; its own split: " + ", ".join(f"{part} {n:,}" for part, n in split.items() if n)
    if train != "given":
        share = f"{train:g} of all" if isinstance(train, float) else f"{train:,} images"
        return f"Training part: {'all' if train == 1.0 and isinstance(train, float) else share}{own}."
    named = {"join": "validation joins training", "leave": "validation is left out", "test": "validation tests"}
    middle = f" ({named[val or usual_val(images)]})" if images.given_val else ""
    return f"Training part: the source's own{middle}{own}."


def _split(images: Images) -> dict[str, int] | None:
    if images.given_train is None:
        return None
    rest = images.n - images.given_train - images.given_val
    return {"train": images.given_train, "val": images.given_val, "test": rest}


def _labels(images: Images) -> dict[str, int] | None:
    if images.labels is None or images.label_names is None:
        return None
    counts = np.bincount(images.labels, minlength=len(images.label_names))
    return dict(zip(images.label_names, counts.tolist(), strict=True))


def _listed(items: Any, most: int) -> str:
    items = list(items)
    return ", ".join(items[:most]) + (f" and {len(items) - most:,} more" if len(items) > most else "")
