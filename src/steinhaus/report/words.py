"""Numbers and names in a form for people."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise

LONGEST_NAME = 120  # most characters of a name that are shown
_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: object) -> str:
    """A name from a user, made safe to show: one line of limited length, without invisible or reordering characters.

    Control characters, line and paragraph separators, direction marks and halves of surrogate pairs (Python's form of
    bytes that are not UTF-8) are written out, such as ``<U+202E>``.
    """
    raw = str(text)
    shown = "".join(_visible(c) for c in raw[:LONGEST_NAME])
    return shown if len(raw) <= LONGEST_NAME else f"{shown}… ({len(raw):,} characters)"


def spelt(text: str) -> str:
    """The same name of any length, without invisible or reordering characters."""
    return "".join(_visible(c) for c in text)


def _visible(c: str) -> str:
    if c in _BIDI or unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp"):
        return f"<U+{ord(c):04X}>"
    return c


def isolated(name: str) -> str:
    """A name for the middle of a sentence, isolated if it is written from right to left (Unicode's FSI and PDI)."""
    turns = any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in name)
    return f"\u2068{name}\u2069" if turns else name


def is_wide(name: str) -> bool:
    """Whether a name is wider than two letters. East Asian letters count twice."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in name) > 2


def brief(name: str, longest: int = 12) -> str:
    """A shortened name."""
    return name if len(name) <= longest else name[: longest - 1] + "…"


def count(n: int) -> str:
    """12345 -> 12,345."""
    return f"{n:,}"


def share(x: float | None, digits: int = 0) -> str:
    """0.5869 -> 59 %, with a no-break thin space before the sign; a dash if there is no figure."""
    return "–" if x is None or math.isnan(x) else f"{100 * x:.{digits}f}\u202f%"


def gain(x: float) -> str:
    """A decrease as a share: 0.00203 -> 0.20 %; one that would be 0.00 % is below 0.01 %."""
    return f"less than {share(1e-4, 2)}" if 0 < x < 5e-5 else share(x, 2)


def number(x: float | None, digits: int = 4) -> str:
    """A plain figure with a fixed number of decimals; a dash if there is none."""
    return "–" if x is None or math.isnan(x) else f"{x:,.{digits}f}"


def inertia(x: float, digits: int = 8) -> str:
    """Inertia with its significant digits: 1645926.690 -> 1,645,926.7."""
    magnitude = math.floor(math.log10(abs(x))) if x else 0
    return f"{x:,.{min(max(digits - 1 - magnitude, 0), 6)}f}"


def duration(seconds: float) -> str:
    """A time in a suitable unit."""
    if seconds < 1:
        return f"{1000 * seconds:.0f}\u202fms"
    if seconds < 120:
        return f"{seconds:.1f}\u202fs"
    return f"{seconds / 60:.1f}\u202fmin"


def listing(items: Iterable[object], last: str = "and") -> str:
    """[5, 7, 10] -> "5, 7 and 10"."""
    words = [str(i) for i in items]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""


def ks(values: Sequence[int]) -> str:
    """The values of K of a study. A long regular list is shortened: "2 to 40 in steps of 2"."""
    if len(values) > 6 and len(steps := {b - a for a, b in pairwise(values)}) == 1:
        (step,) = steps
        return f"{values[0]} to {values[-1]}" + ("" if step == 1 else f" in steps of {step}")
    return listing(values)


def plural(n: int, one: str, many: str | None = None) -> str:
    """1 -> "1 run", 5 -> "5 runs"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def size_of(shape: Sequence[int]) -> str:
    """The shape of one image: "28 × 28 pixels", "32 × 32 pixels in colour", "13 values"."""
    if len(shape) == 1:
        return f"{shape[0]:,} values"
    height, width = shape[:2]
    return f"{width} × {height} pixels" + (" in colour" if len(shape) > 2 and shape[2] >= 3 else "")
