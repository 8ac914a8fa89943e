"""Labels, with the same options for every kind of source."""

import numpy as np
import pytest

from pictures import digits, idx, mnist_like, npy, picture, write
from steinhaus.errors import DataError
from steinhaus.images import open_images

X = digits(6)
Y = [2, 0, 1, 1, 0, 2]
NAMES = ("0", "1", "2")


def sources(tmp_path):
    """A source of six images of each kind that brings labels of its own, and one of each that has none."""
    np.savez(tmp_path / "x.npz", images=X, labels=np.zeros(6, int))
    write(tmp_path / "x.npy", npy(X))
    write(tmp_path / "x-images-idx3-ubyte", idx(X))
    write(tmp_path / "x-labels-idx1-ubyte", idx(np.zeros(6, np.uint8)))
    mnist_like(tmp_path / "folder of idx", train=4, test=2)
    for row in range(6):
        picture(tmp_path / "pictures/a" / f"{row}.png", X[row])
    lines = "".join(",".join(map(str, [0, *x.reshape(-1)])) + "\n" for x in X)
    write(tmp_path / "x.csv", ("label," + ",".join(f"p{k}" for k in range(12)) + "\n" + lines).encode())
    found = ["x.npz", "x.npy", "x-images-idx3-ubyte", "folder of idx", "pictures", "x.csv"]
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return found
    pq.write_table(pa.table({"image": X.reshape(6, -1).tolist(), "label": [0] * 6}), tmp_path / "x.parquet")
    return [*found, "x.parquet"]


def test_none_leaves_labels_out_of_every_source(tmp_path):
    for name in sources(tmp_path):
        for word in ("none", False):
            assert open_images(tmp_path / name, labels=word).label_names is None, name
    assert open_images("digits", labels="none").label_names is None
    assert open_images(X, labels="none").label_names is None


def test_an_array_of_labels_for_every_source(tmp_path):
    for name in sources(tmp_path):
        images = open_images(tmp_path / name, labels=np.array(Y))
        assert (images.labels.tolist(), images.label_names) == (Y, NAMES), name
    assert open_images(X, labels=Y).labels.tolist() == Y


@pytest.mark.parametrize("form", ["npy", "npz", "idx", "idx of columns", "txt", "csv", "parquet"])
def test_a_file_of_labels_for_every_source(tmp_path, form):
    path = tmp_path / f"apart.{form.split()[0]}"
    if form == "npy":
        np.save(path, Y)
    elif form == "npz":
        np.savez(path, Y)
    elif form == "idx":
        write(path, idx(np.array(Y, np.uint8)))
    elif form == "idx of columns":
        write(path, idx(np.column_stack([Y, Y[::-1]]).astype(np.int32)))
    elif form == "parquet":
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"label": Y}), path)
    else:
        write(path, ("" if form == "txt" else "label\n").encode() + "".join(f"{y}\n" for y in Y).encode())
    for name in sources(tmp_path):
        for given in (path, str(path)):
            images = open_images(tmp_path / name, labels=given)
            assert (images.labels.tolist(), images.label_names) == (Y, NAMES), name


def test_a_file_of_labels_beside_names_of_files(tmp_path):
    for row in range(6):
        picture(tmp_path / "pictures" / f"{row}.png", X[row])
    lines = [f"{row}.png,{'cat' if Y[row] else 'dog'}" for row in (5, 3, 1, 0, 2, 4)]
    write(tmp_path / "labels.csv", ("file,label\n" + "\n".join(lines)).encode())
    images = open_images(tmp_path / "pictures", labels=tmp_path / "labels.csv")
    assert [images.label_names[label] for label in images.labels] == ["cat" if y else "dog" for y in Y]


def test_a_file_of_labels_beside_names_of_files_of_a_split(tmp_path):
    places = [f"{part}/{row}.png" for part in ("test", "train") for row in (10, 2)]
    for row, place in enumerate(places):
        picture(tmp_path / "pictures" / place, X[row])
    labels = {place: place.replace("/", " ") for place in places}
    for delimiter, end in ((",", "csv"), ("\t", "tsv"), (";", "txt")):
        lines = [f'"{place}"{delimiter}{label}' for place, label in labels.items()]
        write(tmp_path / f"y.{end}", "\n".join([f"file{delimiter}label", *lines]).encode())
        images = open_images(tmp_path / "pictures", labels=tmp_path / f"y.{end}")
        assert images.given_train == 2
        found = [images.label_names[label] for label in images.labels]
        assert (
            found
            == [labels[file] for file in images.files]
            == [f"{name}.png" for name in ("train 2", "train 10", "test 2", "test 10")]
        )


def test_a_file_of_labels_beside_names_of_files_in_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    for row in range(3):
        picture(tmp_path / "pictures" / f"{row}.png", X[row])
    pq.write_table(pa.table({"name": ["2.png", "0.png", "1.png"], "label": [2, 0, 1]}), tmp_path / "y.parquet")
    assert open_images(tmp_path / "pictures", labels=tmp_path / "y.parquet").labels.tolist() == [0, 1, 2]


def test_a_file_of_labels_of_other_files_is_refused(tmp_path):
    for row in range(3):
        picture(tmp_path / "pictures" / f"{row}.png", X[row])
    for files, why in ((("a.png", "b.png", "c.png"), "no label for 0"), (("0.png",) * 3, "several labels")):
        write(tmp_path / "y.csv", ("file,label\n" + "".join(f"{file},1\n" for file in files)).encode())
        with pytest.raises(DataError, match=why):
            open_images(tmp_path / "pictures", labels=tmp_path / "y.csv")
    write(tmp_path / "y.csv", b"file,label\n3.png,d\n2.png,c\n1.png,b\n0.png,a\n")
    images = open_images(tmp_path / "pictures", labels=tmp_path / "y.csv")
    assert images.label_names == ("a", "b", "c")
    assert images.notes[-1].startswith("Left out: 1 of the 4 labels of")


def test_labels_beside_names_of_files_of_images_that_have_none_keep_their_order_and_that_is_said(tmp_path):
    write(tmp_path / "x.npy", npy(X))
    write(tmp_path / "y.csv", ("file,label\n" + "".join(f"{9 - row}.png,{Y[row]}\n" for row in range(6))).encode())
    images = open_images(tmp_path / "x.npy", labels=tmp_path / "y.csv")
    assert images.labels.tolist() == Y
    assert "Labels are matched by their order in" in images.notes[0]


def test_a_name_for_sources_without_names_says_what_there_is(tmp_path):
    for name in sources(tmp_path):
        with pytest.raises(DataError, match=r"no (column|array|labels)|has no column"):
            open_images(tmp_path / name, labels="kind of thing")
    with pytest.raises(DataError, match="has no labels that can be chosen by name"):
        open_images(X, labels="kind of thing")


def test_labels_of_another_number_are_refused(tmp_path):
    np.save(tmp_path / "y.npy", Y[:-1])
    write(tmp_path / "x.npy", npy(X))
    with pytest.raises(DataError, match="5 labels for 6 images"):
        open_images(tmp_path / "x.npy", labels=tmp_path / "y.npy")


def test_several_labels_an_image_are_refused_with_a_way_out(tmp_path):
    np.savez(
        tmp_path / "x.npz", train_images=X, train_labels=np.ones((6, 14)), test_images=X, test_labels=np.ones((6, 14))
    )
    with pytest.raises(DataError, match=r'there are 14 labels per image, but only one is allowed.*labels="none"'):
        open_images(tmp_path / "x.npz")
    assert open_images(tmp_path / "x.npz", labels="none").given_train == 6


# IDX


@pytest.mark.parametrize(
    ("images", "labels", "array"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-int", np.array(Y, np.int32)),
        ("train-images-idx3-ubyte", "train-labels-idx1-short", np.array(Y, np.int16)),
        (
            "qmnist-train-images-idx3-ubyte",
            "qmnist-train-labels-idx2-int",
            np.column_stack([Y, [9] * 6]).astype(np.int32),
        ),
        ("Train-Images.idx3-ubyte", "train-labels.idx1-ubyte", np.array(Y, np.uint8)),
        ("images.idx", "labels.idx", np.array(Y, np.uint8)),
    ],
)
@pytest.mark.parametrize("gz", [False, True])
def test_idx_labels_of_every_type_are_found(tmp_path, images, labels, array, gz):
    end = ".gz" if gz else ""
    write(tmp_path / "set" / f"{images}{end}", idx(X), gz)
    write(tmp_path / "set" / f"{labels}{end}", idx(array), gz)
    for source in (tmp_path / "set", tmp_path / "set" / f"{images}{end}"):
        found = open_images(source)
        assert found.labels.tolist() == Y
        assert any("The file of labels has 2 columns; the first is used" in note for note in found.notes) == (
            array.ndim == 2
        )


def test_idx_labels_of_many_columns_are_no_labels(tmp_path):
    write(tmp_path / "x-images-idx3-ubyte", idx(X))
    write(tmp_path / "x-labels-idx2-ubyte", idx(np.zeros((6, 100), np.uint8)))
    with pytest.raises(DataError, match="a second of at most 64 columns"):
        open_images(tmp_path / "x-images-idx3-ubyte")


def test_letters_keep_their_numbers(tmp_path):
    write(tmp_path / "x-images-idx3-ubyte", idx(X))
    write(tmp_path / "x-labels-idx1-ubyte", idx(np.array([1, 26, 3, 1, 26, 3], np.uint8)))
    assert open_images(tmp_path / "x-images-idx3-ubyte").label_names == ("1", "3", "26")


# .npz


def test_npz_labels_of_a_split_by_name(tmp_path):
    kinds = {f"{part}_{kind}": np.full(6, kind == "fine") for part in ("train", "test") for kind in ("fine", "coarse")}
    np.savez(tmp_path / "x.npz", train_images=X, test_images=X, **kinds)
    assert open_images(tmp_path / "x.npz").label_names is None
    for name in ("fine", "train_fine"):
        images = open_images(tmp_path / "x.npz", labels=name)
        assert (images.n, images.label_names) == (12, ("1",))


def test_npz_of_one_array_and_labels_in_another_file(tmp_path):
    np.savez(tmp_path / "a.npz", X)
    np.savez(tmp_path / "b.npz", Y)
    images = open_images(tmp_path / "a.npz", labels=tmp_path / "b.npz")
    assert (images.n, images.label_names) == (6, NAMES)


def test_floats_too_large_for_whole_numbers_are_no_labels(tmp_path):
    write(tmp_path / "x.npy", npy(X))
    largest = open_images(tmp_path / "x.npy", labels=np.array([0, 1, 2, 0, 1, 2.0**53]))
    assert largest.label_names == ("0", "1", "2", "9007199254740992")
    with pytest.raises(DataError, match=r"9223372036854775808 is too large for a float.*up to 9,007,199,254,740,992"):
        open_images(tmp_path / "x.npy", labels=np.array([0, 1, 2, 0, 1, 2.0**63]))


@pytest.mark.parametrize(("largest", "taken"), [(2**53, True), (2**53 + 2, False), (2**63, False)])
def test_a_column_of_numbers_beyond_53_bits_is_not_taken_for_labels(tmp_path, largest, taken):
    pixels = ",".join(str(column * 3 % 7) for column in range(16))
    write(tmp_path / "x.csv", f"{pixels},6\n{pixels},6\n{pixels},{largest}".encode())
    images = open_images(tmp_path / "x.csv")
    assert (images.labels is not None) is taken
    assert any(note.startswith("Labels: the last column" if taken else "No column is used") for note in images.notes)
