"""Arrow's own files (Feather version 2, `.arrow` files and streams), seen as Parquet files: batches are row groups."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = b"ARROW1"
STREAM = b"\xff\xff\xff\xff"  # how a message of a stream begins


@dataclass(frozen=True)
class Group:
    """What a batch takes."""

    num_rows: int
    total_byte_size: int


class ArrowFile:
    """A file, or a stream in a file, with those attributes of `pyarrow.parquet.ParquetFile` that are used here."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        source = pa.memory_map(str(path))
        if source.read(len(FILE)) == FILE:
            file = pa.ipc.open_file(source)
            self.schema_arrow = file.schema
            self._batches = [file.get_batch(number) for number in range(file.num_record_batches)]
        else:
            source.seek(0)
            stream = pa.ipc.open_stream(source)
            self.schema_arrow = stream.schema
            self._batches = list(stream)
        for batch in self._batches:
            batch.validate(full=True)

    @property
    def metadata(self) -> ArrowFile:
        """The file itself says what Parquet's metadata say."""
        return self

    @property
    def num_row_groups(self) -> int:
        """How many batches there are."""
        return len(self._batches)

    @property
    def num_rows(self) -> int:
        """The rows of all batches."""
        return sum(batch.num_rows for batch in self._batches)

    def row_group(self, number: int) -> Group:
        """What a batch takes."""
        batch = self._batches[number]
        return Group(batch.num_rows, batch.nbytes)

    def read_row_group(self, number: int, columns: Sequence[str]) -> Any:
        """Some columns of a batch, as a table; dictionaries as their values."""
        import pyarrow as pa

        table = pa.Table.from_batches([self._batches[number]]).select(list(columns))
        for place, field in enumerate(table.schema):
            if pa.types.is_dictionary(field.type):
                table = table.set_column(place, field.name, table.column(place).cast(field.type.value_type))
        return table


def arrow_file(path: Path) -> ArrowFile:
    """A file, read and validated once for as long as it does not change."""
    state = path.stat()
    return _read(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=128)
def _read(path: Path, size: int, changed: int) -> ArrowFile:
    return ArrowFile(path)


def is_arrow(head: bytes) -> bool:
    """Whether a file that begins so is one of Arrow's."""
    return head.startswith((FILE, STREAM))
