"""Draw a few images with characters, on terminals with colours."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from steinhaus.cli.words import columns

if TYPE_CHECKING:
    from steinhaus.images import Images

SHOWN = 6
_TALLEST = 24  # pixels per drawn image; a line shows two


def can_draw() -> bool:
    """Whether standard output is a terminal that shows colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def drawn(images: Images) -> str:
    """Images from the whole set, side by side, as lines of upper half blocks: two pixels per character."""
    import numpy as np

    rows = np.unique(np.linspace(0, images.n - 1, SHOWN).round().astype(np.int64))
    side = max(4, min(_TALLEST, columns(sys.stdout) // len(rows) - 1))
    small = [_small(images.pixels[row], images.full_scale, side) for row in rows.tolist()]
    lines = []
    for top in range(0, small[0].shape[0], 2):
        pairs = (zip(one[top], one[min(top + 1, len(one) - 1)], strict=True) for one in small)
        lines.append(" ".join("".join(_cell(*pair) for pair in pair_row) + "\x1b[0m" for pair_row in pairs))
    return "\n".join(lines)


def _small(pixels: Any, full_scale: float, side: int) -> Any:
    """An image as (h, w, 3) bytes, whose longer side is at most `side`."""
    import numpy as np
    from PIL import Image

    scaled = np.clip(pixels.astype(np.float64) * (255 / full_scale), 0, 255).round().astype(np.uint8)
    picture = Image.fromarray(scaled[..., :3] if scaled.ndim == 3 else scaled).convert("RGB")
    picture.thumbnail((side, side))
    return np.asarray(picture)


def _cell(upper: Any, lower: Any) -> str:
    return "\x1b[38;2;{};{};{}m\x1b[48;2;{};{};{}m▀".format(*upper.tolist(), *lower.tolist())
