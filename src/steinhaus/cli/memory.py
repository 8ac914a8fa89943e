"""The message when memory has run out: how much is free, and what would fit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from steinhaus.resources import free_memory

if TYPE_CHECKING:
    from steinhaus.images import Images
    from steinhaus.study import Study

DIRECTIONS = 64  # most float32 numbers that the engine keeps per image, besides products with centroids
SHARE = 0.8  # of the free memory; the rest is for everything else


def advice() -> str:
    """The free memory and the way out, in a sentence or two."""
    from steinhaus.images.limits import size_text

    left = free_memory()
    told = "" if left is None else f"About {size_text(left)} of memory are free. "
    return f"{told}Use a smaller source, or free some memory."


def what_would_fit(study: Study, images: Images, at_first: int | None) -> str:
    """The number of images that would fit into the memory that was free before they were opened."""
    from steinhaus.images.limits import size_text

    if at_first is None:
        return advice()
    left, each = max(0, at_first - images.pixels.nbytes), per_image(study, images)
    told = (
        f"Beside the images, about {size_text(left)} of memory are free, and each training image takes "
        f"{size_text(each)}."
    )
    fitting = min(images.n - 1, int(left * SHARE) // each)
    if fitting >= max(study.ks):
        return f"{told} About {fitting:,} of {images.n:,} would fit: --train {fitting}. Or ask for fewer runs."
    return f"{told} Ask for fewer runs (--k, --restarts), or free some memory."


def per_image(study: Study, images: Images) -> int:
    """Bytes per training image besides the source: its copy, labels, and products with centroids."""
    runs, clusters = len(study.keys), study.restarts * sum(study.ks)
    return math.prod(images.shape) * int(images.pixels.itemsize) + 4 * (runs + clusters + DIRECTIONS)
