"""The workloads: named data sets, made once and kept as .npy files, and the fits on them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RESULTS = Path(__file__).parent / "results"
DATA = RESULTS / "data"

EVERYONE = ("sklearn", "sklearn-elkan", "sklearnex", "faiss", "faiss-superkmeans", "superkmeans")
PASS = "blas-pass"


@dataclass(frozen=True)
class Workload:
    """One row of the comparison: fits on a data set.

    `must` and `aim` are required and desired ratios of a peer's seconds to ours; for `PASS`, the most passes that a fit
    may cost. `peers` are measured if the user names none.
    """

    name: str
    title: str
    data: str
    k: tuple[int, ...]
    max_iter: int
    restarts: int = 1
    peers: tuple[str, ...] = EVERYONE
    must: dict[str, float] = field(default_factory=dict)
    aim: dict[str, float] = field(default_factory=dict)

    @property
    def ks(self) -> list[int]:
        """K of each fit, in order."""
        return [k for k in self.k for _ in range(self.restarts)]


WORKLOADS = (
    Workload(
        "study",
        "the published study: MNIST, 42,000 x 784 uint8, K 5, 7, 10, 12 x 5 restarts, random starts, to convergence",
        "mnist-study",
        (5, 7, 10, 12),
        300,
        restarts=5,
        peers=("sklearn",),
        must={"sklearn": 15},
        aim={"sklearn": 30},
    ),
    Workload(
        "k10",
        "MNIST, 60,000 x 784 uint8, K = 10, to convergence",
        "mnist",
        (10,),
        300,
        must={"sklearn": 10, "faiss": 5, PASS: 12},
        aim={"sklearn": 20, "faiss": 10, PASS: 6},
    ),
    Workload(
        "k100",
        "MNIST, 60,000 x 784 uint8, K = 100, 100 iterations",
        "mnist",
        (100,),
        100,
        peers=("sklearn", "faiss", "superkmeans"),
        must={"sklearn": 6, "superkmeans": 6},
        aim={"sklearn": 12, "superkmeans": 12},
    ),
    Workload(
        "k1000",
        "MNIST, 60,000 x 784 uint8, K = 1000, 25 iterations",
        "mnist",
        (1000,),
        25,
        peers=("sklearn", "faiss", "faiss-superkmeans", "superkmeans"),
        must={"sklearn": 5, "faiss": 4, "superkmeans": 1.2},
        aim={"sklearn": 10, "faiss": 8, "superkmeans": 3},
    ),
    Workload(
        "photographs-10",
        "photographs, 20,000 x 3,072 float32, K = 10, at most 100 iterations",
        "photographs",
        (10,),
        100,
        peers=("sklearn", "sklearnex", "faiss", "superkmeans"),
        must={"sklearn": 4},
        aim={"sklearn": 8},
    ),
    Workload(
        "photographs-100",
        "photographs, 20,000 x 3,072 float32, K = 100, at most 100 iterations",
        "photographs",
        (100,),
        100,
        peers=("sklearn", "superkmeans"),
        must={"sklearn": 4},
        aim={"sklearn": 8},
    ),
    Workload(
        "embeddings",
        "clustered embeddings, 1,000,000 x 128 float32, K = 256, 20 iterations",
        "embeddings",
        (256,),
        20,
        peers=("sklearn", "faiss"),
        must={"sklearn": 2, "faiss": 2},
        aim={"sklearn": 4, "faiss": 4},
    ),
    Workload(
        "noise",
        "uniform noise, 200,000 x 256 float32, K = 64, 20 iterations",
        "noise",
        (64,),
        20,
        peers=("sklearn", "sklearnex", "faiss", "superkmeans"),
        must={"sklearn": 1},
        aim={"sklearn": 1.3},
    ),
)

EXTRA = (
    Workload(
        "k10000",
        "MNIST, 60,000 x 784 uint8, K = 10,000, 5 iterations",
        "mnist",
        (10_000,),
        5,
        peers=("sklearn", "faiss", "superkmeans"),
    ),
)


@dataclass(frozen=True)
class Files:
    """A data set on disk, in its own type and in float32, and the starting centroids of all fits."""

    own: str  # (n, d), in its own type
    float32: str  # the same file if that is float32
    starts: str  # (sum of K, d) float32: rows of the data
    ks: list[int]
    digest: str  # of data and starts
    n: int
    d: int
    dtype: str
    zeros: float  # the share of values that are 0


def prepare(name: str, ks: list[int], points: int | None = None, seed: int = 0, *, size: int | None = None) -> Files:
    """Make a data set, unless it exists, and the starts of its fits.

    Parameters
    ----------
    name
        A key of `SETS`; or "photographs:S", photographs of S x S pixels.
    ks
        K of each fit.
    points
        The number of rows to use, from the first.
    size
        The number of points to make, for trials; None: all points of the set.
    """
    own, single = _files(name, size)
    if points:
        whole = np.load(own, mmap_mode="r")
        own, single = (path.with_name(path.name.replace(".", f"-{points}.", 1)) for path in (own, single))
        _write(np.ascontiguousarray(whole[:points]), own, single)
    x = np.load(own, mmap_mode="r")
    starts = np.concatenate([x[rows] for rows in _start_rows(name, len(x), ks, seed)]).astype(np.float32)
    sample = np.ascontiguousarray(x[:: max(1, len(x) // 5000)])
    digest = hashlib.sha256(sample.tobytes() + starts.tobytes() + repr((x.shape, x.dtype.str)).encode()).hexdigest()[
        :16
    ]
    path = DATA / f"starts-{digest}.npy"
    _save(path, starts)
    return Files(
        own=str(own),
        float32=str(single if single.exists() else own),
        starts=str(path),
        ks=ks,
        digest=digest,
        n=x.shape[0],
        d=x.shape[1],
        dtype=x.dtype.name,
        zeros=float(np.mean(sample == 0)),
    )


def _files(name: str, size: int | None) -> tuple[Path, Path]:
    """The files of a whole data set, made unless they exist: in its own type, and in float32 if that differs."""
    DATA.mkdir(parents=True, exist_ok=True)
    kind, _, option = name.partition(":")
    own = DATA / f"{kind}{option}{f'-of-{size}' if size else ''}.npy"
    single = own.with_suffix(".float32.npy")
    if not own.exists():
        _write(SETS[kind](*([int(option)] if option else []), **({"n": size} if size else {})), own, single)
    return own, single


def _write(x: NDArray[np.generic], own: Path, single: Path) -> None:
    if x.dtype != np.float32:
        _save(single, x.astype(np.float32))
    _save(own, x)


def _save(path: Path, x: NDArray[np.generic]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.npy")
    np.save(temporary, x)
    temporary.replace(path)


def _start_rows(name: str, n: int, ks: list[int], seed: int) -> list[NDArray[np.int64]]:
    """The starting rows of each fit: those of the study, or else rows drawn by `default_rng(seed).choice`."""
    if name == "mnist-study":
        from steinhaus.seeding import Stream

        return [Stream(seed, k, place - ks.index(k)).distinct(k, n) for place, k in enumerate(ks)]
    rng = np.random.default_rng(seed)
    return [rng.choice(n, k, replace=False) for k in ks]


def _mnist(n: int = 60_000) -> NDArray[np.uint8]:
    from steinhaus import open_images

    images = open_images("mnist")
    return np.asarray(images.rows[:n])


def _mnist_study(n: int = 42_000) -> NDArray[np.uint8]:
    from steinhaus import open_images

    return np.asarray(open_images("mnist").split(train=0.6, seed=0).train.rows[:n])


def _photographs(size: int = 32, n: int = 20_000) -> NDArray[np.float32]:
    """Crops of scikit-learn's two sample photographs at random places and scales, mirrored or not, in 0..1.

    A crop is 32, 64, 96 or 128 pixels of the photograph wide and high, brought to `size` by averaging: so every size
    shows the same things.
    """
    from sklearn.datasets import load_sample_images

    pictures = [picture.astype(np.float32) / 255 for picture in load_sample_images().images]  # (427, 640, 3)
    rng = np.random.default_rng(1)
    crops = np.empty((n, size, size, 3), np.float32)
    for crop in crops:
        picture = pictures[rng.integers(len(pictures))]
        side = 32 * int(rng.integers(1, 5))
        top, left = rng.integers(picture.shape[0] - side + 1), rng.integers(picture.shape[1] - side + 1)
        square = picture[top : top + side, left : left + side]
        edges = np.arange(size) * side // size
        sums = np.add.reduceat(np.add.reduceat(square, edges, axis=0), edges, axis=1)
        widths = np.diff(np.append(edges, side)).astype(np.float32)
        crop[:] = sums / (widths[:, np.newaxis, np.newaxis] * widths[:, np.newaxis])
        if rng.random() < 0.5:
            crop[:] = crop[:, ::-1].copy()
    return crops.reshape(n, -1)


def _embeddings(n: int = 1_000_000, d: int = 128, groups: int = 1000) -> NDArray[np.float32]:
    """Unit vectors around 1,000 centres of unequal weight; the spread within a group is 0.7 of that between groups.

    Both fall off over the directions as 1 / sqrt(1 + t / 16), and the directions are turned at random, so that no
    feature is special.
    """
    rng = np.random.default_rng(2)
    scale = (1 / np.sqrt(1 + np.arange(d) / 16)).astype(np.float32)
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0].astype(np.float32)
    centres = rng.standard_normal((groups, d), np.float32) * scale
    weights = 1 / np.arange(10, groups + 10)
    group = rng.choice(groups, n, p=weights / weights.sum())
    x = np.empty((n, d), np.float32)
    for first in range(0, n, 50_000):
        part = slice(first, first + 50_000)
        block = centres[group[part]] + 0.7 * scale * rng.standard_normal((len(group[part]), d), np.float32)
        x[part] = block / np.linalg.norm(block, axis=1, keepdims=True) @ turn
    return x


def _noise(n: int = 200_000, d: int = 256) -> NDArray[np.float32]:
    return np.random.default_rng(3).random((n, d), np.float32)


SETS: dict[str, Callable[..., NDArray[np.generic]]] = {
    "mnist": _mnist,
    "mnist-study": _mnist_study,
    "photographs": _photographs,
    "embeddings": _embeddings,
    "noise": _noise,
}


def chosen(names: str | None) -> list[Workload]:
    """The workloads of these names, comma-separated, each a name or its part before the dash; None: the usual ones."""
    if names is None:
        return list(WORKLOADS)
    every = (*WORKLOADS, *EXTRA)
    found = [[w for w in every if name in (w.name, w.name.rpartition("-")[0])] for name in names.split(",")]
    for name, some in zip(names.split(","), found, strict=True):
        if not some:
            raise SystemExit(f"There is no workload {name!r}. The workloads are {', '.join(w.name for w in every)}.")
    return [workload for some in found for workload in some]
