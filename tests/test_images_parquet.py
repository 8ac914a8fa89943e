"""Parquet: lists, wide columns and encoded pictures, in one file or in shards; errors name the shard."""

from __future__ import annotations

import io
import os
import resource
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pa = pytest.importorskip("pyarrow", reason="needs the extra `parquet`")
import pyarrow.parquet as pq  # noqa: E402

from steinhaus.errors import DataError  # noqa: E402
from steinhaus.images import Images, Limits, open_images  # noqa: E402
from steinhaus.images.stored import StoredPixels  # noqa: E402


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def lists(x, fixed=True):
    if fixed:
        return pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), x.shape[1])
    return pa.array(x.tolist(), pa.list_(pa.from_numpy_dtype(x.dtype)))


def write(path, columns, rows=40):
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=rows)
    return path


@pytest.fixture
def x(rng):
    return rng.integers(0, 256, (150, 12)).astype(np.uint8)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("kind", ["fixed", "list", "wide"])
def test_rows_as_lists_and_as_columns(tmp_path, x, stored, kind):
    labels = ["odd" if row % 2 else "even" for row in range(150)]
    columns = {f"p{t}": x[:, t] for t in range(12)} if kind == "wide" else {"image": lists(x, kind == "fixed")}
    images = open_images(write(tmp_path / "x.parquet", {"label": labels, **columns}), stored=stored, shape=(3, 4))
    assert isinstance(images.pixels, StoredPixels) == stored
    assert images.sha256 == Images.from_arrays(x, labels, shape=(3, 4)).sha256
    assert images.name == "x"
    assert images.pixels[[149, 0, 41]].tolist() == x[[149, 0, 41]].reshape(3, 3, 4).tolist()


def test_shards_in_natural_order(tmp_path, x):
    for place, part in enumerate(np.split(x, [10, 70])):
        write(tmp_path / "set" / f"part-{place * 9}.parquet", {"x": lists(part), "y": np.arange(len(part)) % 3})
    images = open_images(tmp_path / "set", stored=True)
    assert images.pixels[:].tolist() == x.tolist()
    assert images.pixels.source.read(5, 75).tolist() == x[5:75].tolist()
    assert images.label_names == ("0", "1", "2")
    assert isinstance(open_images(tmp_path / "set", limits=Limits(memory=100)).pixels, StoredPixels)


def test_encoded_pictures(tmp_path, x):
    pictures = [{"bytes": png(row.reshape(3, 4)), "path": f"{place}.png"} for place, row in enumerate(x[:9])]
    path = write(tmp_path / "p.parquet", {"image": pictures, "label": [0, 1, 2] * 3}, rows=4)
    images = open_images(path)
    assert images.pixels.tolist() == x[:9].reshape(9, 3, 4).tolist()
    assert images.label_names == ("0", "1", "2")
    with pytest.raises(DataError, match="steinhaus data import"):
        open_images(path, stored=True)
    pictures[5]["bytes"] = b"no picture"
    skipped = open_images(write(tmp_path / "q.parquet", {"image": pictures}, rows=4)).skipped
    assert [file.file for file in skipped] == ["q.parquet, row group 1, row 1"]


def test_a_shard_with_other_columns_is_named(tmp_path, x):
    write(tmp_path / "set" / "a.parquet", {"x": lists(x)})
    write(tmp_path / "set" / "b.parquet", {"x": lists(x.astype(np.float32))})
    with pytest.raises(DataError, match=r"b\.parquet: column x is fixed_size_list.*float.*uint8.* in .*a\.parquet"):
        open_images(tmp_path / "set")
    write(tmp_path / "set" / "b.parquet", {"z": lists(x)})
    with pytest.raises(DataError, match=r"b\.parquet has no column x"):
        open_images(tmp_path / "set")


def test_damage_is_named(tmp_path, x):
    columns = [None if row == 90 else float(row) for row in range(150)]
    with pytest.raises(DataError, match="row group 2: column p holds nulls"):
        open_images(write(tmp_path / "n.parquet", {"p": columns, "q": np.arange(150.0)}))
    ragged = [[1.0, 2.0]] * 100 + [[1.0]]
    with pytest.raises(DataError, match="row group 2: the lists of column x must all hold 2"):
        open_images(write(tmp_path / "r.parquet", {"x": ragged}))
    with pytest.raises(DataError, match="no column of pixels"):
        open_images(write(tmp_path / "t.parquet", {"name": ["a"]}))
    path = write(tmp_path / "cut.parquet", {"x": lists(x)})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"cut\.parquet cannot be read as Parquet"):
        open_images(path)


@pytest.mark.parametrize("name", ["/etc/hostname", "../outside.png", "below/../../outside.png"])
def test_a_picture_that_lies_outside_is_refused(tmp_path, x, name):
    (tmp_path / "outside.png").write_bytes(png(x[0].reshape(3, 4)))
    path = write(tmp_path / "set" / "p.parquet", {"image": [{"bytes": None, "path": name}]})
    with pytest.raises(DataError, match=r"row group 0, row 0: its picture is .*, which points outside"):
        open_images(path)


def test_a_picture_that_lies_beside_is_opened(tmp_path, x):
    (tmp_path / "a.png").write_bytes(png(x[0].reshape(3, 4)))
    pictures = [{"bytes": None, "path": "a.png"}, {"bytes": None, "path": None}, None]
    images = open_images(write(tmp_path / "p.parquet", {"image": pictures}))
    assert images.pixels.tolist() == x[:1].reshape(1, 3, 4).tolist()
    assert len(images.skipped) == 2


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="named pipe"):
        open_images(tmp_path)


def test_a_row_group_over_the_limit_is_not_read(tmp_path, monkeypatch):
    blank = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(1 << 21, np.uint8)), 1 << 10)  # some kB on disk
    path = write(tmp_path / "x.parquet", {"x": blank}, rows=1 << 11)
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(DataError, match=r"row group 0 would take 2.1 MB of memory, but the limit is 1.0 MB"):
        open_images(path, stored=True, limits=Limits(memory=10**6, ratio_free=1))


@pytest.mark.parametrize("stored", [None, True, False])
def test_lists_of_fewer_than_no_values_are_refused(tmp_path, stored):
    path = tmp_path / "x.parquet"
    path.write_bytes((Path(__file__).parent / "corpus" / "parquet-b07477aa").read_bytes())
    with pytest.raises(DataError, match=r"column x declares lists of -1,072,889,844 values"):
        open_images(path, stored=stored)


def test_a_page_that_asks_for_more_memory_than_its_row_group_declares_is_refused(tmp_path):
    """A page of 2 GiB, in a row group of 277 bytes."""
    path = tmp_path / "page.parquet"
    path.write_bytes((Path(__file__).parent / "corpus" / "parquet-68743962").read_bytes())
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + 2**30, hard))
    try:
        with pytest.raises(DataError, match=r"row group 1: it asks for more memory than it declares \(malloc of size"):
            open_images(path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_a_footer_that_declares_more_items_than_it_has_bytes_is_refused(tmp_path):
    """A list of about a million, for which pyarrow by itself takes 60 MiB, in a file of 1,430 bytes."""
    path = tmp_path / "footer.parquet"
    path.write_bytes((Path(__file__).parent / "corpus" / "parquet-774384d2").read_bytes())
    with pytest.raises(DataError, match=r"footer\.parquet cannot be read as Parquet: .*Exceeded size limit"):
        open_images(path)
