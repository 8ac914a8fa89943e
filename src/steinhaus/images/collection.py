"""A collection of images."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.features.space import Vectors
from steinhaus.images.labels import Int64, encode
from steinhaus.images.pixels import as_pixels, check_given_train, scale_of, shape_text
from steinhaus.images.splitting import Split, Train, Val, split
from steinhaus.images.stored import StoredPixels


@dataclass(frozen=True)
class Skipped:
    """A file that was not read as an image, and the reason."""

    file: str  # relative to the folder
    reason: str


@dataclass(frozen=True)
class Beside:
    """Vectors that a source holds beside its pictures. They are read when you ask for them."""

    name: str  # the column or the file
    read: Callable[[], Any]  # (n, d)


@dataclass(frozen=True, eq=False, repr=False)
class Images:
    """Images of one shape, with or without labels. `open_images` and `Images.from_arrays` make and check them.

    Attributes
    ----------
    pixels
        (n, h, w), (n, h, w, c) or, for plain vectors, (n, d); uint8, float32 or float64, in C order, read-only. If the
        set stays on disk: a `stored.StoredPixels`, which has a shape and a dtype and reads single images by number.
    labels
        (n,) int64, indices into `label_names`; None if there are no labels.
    label_names
        The labels as text, integers in order of value, others in order of text; None if there are no labels.
    name
        "mnist", or the name of the file or folder.
    full_scale
        The pixel value that counts as 1 in inertia and centroids.
    given_train, given_val
        Sizes of the source's own training and validation parts: the first `given_train` images train, the next
        `given_val` validate. None and 0 if the source has no split.
    usual_train
        The training part of the set's published study, the default of a study of this set; None if none is known.
    files
        The file of each image in a folder of pictures: its path within the folder, with forward slashes. None for other
        sources.
    skipped
        Files of a folder of pictures that could not be read, with reasons.
    licence, source
        Licence terms and origin, if known; else None.
    columns
        The column names of a table of numbers; None for other sources.
    notes
        Sentences that say what was left out, joined or assumed when the source was read.
    features
        The vectors to cluster instead of the pixels; None: cluster the pixels.
    beside
        Vectors that the source holds beside its pictures; None if it holds none.
    weights
        (n,) float64, the weight of each image in training, at least 0; None: every image has weight 1.

    Examples
    --------
    >>> images = Images.from_arrays(np.zeros((4, 8, 8), np.uint8))
    >>> images.n, images.shape, images.full_scale
    (4, (8, 8), 255.0)
    """

    pixels: Any  # Pixels | StoredPixels
    labels: Int64 | None = None
    label_names: tuple[str, ...] | None = None
    name: str = "images"
    full_scale: float = 255.0
    given_train: int | None = None
    files: tuple[str, ...] | None = None
    skipped: tuple[Skipped, ...] = ()
    licence: str | None = None
    source: str | None = None
    given_val: int = 0
    usual_train: Train | None = None
    columns: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    features: Vectors | None = None
    beside: Beside | None = None
    weights: NDArray[np.float64] | None = None

    @classmethod
    def from_arrays(
        cls,
        pixels: Any,
        labels: Any = None,
        *,
        label_names: Sequence[str] | None = None,
        name: str = "array",
        shape: tuple[int, ...] | None = None,
        full_scale: float | None = None,
        given_train: int | None = None,
        files: Sequence[str] | None = None,
        skipped: Sequence[Skipped] = (),
        licence: str | None = None,
        source: str | None = None,
        given_val: int = 0,
        usual_train: Train | None = None,
        columns: Sequence[str] | None = None,
        notes: Sequence[str] = (),
        weights: Any = None,
    ) -> Images:
        """Make a collection from arrays. Arrays of uint8, float32 or float64 in C order are not copied.

        Parameters
        ----------
        pixels
            (n, h, w), (n, h, w, c) with 1, 3 or 4 channels, or (n, d). Stored as uint8, float32 or float64: other
            integers become uint8 if all are 0..255, else floats; booleans become 0 and 1.
        labels
            (n,) integers or names. Default: no labels.
        label_names
            Names of the classes. If given, `labels` are indices into these. Default: names come from `labels`.
        name
            The name of the collection. Default "array".
        shape
            The shape of one image, such as (28, 28). Rows are reshaped to it. Default: the shape that the array has.
        full_scale
            The pixel value that counts as 1. Default: 255 for uint8, 65535 for wider integers of that range, 1 for
            floats and booleans.
        weights
            (n,) the weight of each image in training, at least 0. Default: every image has weight 1.
        given_train, given_val, usual_train, files, skipped, licence, source, columns, notes
            The attributes of the same names, for readers. Default: none.

        Raises
        ------
        DataError
            If the arrays are not images, or labels do not belong to them.

        Examples
        --------
        >>> images = Images.from_arrays(np.zeros((4, 8, 8), np.uint8), ["cat", "dog", "cat", "dog"])
        >>> images.label_names, images.labels.tolist()
        (('cat', 'dog'), [0, 1, 0, 1])
        """
        checked, usual = as_pixels(pixels, name, shape)
        scale = scale_of(full_scale, usual, name)
        check_given_train(given_train, len(checked), name, given_val)
        if columns is not None and len(columns) != math.prod(checked.shape[1:]):
            raise DataError(f"{name}: there are {len(columns):,} column names for {checked.shape[1]:,} columns.")
        if files is not None and len(files) != len(checked):
            raise DataError(f"{name}: there are {len(files):,} file names for {len(checked):,} images.")
        indices, names = (None, None) if labels is None else encode(labels, len(checked), name, label_names)
        return cls(
            pixels=_read_only(checked),
            labels=None if indices is None else _read_only(indices),
            label_names=names,
            name=name,
            full_scale=scale,
            given_train=given_train,
            files=None if files is None else tuple(files),
            skipped=tuple(skipped),
            licence=licence,
            source=source,
            given_val=given_val,
            usual_train=usual_train,
            columns=None if columns is None else tuple(columns),
            notes=tuple(notes),
            weights=None if weights is None else _read_only(checked_weights(weights, len(checked), name)),
        )

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.pixels)

    def __len__(self) -> int:
        return self.n

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image: (h, w), (h, w, c) or (d,)."""
        shape: tuple[int, ...] = self.pixels.shape[1:]
        return shape

    @property
    def is_image(self) -> bool:
        """Whether these are images, and not plain vectors."""
        return len(self.shape) > 1

    @property
    def rows(self) -> Any:
        """The images as points, (n, d): a view, not a copy. Pixels on disk stay on disk."""
        return self.pixels.reshape(self.n, -1)

    @property
    def points(self) -> Any:
        """The points to cluster, (n, d): the features before any step, or else the pixels."""
        return self.rows if self.features is None else self.features.values

    @cached_property
    def sha256(self) -> str:
        """The digest of shape, dtype, pixels, labels and label names. It is the same on every machine."""
        dtype = self.pixels.dtype.newbyteorder("<")
        head = {"shape": self.pixels.shape, "dtype": dtype.str, "label_names": self.label_names}
        digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
        stretches = self.pixels.stretches() if isinstance(self.pixels, StoredPixels) else [self.pixels]
        for stretch in stretches:
            digest.update(stretch.astype(dtype, copy=False).reshape(-1).view(np.uint8).data)
        if self.labels is not None:
            digest.update(self.labels.astype("<i8", copy=False).view(np.uint8).data)
        if self.weights is not None:
            digest.update(b"weights" + self.weights.astype("<f8").tobytes())
        return digest.hexdigest()

    def take(self, rows: Int64) -> Images:
        """The images of these rows, in this order, as a new collection.

        Parameters
        ----------
        rows
            (m,) int64, row numbers from 0.
        """
        files = self.files
        return replace(
            self,
            pixels=self.pixels.taken(rows) if isinstance(self.pixels, StoredPixels) else _read_only(self.pixels[rows]),
            labels=None if self.labels is None else _read_only(self.labels[rows]),
            weights=None if self.weights is None else _read_only(self.weights[rows]),
            files=None if files is None else tuple(files[row] for row in rows.tolist()),
            given_train=None,
            given_val=0,
            usual_train=None,
            skipped=(),
            notes=(),
            features=None if self.features is None else self.features.take(rows),
            beside=None,
        )

    def split(self, train: float | int | str | None = None, seed: int = 0, val: Val | None = None) -> Split:
        """Split into a training and a test part.

        Parameters
        ----------
        train
            A fraction (float, 0 < train <= 1), a count (int), or "given" for the source's own split. A fraction of n
            images is train x n, rounded down in exact decimal arithmetic: 0.6 of 70,000 is 42,000. If all images train,
            there is no test part. Default: the share of the set's published study, if known; else the source's own
            split, if it has one; else 0.8 if there are labels, and all images if not.
        seed
            Seed of the shuffle that chooses the training images. Default 0. Nothing is shuffled for the source's own
            split, or if all images train.
        val
            What to do with the validation part of the source's own split: "join" it to the training part, "leave" it
            out, or add it to the "test" part. Default: "join", or "test" if the source has no test part.

        Raises
        ------
        PlanError
            If `train` or `val` is none of these, or leaves no image to train on.
        """
        return split(self, train, seed, val)

    def __repr__(self) -> str:
        labels = "no labels" if self.label_names is None else f"{len(self.label_names)} labels"
        return f"Images({self.name!r}: {self.n:,} of {shape_text(self.shape)}, {self.pixels.dtype}, {labels})"


def checked_weights(weights: Any, n: int, name: str) -> NDArray[np.float64]:
    """Weights as float64, (n,); DataError if they are not valid weights."""
    values = np.asarray(weights)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.shape != (n,):
        raise DataError(
            f"{name}: there must be one weight per image, ({n:,},), but the weights have shape {values.shape}."
        )
    if values.dtype.kind not in "biuf":
        raise DataError(f"{name}: weights must be numbers, but have dtype {values.dtype}.")
    found: NDArray[np.float64] = values.astype(np.float64)
    bad = np.flatnonzero(~(np.isfinite(found) & (found >= 0)))
    if len(bad) or not found.any():
        one = f"the weight of image {bad[0]} is {found[bad[0]]:g}" if len(bad) else "all are 0"
        raise DataError(f"{name}: weights must be finite, at least 0, and not all 0; {one}.")
    return found


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    # in: array (n, ...)
    view = array.view()
    view.flags.writeable = False
    return view
