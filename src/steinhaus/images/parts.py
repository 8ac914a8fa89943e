"""The parts of a source's own split (train, validation, test), found by their usual names."""

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
    """The part that a folder of this name holds; None if it is not named after one.

    Examples
    --------
    >>> [part_of(name) for name in ("Train", "validation", "t10k", "train_set", "val2017", "trains")]
    ['train', 'val', 'test', 'train', 'val', None]
    """
    words = [word for word in _WORD.split(name.strip()) if word and not _AFFIXES.match(word)]
    return _NAMES.get(words[0].rstrip("0123456789").lower()) if len(words) == 1 else None


def part_in(name: str) -> Part | None:
    """The part named by a word of a file's name; None if no part or more than one is named.

    Examples
    --------
    >>> [part_in(name) for name in ("train-00000-of-00001", "mnist_test", "0000", "train_test")]
    ['train', 'test', None, None]
    """
    found = {_NAMES[word.lower()] for word in _WORD.split(name) if word.lower() in _NAMES}
    return found.pop() if len(found) == 1 else None


def counts(parts: Iterable[Part]) -> tuple[int, int, int]:
    """The number of train, val and test entries."""
    listed = list(parts)
    return listed.count("train"), listed.count("val"), listed.count("test")


def one_part(parts: Iterable[Part]) -> tuple[str, ...]:
    """The note about a source with only one part, or without a training part."""
    there = dict.fromkeys(parts)
    if len(there) == 1:
        return (f"All images belong to the part {next(iter(there))}, so the source has no split.",)
    if "train" not in there:
        return ("The source has parts for validation and test, but none for training. They are joined into one set.",)
    return ()


def given(sizes: Sequence[int]) -> tuple[int | None, int]:
    """`given_train` and `given_val` for these numbers of train, val and test images, in this order.

    A source with only one part, or without a training part, has no split.

    Examples
    --------
    >>> given((6, 2, 4)), given((6, 0, 0)), given((0, 2, 4))
    ((6, 2), (None, 0), (None, 0))
    """
    train, val, test = sizes
    return (train, val) if train and val + test else (None, 0)
