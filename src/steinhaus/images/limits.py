"""Limits on the size of a source. Every reader checks them before it allocates."""

from __future__ import annotations

from dataclasses import dataclass, fields

from steinhaus.errors import DataError, PlanError
from steinhaus.wording import either

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class Limits:
    """Limits on the size of a source. If you trust a larger source, raise the limit that the error names.

    Attributes
    ----------
    memory
        Bytes of memory for the pixels of a whole source, and for the labels of a table. Memory-mapped files are exempt.
        Default 8 GiB.
    picture
        Pixels (width x height) of one picture, checked in its header before it is decoded. Pillow itself refuses
        pictures of more than 179 million pixels. Default 50,000,000.
    ratio
        Bytes that one compressed byte may expand to, for contents of more than `ratio_free` bytes. Honest pictures
        reach 20. Default 200.
    ratio_free
        Bytes of expanded content below which `ratio` is not checked: blank pictures compress 1000 to 1. Default
        64 MiB.
    line
        Bytes of one line of a table. Default 16 MiB.

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
        """Refuse data that would take more memory than allowed.

        Parameters
        ----------
        what
            The name of the data, for the message.
        wanted
            Bytes that it would take.
        """
        if wanted > self.memory:
            raise DataError(
                f"{what} would take {size_text(wanted)} of memory, but the limit is {size_text(self.memory)}. If you "
                f"trust it and have the memory, {raised('memory', wanted)}."
            )

    def check_ratio(self, what: str, stored: int, expanded: int) -> None:
        """Refuse a decompression bomb: data that expand far more than pictures do.

        Parameters
        ----------
        what
            The name of the data, for the message.
        stored, expanded
            Bytes before and after expansion.
        """
        if expanded > self.ratio_free and expanded > self.ratio * stored:
            raise DataError(
                f"{what} expands {size_text(stored)} to {size_text(expanded)} or more, over {self.ratio} times. It "
                f"looks like a decompression bomb. If you trust it, unpack it first, or {raised('ratio', '...')}."
            )


DEFAULT_LIMITS = Limits()


def raised(name: str, value: object) -> str:
    """The advice to raise a limit.

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
    size = float(min(n_bytes, 10**300))  # a header of many dimensions can declare more than a float holds
    for unit in ("kB", "MB", "GB", "TB", "PB", "EB"):
        size /= 1000
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size:.3g} EB"
