"""A collection in a training and a test part: a share, a count, or the source's own split."""

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
_LABELLED_SHARE = 0.8  # of a set with labels and without a split of its own


@dataclass(frozen=True, eq=False)
class Split:
    """A training and a test part, and where each image stood: `train.pixels` are the pool's `pixels[train_index]`."""

    train: Images
    test: Images | None
    train_index: Int64  # (n_train,) rows of the pool
    test_index: Int64  # (n_test,)


def usual_train(images: Images) -> Train:
    """The training part of a study that says nothing of it.

    That of the set's published study, where it is known; the source's own split, where it has one; 0.8 where there
    are labels to test on; else all images.
    """
    if images.usual_train is not None:
        return images.usual_train
    if images.given_train is not None:
        return "given"
    return 1.0 if images.labels is None or images.n < 2 else _LABELLED_SHARE


def usual_val(images: Images) -> Val:
    """What the source's own split does with its validation part: it tests where nothing else does, or joins train."""
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
            f"{option('val', repr(val))} says what becomes of the validation part of the source's own split, and goes "
            f"with {option('train', repr('given'))}; here train is {train}."
        )
    everything = np.arange(images.n, dtype=np.int64)
    count = _train_count(train, images.n)
    if count == images.n:
        return Split(train=images, test=None, train_index=everything, test_index=everything[:0])
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise PlanError(f"seed must be a whole number of at least 0, not {seed!r}.")
    order = Stream(int(seed)).permutation(images.n)  # runs draw from (seed, k, restart), k >= 1: never this stream
    return _parted(images, order[:count], order[count:])


def _given(images: Images, val: Val | None) -> Split:
    """The source's own split."""
    if images.given_train is None:
        raise PlanError(
            f"{images.name} has no split of its own; give train as a fraction or a count, as in "
            f"{option('train', '0.6')}."
        )
    if val is not None and not images.given_val:
        raise PlanError(
            f"{images.name} has no validation part, so that {option('val', repr(val))} has nothing to say. Leave it "
            "out."
        )
    val = val or usual_val(images)
    train, middle = images.given_train, images.given_train + images.given_val
    rows = np.arange(images.n, dtype=np.int64)
    return _parted(images, rows[: middle if val == "join" else train], rows[train if val == "test" else middle :])


def _parted(images: Images, train: Int64, test: Int64) -> Split:
    return Split(images.take(train), images.take(test) if len(test) else None, train, test)


def _train_count(train: Train, n: int) -> int:
    if isinstance(train, (int, np.integer)) and not isinstance(train, bool):
        count = int(train)
        if not 1 <= count <= n:
            raise PlanError(f"train is a count of {count:,} images, and must be from 1 to the {n:,} there are.")
        return count
    if isinstance(train, (float, np.floating, Fraction)) and 0 < train <= 1:
        count = int(Fraction(str(train)) * n)
        if count == 0:
            raise PlanError(
                f"train = {train} of {n} images leaves none to train on; give a larger fraction, or a count."
            )
        return count
    raise PlanError(f'train must be a fraction above 0 and at most 1, a count of images, or "given", not {train!r}.')
