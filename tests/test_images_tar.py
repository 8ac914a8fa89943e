"""Tar files of pictures, as WebDataset has them."""

from __future__ import annotations

import io
import tarfile
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from steinhaus.errors import DataError
from steinhaus.images import open_images


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def shard(path, members):
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def x(rng):
    return rng.integers(0, 256, (12, 5, 4)).astype(np.uint8)


def test_pictures_and_labels_of_all_shards(tmp_path, x):
    for part in (0, 1, 10):
        rows = x[:5] if part == 0 else x[5:8] if part == 1 else x[8:]
        members = []
        for row, pixels in enumerate(rows):
            members += [(f"a/{part}-{row}.png", png(pixels)), (f"a/{part}-{row}.cls", str(row % 3).encode())]
        shard(tmp_path / "set" / f"{part}.tar", members)
    images = open_images(tmp_path / "set")
    assert images.pixels.tolist() == x.tolist()
    assert images.label_names == ("0", "1", "2")
    assert images.files[5] == "1.tar: a/1-0"
    assert open_images(tmp_path / "set" / "1.tar", labels=False).labels is None


def test_labels_from_json_and_pictures_that_cannot_be_read(tmp_path, x):
    members = [
        ("0.jpg.png", png(x[0])),
        ("1.png", png(x[1])),
        ("1.json", b'{"label": "cat"}'),
        ("2.png", b"nothing"),
        ("2.json", b'{"label": "dog"}'),
        ("3.png", png(x[3])),
        ("3.json", b'{"cls": 7}'),
    ]
    images = open_images(shard(tmp_path / "s.tar", members))
    assert images.pixels.tolist() == x[[1, 3]].tolist()
    assert images.label_names == ("7", "cat")
    assert [file.file for file in images.skipped] == ["s.tar: 2"]


@pytest.mark.parametrize("name", ["../1.png", "/1.png", "a/../../1.png", "C:\\1.png", "..\\1.png"])
def test_a_member_that_points_outside_is_refused(tmp_path, x, name):
    path = shard(tmp_path / "s.tar", [("0.png", png(x[0])), (name, png(x[1]))])
    with pytest.raises(DataError, match=r"s\.tar holds a member named .*1\.png, which points outside"):
        open_images(path)


@pytest.mark.parametrize(
    "label", [b"[" * 4000, b"{" * 4000, b'{"label": ' * 400, b"9" * 4096, b"\xff", b"nothing", b""]
)
def test_a_label_that_is_no_json_is_none(tmp_path, x, label):
    assert open_images(shard(tmp_path / "s.tar", [("0.png", png(x[0])), ("0.json", label)])).labels is None


@pytest.mark.slow
def test_members_are_forgotten_as_soon_as_they_are_read(tmp_path, x):
    """A shard of millions of them takes no more memory than one of few."""
    path = shard(tmp_path / "s.tar", [("0.png", png(x[0]))] + [(f"{row}.txt", b"") for row in range(40_000)])
    open_images(path)
    tracemalloc.start()
    assert open_images(path).n == 1
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 24 << 20, "a table of names that Python keeps may grow"


def test_what_is_wrong_names_the_shard(tmp_path, x):
    path = shard(tmp_path / "s.tar", [(f"{row}.png", png(x[row])) for row in range(9)])
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"s\.tar cannot be read as a tar file"):
        open_images(path)
    with pytest.raises(DataError, match="no picture that can be read"):
        open_images(shard(tmp_path / "t.tar", [("a.txt", b"text")]))
    sizes = [("0.png", png(x[0])), ("1.png", png(x[1][:3]))]
    with pytest.raises(DataError, match=r"t\.tar: 1 is 4 x 3, grey"):
        open_images(shard(tmp_path / "t.tar", sizes))
    assert open_images(tmp_path / "t.tar", size=(4, 4)).shape == (4, 4)
