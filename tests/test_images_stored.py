"""Stores that leave pixels on disk: rows that are read, mapped and picked are the same."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from steinhaus.engines.exact.parts import Layout
from steinhaus.engines.stream.reading import Reader
from steinhaus.errors import DataError
from steinhaus.images import open_images
from steinhaus.images.mapping import mapped

zarr = pytest.importorskip("zarr", reason="needs the extra `zarr`")

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="files are mapped on Linux only")


def stored(folder, x, kind):
    """An array as a file or a store, opened."""
    if kind == "npy":
        np.save(folder / "x.npy", x)
        return open_images(folder / "x.npy", stored=True).pixels.source
    options = {"compressors": None} | {
        "plain": {},
        "checksums": {"compressors": [zarr.codecs.Crc32cCodec()]},
        "compressed": {"compressors": [zarr.codecs.ZstdCodec()]},
        "shards": {"shards": (40, 3, 4)},
        "parts of rows": {"chunks": (20, 3, 2)},
        "version 2": {"zarr_format": 2},
        "transposed": {"filters": [zarr.codecs.TransposeCodec(order=(2, 0, 1))]},
        "version 2, columns first": {"zarr_format": 2, "order": "F"},
    }[kind]
    options = {"chunks": (20, 3, 4), "shape": x.shape, "dtype": x.dtype} | options
    zarr.create_array(folder / "x.zarr", config={"write_empty_chunks": True}, **options)[:] = x
    return open_images(folder / "x.zarr", stored=True).pixels.source


@pytest.mark.parametrize(
    ("kind", "lies"),
    [
        ("npy", True),
        ("plain", True),
        ("version 2", True),
        ("checksums", True),
        ("compressed", False),
        ("shards", False),
        ("parts of rows", False),
        ("transposed", False),
        ("version 2, columns first", False),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_rows_are_the_same_however_they_are_had(tmp_path, kind, lies, dtype, rng):
    x = rng.integers(1, 255, (70, 3, 4)).astype(dtype)
    rows = x.reshape(70, 12)
    source = stored(tmp_path, x, kind)
    out = np.empty((55, 12), dtype)
    assert source.read(9, 64, out) is out
    assert out.tolist() == rows[9:64].tolist()
    assert source.read(0, 70).tolist() == rows.tolist()
    view = source.view(22, 38)
    assert (view is not None) == (lies and sys.platform.startswith("linux"))
    if view is not None:
        assert view.tolist() == rows[22:38].tolist()
        assert not view.flags.writeable
    picks = np.array([69, 0, 21, 21, 40])
    assert source.pick(picks).tolist() == rows[picks].tolist()
    assert source.pick(picks[:0]).shape == (0, 12)


@on_linux
def test_a_chunk_with_a_checksum_is_checked_before_it_is_mapped(tmp_path, rng):
    source = stored(tmp_path, rng.integers(1, 255, (70, 3, 4)).astype(np.uint8), "checksums")
    chunk = tmp_path / "x.zarr/c/1/0/0"
    chunk.write_bytes(bytes(8) + chunk.read_bytes()[8:])
    assert source.view(20, 40) is None
    with pytest.raises(DataError, match="the chunk of images 20 to 39 cannot be read"):
        source.read(0, 70)
    with pytest.raises(DataError, match="the chunk of images 20 to 39 cannot be read"):
        source.pick(np.array([3, 25]))
    assert source.view(20, 40) is None
    source.read(0, 20)
    assert source.view(0, 20) is not None


@on_linux
def test_a_file_that_is_cut_short_is_read_to_be_an_error_and_not_mapped(tmp_path, rng):
    x = rng.integers(1, 255, (9000, 3, 4)).astype(np.uint8)
    source = stored(tmp_path, x, "npy")
    with open(tmp_path / "x.npy", "r+b") as file:
        file.truncate(50_000)
    assert source.view(0, 9000) is None
    reader = Reader(source, Layout(np.array([0, 9000])))
    with pytest.raises(DataError, match="cut short"):
        list(reader.parts())
    reader.close()


def test_what_cannot_be_mapped_is_none(tmp_path):
    (tmp_path / "x").write_bytes(bytes(100))
    as_float = np.dtype(np.float64)
    assert mapped(tmp_path / "missing", 0, (2, 4), as_float) is None
    assert mapped(tmp_path, 0, (2, 4), as_float) is None
    assert mapped(tmp_path / "x", 4, (2, 4), as_float) is None, "not on a boundary of its type"
    assert mapped(tmp_path / "x", 48, (2, 4), as_float) is None, "longer than the file"


@pytest.mark.parametrize("kind", ["npy", "compressed"])
def test_buffers_are_used_again_and_hold_what_is_being_looked_at(tmp_path, kind, rng):
    x = rng.integers(1, 255, (70, 3, 4)).astype(np.uint8)
    source = stored(tmp_path, x, kind)
    take = rng.permutation(70)[:50]
    for picked in (None, take):
        layout = Layout(np.arange(0, 71, 10), picked)
        reader = Reader(source, layout)
        for _ in range(2):
            buffers = set()
            for part, rows in reader.parts():
                expected = x.reshape(70, 12)[layout.source_rows(layout.members(part))]
                assert rows.tolist() == expected.tolist()
                buffers.add(rows.__array_interface__["data"][0])
            assert len(buffers) <= 4 or (kind == "npy" and picked is None)
        reader.close()
