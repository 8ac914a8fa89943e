"""Which features are asked for, and what is to be done with them."""

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
        "pixels"; "pca:N", the N first principal components of the pixels; "hog" or "hog:C", histograms of oriented
        gradients in cells of C x C pixels; "colour" or "colour:N", mean colours of N x N cells; "given", the vectors
        that the source holds beside its pictures; a path to a file of vectors or to an ONNX network; or an array,
        (n, d).
    normalise
        Bring every vector to unit length.
    standardise
        Bring every value to mean 0 and standard deviation 1, as the training part has it.
    pca
        Keep so many principal components, as the training part has them. The steps are taken in this order.
    model_input
        Of a network: the size of its input and the scale of its values, as in "224x224 imagenet"; see `model_input`.
    model_output
        Of a network: the name of its output, and of an output of tokens which one: "last_hidden_state[0]", or "[mean]".

    Raises
    ------
    PlanError
        A value is out of its range.

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
                raise PlanError(f"features must be {KINDS}; it is empty.")
            if (word := _WORD.fullmatch(self.what)) is not None:
                self._check_word(word[1], word[2])
        if self.pca is not None:
            object.__setattr__(self, "pca", _components(self.pca))
        if self.kind != "model":
            for name in ("model_input", "model_output"):
                if (value := getattr(self, name)) is not None:
                    raise PlanError(f"{option(name, repr(value))} is for a network, and the features are {self.name}.")

    def _check_word(self, word: str, number: str | None) -> None:
        if word == "pca" and number is None:
            raise PlanError("pca needs the number of its components, as in pca:50.")
        if word in ("pixels", "given") and number is not None:
            raise PlanError(f"{word} takes no number; it is {self.what!r}.")
        if number is not None and int(number) < 1:
            raise PlanError(f"The number of {self.what!r} must be at least 1.")

    @property
    def kind(self) -> str:
        """pixels, hog, colour, given, array, file or model: of what the vectors are made, before the steps."""
        if not isinstance(self.what, str | os.PathLike):
            return "array"
        if isinstance(self.what, str) and (word := _WORD.fullmatch(self.what)) is not None:
            return {"pca": "pixels", "color": "colour"}.get(word[1], word[1])
        return "model" if Path(self.what).suffix.lower() == ".onnx" else "file"

    @property
    def number(self) -> int | None:
        """The number behind the word; None without one, or where it is that of principal components."""
        word = _WORD.fullmatch(self.what) if isinstance(self.what, str) else None
        return None if word is None or word[2] is None or word[1] == "pca" else int(word[2])

    @property
    def name(self) -> str:
        """What to call them: the word, or the name of the file."""
        if self.kind == "array":
            return "array"
        return Path(self.what).name if self.kind in ("file", "model") else str(self.what)

    @property
    def steps(self) -> tuple[str, ...]:
        """What is done with the vectors, in order."""
        first = (str(self.what),) if self.kind == "pixels" and str(self.what).startswith("pca:") else ()
        asked = [("normalise", self.normalise), ("standardise", self.standardise)]
        steps = [*first, *(name for name, wanted in asked if wanted)]
        return (*steps, *([] if self.pca is None else [f"pca:{self.pca}"]))

    @property
    def typed(self) -> dict[str, Any]:
        """The options of the command, without those that say nothing."""
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
    """What was asked for in short, as `Features`."""
    return asked if isinstance(asked, Features) else Features(asked)


def _components(value: object) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise PlanError(f"pca must be a whole number of components, at least 1; it is {value!r}.")
    return number
