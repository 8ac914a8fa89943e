"""Everyday calls: data sets, and the rows of the table of `everyday.py`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FITS, CALLS = "fits", "calls"  # the two tables
FITTED = ("predict", "score", "transform")  # calls of a fitted model
_TINY = 200  # rows of a trial
_TINY_K = 5


@dataclass(frozen=True)
class Row:
    """A call on a data set.

    `table` is the table that shows it. The geometric mean is taken over the 18 `counted` rows. `call` is a method of
    the estimator. If the method needs a fitted estimator, only the call is timed.
    """

    name: str
    title: str
    data: str
    k: int
    table: str = FITS
    call: str = "fit"
    estimator: str = "KMeans"
    options: dict[str, Any] = field(default_factory=dict)
    counted: bool = False
    given: bool = True  # whether it is measured from given starts, too


def _counted() -> list[Row]:
    told = (
        ("iris", "iris, 150 x 4", "iris", 3),
        ("digits", "digits, 1,797 x 64", "digits", 10),
        ("blobs-1000", "blobs, 1,000 x 2", "blobs:1000:2:8", 8),
        ("blobs-10000", "blobs, 10,000 x 2", "blobs:10000:2:8", 8),
        ("blobs-100000", "blobs, 100,000 x 2", "blobs:100000:2:8", 8),
        ("birch1", "birch1, 100,000 x 2", "published:birch1", 100),
        ("cloud", "cloud, 1,024 x 10", "published:cloud", 50),
        ("spam", "spam, 4,601 x 58", "published:spam", 20),
        ("blobs-10", "blobs, 100,000 x 10", "blobs:100000:10:20", 20),
        ("photograph-16", "photograph, 273,280 x 3", "photograph", 16),
        ("photograph-64", "photograph, 273,280 x 3", "photograph", 64),
        ("blobs-million", "blobs, 1,000,000 x 4", "blobs:1000000:4:10", 10),
        ("intrusion", "intrusion, 494,021 x 35", "published:intrusion", 10),
        ("blobs-384", "blobs, 20,000 x 384 float32", "blobs:20000:384:50:float32", 50),
        ("mnist-uint8-10", "MNIST, 60,000 x 784 uint8", "mnist:uint8", 10),
        ("mnist-10", "MNIST, 60,000 x 784 float32", "mnist:float32", 10),
        ("mnist-100", "MNIST, 60,000 x 784 float32", "mnist:float32", 100),
        ("mnist-500", "MNIST, 60,000 x 784 float32", "mnist:float32", 500),
    )
    return [Row(name, title, data, k, counted=True) for name, title, data, k in told]


def _more_fits() -> list[Row]:
    mini, three = "MiniBatchKMeans", {"n_init": 3}
    return [
        Row("iris-10", "iris, n_init=10", "iris", 3, options={"n_init": 10}, given=False),
        Row("hundred", "blobs, 100 x 4", "blobs:100:4:3", 3),
        Row("wide-50", "normal, 50 x 20,000", "normal:50:20000", 8),
        Row("wide-500", "normal, 500 x 100,000", "normal:500:100000", 8),
        Row("minibatch-10", f"{mini}, blobs, 100,000 x 10", "blobs:100000:10:20", 20, estimator=mini),
        Row("minibatch-3-100", f"{mini}, n_init=3, blobs, 100 x 4", "blobs:100:4:3", 3, estimator=mini, options=three,
            given=False),
        Row("minibatch-3", f"{mini}, n_init=3, blobs, 10,000 x 2", "blobs:10000:2:8", 8, estimator=mini, options=three,
            given=False),
        Row("minibatch-mnist", f"{mini}, MNIST float32", "mnist:float32", 10, estimator=mini),
    ]  # fmt: skip


def _calls() -> list[Row]:
    """Every call for one, 1,000 and a million rows, in three types."""
    return [
        Row(
            f"{call}-{n}-{dtype}",
            f"{call}, {n:,} x 4 {dtype}",
            f"blobs:{n}:4:10:{dtype}",
            10,
            table=CALLS,
            call=call,
            given=False,
        )
        for call in ("predict", "score", "transform", "fit_predict", "fit_transform")
        for n in (1, 1000, 1_000_000)
        for dtype in ("uint8", "float32", "float64")
    ]


def _wide_scores() -> list[Row]:
    """`score` of rows of more features, in two types."""
    return [
        Row(
            f"score-{n}-{d}-{dtype}",
            f"score, {n:,} x {d} {dtype}",
            f"blobs:{n}:{d}:10:{dtype}",
            10,
            table=CALLS,
            call="score",
            given=False,
        )
        for n in (1000, 10_000)
        for d in (64, 256)
        for dtype in ("float32", "float64")
    ]


ROWS = (*_counted(), *_more_fits(), *_calls(), *_wide_scores())


class NotHere(Exception):
    """A data set is not on this machine. The message says how to get it."""


@cache
def load(name: str, tiny: bool) -> Array:
    """A data set by name, "kind:option:...", (n, d), C-contiguous; tiny: only its first rows."""
    kind, *options = name.split(":")
    if kind in ("blobs", "normal"):
        n, d = int(options[0]), int(options[1])
        n, d = (min(n, _TINY), min(d, 10 * _TINY)) if tiny else (n, d)
        return _blobs(n, d, *options[2:]) if kind == "blobs" else np.random.default_rng(0).normal(size=(n, d))
    made = {"iris": _iris, "digits": _digits, "photograph": _photograph, "published": _published, "mnist": _mnist}
    x = made[kind](*options)
    return np.ascontiguousarray(x[:_TINY]) if tiny else x


def clusters(row: Row, x: Array, tiny: bool) -> int:
    """K of a row, or fewer if there are not enough points."""
    if row.call in FITTED:
        return row.k
    return min(row.k, len(x), _TINY_K if tiny else row.k)


def start_of(x: Array, k: int) -> Array:
    """The K starting rows, float64."""
    return x[np.random.default_rng(0).choice(len(x), k, replace=False)].astype(np.float64)


def _blobs(n: int, d: int, centres: str, dtype: str = "float64") -> Array:
    from sklearn.datasets import make_blobs

    x, _ = make_blobs(max(n, int(centres)), d, centers=int(centres), random_state=0)
    if dtype == "uint8":
        x = np.rint(255 * (x - x.min()) / (x.max() - x.min()))
    return np.ascontiguousarray(x[:n].astype(dtype))


def _iris() -> Array:
    from sklearn.datasets import load_iris

    return np.ascontiguousarray(load_iris().data)


def _digits() -> Array:
    from sklearn.datasets import load_digits

    return np.ascontiguousarray(load_digits().data)


def _photograph() -> Array:
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg").reshape(-1, 3) / 255.0


def _published(name: str) -> Array:
    path = _folder("clustering") / f"{name}.npz"
    if not path.exists():
        raise NotHere(f"there is no {path.name} in STEINHAUS_DATA's folder `clustering`")
    with np.load(path) as held:
        return np.ascontiguousarray(held["x"])


def _mnist(dtype: str) -> Array:
    from steinhaus import open_images

    _folder("mnist")
    return np.ascontiguousarray(open_images("mnist", data=os.environ["STEINHAUS_DATA"]).rows[:60_000].astype(dtype))


def _folder(name: str) -> Path:
    named = os.environ.get("STEINHAUS_DATA")
    if not named or not (Path(named) / name).is_dir():
        raise NotHere(f"STEINHAUS_DATA names no folder that holds `{name}`")
    return Path(named) / name


Estimator = Callable[..., Any]


@dataclass(frozen=True)
class Peer:
    """A library: its title, and its estimators by name."""

    title: str
    estimators: Callable[[], dict[str, Estimator]]


def _ours() -> dict[str, Estimator]:
    from steinhaus import KMeans, MiniBatchKMeans

    return {"KMeans": KMeans, "MiniBatchKMeans": MiniBatchKMeans}


def _sklearn() -> dict[str, Estimator]:
    from sklearn.cluster import KMeans, MiniBatchKMeans

    return {"KMeans": KMeans, "MiniBatchKMeans": MiniBatchKMeans}


def _sklearnex() -> dict[str, Estimator]:
    from sklearnex.cluster import KMeans

    return {"KMeans": KMeans}


PEERS = {
    "ours": Peer("Steinhaus", _ours),
    "sklearn": Peer("scikit-learn", _sklearn),
    "sklearnex": Peer("scikit-learn-intelex", _sklearnex),
}
