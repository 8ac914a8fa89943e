"""Every kind of source is recognised by its content, and returns what was put in."""

import gzip
import mmap
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pictures import archive, digits, idx, mnist_like, npy, npy_header, picture, write
from steinhaus.errors import DataError
from steinhaus.images import Limits, data_status, open_images


@pytest.fixture(autouse=True)
def nothing_unpickles(monkeypatch):
    """No reader may unpickle: everything that could is made to raise."""

    def refuse(*_, **__):
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(f"pickle.{name}", refuse)
    monkeypatch.setattr(np, "load", refuse)


# IDX


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5, 12), (5, 4, 3), (5, 2, 2, 3)])
def test_idx_file(tmp_path, dtype, shape, gz):
    array = np.arange(60).reshape(shape).astype(dtype)
    images = open_images(write(tmp_path / "some.idx", idx(array), gz))
    np.testing.assert_array_equal(images.pixels, array)
    assert (images.labels, images.name, images.given_train) == (None, "some", None)


def test_idx_labels_are_found_beside_the_images(tmp_path):
    parts, labels = mnist_like(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    images = open_images(path)
    np.testing.assert_array_equal(images.pixels, parts["train"])
    np.testing.assert_array_equal(images.labels, labels["train"])
    assert images.name == "train-images"
    assert open_images(path, labels=False).labels is None
    assert open_images(path, labels=[7] * 6).label_names == ("7",)
    moved = shutil.move(tmp_path / "train-labels-idx1-ubyte.gz", tmp_path / "elsewhere")
    assert open_images(path).labels is None
    np.testing.assert_array_equal(open_images(path, labels=moved).labels, labels["train"])


@pytest.mark.parametrize("gz", [False, True])
def test_idx_folder_is_a_pool_with_a_split_of_its_own(tmp_path, gz):
    parts, labels = mnist_like(tmp_path / "set", gz=gz)
    images = open_images(tmp_path / "set")
    np.testing.assert_array_equal(images.pixels, np.concatenate([parts["train"], parts["t10k"]]))
    np.testing.assert_array_equal(images.labels, np.concatenate([labels["train"], labels["t10k"]]))
    assert (images.name, images.given_train, images.label_names) == ("set", 6, ("0", "1", "2"))
    np.testing.assert_array_equal(images.split("given").test.pixels, parts["t10k"])
    assert open_images(tmp_path / "set", labels=False).labels is None


def test_idx_folder_of_one_part_in_both_forms(tmp_path):
    """A raw file and its compressed copy are one file."""
    pixels = digits()
    write(tmp_path / "train-images.idx3-ubyte", idx(pixels))
    write(tmp_path / "train-images.idx3-ubyte.gz", idx(pixels), gz=True)
    images = open_images(tmp_path)
    np.testing.assert_array_equal(images.pixels, pixels)
    assert images.given_train is None


def test_gzip_of_several_members_is_one_content(tmp_path):
    data = idx(digits())
    path = write(tmp_path / "two.idx.gz", gzip.compress(data[:20]) + gzip.compress(data[20:]))
    np.testing.assert_array_equal(open_images(path).pixels, digits())


# .npy and .npz


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">i4", "<f4", ">f8", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path, dtype, order):
    array = np.asarray(digits() % 2, dtype=dtype, order=order)
    images = open_images(write(tmp_path / "x.npy", npy(array)), labels=list("ababab"))
    np.testing.assert_array_equal(images.pixels, array)
    assert images.label_names == ("a", "b")


def test_npy_of_vectors_takes_a_shape_and_labels_from_a_file(tmp_path):
    path = write(tmp_path / "x.npy", npy(digits().reshape(6, 12)))
    assert open_images(path).shape == (12,)
    write(tmp_path / "y.npy", npy(np.arange(6)))
    images = open_images(path, shape=(4, 3), labels=tmp_path / "y.npy", full_scale=128)
    np.testing.assert_array_equal(images.pixels, digits())
    assert images.labels.tolist() == list(range(6))
    assert images.full_scale == 128


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_npy_is_mapped_where_asked_for(tmp_path, dtype):
    path = write(tmp_path / "x.npy", npy(digits().astype(dtype)))
    images = open_images(path, mmap=True, limits=Limits(memory=1))
    base = images.pixels.base
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, mmap.mmap)
    np.testing.assert_array_equal(images.pixels, digits())
    assert images.sha256 == open_images(path).sha256


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_of_every_version(tmp_path, version):
    path = tmp_path / "x.npy"
    with path.open("wb") as out:
        np.lib.format.write_array(out, digits(), version=version)
    np.testing.assert_array_equal(open_images(path).pixels, digits())


def test_npy_header_as_others_write_it(tmp_path):
    data = npy_header('"|u1"', "( 2,6 ,)").replace(b"'", b'"') + bytes(range(12))
    assert open_images(write(tmp_path / "x.npy", data)).pixels.tolist() == [list(range(6)), list(range(6, 12))]


@pytest.mark.parametrize(
    "names",
    [("x_train", "y_train", "x_test", "y_test"), ("train_images", "train_labels", "test_images", "test_labels")],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_with_a_split_of_its_own(tmp_path, names, save):
    arrays = [digits(5, seed=1), np.arange(5), digits(3, seed=2), np.arange(3)]
    save(tmp_path / "keras.npz", **dict(zip(names, arrays, strict=True)))
    images = open_images(tmp_path / "keras.npz")
    np.testing.assert_array_equal(images.pixels, np.concatenate(arrays[::2]))
    assert images.labels.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert (images.given_train, images.name) == (5, "keras")


@pytest.mark.parametrize(
    ("x", "y"), [("images", "labels"), ("X", "y"), ("data", "target"), ("pixels", "labels"), ("arr_0", "arr_1")]
)
def test_npz_by_convention(tmp_path, x, y):
    np.savez(tmp_path / "x.npz", **{x: np.asfortranarray(digits()), y: np.array(list("bababa")), "else": 3})
    images = open_images(tmp_path / "x.npz")
    np.testing.assert_array_equal(images.pixels, digits())
    assert images.labels.tolist() == [1, 0, 1, 0, 1, 0]


def test_npz_by_name(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, images=digits(seed=1), mine=digits(seed=2), kind=np.arange(6), other=np.arange(5))
    np.testing.assert_array_equal(open_images(path, images="mine").pixels, digits(seed=2))
    assert open_images(path, images="mine").labels is None
    images = open_images(path, labels="kind")
    np.testing.assert_array_equal(images.pixels, digits(seed=1))
    assert images.labels.tolist() == list(range(6))


def test_npz_of_one_array(tmp_path):
    np.savez(tmp_path / "x.npz", anything=digits())
    np.testing.assert_array_equal(open_images(tmp_path / "x.npz").pixels, digits())


# arrays, known sets, the door itself


def test_arrays():
    images = open_images(digits(), labels=[0, 1] * 3, name="mine")
    assert (images.n, images.name, images.label_names) == (6, "mine", ("0", "1"))
    assert open_images([[1.5, 2.5]]).pixels.tolist() == [[1.5, 2.5]]


def test_digits():
    images = open_images("digits")
    assert (images.n, images.shape, images.pixels.dtype, images.full_scale) == (1797, (8, 8), np.uint8, 16)
    assert images.pixels.max() == 16
    assert images.label_names == tuple("0123456789")
    assert np.bincount(images.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert images.licence == "CC BY 4.0"


def test_content_decides_not_the_name(tmp_path):
    write(tmp_path / "table.npy", b"1,2,3\n4,5,6\n")
    write(tmp_path / "array.csv", npy(digits()))
    write(tmp_path / "blob", idx(digits()), gz=True)
    assert open_images(tmp_path / "table.npy").n == 2
    assert open_images(tmp_path / "array.csv").n == 6
    assert open_images(str(tmp_path / "blob")).n == 6


def test_a_link_that_the_user_names_is_followed(tmp_path):
    write(tmp_path / "x.npy", npy(digits()))
    (tmp_path / "link").symlink_to(tmp_path / "x.npy")
    assert open_images(tmp_path / "link").name == "link"


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "x.npy", npy(digits()))
    assert open_images("~/x.npy").n == 6


def test_progress_hears_of_pictures(tmp_path):
    for row in range(3):
        picture(tmp_path / f"{row}.png", digits()[row])
    heard = []
    open_images(tmp_path, progress=lambda *step: heard.append(step))
    assert heard[0] == (f"Reading {tmp_path.name}", 0, 3, "pictures")
    assert heard[-1] == (f"Reading {tmp_path.name}", 3, 3, "pictures")


def test_archives_are_never_extracted(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile.ZipFile, "extract", None)
    monkeypatch.setattr(zipfile.ZipFile, "extractall", None)
    archive(tmp_path / "x.npz", [("images.npy", npy(digits()))])
    assert open_images(tmp_path / "x.npz").n == 6


def test_status_of_known_sets(tmp_path, monkeypatch):
    monkeypatch.setenv("STEINHAUS_DATA", "")
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    mnist, built_in = data_status(tmp_path)
    assert (mnist.known.name, mnist.ready, mnist.where) == ("mnist", False, str(tmp_path / "cache/steinhaus/mnist"))
    assert [Path(place.split(" (")[0]) for place in mnist.looked] == [
        tmp_path / "mnist",
        tmp_path,
        tmp_path / "cache/steinhaus/mnist",
    ]
    assert (built_in.known.name, built_in.ready, built_in.where) == ("digits", True, "comes with scikit-learn")
    mnist_like(tmp_path / "mnist")
    assert data_status(tmp_path)[0].ready
    assert data_status(tmp_path)[0].where == str(tmp_path / "mnist")


def test_opening_pulls_in_only_what_it_needs(tmp_path):
    path = write(tmp_path / "x.npy", npy(digits()))
    code = (
        "import sys; from steinhaus.images import open_images; open_images(sys.argv[1]);"
        "print([m for m in ('llvmlite', 'sklearn', 'PIL', 'pooch', 'requests', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_options_are_named(tmp_path):
    path = write(tmp_path / "x.npy", npy(digits()))
    with pytest.raises(DataError, match="has no option 'mode'; its options are shape, full_scale, mmap"):
        open_images(path, mode="L")
    with pytest.raises(DataError, match="an array has no option 'size'"):
        open_images(digits(), size=(2, 2))
    with pytest.raises(DataError, match="digits has no option 'size'; its options are download"):
        open_images("digits", size=(2, 2))
