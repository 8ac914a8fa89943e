"""Broken sources: each kind has its own message, which names the file, and leaves nothing behind."""

import gzip
import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pictures import archive, digits, idx, mnist_like, npy, npy_header, picture, png_that_declares, write
from steinhaus.errors import DataError, PlanError, SteinhausError
from steinhaus.images import Limits, open_images
from steinhaus.images.files import Content
from steinhaus.images.limits import size_text

SMALL = Limits(memory=1 << 20, ratio_free=1 << 16, picture=10_000)
GZIPPED = gzip.compress(idx(digits()))


def idx_folder(**changes):
    """A builder of a folder like MNIST's, some files replaced (None: taken away)."""

    def build(folder):
        mnist_like(folder, gz=False)
        for name, data in changes.items():
            path = folder / {"train": "train-images-idx3-ubyte", "labels": "train-labels-idx1-ubyte"}[name]
            path.unlink()
            if data is not None:
                path.write_bytes(data)
        return folder

    return build


def file(data, name="x"):
    return lambda folder: write(folder / name, data)


def several(**files):
    def build(folder):
        for name, data in files.items():
            write(folder / name.replace("__", "-"), data)
        return folder

    return build


def fifo(folder):
    os.mkfifo(folder / "x")
    return folder / "x"


def loop(folder):
    (folder / "x").symlink_to(folder / "y")
    (folder / "y").symlink_to(folder / "x")
    return folder / "x"


def overlong_member(folder):
    """A member whose archive declares fewer bytes than its own header."""
    return archive(folder / "x.npz", [("images.npy", npy(digits())[:-10])])


def damaged_member(folder):
    path = archive(folder / "x.npz", [("images.npy", npy(digits(60, 28, 28)))])
    data = bytearray(path.read_bytes())
    data[1000] ^= 0xFF
    return write(path, bytes(data))


def lying_archive(folder):
    """An archive that declares 4 GB for a member of a few bytes."""
    path = archive(folder / "x.npz", [("images.npy", npy(digits()))])
    real, lie = struct.pack("<I", len(npy(digits()))), struct.pack("<I", 2**32 - 2)
    return write(path, path.read_bytes().replace(real, lie))


BROKEN = {
    # not there, or not a file
    "missing": (lambda folder: folder / "x", "there is no such file or folder"),
    "misspelt": (lambda _: "mnits", "Did you mean 'mnist'?"),
    "no name": (lambda _: "", "The empty name"),
    "address": (lambda _: "https://example.org/x.npz", "is an address"),
    "null byte": (lambda _: "a\0b", "there is no such file or folder"),
    "pipe": (fifo, "is a named pipe (FIFO)"),
    "device": (lambda _: "/dev/zero", "is a character device"),
    "loop of links": (loop, "Too many levels of symbolic links"),
    "link to nothing": (lambda folder: (folder / "x").symlink_to("gone") or folder / "x", "no such file or folder"),
    # not a data set
    "empty": (file(b""), "is empty (0 bytes)"),
    "web page": (file(b"\n<!DOCTYPE html>\n<html><body>404</body></html>", "x.npz"), "is a web page (HTML)"),
    "gzipped web page": (file(gzip.compress(b"<html>404</html>"), "x-ubyte.gz"), "is a web page (HTML)"),
    "server error": (file(b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), "is XML"),
    "LFS pointer": (file(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "git lfs pull"),
    "pickle": (file(pickle.dumps([1, 2])), "is a Python pickle, which can run any code"),
    "json": (file(b'{"images": []}'), "is JSON"),
    "parquet": (file(b"PAR1\x15\x04"), "cannot be read as Parquet"),
    "tiff": (file(b"II*\0\x08\0\0\0"), "or its beginning is damaged"),
    "gif": (file(b"GIF89a\x01\0"), "is a GIF picture"),
    "tar": (file(bytes(200).replace(b"\0", b"a") + bytes(57) + b"ustar"), "cannot be read as a tar file"),
    "utf-16": (file("1,2\n".encode("utf-16")), "is text in UTF-16"),
    "noise": (file(bytes(range(1, 200))), "has no known format: it begins with the bytes 01 02 03"),
    "zip of something": (lambda folder: archive(folder / "x", [("a.csv", b"1,2")]), "not an .npz file: it holds a.csv"),
    "empty zip": (lambda folder: archive(folder / "x", []), "not an .npz file: it holds nothing"),
    # gzip
    "cut gzip": (file(GZIPPED[:-20], "x-idx3-ubyte.gz"), "is cut short: its gzip data end too early"),
    "cut gzip header": (file(GZIPPED[:5]), "is cut short: its gzip data end too early"),
    "damaged gzip": (file(GZIPPED[:-6] + b"\0\1\2\3\4\5"), "is damaged: its gzip data cannot be expanded"),
    "noise after gzip": (file(GZIPPED + b"noise"), "is damaged: its gzip data cannot be expanded"),
    "nothing in gzip": (file(gzip.compress(b"")), "but empty inside"),
    "gzipped npy": (file(gzip.compress(npy(digits()))), "is a gzip-compressed npy file"),
    "gzip bomb": (file(gzip.compress(idx(np.zeros((50, 100, 100), np.uint8)))), "looks like a decompression bomb"),
    # IDX
    "wrong magic": (file(b"\1\2\3\4" + bytes(20), "train-images-idx3-ubyte"), "begins with the bytes 01 02 03 04"),
    "cut IDX header": (file(idx(digits())[:10]), "it ends within its header"),
    "cut IDX": (
        file(idx(digits())[:-1]),
        "declares 6 images of 4 x 3, 88 bytes (88), but the file has 87 bytes (87): it is cut",
    ),
    "long IDX": (file(idx(digits()) + b"x"), "longer than its header says"),
    "2^31 images": (
        file(b"\0\0\x08\3" + struct.pack(">III", 2**31, 28, 28) + bytes(9)),
        "declares 2,147,483,648 images of 28 x 28, 1.7 TB",
    ),
    "2^31 images in gzip": (
        file(gzip.compress(b"\0\0\x08\3" + struct.pack(">III", 2**31, 28, 28) + bytes(9))),
        "bytes of gzip data cannot hold more than",
    ),
    "2^128 bytes": (file(b"\0\0\x08\4" + b"\xff" * 16), "cut short"),
    "short IDX in gzip": (file(gzip.compress(idx(digits())[:-1])), "88 bytes, but has 87: it is cut short"),
    "long IDX in gzip": (file(gzip.compress(idx(digits()) + b"x")), "goes on after the data"),
    "no images in IDX": (file(idx(np.zeros((0, 28, 28), np.uint8))), "is empty"),
    "labels as images": (file(idx(np.arange(6, dtype=np.uint8))), "holds 6 labels (one dimension), not images"),
    "IDX of NaN": (file(idx(np.full((2, 3), np.nan, np.float32))), "image 0 has the value nan"),
    "IDX over the limit": (file(idx(np.ones((101, 100, 104), np.uint8))), "would take 1.1 MB of memory"),
    # folders of IDX
    "labels missing": (idx_folder(labels=None), "has no file of labels beside it"),
    "labels of others": (idx_folder(labels=idx(np.zeros(5, np.uint8))), "5 labels, but"),
    "images as labels": (idx_folder(labels=idx(digits())), "not labels: a file of labels has one dimension"),
    "other pictures": (idx_folder(train=idx(digits(6, 5, 5))), "do not belong together"),
    "page as a part": (
        idx_folder(train=b"<!DOCTYPE html><html>"),
        "is not an IDX file: it begins with the bytes 3c 21 44 4f",
    ),
    "labels alone": (several(a__labels__idx1__ubyte=idx(np.zeros(3, np.uint8))), "holds no IDX file of images"),
    "two sets": (
        several(a__idx3__ubyte=idx(digits()), b__idx3__ubyte=idx(digits())),
        "more than one set of IDX images",
    ),
    # folders
    "empty folder": (lambda folder: folder, "is an empty folder"),
    "no pictures": (several(a=b"1", b=b"2"), "holds no pictures (.png"),
    "folder of arrays": (lambda f: write(f / "x.npz", b"1").parent, "files that end in .npz (1)"),
    "folders in folders": (lambda f: (f / "a" / "b").mkdir(parents=True) or f, "there are only folders in it"),
    "zarr": (lambda f: write(f / "zarr.json", b"{}").parent, "holds no array of images"),
    "all bad": (lambda f: write(f / "a.png", b"bad").parent, "none of its 1 pictures can be read"),
    # pictures
    "PNG bomb": (file(png_that_declares(30_000, 30_000)), "declares more pixels than Pillow opens"),
    "large PNG": (file(png_that_declares(1000, 100)), "declares 1,000 x 100 pixels, over the limit of 10,000"),
    "cut JPEG": (
        lambda f: write(f / "x", picture(f / "x.jpg", digits(1, 64, 64)[0]).read_bytes()[:900]),
        "image file is truncated",
    ),
    "huge file of a picture": (file(b"BM" + bytes(100_000)), "more than a picture of 10,000 pixels can need"),
    # .npy
    "cut npy": (file(npy(digits())[:-1]), "it is cut short"),
    "long npy": (file(npy(digits()) + b"x"), "longer than its header says"),
    "objects": (file(npy_header("'|O'") + pickle.dumps([1])), "holds pickled Python objects"),
    "objects by another name": (file(npy_header("'O8'")), "holds pickled Python objects"),
    "records": (file(npy_header("[('a', '<f8')]")), "holds records (a structured dtype)"),
    "complex": (file(npy(np.zeros((2, 2), complex))), "real part"),
    "text": (file(npy(np.array([["a", "b"]]))), "not text"),
    "dates": (file(npy(np.zeros((2, 2), "M8[s]"))), "declares the dtype '<M8[s]'"),
    "no dtype": (file(npy_header("'<f3'") + bytes(18)), "has a damaged .npy header"),
    "NaN": (file(npy(np.full((2, 2), np.nan))), "image 0 has the value nan at [0]"),
    "infinity": (file(npy(np.array([[1, 2], [3, np.inf]]))), "image 1 has the value inf at [1]"),
    "one number": (file(npy(np.float64(3))), "holds no images: its shape is ()"),
    "no images": (file(npy(np.zeros((0, 5)))), "holds no images: its shape is (0, 5)"),
    "2^63 images": (file(npy_header(shape=f"({2**63}, 784)") + bytes(9)), "cut short"),
    "negative images": (file(npy_header(shape="(-1, 6)")), "has a damaged .npy header"),
    "code for a header": (file(npy_header(shape="(__import__('os').abort(),)")), "has a damaged .npy header"),
    "deep header": (file(npy_header(shape="(" * 60_000)), "has a damaged .npy header"),
    "long header": (file(b"\x93NUMPY\2\0" + struct.pack("<I", 2**31)), ".npy header of 2,147,483,648 bytes"),
    "unknown version": (file(b"\x93NUMPY\x09\0" + bytes(10)), "header of version 9"),
    # .npz
    "no known arrays": (
        lambda f: archive(f / "x.npz", [("a.npy", npy(digits())), ("b.npy", npy(digits()))]),
        "holds the arrays a, b, and it is not clear which hold images",
    ),
    "npz bomb": (
        lambda f: archive(f / "x.npz", [("images.npy", npy(np.zeros((60, 100, 100), np.uint8)))]),
        "looks like a decompression bomb",
    ),
    "lying archive": (lying_archive, "to 4.3 GB or more"),
    "lying header": (
        lambda f: archive(f / "x.npz", [("images.npy", npy_header(shape=f"({2**40}, 9)") + bytes(9))]),
        "declares an array of shape (1099511627776, 9)",
    ),
    "short member": (overlong_member, "the header is wrong"),
    "damaged member": (damaged_member, "is a damaged or unreadable zip archive"),
    "cut archive": (
        lambda f: write(f / "y", archive(f / "x", [("images.npy", npy(digits()))]).read_bytes()[:-9]),
        "is a damaged or unreadable zip archive",
    ),
    "pickle in npz": (
        lambda f: archive(f / "x.npz", [("images.npy", npy_header("'|O'") + pickle.dumps([1]))]),
        "holds pickled Python objects",
    ),
    "no npy in npz": (lambda f: archive(f / "x.npz", [("images.npy", b"bad")]), "images.npy is not a .npy array"),
    "parent path": (lambda f: archive(f / "x.npz", [("../images.npy", npy(digits()))]), "points outside"),
    "absolute path": (lambda f: archive(f / "x.npz", [("/images.npy", npy(digits()))]), "points outside"),
    "drive": (lambda f: archive(f / "x.npz", [("C:images.npy", npy(digits()))]), "points outside"),
    "labels for others": (
        lambda f: archive(f / "x.npz", [("images.npy", npy(digits())), ("labels.npy", npy(np.zeros(5)))]),
        "labels has shape (5,), but images holds 6 images",
    ),
    "half the labels": (
        lambda f: archive(f / "x.npz", [(f"{k}.npy", npy(digits())) for k in ("x_train", "x_test", "y_train")]),
        "has labels for some parts, but none for x_test",
    ),
    "a number for images": (lambda f: archive(f / "x.npz", [("x.npy", npy(np.float64(1)))]), "is a single number"),
    "npz over the limit": (
        lambda f: archive(f / "x.npz", [("x.npy", npy(digits(20, 300, 300)))]),
        "would take 1.8 MB of memory",
    ),
}


NEEDS = {"parquet": "pyarrow", "zarr": "zarr"}  # cases whose reader needs an extra


@pytest.mark.parametrize("case", BROKEN)
def test_broken_sources_say_what_is_wrong(tmp_path, case):
    if case in NEEDS:
        pytest.importorskip(NEEDS[case], reason=f"needs the extra `{case}`")
    build, fragment = BROKEN[case]
    source = build(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError) as caught:
        open_images(source, limits=SMALL)
    message = str(caught.value)
    assert fragment in message
    assert message.endswith((".", "?"))
    assert "\n" not in message
    assert sorted(tmp_path.rglob("*")) == before


def test_there_are_enough_of_them():
    assert len(BROKEN) >= 30
    assert len({fragment for _, fragment in BROKEN.values()}) >= 60


def test_twice_the_same_member(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(tmp_path / "x.npz", [("images.npy", npy(digits())), ("images.npy", npy(digits()))])
    with pytest.raises(DataError, match=r"two members named 'images\.npy'"):
        open_images(path)


def test_unknown_names_in_npz(tmp_path):
    path = archive(tmp_path / "x.npz", [("images.npy", npy(digits()))])
    with pytest.raises(DataError, match="holds no array named 'pixels'; it holds images"):
        open_images(path, images="pixels")


@pytest.mark.parametrize(
    ("array", "why"), [(np.asfortranarray(digits()), "Fortran order"), (digits().astype(">f4"), "dtype >f4")]
)
def test_what_cannot_be_mapped(tmp_path, array, why):
    with pytest.raises(DataError, match=f"cannot be mapped, because it has {why}"):
        open_images(write(tmp_path / "x.npy", npy(array)), mmap=True)


def test_unreadable_file(tmp_path, monkeypatch):
    path = write(tmp_path / "x.npy", npy(digits()))

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        open_images(path)


def test_a_file_that_changes_under_the_reader(tmp_path, monkeypatch):
    """The path is a regular file when looked at, and a pipe when opened."""
    path = fifo(tmp_path)
    regular = os.stat(write(tmp_path / "y", b"1"))
    monkeypatch.setattr("steinhaus.images.sniffing.os.stat", lambda *_, **__: regular)
    with pytest.raises(DataError, match="named pipe"):
        open_images(path)


def test_limits_are_whole_numbers():
    with pytest.raises(PlanError, match="limit memory must be a whole number of at least 1, not 0"):
        Limits(memory=0)


@pytest.mark.parametrize(
    ("size", "text"),
    [(1, "1 byte"), (999_949, "999.9 kB"), (999_950, "1.0 MB"), (10**19, "10.0 EB"), (10**30, "1e+12 EB")],
)
def test_sizes_are_written_for_people(size, text):
    assert size_text(size) == text


SEEDS = [
    idx(digits()),
    GZIPPED,
    npy(digits()),
    npy(np.asfortranarray(digits().astype(np.float32))),
    b"label,a,b\n1,2,3\n4,5,6\n",
    png_that_declares(5, 5),
]


@settings(max_examples=300)
@given(seed=st.sampled_from(SEEDS), data=st.data())
def test_whatever_the_bytes_only_our_errors_come_out(tmp_path_factory, seed, data):
    """Valid files with some bytes changed, cut short, or continued."""
    content = bytearray(seed[: data.draw(st.integers(0, len(seed)), label="cut")])
    for place in data.draw(st.lists(st.integers(0, max(0, len(content) - 1)), max_size=4), label="places"):
        content[place : place + 1] = data.draw(st.binary(max_size=4), label="bytes")
    path = write(tmp_path_factory.mktemp("bytes") / "x", bytes(content))
    try:
        images = open_images(path, limits=SMALL)
    except SteinhausError:
        return
    assert images.pixels.nbytes <= SMALL.memory


@pytest.mark.parametrize("data", [idx(digits()), npy(digits()), npy(np.asfortranarray(digits()))])
def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path, monkeypatch, data):
    """After its size was held against what its header declares."""
    monkeypatch.setattr(Content, "expect", lambda *_: None)
    with pytest.raises(DataError, match="it is cut short"):
        open_images(write(tmp_path / "x", data[:-5]))
