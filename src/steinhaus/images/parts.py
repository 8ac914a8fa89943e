"""The parts of a source's own split, told by the names that people give them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

Part = Literal["train", "val", "test"]
ORDER: tuple[Part, ...] = ("train", "val", "test")

_NAMES: dict[str, Part] = {
    **dict.fromkeys(("train", "training", "trn", "trainset", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "devel", "eval", "evaluation"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "testset", "t10k", "holdout"), "test"),
}
_WORD = re.compile(r"[^A-Za-z0-9]+")
_AFFIXES = re.compile(r"^(x|y|images?|imgs?|labels?|data|set|split|part|partition|subset|[0-9]+)$", re.IGNORECASE)


def part_of(name: str) -> Part | None:
    """The part that a folder of this name is; None where it is none.

    Examples
    --------
    >>> [part_of(name) for name in ("Train", "validation", "t10k", "train_set", "val2017", "trains")]
    ['train', 'val', 'test', 'train', 'val', None]
    """
    words = [word for word in _WORD.split(name.strip()) if word and not _AFFIXES.match(word)]
    return _NAMES.get(words[0].rstrip("0123456789").lower()) if len(words) == 1 else None


def part_in(name: str) -> Part | None:
    """The part that a file's name tells, as one of its words; None where it tells none, or more than one.

    Examples
    --------
    >>> [part_in(name) for name in ("train-00000-of-00001", "mnist_test", "0000", "train_test")]
    ['train', 'test', None, None]
    """
    found = {_NAMES[word.lower()] for word in _WORD.split(name) if word.lower() in _NAMES}
    return found.pop() if len(found) == 1 else None


def counts(parts: Iterable[Part]) -> tuple[int, int, int]:
    """How many belong to train, val and test."""
    listed = list(parts)
    return listed.count("train"), listed.count("val"), listed.count("test")


def one_part(parts: Iterable[Part]) -> tuple[str, ...]:
    """What is said of a source of which a split names only one part, or none to train on."""
    there = dict.fromkeys(parts)
    if len(there) == 1:
        return (f"All images are of the part {next(iter(there))}; there is no other, so the source has no split.",)
    if "train" not in there:
        return ("The source has parts to validate and to test, but none to train on: they are taken as one.",)
    return ()


def given(sizes: Sequence[int]) -> tuple[int | None, int]:
    """`given_train` and `given_val` of images that stand in the order train, val, test, so many of each.

    A source of one part has no split of its own. One without a training part has none either.

    Examples
    --------
    >>> given((6, 2, 4)), given((6, 0, 0)), given((0, 2, 4))
    ((6, 2), (None, 0), (None, 0))
    """
    train, val, test = sizes
    return (train, val) if train and val + test else (None, 0)
