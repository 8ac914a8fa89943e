"""Choose the arrays of images and labels in an archive, and their parts of a split, by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from steinhaus.errors import DataError
from steinhaus.images.asking import NoSuchNameError, is_none
from steinhaus.images.parts import ORDER, Part, part_in
from steinhaus.wording import option

_IMAGES = ("images", "image", "imgs", "x", "data", "pixels", "inputs", "features", "samples", "fea", "arr_0")
_LABELS = ("labels", "label", "y", "target", "targets", "class", "classes", "gnd", "arr_1")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_POOLED = (
    ("images", "labels"), ("x", "y"), ("data", "target"), ("data", "labels"), ("pixels", "labels"),
    ("fea", "gnd"), ("arr_0", "arr_1"),
)  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """The arrays to read."""

    images: list[str]  # one per part
    labels: list[str]  # one per part, or none
    parts: list[Part | None]
    notes: tuple[str, ...] = ()


def is_labels(key: str) -> bool:
    """Whether this name is one for labels."""
    return _role(key)[1] in _LABELS


def labels_beside(keys: Sequence[str], images: str) -> list[str]:
    """The names of the arrays of labels that belong to an array of images."""
    return [key for key in keys if key != images and is_labels(key) and _role(key)[0] == _role(images)[0]]


def of_weights(keys: Sequence[str], name: str, weights: str | None) -> list[str]:
    """The arrays of weights: the one of this name or, if it belongs to a split, those of all parts."""
    if weights is None:
        return []
    if weights in keys:
        part, role = _role(weights)
        split = {part: key for key in keys for part, other in [_role(key)] if part is not None and other == role}
        return [weights] if part is None else [split[part] for part in ORDER if part in split]
    raise DataError(f"{name} holds no array named {weights!r}; it holds {', '.join(keys)}.")


def chosen(keys: Sequence[str], name: str, images: str | None, labels: str | int | bool | None) -> Chosen:
    """The arrays of images and of labels: those that the user names, else by convention.

    Raises
    ------
    DataError
        If it is not clear which arrays are images, or if only some parts have labels.
    """
    found = _chosen(keys, name, images, labels)
    left = [key for key in keys if key not in (*found.images, *found.labels)]
    if is_none(labels):
        left = [key for key in left if not is_labels(key)]
    if not left:
        return found
    more = f" and {len(left) - 6} more" if len(left) > 6 else ""
    note = f"Left out: {'array' if len(left) == 1 else 'arrays'} {', '.join(left[:6])}{more}."
    return replace(found, notes=(note,))


def _chosen(keys: Sequence[str], name: str, images: str | None, labels: str | int | bool | None) -> Chosen:
    wanted = None if labels is None or is_none(labels) or isinstance(labels, bool) else str(labels)
    if images is not None and images not in keys:
        raise DataError(f"{name} holds no array named {images!r}; it holds {', '.join(keys)}.")
    bare = is_none(labels)
    split = {} if images is not None else _split(keys, _IMAGES)
    if "train" in split:
        return _of_split(keys, name, split, wanted, bare)
    if wanted is not None and wanted not in keys:
        raise NoSuchNameError(f"{name} holds no array named {wanted!r}; it holds {', '.join(keys)}.")
    if images is not None:
        return Chosen([images], [] if wanted is None else [wanted], [None])
    lower = {key.lower(): key for key in keys}
    for x, y in _POOLED:
        if x in lower and lower[x] != wanted:
            of_labels = [lower[y]] if y in lower else [key for key in keys if is_labels(key)]
            of_y = [wanted] if wanted is not None else of_labels if len(of_labels) == 1 and not bare else []
            return Chosen([lower[x]], of_y, [None])
    others = [key for key in keys if key != wanted and not (is_labels(key) and len(keys) > 1)]
    if len(others) == 1:
        found = [key for key in keys if is_labels(key)]
        guessed = found if len(found) == 1 and wanted is None and not bare else []
        return Chosen(others, guessed if wanted is None else [wanted], [None])
    raise DataError(
        f"{name} holds the arrays {', '.join(keys)}, and it is not clear which hold images. Name them: "
        f"{option('images', '...')}, {option('labels', '...')}"
    )


def _of_split(keys: Sequence[str], name: str, split: dict[Part, str], wanted: str | None, bare: bool) -> Chosen:
    """The arrays of a split, the training part first."""
    parts = [part for part in ORDER if part in split]
    labels: dict[Part, str] = {}
    if wanted is not None:
        kind = _role(wanted)[1]
        labels = {part: key for key in keys for part, role in [_role(key)] if part is not None and role == kind}
        if not labels:
            raise NoSuchNameError(f"{name} holds no array named {wanted!r}; it holds {', '.join(keys)}.")
    elif not bare:
        labels = _split(keys, _LABELS)
    missing = [split[part] for part in parts if part not in labels]
    if labels and missing:
        raise DataError(
            f"{name} has labels for some parts, but none for {', '.join(missing)}. Label all parts, or read without "
            f"labels: {option('labels', repr('none'))}."
        )
    images = [split[part] for part in parts]
    return Chosen(images, [labels[part] for part in parts] if labels else [], list(parts))


def _split(keys: Sequence[str], roles: Sequence[str]) -> dict[Part, str]:
    """The array of one role in each part. If a part has two spellings, the first counts."""
    found: dict[Part, str] = {}
    for key in keys:
        part, role = _role(key)
        if part is not None and role in roles:
            found.setdefault(part, key)
    return found


def _role(key: str) -> tuple[Part | None, str]:
    """The part in a name, and the rest of it in lower case: ("train", "x") for X_train, xTrain and train_x."""
    words = _WORD.findall(key)
    part = part_in(" ".join(words))
    if part is None:
        return None, key.lower()
    rest = [word.lower() for word in words if part_in(word) is None]
    return part, "_".join(word for word in rest if word != "set") or "images"
