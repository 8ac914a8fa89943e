"""Split a collection into a training and a test part: by a share, by a count, or by the source's own split."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np

from steinhaus.errors import PlanError
from steinhaus.images.labels import Int64
from steinhaus.seeding import Stream
from steinhaus.wording import option

if TYPE_CHECKING:
    from steinhaus.images.collection import Images

Train = float | int | str
Val = Literal["join", "leave", "test"]
VALS: tuple[Val, ...] = ("join", "leave", "test")
_LABELLED_SHARE = 0.8  # training share of a set with labels and without its own split


@dataclass(frozen=True, eq=False)
class Split:
    """A training and a test part, with the rows of the pool: `train.pixels` are the pool's `pixels[train_index]`."""

    train: Images
    test: Images | None
    train_index: Int64  # (n_train,) rows of the pool
    test_index: Int64  # (n_test,)


def usual_train(images: Images) -> Train:
    """The default training part of a study.

    It is that of the set's published study, if known; else the source's own split, if it has one; else 0.8 if there are
    labels; else all images.
    """
    if images.usual_train is not None:
        return images.usual_train
    if images.given_train is not None:
        return "given"
    return 1.0 if images.labels is None or images.n < 2 else _LABELLED_SHARE


def usual_val(images: Images) -> Val:
    """The default use of the validation part: it tests if there is no test part, else it joins the training part."""
    return "test" if images.given_train is not None and images.given_train + images.given_val == images.n else "join"


def split(images: Images, train: Train | None, seed: int, val: Val | None) -> Split:
    """See `Images.split`."""
    train = usual_train(images) if train is None else train
    if val is not None and val not in VALS:
        raise PlanError(f'val must be "join", "leave" or "test", not {val!r}.')
    if isinstance(train, str) and train == "given":
        return _given(images, val)
    if val is not None:
        raise PlanError(
            f"{option('val', repr(val))} is for the validation part of the source's own split, so it needs "
            f"{option('train', repr('given'))}. Here train is {train}."
        )
    everything = np.arange(images.n, dtype=np.int64)
    count = _train_count(train, images.n)
    if count == images.n:
        return Split(train=images, test=None, train_index=everything, test_index=everything[:0])
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise PlanError(f"seed must be a whole number of at least 0, not {seed!r}.")
    order = Stream(int(seed)).permutation(
        images.n
    )  # runs draw from (seed, k, restart) with k >= 1, never from this stream
    return _parted(images, order[:count], order[count:])


def _given(images: Images, val: Val | None) -> Split:
    """The source's own split."""
    if images.given_train is None:
        raise PlanError(
            f"{images.name} has no split of its own. Give train as a fraction or a count, such as "
            f"{option('train', '0.6')}."
        )
    if val is not None and not images.given_val:
        raise PlanError(
            f"{images.name} has no validation part, so {option('val', repr(val))} has no effect. Leave it out."
        )
    val = val or usual_val(images)
    train, middle = images.given_train, images.given_train + images.given_val
    rows = np.arange(images.n, dtype=np.int64)
    return _parted(images, rows[: middle if val == "join" else train], rows[train if val == "test" else middle :])


def _parted(images: Images, train: Int64, test: Int64) -> Split:
    # in: train (n_train,) int64; test (n_test,) int64
    return Split(images.take(train), images.take(test) if len(test) else None, train, test)


def _train_count(train: Train, n: int) -> int:
    if isinstance(train, (int, np.integer)) and not isinstance(train, bool):
        count = int(train)
        if not 1 <= count <= n:
            raise PlanError(f"train is a count of {count:,} images, but must be from 1 to {n:,}, the number of images.")
        return count
    if isinstance(train, (float, np.floating, Fraction)) and 0 < train <= 1:
        count = int(Fraction(str(train)) * n)
        if count == 0:
            raise PlanError(
                f"train = {train} of {n} images leaves none to train on. Give a larger fraction, or a count."
            )
        return count
    raise PlanError(f'train must be a fraction above 0 and at most 1, a count of images, or "given", not {train!r}.')
