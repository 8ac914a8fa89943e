"""Formats of published sets: CIFAR's binary files, MATLAB, fvecs and bvecs, JSON lines, Arrow."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from pictures import digits, idx, write
from steinhaus.errors import DataError
from steinhaus.images import Limits, open_images

X = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
Y = np.array([3, 0, 9, 1, 0, 3], np.uint8)


def records(pixels, *labels):
    """Images as CIFAR's binary files have them."""
    rows = pixels.transpose(0, 3, 1, 2).reshape(len(pixels), -1)
    return np.concatenate([*(label[:, None] for label in labels), rows], axis=1).astype(np.uint8).tobytes()


# CIFAR


def test_cifar_10_is_a_folder_of_batches(tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    write(folder / "data_batch_2.bin", records(X[2:4], Y[2:4]))
    write(folder / "data_batch_1.bin", records(X[:2], Y[:2]))
    write(folder / "test_batch.bin", records(X[4:], Y[4:]))
    write(folder / "batches.meta.txt", b"\n".join(b"class%d" % k for k in range(10)) + b"\n\n")
    write(folder / "readme.html", b"<html></html>")
    images = open_images(folder)
    np.testing.assert_array_equal(images.pixels, X)
    np.testing.assert_array_equal(images.labels, Y)
    assert images.label_names == tuple(f"class{k}" for k in range(10))
    assert (images.given_train, images.given_val) == (4, 0)
    assert open_images(folder, labels="none").label_names is None


def test_cifar_10_of_one_file_without_names(tmp_path):
    images = open_images(write(tmp_path / "data_batch_1.bin", records(X, Y)))
    assert images.label_names == ("0", "1", "3", "9")
    assert images.shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("labels", "names", "expected"), [(None, 100, "fine"), ("fine", 100, "fine"), ("coarse", 20, "coarse")]
)
def test_cifar_100_has_fine_and_coarse_labels(tmp_path, labels, names, expected):
    fine, coarse = np.array([99, 0, 5, 7, 0, 1], np.uint8), np.array([19, 0, 3, 3, 0, 1], np.uint8)
    for kind, n in (("fine", 100), ("coarse", 20)):
        write(tmp_path / f"{kind}_label_names.txt", "\n".join(f"{kind}{k}" for k in range(n)).encode())
    write(tmp_path / "train.bin", records(X[:4], coarse[:4], fine[:4]))
    write(tmp_path / "test.bin", records(X[4:], coarse[4:], fine[4:]))
    images = open_images(tmp_path, labels=labels)
    np.testing.assert_array_equal(images.pixels, X)
    np.testing.assert_array_equal(images.labels, fine if expected == "fine" else coarse)
    assert len(images.label_names) == names
    assert images.given_train == 4
    with pytest.raises(DataError, match="has no labels 'medium'"):
        open_images(tmp_path, labels="medium")


def test_cifar_in_a_folder_below(tmp_path):
    write(tmp_path / "cifar/cifar-10-batches-bin/data_batch_1.bin", records(X[:4], Y[:4]))
    write(tmp_path / "cifar/cifar-10-batches-bin/test_batch.bin", records(X[4:], Y[4:]))
    write(tmp_path / "cifar/cifar-10-batches-bin/batches.meta.txt", b"\n".join(b"class%d" % k for k in range(10)))
    images = open_images(tmp_path / "cifar")
    np.testing.assert_array_equal(images.pixels, X)
    assert (images.given_train, images.label_names[3]) == (4, "class3")
    write(tmp_path / "cifar/cifar-10-batches-bin/more.bin", records(X, Y))
    with pytest.raises(DataError, match=r"is named after a part of a split, but more\.bin is not"):
        open_images(tmp_path / "cifar")


def test_cifar_that_is_none_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds the label 77, which CIFAR-10 does not have"):
        open_images(write(tmp_path / "x.bin", records(X, np.full(6, 77, np.uint8))))
    write(tmp_path / "set/train.bin", records(X, Y))
    write(tmp_path / "set/test.bin", records(X, Y, Y))
    with pytest.raises(DataError, match="CIFAR's binary files hold records of 3,073 or 3,074 bytes"):
        open_images(tmp_path / "set")
    with pytest.raises(DataError, match="limit"):
        open_images(tmp_path / "x.bin", limits=Limits(memory=9_000))


def test_cifar_as_pickles_is_refused_with_the_way_out(tmp_path):
    import pickle

    path = write(tmp_path / "data_batch_1", pickle.dumps({b"data": X, b"labels": Y.tolist()}, protocol=2))
    with pytest.raises(DataError, match="For CIFAR, use the binary version"):
        open_images(path)


# MATLAB


def test_matlab_as_svhn_has_it(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "train_32x32.mat", {"X": np.moveaxis(X, 0, -1), "y": (Y % 10 + 1)[:, None]}, do_compression=True)
    images = open_images(tmp_path / "train_32x32.mat")
    np.testing.assert_array_equal(images.pixels, X)
    assert images.label_names == ("1", "2", "4", "10")
    assert open_images(tmp_path / "train_32x32.mat", labels="none").label_names is None


def test_matlab_of_rows_with_a_split(tmp_path):
    from scipy.io import savemat

    arrays = {
        "train_data": digits(4),
        "train_labels": np.arange(4)[None],
        "test_data": digits(3),
        "test_labels": np.arange(3)[None],
    }
    savemat(
        tmp_path / "x.mat",
        {key: value if value.ndim < 3 else np.moveaxis(value, 0, -1) for key, value in arrays.items()},
    )
    images = open_images(tmp_path / "x.mat")
    np.testing.assert_array_equal(images.pixels[:4], digits(4))
    assert (images.given_train, images.label_names) == (4, ("0", "1", "2", "3"))
    savemat(tmp_path / "flat.mat", {"X": digits(5).reshape(5, 12)})
    assert open_images(tmp_path / "flat.mat").shape == (12,)


@pytest.mark.parametrize("labels", [None, "none"])
def test_matlab_has_its_images_where_the_labels_say_wanted_or_not(tmp_path, labels):
    from scipy.io import savemat

    y = np.arange(6)[:, None]
    rows, pictures = digits(6, 3, 5).reshape(6, 15), digits(6, 4, 5)
    for x, expected in ((rows, rows), (rows.T, rows), (pictures, pictures), (np.moveaxis(pictures, 0, -1), pictures)):
        for labels_of_file in (y, y.T):
            savemat(tmp_path / "x.mat", {"X": x, "y": labels_of_file})
            images = open_images(tmp_path / "x.mat", labels=labels)
            np.testing.assert_array_equal(images.pixels, expected)
            assert (images.label_names is None) == (labels == "none")
    savemat(tmp_path / "several.mat", {"X": rows, "y": np.ones((6, 14))})
    assert open_images(tmp_path / "several.mat", labels="none").n == 6
    with pytest.raises(DataError, match="there are 14 labels per image"):
        open_images(tmp_path / "several.mat")


def test_matlab_with_other_content_is_refused(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "x.mat", {"X": {"a": 1}})
    with pytest.raises(DataError, match="X is a struct, not a plain array"):
        open_images(tmp_path / "x.mat")
    savemat(tmp_path / "y.mat", {"X": np.zeros((50, 50, 9))}, do_compression=True)
    with pytest.raises(DataError, match="decompression bomb"):
        open_images(tmp_path / "y.mat", limits=Limits(ratio_free=1000))
    with pytest.raises(DataError, match=r"version 7\.3"):
        open_images(write(tmp_path / "z.mat", b"MATLAB 7.3 MAT-file, Platform: GLNXA64"))


# Vectors


@pytest.mark.parametrize(("end", "dtype"), [("fvecs", "<f4"), ("bvecs", "u1"), ("FVECS", "<f4")])
def test_vectors_of_search_libraries(tmp_path, end, dtype):
    values = digits(5, 2, 6).reshape(5, 12).astype(dtype)
    path = write(tmp_path / f"x.{end}", b"".join(struct.pack("<i", 12) + row.tobytes() for row in values))
    images = open_images(path)
    np.testing.assert_array_equal(images.pixels, values)
    assert images.pixels.dtype == np.dtype(dtype).newbyteorder("=")
    assert open_images(path, shape=(3, 4)).shape == (3, 4)


@pytest.mark.parametrize(
    ("data", "fragment"),
    [
        (struct.pack("<i3f", 3, 1, 2, 3)[:-1], "does not hold vectors of one length"),
        (struct.pack("<i3f", -3, 1, 2, 3), "the first has -3 values"),
        (struct.pack("<i3fi3f", 3, 1, 2, 3, 2, 1, 2, 3), "vector 1 declares 2 values, but the first declares 3"),
        (struct.pack("<i3f", 3, 1, float("nan"), 3), "must be a finite number"),
    ],
)
def test_damaged_vectors_are_refused(tmp_path, data, fragment):
    with pytest.raises(DataError, match=fragment):
        open_images(write(tmp_path / "x.fvecs", data))


@pytest.mark.parametrize("key", ["embedding", "vector", "emb of mine"])
@pytest.mark.parametrize("end", ["jsonl", "ndjson", "json"])
def test_json_lines_of_vectors(tmp_path, key, end, rng):
    values = rng.random((6, 4))
    lines = [
        json.dumps({"text": "a [b]", key: row, "label": "cat" if n % 2 else "dog"})
        for n, row in enumerate(values.tolist())
    ]
    images = open_images(write(tmp_path / f"x.{end}", "\n".join(lines).encode()))
    np.testing.assert_array_equal(images.pixels, values)
    assert images.label_names == ("cat", "dog")
    assert len(open_images(tmp_path / f"x.{end}", labels="text").label_names) == 1
    assert open_images(tmp_path / f"x.{end}", labels="none").label_names is None


def test_json_lines_say_which_keys_are_left_out(tmp_path):
    lines = [json.dumps({"id": k, "embedding": [k, 1.5], "features": [1, 2], "label": k % 2}) for k in range(3)]
    images = open_images(write(tmp_path / "x.jsonl", "\n".join(lines).encode()))
    assert (images.shape, images.notes) == ((2,), ("Left out: keys id, features.",))


def test_json_lines_of_lists(tmp_path):
    assert open_images(write(tmp_path / "x.jsonl", b"[1, 2]\n\n[3, 4.5]\n")).pixels.tolist() == [[1, 2], [3, 4.5]]


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("[1, 2]\n[3]\n", "line 2: it does not hold a list of 2 numbers"),
        ("[1, 2]\n[3, true]\n", "line 2: it does not hold a list of 2 numbers"),
        ('{"v": [1]}\n{"w": [1]}\n', "line 2: it does not hold a list of 1 numbers under 'v'"),
        ("[1, 2]\n[3, 4\n", "line 2: this is not a JSON document"),
        ('{"a": [1], "b": [2]}\n', "it is not clear which of a, b is the vector. Name it: images=..."),
        ('{"a": [1], "label": [2]}\n', "which of a, label is the vector|neither a name nor a whole number"),
        ("\n", "only blank lines"),
        ("[1, NaN]\n", "must be a finite number"),
    ],
)
def test_json_lines_that_are_refused(tmp_path, text, fragment):
    with pytest.raises(DataError, match=fragment):
        open_images(write(tmp_path / "x.jsonl", text.encode()))


# Arrow


@pytest.mark.parametrize("form", ["feather", "lz4", "file", "stream"])
def test_arrow_files_are_read_as_parquet_is(tmp_path, form, rng):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import feather

    values = rng.random((6, 4))
    kind = pa.array(["cat", "dog", "cat", "dog", "dog", "dog"]).dictionary_encode()
    table = pa.table({"id": range(6), "embedding": pa.array(values.tolist(), pa.list_(pa.float64())), "label": kind})
    path = tmp_path / "x.arrow"
    if form in ("feather", "lz4"):
        feather.write_feather(table, path, compression="lz4" if form == "lz4" else "uncompressed")
    else:
        with (pa.ipc.new_file if form == "file" else pa.ipc.new_stream)(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=4)
    for stored in (False, True):
        images = open_images(path, stored=stored)
        np.testing.assert_array_equal(images.pixels[:], values)
        assert images.label_names == ("cat", "dog")


def test_arrow_files_of_a_split_as_datasets_saves_them(tmp_path, rng):
    pa = pytest.importorskip("pyarrow")

    for part, n in (("train", 5), ("test", 3)):
        table = pa.table({f"sensor {name}": rng.random(n) for name in "ab"})
        (tmp_path / part).mkdir()
        with pa.ipc.new_stream(tmp_path / part / "data-00000-of-00001.arrow", table.schema) as writer:
            writer.write_table(table)
        write(tmp_path / part / "state.json", b"{}")
    images = open_images(tmp_path)
    assert (images.given_train, images.columns) == (5, ("sensor a", "sensor b"))


def test_old_feather_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="Feather file of version 1"):
        open_images(write(tmp_path / "x.feather", b"FEA1" + bytes(20)))


# Sets that are opened by name from their published files


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A known set of few images, as files with or without a digest."""
    import hashlib

    from steinhaus.images import known

    def made(name, md5=True, transpose=False):
        monkeypatch.setenv("STEINHAUS_DATA", str(tmp_path / "data"))
        files = []
        for part, n in (("train", 4), ("test", 2)):
            for what, array in (("images-idx3", digits(n, 28, 28)), ("labels-idx1", np.arange(n, dtype=np.uint8))):
                content = idx(array)
                path = write(tmp_path / "data/some" / f"x-{part}-{what}-ubyte.gz", content, gz=True)
                digest = hashlib.md5(path.read_bytes()).hexdigest() if md5 else ""
                files.append(known.KnownFile(path.name[:-3], len(content), md5=digest))
        small = replace(known.KNOWN["kmnist"], name=name, files=tuple(files), folders=("some",), transpose=transpose)
        monkeypatch.setitem(known.KNOWN, name, small)
        return tmp_path / "data/some"

    return made


def test_published_files_are_opened_by_name(published, monkeypatch, tmp_path):
    published("kmnist")
    images = open_images("kmnist")
    assert (images.name, images.given_train, images.n, images.notes) == ("kmnist", 4, 6, ())
    assert images.licence == "CC BY-SA 4.0"
    assert images.split().train.n == 4  # its own split
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "kmnist" / "x-images-idx3-ubyte", idx(digits(3)))
    assert open_images("kmnist").n == 3  # a folder of one's own of that name comes first


def test_published_files_that_are_others_are_refused(published):
    folder = published("kmnist")
    write(folder / "x-train-labels-idx1-ubyte.gz", idx(np.zeros(4, np.uint8)), gz=True)
    with pytest.raises(DataError, match=r"is not the published x-train-labels-idx1-ubyte.gz of kmnist: its MD5"):
        open_images("kmnist")


def test_published_files_without_digests_are_held_by_their_size_and_say_so(published):
    folder = published("emnist-letters", md5=False, transpose=True)
    images = open_images("emnist-letters")
    np.testing.assert_array_equal(images.pixels[:4], digits(4, 28, 28).swapaxes(1, 2))
    assert "only their sizes were checked" in images.notes[0]
    write(folder / "x-test-labels-idx1-ubyte.gz", idx(np.zeros(3, np.uint8)), gz=True)
    with pytest.raises(DataError, match=r"3 labels, but|bytes of content, not"):
        open_images("emnist-letters")


def test_a_set_that_is_not_here_says_what_it_needs(monkeypatch, tmp_path):
    monkeypatch.setenv("STEINHAUS_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"fashion-mnist was not found.*not download it.*train-images-idx3-ubyte"):
        open_images("fashion-mnist")


@pytest.mark.parametrize(("name", "n"), [("emnist-letters", 145_600), ("qmnist", 120_000), ("fashion-mnist", 70_000)])
def test_sizes_of_published_files_are_those_of_their_images(name, n):
    from steinhaus.images.known import KNOWN

    images = [file for file in KNOWN[name].files if "images" in file.name]
    assert sum((file.size - 16) // 784 for file in images) == KNOWN[name].n == n
