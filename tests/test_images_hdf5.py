"""HDF5 files: arrays by name, in groups, and files that are refused."""

from __future__ import annotations

import numpy as np
import pytest

from pictures import digits
from steinhaus.errors import DataError
from steinhaus.images import Limits, open_images

h5py = pytest.importorskip("h5py", reason="needs the extra hdf5")


def hdf5(path, **arrays):
    """Write arrays; "__" in a name is the stroke between groups."""
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name.replace("__", "/")] = values
    return path


def test_usps_as_it_is_published(tmp_path, rng):
    x = rng.random((10, 256)).astype(np.float32)
    path = hdf5(
        tmp_path / "usps.h5", train__data=x[:6], train__target=np.arange(6) % 3, test__data=x[6:],
        test__target=np.arange(4) % 3,
    )  # fmt: skip
    images = open_images(path)
    assert (images.n, images.given_train, images.label_names) == (10, 6, ("0", "1", "2"))
    assert images.pixels.tobytes() == x.tobytes()
    assert open_images(path, shape=(16, 16)).shape == (16, 16)
    assert open_images(path, labels="none").labels is None


@pytest.mark.parametrize("end", ["h5", "hdf5", "mat5", "dat"])
def test_names_are_those_of_npz_whatever_the_ending(tmp_path, end):
    x, y = digits(6), np.arange(6) % 2
    for names in (("X", "y"), ("images", "labels"), ("a/b/data", "a/b/target"), ("fea", "gnd")):
        path = tmp_path / f"x.{end}"
        hdf5(path, **dict(zip(names, (x, y), strict=True)))
        images = open_images(path)
        assert images.pixels.tobytes() == x.tobytes()
        assert images.labels.tolist() == y.tolist()


def test_the_split_of_sets_as_courses_have_them(tmp_path):
    path = hdf5(
        tmp_path / "x.h5", train_set_x=digits(6), train_set_y=np.arange(6) % 2, test_set_x=digits(4),
        test_set_y=np.arange(4) % 2, list_classes=np.array([b"no", b"yes"]),
    )  # fmt: skip
    images = open_images(path)
    assert (images.n, images.given_train) == (10, 6)
    assert images.notes == ("Left out: array list_classes.",)


def test_labels_of_text_and_weights(tmp_path):
    path = hdf5(tmp_path / "x.h5", X=digits(3), y=["cat", "dog", "cat"], w=[1.0, 2.0, 0.5])
    images = open_images(path, weights="w")
    assert images.label_names == ("cat", "dog")
    assert images.weights.tolist() == [1.0, 2.0, 0.5]
    assert images.notes == ()


def test_compressed_chunks_and_other_types(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w", libver="latest") as file:
        for how in ("gzip", "lzf", None):
            file.create_dataset(f"x_{how}", data=digits(6).astype(">i2"), compression=how, chunks=(2, 4, 3))
    for how in ("gzip", "lzf", None):
        assert open_images(tmp_path / "x.h5", images=f"x_{how}").pixels.tobytes() == digits(6).tobytes()


def test_what_cannot_be_told_is_asked(tmp_path):
    path = hdf5(tmp_path / "x.h5", a=digits(6), b=digits(6))
    with pytest.raises(DataError, match="holds the arrays a, b, and it is not clear which hold images"):
        open_images(path)
    assert open_images(path, images="b").n == 6


def test_what_is_no_plain_array_is_refused(tmp_path):
    other = hdf5(tmp_path / "other.h5", x=digits(6))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        layout = h5py.VirtualLayout((6, 4, 3), "u1")
        layout[...] = h5py.VirtualSource(str(other), "x", shape=(6, 4, 3))
        file.create_virtual_dataset("virtual", layout)
        file["link"] = h5py.ExternalLink(str(other), "x")
        file.create_dataset("outside", (6, 4, 3), "u1", external=[(str(tmp_path / "raw"), 0, 72)])
        file.create_dataset("never", (6, 4, 3), "u1")
        file.create_dataset("huge", (10**6, 10**6), "f8", chunks=(1, 10))
        file["records"] = np.zeros(3, [("a", "f4")])
        file["one"] = 1.0
    for name, why in (
        ("virtual", "values in other files"), ("outside", "values in other files"), ("never", "none was written"),
        ("huge", "would take"), ("records", "not numbers"), ("one", "single value"), ("link", "no array named"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=why):
            open_images(tmp_path / "x.h5", images=name)


def test_a_bomb_is_refused(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=np.zeros((4, 1 << 16), np.uint8), compression="gzip", chunks=(1, 1 << 16))
    with pytest.raises(DataError, match="decompression bomb"):
        open_images(tmp_path / "x.h5", limits=Limits(ratio_free=1000))
    with pytest.raises(DataError, match="of memory"):
        open_images(tmp_path / "x.h5", limits=Limits(memory=1000))


def test_a_damaged_file_is_named(tmp_path):
    path = hdf5(tmp_path / "x.h5", x=digits(6))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="cannot be read as HDF5"):
        open_images(path)


def test_labels_of_another_number_are_refused(tmp_path):
    path = hdf5(tmp_path / "x.h5", x=digits(6), y=np.arange(5))
    with pytest.raises(DataError, match="y holds 5 labels, but x holds 6 images"):
        open_images(path)


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    path = hdf5(tmp_path / "x.h5", x=digits(6))
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(DataError, match=r"pip install 'steinhaus\[hdf5\]'"):
        open_images(path)
