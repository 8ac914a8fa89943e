"""Images in containers that hold many files or that other packages read: tar, Parquet and Zarr."""

from __future__ import annotations

import importlib.util
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from fuzz import mutations
from fuzz.mutations import Mutation
from pictures import digits

LABELS = np.array([3, 1, 1, 3, 1, 3])


def installed(package: str) -> bool:
    """Whether an extra's package is there."""
    return importlib.util.find_spec(package) is not None


def tar_seeds(pictures: list[bytes]) -> list[bytes]:
    """Two pictures and their labels."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in (("a.png", pictures[0]), ("a.cls", b"3"), ("b.png", pictures[0]), ("b.json", b'{"cls": 4}')):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = {"comment": "x"} if name == "b.png" else {}
            archive.addfile(info, io.BytesIO(data))
    return [out.getvalue().rstrip(b"\0") + bytes(1024)]


def tar(rng: Random, data: bytes) -> bytes:
    """A field of a tar header, its checksum mended; or what a member holds."""
    out = bytearray(data)
    block = 512 * rng.randrange(len(out) // 512)
    if out[block + 257 : block + 262] != b"ustar":
        place = block + rng.randrange(512)
        out[place : place + 1] = rng.choice(mutations.TOKENS)[:1] or b"\0"
        return bytes(out)
    first, size = rng.choice(((0, 100), (100, 8), (124, 12), (124, 12), (136, 12), (156, 1), (157, 100), (345, 155)))
    match rng.randrange(4):
        case 0:
            field = rng.choice((b"L", b"K", b"x", b"g", b"S", b"1", b"2", b"5", b"6", b"7", b"0"))
        case 1:
            field = b"%o" % (abs(rng.choice(mutations.NUMBERS)) % 8 ** (size - 1 or 1))
        case 2:
            field = b"\x80" + (rng.choice(mutations.NUMBERS) % 2**64).to_bytes(8, "big").rjust(size - 1, b"\0")
        case _:
            field = rng.choice((b"../../x.png", b"/etc/x.png", b"a.png", b"\xff", b"-1", b""))
    out[block + first : block + first + size] = field[:size].ljust(size, b"\0")
    out[block + 148 : block + 156] = b" " * 8
    out[block + 148 : block + 156] = b"%06o\0 " % sum(out[block : block + 512])
    return bytes(out)


def hdf5_seeds() -> list[bytes]:
    """The split of USPS in HDF5's first version and its latest, stored whole and in compressed chunks."""
    import h5py

    seeds = []
    for version, how in (("earliest", {}), ("latest", {"compression": "gzip", "chunks": (2, 4, 3), "shuffle": True})):
        out = io.BytesIO()
        with h5py.File(out, "w", libver=version) as file:
            for part, rows in (("train", slice(4)), ("test", slice(4, 6))):
                file.create_dataset(f"{part}/data", data=digits()[rows], **how)
                file[f"{part}/target"] = LABELS[rows]
        seeds.append(out.getvalue())
    return seeds


def hdf5(rng: Random, data: bytes) -> bytes:
    """A size, an address or a flag, anywhere: HDF5 keeps them by eights of bytes."""
    out = bytearray(data)
    place = 8 * rng.randrange(len(out) // 8)
    size = rng.choice((1, 2, 4, 8))
    out[place : place + size] = (rng.choice(mutations.NUMBERS) % 256**size).to_bytes(size, "little")
    return bytes(out)


def columnar(pictures: list[bytes]) -> list[dict[str, Any]]:
    """Tables: rows as lists, nested or not, and as columns; encoded pictures."""
    import pyarrow as pa

    x = digits().reshape(6, 12)
    return [
        {"label": LABELS, "x": pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), 12)},
        {"y": LABELS.astype(str), "x": pa.array(x[:, :3].tolist(), pa.list_(pa.float32()))},
        {f"p{place}": x[:, place].astype(np.float64) for place in range(3)},
        {"image": pa.array([{"bytes": picture, "path": None} for picture in pictures[:1] * 2])},
        {"id": np.arange(6), "image": pa.array(x.reshape(6, 4, 3).tolist(), pa.list_(pa.list_(pa.uint8())))},
        {"jpg": pictures[:1] * 2, "width": [7, 7]},
    ]


def arrow_seeds(pictures: list[bytes]) -> list[bytes]:
    """The same tables as Arrow's files and streams, compressed and not."""
    import pyarrow as pa

    seeds = []
    for place, each in enumerate(columnar(pictures)):
        table, out = pa.table(each), io.BytesIO()
        options = pa.ipc.IpcWriteOptions(compression=(None, "lz4", "zstd")[place % 3])
        with (pa.ipc.new_stream if place == 2 else pa.ipc.new_file)(out, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=4)
        seeds.append(out.getvalue())
    return seeds


def parquet_seeds(pictures: list[bytes]) -> list[bytes]:
    """These tables as Parquet: plain, in a dictionary, compressed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    seeds = []
    for place, each in enumerate(columnar(pictures)):
        for options in (
            {"compression": "NONE", "use_dictionary": False},
            {"compression": ("SNAPPY", "ZSTD")[place % 2]},
        ):
            out = io.BytesIO()
            pq.write_table(pa.table(each), out, row_group_size=4, store_schema=place != 1, **options)
            seeds.append(out.getvalue())
    return seeds


def parquet(rng: Random, data: bytes) -> bytes:
    """What the end of a Parquet file says of its columns, its length mended."""
    size = int.from_bytes(data[-8:-4], "little")
    about = mutations.anywhere(rng, data[-8 - size : -8])
    return data[: -8 - size] + about + len(about).to_bytes(4, "little") + data[-4:]


class ZarrFolder:
    """A Zarr store as a folder, of which an input is one file: a byte that says which, and what it holds."""

    def __init__(self, folder: Path) -> None:
        import zarr

        pixels = digits(6, 4, 3)
        for version, compressors in ((2, "auto"), (3, "auto"), (3, None)):
            store = folder / f"{version}-{compressors}.zarr"
            group = zarr.open_group(store, mode="w", zarr_format=version)
            for name, array, chunks in (("pixels", pixels, (4, 4, 3)), ("labels", LABELS, (6,))):
                group.create_array(name, data=array, chunks=chunks, compressors=compressors)
        self._files = sorted(path for path in folder.rglob("*") if path.is_file())
        self._good = [path.read_bytes() for path in self._files]
        self._folder = folder

    def seeds(self) -> list[bytes]:
        """Each file as it is."""
        return [bytes([place]) + data for place, data in enumerate(self._good)]

    def read(self, data: bytes, look: Callable[[Path], None]) -> None:
        """Look at the store whose file is as the input has it."""
        place = data[0] % len(self._files) if data else 0
        path = self._files[place]
        path.write_bytes(data[1:])
        try:
            look(self._folder / path.relative_to(self._folder).parts[0])
        finally:
            path.write_bytes(self._good[place])


def within(inside: Mutation) -> Mutation:
    """What one file of a Zarr store holds."""

    def mutate(rng: Random, data: bytes) -> bytes:
        return data[:1] + inside(rng, data[1:])

    return mutate


def zarr_json(rng: Random, data: bytes) -> bytes:
    """A node of what Zarr says of an array."""
    return data[:1] + json.dumps(mutations.value(rng, json.loads(data[1:]))).encode()
