"""The input of a network: the size of pictures, and the scale of their values.

A text such as "224x224 imagenet" gives the size, width x height, and the scale: a name, or "mean=R,G,B std=R,G,B" for
values in 0..1. A network may carry such a text in its metadata, under the key `steinhaus.input`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import PlanError
from steinhaus.wording import option

KEY = "steinhaus.input"  # in a network's metadata
Triple = tuple[float, ...]

# The mean and standard deviation with which networks were trained, for values in 0..1.
SCALES: dict[str, tuple[Triple, Triple]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "0..1": ((0.0,), (1.0,)),
    "-1..1": ((0.5,), (0.5,)),
    "0..255": ((0.0,), (1 / 255,)),
}


@dataclass(frozen=True)
class ModelInput:
    """The known size and scale of an input; None: unknown."""

    size: tuple[int, int] | None = None  # height, width
    mean: Triple | None = None
    std: Triple | None = None

    def over(self, other: ModelInput) -> ModelInput:
        """The same input, with unknown values taken from the other one."""
        scale = self if self.mean is not None else other
        return ModelInput(self.size or other.size, scale.mean, scale.std)

    @property
    def text(self) -> str:
        """The input as a text."""
        words = [] if self.size is None else [f"{self.size[1]}x{self.size[0]}"]
        if self.mean is not None and self.std is not None:
            mean, std = (",".join(f"{value:.9g}" for value in values) for values in (self.mean, self.std))
            words += [f"mean={mean}", f"std={std}"]
        return " ".join(words)


def parsed(text: str) -> ModelInput:
    """The input that a text describes.

    Raises
    ------
    PlanError
        If a word is neither a size nor a scale.

    Examples
    --------
    >>> parsed("224x224 -1..1")
    ModelInput(size=(224, 224), mean=(0.5,), std=(0.5,))
    """
    size: tuple[int, int] | None = None
    mean: Triple | None = None
    std: Triple | None = None
    for word in text.split():
        if sides := re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", word):
            size = (int(sides[2]), int(sides[1]))
        elif word in SCALES:
            mean, std = SCALES[word]
        elif word.startswith("mean="):
            mean = _numbers(word[5:], text)
        elif word.startswith("std="):
            std = _numbers(word[4:], text)
        else:
            raise _refused(text, f"{word!r} is neither a size nor a scale")
    if size is not None and min(size) < 1:
        raise _refused(text, "a side is at least 1")
    if mean is not None or std is not None:
        mean, std = mean or (0.0,), std or (1.0,)
        if min(std) <= 0:
            raise _refused(text, "std must be above 0")
    return ModelInput(size, mean, std)


def _numbers(text: str, whole: str) -> Triple:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise _refused(whole, f"{text!r} holds no numbers") from None
    if len(found) not in (1, 3) or not np.isfinite(found).all():
        raise _refused(whole, f"{text!r} must be one number, or one for each of red, green and blue")
    return found


def _refused(text: str, why: str) -> PlanError:
    return PlanError(
        f"{option('model_input', repr(text))}: {why}. Write the size and the scale, such as 224x224 imagenet. The "
        f"scales are {', '.join(SCALES)}, or mean=R,G,B std=R,G,B."
    )


def entered(pictures: NDArray[Any], full_scale: float, channels: int, how: ModelInput) -> NDArray[np.float32]:
    """Pictures (n, h, w) or (n, h, w, c) as input of a network, (n, height, width, channels) float32.

    They become 8-bit pictures, grey or colour as the network needs. Pillow's bicubic filter brings them to its size;
    then they are scaled.
    """
    from PIL import Image

    shown = pictures[..., :3] if pictures.ndim == 4 else pictures
    if shown.dtype != np.uint8 or full_scale != 255:
        shown = np.clip(np.rint(shown.astype(np.float64) * (255 / full_scale)), 0, 255).astype(np.uint8)
    height, width = how.size or shown.shape[1:3]
    mode = "L" if channels == 1 else "RGB"
    out = np.empty((len(shown), height, width, channels), np.float32)
    for row, each in enumerate(shown):
        picture = Image.fromarray(each)
        picture = picture if picture.mode == mode else picture.convert(mode)
        if picture.size != (width, height):
            picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        out[row] = np.asarray(picture, np.float32).reshape(height, width, channels)
    mean, std = np.array(how.mean or (0.0,)), np.array(how.std or (1.0,))
    if channels == 1:
        mean, std = mean.mean(), std.mean()
    return np.asarray((out / np.float32(255) - mean) / std, np.float32)
