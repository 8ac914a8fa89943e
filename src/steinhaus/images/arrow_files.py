"""Arrow files (Feather version 2, `.arrow` files and streams), read like Parquet files: a batch is a row group."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = b"ARROW1"
STREAM = b"\xff\xff\xff\xff"  # the first bytes of a message in a stream


@dataclass(frozen=True)
class Group:
    """The size of a batch."""

    num_rows: int
    total_byte_size: int


class ArrowFile:
    """A file or stream with the attributes of `pyarrow.parquet.ParquetFile` that the Parquet reader uses."""

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
        """The file itself, which has the attributes of Parquet's metadata."""
        return self

    @property
    def num_row_groups(self) -> int:
        """The number of batches."""
        return len(self._batches)

    @property
    def num_rows(self) -> int:
        """The number of rows in all batches."""
        return sum(batch.num_rows for batch in self._batches)

    def row_group(self, number: int) -> Group:
        """The size of one batch."""
        batch = self._batches[number]
        return Group(batch.num_rows, batch.nbytes)

    def read_row_group(self, number: int, columns: Sequence[str]) -> Any:
        """Some columns of a batch as a table, with dictionaries decoded."""
        import pyarrow as pa

        table = pa.Table.from_batches([self._batches[number]]).select(list(columns))
        for place, field in enumerate(table.schema):
            if pa.types.is_dictionary(field.type):
                table = table.set_column(place, field.name, table.column(place).cast(field.type.value_type))
        return table


def arrow_file(path: Path) -> ArrowFile:
    """An Arrow file. It is read and validated once, and again only if it changes."""
    state = path.stat()
    return _read(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=128)
def _read(path: Path, size: int, changed: int) -> ArrowFile:
    return ArrowFile(path)


def is_arrow(head: bytes) -> bool:
    """Whether these first bytes are those of an Arrow file."""
    return head.startswith((FILE, STREAM))
