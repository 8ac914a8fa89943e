"""The features that a user asks for, and the steps that follow."""

from __future__ import annotations

import operator
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steinhaus.errors import PlanError
from steinhaus.wording import option

KINDS = "pixels, pca:N, hog, colour, given, a file of vectors (.npy, .npz, Parquet, Zarr), or a network (.onnx)"
_WORD = re.compile(r"(pixels|pca|hog|colour|color|given)(?::([0-9]{1,9}))?")


@dataclass(frozen=True, eq=False)
class Features:
    """The features to cluster, and the steps that follow.

    Parameters
    ----------
    what
        The features: "pixels" (default); "pca:N", the first N principal components of the pixels; "hog" or "hog:C",
        histograms of oriented gradients in cells of C x C pixels; "colour" or "colour:N", mean colours of N x N cells;
        "given", the vectors that the source holds beside its pictures; a path to a file of vectors or to an ONNX
        network; or an array, (n, d).
    normalise
        Whether to scale every vector to length 1. Default False.
    standardise
        Whether to scale every value to mean 0 and standard deviation 1, measured on the training part. Default False.
    pca
        The number of principal components to keep, computed on the training part. Default: no reduction. Steps run in
        the order of these parameters.
    model_input
        For a network: the size of its input and the scale of its values, such as "224x224 imagenet". Default: as the
        file says.
    model_output
        For a network: the name of its output. If the output is tokens, also which one: "last_hidden_state[0]", or
        "last_hidden_state[mean]". Default: the only output that is a vector.

    Raises
    ------
    PlanError
        If a value is out of its range.

    Examples
    --------
    >>> Features("pca:50").steps, Features("dino.onnx", normalise=True, pca=20).steps
    (('pca:50',), ('normalise', 'pca:20'))
    """

    what: Any = "pixels"
    normalise: bool = False
    standardise: bool = False
    pca: int | None = None
    model_input: str | None = None
    model_output: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.what, str):
            if not self.what.strip():
                raise PlanError(f"features is empty, but must be {KINDS}.")
            if (word := _WORD.fullmatch(self.what)) is not None:
                self._check_word(word[1], word[2])
        if self.pca is not None:
            object.__setattr__(self, "pca", _components(self.pca))
        if self.kind != "model":
            for name in ("model_input", "model_output"):
                if (value := getattr(self, name)) is not None:
                    raise PlanError(f"{option(name, repr(value))} is for a network, but the features are {self.name}.")

    def _check_word(self, word: str, number: str | None) -> None:
        if word == "pca" and number is None:
            raise PlanError("pca needs a number of components, such as pca:50.")
        if word in ("pixels", "given") and number is not None:
            raise PlanError(f"{word} takes no number, but you gave {self.what!r}.")
        if number is not None and int(number) < 1:
            raise PlanError(f"The number of {self.what!r} must be at least 1.")

    @property
    def kind(self) -> str:
        """The kind of the vectors before the steps: pixels, hog, colour, given, array, file or model."""
        if not isinstance(self.what, str | os.PathLike):
            return "array"
        if isinstance(self.what, str) and (word := _WORD.fullmatch(self.what)) is not None:
            return {"pca": "pixels", "color": "colour"}.get(word[1], word[1])
        return "model" if Path(self.what).suffix.lower() == ".onnx" else "file"

    @property
    def number(self) -> int | None:
        """The number after the word; None if there is none, or if it counts principal components."""
        word = _WORD.fullmatch(self.what) if isinstance(self.what, str) else None
        return None if word is None or word[2] is None or word[1] == "pca" else int(word[2])

    @property
    def name(self) -> str:
        """The name of the features: the word, or the name of the file."""
        if self.kind == "array":
            return "array"
        return Path(self.what).name if self.kind in ("file", "model") else str(self.what)

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that follow, in order."""
        first = (str(self.what),) if self.kind == "pixels" and str(self.what).startswith("pca:") else ()
        asked = [("normalise", self.normalise), ("standardise", self.standardise)]
        steps = [*first, *(name for name, wanted in asked if wanted)]
        return (*steps, *([] if self.pca is None else [f"pca:{self.pca}"]))

    @property
    def typed(self) -> dict[str, Any]:
        """The options of the command, without defaults."""
        options = {
            "features": self.name if self.kind == "array" else str(self.what),
            "normalise": self.normalise or None,
            "standardise": self.standardise or None,
            "pca": self.pca,
            "model_input": self.model_input,
            "model_output": self.model_output,
        }
        return {name: value for name, value in options.items() if value is not None}


def features_of(asked: Any) -> Features:
    """`Features` from a word, a path or an array."""
    return asked if isinstance(asked, Features) else Features(asked)


def _components(value: object) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise PlanError(f"pca must be a whole number of components, at least 1, not {value!r}.")
    return number
