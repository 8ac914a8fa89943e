"""How much a source may ask for. Every reader checks before it allocates."""

from __future__ import annotations

from dataclasses import dataclass, fields

from steinhaus.errors import DataError, PlanError
from steinhaus.wording import either

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class Limits:
    """The largest source that is opened; whoever trusts a larger one raises the limit it meets.

    Attributes
    ----------
    memory
        Bytes that the pixels of a whole source, and the labels of a table, may take in memory. A memory-mapped file is
        exempt.
    picture
        Pixels (width x height) of one picture file, asked of its header before anything is decoded. Pillow itself
        refuses pictures of more than 179 million pixels, whatever is allowed here.
    ratio
        Bytes that one compressed byte may expand to, asked of contents over `ratio_free` bytes. Honest pictures reach
        20.
    ratio_free
        Bytes of expanded content that are never suspected: blank pictures compress 1000 to 1.
    line
        Bytes of one line of a table.

    Examples
    --------
    >>> Limits(memory=64 << 30).picture
    50000000
    """

    memory: int = 8 * GIBIBYTE
    picture: int = 50_000_000
    ratio: int = 200
    ratio_free: int = 64 * MEBIBYTE
    line: int = 16 * MEBIBYTE

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or value < 1:
                raise PlanError(f"The limit {field.name} must be a whole number of at least 1, not {value!r}.")

    def check_memory(self, what: str, wanted: int) -> None:
        """Refuse what would take more memory than allowed."""
        if wanted > self.memory:
            raise DataError(
                f"{what} would take {size_text(wanted)} of memory, and the limit is {size_text(self.memory)}. "
                f"If you trust it and have the memory, {raised('memory', wanted)}."
            )

    def check_ratio(self, what: str, stored: int, expanded: int) -> None:
        """Refuse what expands far more than pictures do: a decompression bomb."""
        if expanded > self.ratio_free and expanded > self.ratio * stored:
            raise DataError(
                f"{what} expands {size_text(stored)} to {size_text(expanded)} or more, over {self.ratio} times: that "
                f"looks like a decompression bomb. If you trust it, unpack it first or {raised('ratio', '...')}."
            )


DEFAULT_LIMITS = Limits()


def raised(name: str, value: object) -> str:
    """How to raise a limit.

    Examples
    --------
    >>> raised("line", 100)
    'raise the limit: limits=Limits(line=100)'
    """
    return f"raise the limit: {either(f'limits=Limits({name}={value})', f'--limit {name}={value}')}"


def size_text(n_bytes: int) -> str:
    """Write a number of bytes for people.

    Examples
    --------
    >>> size_text(47_040_016), size_text(1), size_text(999)
    ('47.0 MB', '1 byte', '999 bytes')
    """
    if n_bytes < 1000:
        return "1 byte" if n_bytes == 1 else f"{n_bytes} bytes"
    size = float(min(n_bytes, 10**300))  # a header of many dimensions declares more than a float can hold
    for unit in ("kB", "MB", "GB", "TB", "PB", "EB"):
        size /= 1000
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size:.3g} EB"
