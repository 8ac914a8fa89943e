"""The plan of a study: frozen, validated once, with a digest that identifies it."""

from __future__ import annotations

import hashlib
import math
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steinhaus.canonical import canonical
from steinhaus.engines import is_stored
from steinhaus.errors import PlanError
from steinhaus.features.asked import features_of
from steinhaus.wording import option

if TYPE_CHECKING:
    from steinhaus.images import Images

Starts = Mapping[int, Sequence[ArrayLike]]
SEEDINGS = ("random", "k-means++", "k-means||", "hierarchical")
MOST_RUNS = 100_000  # per study: more than anyone waits for, and few enough to list


@dataclass(frozen=True, eq=False)
class Plan:
    """The plan of a study. See `Study` for the meaning of each value.

    Raises
    ------
    PlanError
        If a value is out of its range.
    """

    k: Iterable[int] = (5, 7, 10, 12)
    restarts: int = 5
    max_iter: int = 300
    init: Literal["random", "k-means++", "k-means||", "hierarchical"] | Starts | None = None
    tol: float = 0.0
    train: float | int | Literal["given"] | None = None
    seed: int = 0
    threads: int | None = None
    val: Literal["join", "leave", "test"] | None = None
    scale: Literal["none", "standard", "minmax"] = "none"
    features: Any = None
    refine: Literal["none", "breathing"] = "none"
    refine_steps: int | None = None

    def __post_init__(self) -> None:
        ks, restarts = _ks(self.k), _whole("restarts", self.restarts, 1)
        if len(ks) * restarts > MOST_RUNS:
            raise PlanError(
                f"A study has at most {MOST_RUNS:,} runs; {restarts:,} restarts of {len(ks):,} values of K are more. "
                "Use fewer, or make several studies."
            )
        checked = {
            "k": ks,
            "restarts": restarts,
            "max_iter": _whole("max_iter", self.max_iter, 1),
            "init": None if self.init is None else _init(self.init, ks, restarts),
            "tol": _tol(self.tol),
            "train": None if self.train is None else _train(self.train),
            "seed": _whole("seed", self.seed, 0),
            "threads": None if self.threads is None else _whole("threads", self.threads, 1),
            "val": _val(self.val),
            "scale": _scale(self.scale),
            "features": None if self.features is None else features_of(self.features),
            "refine": _refine(self.refine),
            "refine_steps": None if self.refine_steps is None else _whole("refine_steps", self.refine_steps, 1),
        }
        if self.refine == "none" and self.refine_steps is not None:
            raise PlanError(f"refine_steps needs {option('refine', 'breathing')}.")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def ks(self) -> tuple[int, ...]:
        """The numbers of clusters, ascending."""
        return cast("tuple[int, ...]", self.k)

    @property
    def keys(self) -> tuple[tuple[int, int], ...]:
        """The runs, (K, restart), in the order of the record."""
        return tuple((k, restart) for k in self.ks for restart in range(self.restarts))

    def plan(self) -> dict[str, Any]:
        """The plan in types of JSON, as in `study.json`. Given starts appear as their digest.

        Features are not part of the plan: they belong to the data.
        """
        init = self.init if isinstance(self.init, str | None) else f"given:{_digest_of_starts(self.init)}"
        return {
            **({} if self.val is None else {"val": self.val}),
            **({} if self.scale == "none" else {"scale": self.scale}),
            **({} if self.refine == "none" else {"refine": self.refine}),
            **({} if self.refine_steps is None else {"refine_steps": self.refine_steps}),
            "k": list(self.ks),
            "restarts": self.restarts,
            "max_iter": self.max_iter,
            "init": init,
            "tol": self.tol,
            "train": self.train,
            "seed": self.seed,
        }

    def settled(self, images: Images, *, on_cluster: bool = False) -> Self:
        """The plan with its training part and its starts decided, if the plan leaves them open.

        Parameters
        ----------
        images
            The images of the study. They decide the training part.
        on_cluster
            Whether the points are on a cluster. It decides the starts: see `usual_init`.
        """
        from steinhaus.images.splitting import usual_train, usual_val

        init = usual_init(images, on_cluster=on_cluster) if self.init is None else self.init
        train = usual_train(images) if self.train is None else self.train
        val = usual_val(images) if self.val is None and train == "given" and images.given_val else self.val
        return replace(self, train=cast("float | int | Literal['given']", train), val=val, init=cast(Any, init))

    def digest(self, images: Images) -> str:
        """The digest of this plan on these images: 64 hexadecimal digits, the same for the same result.

        Parameters
        ----------
        images
            The images of the study.
        """
        if self.train is None or self.init is None:
            return self.settled(images).digest(images)
        of_images, of_vectors = _digests(images)
        data: dict[str, Any] = {
            "sha256": of_images,
            "full_scale": float(images.full_scale),
            "given_train": images.given_train if self.train == "given" else None,
            **({"given_val": images.given_val} if self.val is not None else {}),
        }
        if (vectors := images.features) is not None:
            data["features"] = {"sha256": of_vectors, "steps": list(vectors.steps), "unit": float(vectors.unit)}
        return hashlib.sha256(canonical({"plan": self.plan(), "data": data})).hexdigest()

    def folder(self, images: Images) -> Path:
        """The default folder of the study: studies/<source>-<8 digits of the digest>.

        Parameters
        ----------
        images
            The images of the study.
        """
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", images.name).strip(".-") or "images"
        return Path("studies") / f"{name}-{self.digest(images)[:8]}"


def usual_init(images: Images, *, on_cluster: bool) -> str:
    """The start if none is given: "k-means||" for images on disk or on a cluster, else "random"."""
    return "k-means||" if on_cluster or is_stored(images.points) else "random"


def _digests(images: Images) -> tuple[str, str | None]:
    """The digests of the pictures and of their vectors, on two threads: of large ones they take a while."""
    if images.features is None:
        return images.sha256, None

    def ahead() -> None:
        with suppress(Exception):  # it is raised where the digest is asked for
            _ = images.sha256

    thread = Thread(target=ahead, daemon=True)  # which nobody waits for after an interrupt
    thread.start()
    of_vectors = images.features.sha256
    thread.join()
    return images.sha256, of_vectors


def _whole(name: str, value: object, least: int) -> int:
    try:
        number = operator.index(cast(Any, value))
    except TypeError:
        number = None
    if number is None or isinstance(value, bool | np.bool_) or number < least:
        raise PlanError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return number


def _real(name: str, value: object) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number) or np.iscomplexobj(value):
        raise PlanError(f"{name} must be a number, not {value!r}.")
    try:
        return float(value)
    except OverflowError:
        raise PlanError(f"{name} must be a number that float64 can hold, not {str(value)[:40]}...") from None


def _ks(values: object) -> tuple[int, ...]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise PlanError(f"k must be a list of whole numbers, such as (5, 7, 10, 12), not {values!r}.")
    ks = tuple(sorted({_whole("Every K", value, 1) for value in values}))
    if not ks:
        raise PlanError("k must have at least one number of clusters, but it is empty.")
    return ks


def _tol(value: object) -> float:
    tol = _real("tol", value)
    if not (math.isfinite(tol) and tol >= 0):
        raise PlanError(f"tol must be a finite number of at least 0, not {value!r}.")
    return tol


def _train(value: object) -> float | int | str:
    if isinstance(value, str):
        if value == "given":
            return value
        raise PlanError(f'train must be a share, a count, or "given" for the source\'s own split, not {value!r}.')
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return _whole("train, as a count,", value, 1)
    share = _real("train", value)
    if not 0 < share <= 1:
        raise PlanError(f"train, as a share of the images, must be above 0 and at most 1, not {value!r}.")
    return share


def _val(value: Any) -> str | None:
    if value is None or value in ("join", "leave", "test"):
        return value  # type: ignore[no-any-return]
    raise PlanError(f'val must be "join", "leave" or "test", not {value!r}.')


def _scale(value: Any) -> str:
    if value in ("none", "standard", "minmax"):
        return value  # type: ignore[no-any-return]
    raise PlanError(f'scale must be "none", "standard" or "minmax", not {value!r}.')


def _refine(value: Any) -> str:
    if value in ("none", "breathing"):
        return value  # type: ignore[no-any-return]
    raise PlanError(f'refine must be "none" or "breathing", not {value!r}.')


def _init(value: object, ks: tuple[int, ...], restarts: int) -> str | dict[int, tuple[NDArray[np.float64], ...]]:
    names = ", ".join(f'"{name}"' for name in SEEDINGS)
    if isinstance(value, str):
        if value in SEEDINGS:
            return value
        raise PlanError(f"init must be {names} or a mapping from K to start arrays, not {value!r}.")
    if not isinstance(value, Mapping):
        raise PlanError(
            f"init must be {names} or a mapping from K to start arrays, not of type {type(value).__name__}."
        )
    if set(value) != set(ks):
        raise PlanError(
            f"init must give starts for every K of the plan, {list(ks)}, but it has them for {list(value)}."
        )
    return {k: _starts_of(k, value[k], restarts) for k in ks}


def _starts_of(k: int, arrays: Any, restarts: int) -> tuple[NDArray[np.float64], ...]:
    try:
        arrays = list(arrays)
    except TypeError:
        raise PlanError(f"init must give a list of arrays for K = {k}, not {arrays!r}.") from None
    if len(arrays) != restarts:
        raise PlanError(
            f"init must give one start array for each of {restarts} restarts, but K = {k} has {len(arrays)}. "
            f"Set restarts to the number of arrays."
        )
    return tuple(_start(k, restart, array) for restart, array in enumerate(arrays))


def _start(k: int, restart: int, array: object) -> NDArray[np.float64]:
    where = f"The start of K = {k}, restart {restart},"
    try:
        given = np.asarray(array)
    except ValueError:
        raise PlanError(f"{where} must be an array of numbers, but its rows have different lengths.") from None
    if given.dtype.kind not in "fiu":
        raise PlanError(f"{where} must be an array of real numbers, but its type is {given.dtype}.")
    start = given.astype(np.float64)
    if start.ndim < 2 or len(start) != k:
        raise PlanError(f"{where} must have the shape ({k}, d), but it has {start.shape}.")
    if not np.isfinite(start).all():
        raise PlanError(f"{where} must be finite, but it holds NaN or infinity.")
    start = start.reshape(k, -1) + 0.0  # -0.0 becomes 0.0, also in the digest
    start.setflags(write=False)
    return start


def _digest_of_starts(starts: Starts) -> str:
    sha = hashlib.sha256()
    for k in sorted(starts):
        for start in starts[k]:
            array = np.asarray(start)
            sha.update(f"{array.shape}".encode())
            sha.update(array.astype("<f8").tobytes())
    return sha.hexdigest()
