"""How pictures enter a network: their size, and the scale of their values.

A text such as "224x224 imagenet": the size, width x height, and a scale by its name or as "mean=R,G,B std=R,G,B" of
values in 0..1. A network may carry such a text itself, in its metadata under the key `steinhaus.input`.
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

# Mean and standard deviation by which networks were trained, of values in 0..1.
SCALES: dict[str, tuple[Triple, Triple]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "0..1": ((0.0,), (1.0,)),
    "-1..1": ((0.5,), (0.5,)),
    "0..255": ((0.0,), (1 / 255,)),
}


@dataclass(frozen=True)
class ModelInput:
    """What is known of it; None: nothing is said."""

    size: tuple[int, int] | None = None  # height, width
    mean: Triple | None = None
    std: Triple | None = None

    def over(self, other: ModelInput) -> ModelInput:
        """Say the same, and what the other says where this says nothing."""
        scale = self if self.mean is not None else other
        return ModelInput(self.size or other.size, scale.mean, scale.std)

    @property
    def text(self) -> str:
        """The same as a text."""
        words = [] if self.size is None else [f"{self.size[1]}x{self.size[0]}"]
        if self.mean is not None and self.std is not None:
            mean, std = (",".join(f"{value:.9g}" for value in values) for values in (self.mean, self.std))
            words += [f"mean={mean}", f"std={std}"]
        return " ".join(words)


def parsed(text: str) -> ModelInput:
    """What a text says.

    Raises
    ------
    PlanError
        A word of it is none of these.

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
        f"{option('model_input', repr(text))}: {why}. Write the size and the scale, as in 224x224 imagenet; scales are "
        f"{', '.join(SCALES)}, or mean=R,G,B std=R,G,B."
    )


def entered(pictures: NDArray[Any], full_scale: float, channels: int, how: ModelInput) -> NDArray[np.float32]:
    """Pictures (n, h, w) or (n, h, w, c) as a network takes them, (n, height, width, channels) float32.

    They become 8-bit pictures, grey or in colour as the network asks, are brought to its size by Pillow's bicubic
    filter, and then to its scale.
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
